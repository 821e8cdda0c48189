"""The words of emergency access: purpose, reasons, what may be read, and how a case may end."""

from datetime import timedelta
from enum import StrEnum

from consent_broker.consents.vocabulary import BREAK_THE_GLASS

CHANNEL = "emergency"
"""Of the evidence an emergency leaves."""

PURPOSE = BREAK_THE_GLASS
"""HL7 v3 ActReason: break the glass."""

REASONS = {
    "unconscious": "La persona está inconsciente o no puede comunicarse",
    "life-threatening": "Riesgo inmediato para la vida",
    "severe-harm": "Riesgo de daño grave e irreversible para la salud",
    "childbirth": "Emergencia obstétrica o neonatal",
    "mass-casualty": "Atención de víctimas múltiples o desastre",
}
"""Coded reason to its words on the screen."""

TEXT_LENGTHS = (20, 1000)
"""Characters of the professional's own words: enough to say something, not a clinical history."""

DECLARE_WITHIN = timedelta(minutes=10)
"""How long a record system's question waits for the professional to declare the emergency."""

FRESH = timedelta(minutes=5)
"""How recent the professional's proof of identity must be."""

ACR = 3
"""The strongest ID Perú level."""

REVIEW_WITHIN = timedelta(days=3)
"""Until when the privacy officer should have reviewed a case (a project decision, not a legal term)."""

PERIOD = timedelta(days=1)
"""What the number of emergencies a professional may declare is counted over."""


class Outcome(StrEnum):
    """How the privacy officer judged a case."""

    JUSTIFIED = "justified"
    MISUSE = "misuse"
