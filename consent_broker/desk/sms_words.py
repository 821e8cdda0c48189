"""The words of the code's message: to whom and for what, nothing clinical, in letters any old telephone shows."""

from dataclasses import dataclass
from datetime import datetime

from registry.calendar import LIMA
from registry.messages.words import LONGEST, LONGEST_NAME, plain

PURPOSES = {"TREAT": "para atenderle", "CAREMGT": "para seguir su salud", "COC": "para coordinar su atencion"}
HIDDEN = "******"


@dataclass(frozen=True, slots=True)
class Codes:
    """What to say to permit all that was asked; and to permit the basic of it alone, where there is such a part."""

    all: str
    basic: str | None = None


def code_message(codes: Codes, who: str, establishment: str, purpose: str, until: datetime, minutes: int) -> str:
    """What the patient reads; with `HIDDEN` for the codes it is the text kept as evidence."""
    last = until.astimezone(LIMA)
    less = f", o {codes.basic} para solo lo basico" if codes.basic else ""
    return plain(
        f"RENHICE: {who[:LONGEST_NAME]}, de {establishment[:LONGEST_NAME]}, pide leer su historia clinica "
        f"{PURPOSES.get(purpose, 'para atenderle')}, hasta el {last:%d/%m} {last:%H:%M}. Si lo permite, "
        f"digale el codigo {codes.all}{less}. Vale {minutes} minutos. Si no, no lo diga."
    )[:LONGEST]


def notice_message(who: str, establishment: str, given_at: datetime, until: datetime) -> str:
    """What a person is told of a permission that was put on record in their name."""
    given, last = given_at.astimezone(LIMA), until.astimezone(LIMA)
    return plain(
        f"RENHICE: el {given:%d/%m} a las {given:%H:%M} en {establishment[:LONGEST_NAME]} quedo anotado que usted "
        f"permite a {who[:LONGEST_NAME]} leer su historia clinica hasta el {last:%d/%m} a las {last:%H:%M}. "
        "Si no es asi, llame gratis al 113."
    )[:LONGEST]
