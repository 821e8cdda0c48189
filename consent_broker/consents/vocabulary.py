"""The words of consent: record categories, purposes of use, states, and the scopes they travel as."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from registry.calendar import LIMA

FHIR_TYPES = {
    "allergies": "AllergyIntolerance",
    "medications": "MedicationStatement",
    "encounters": "Encounter",
    "problems": "Condition",
    "immunizations": "Immunization",
}
"""Record category to the one FHIR type it is read as."""

CATEGORIES = {resource_type: category for category, resource_type in FHIR_TYPES.items()}
"""FHIR type to record category."""

ALL_CATEGORIES = frozenset(FHIR_TYPES)
BASIC = frozenset({"allergies", "medications", "problems"})
"""Basic clinical information: the sections of Minsa's CompositionPe (diagnoses, allergies, medication)."""

NORMAL = "N"
"""HL7 v3 Confidentiality: what carries no label of sensitivity."""

RESTRICTED = "R"
"""HL7 v3 Confidentiality: sensitive, and nothing says why; R, V and labels this list does not know count as it."""

SENSITIVE = frozenset({"ETH", "ETHUD", "OPIOIDUD", "PSY", "SDV", "HIV", "STD", "SEX", "GDIS", "ADOL", RESTRICTED})
"""HL7 v3 InformationSensitivityPolicy codes a directive may name: those of IHE PCF Advanced, and some more."""

ALL_LABELS = SENSITIVE | {NORMAL}
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
SENSITIVITY = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
LABEL_SYSTEMS = {label: CONFIDENTIALITY if label in {NORMAL, RESTRICTED} else SENSITIVITY for label in ALL_LABELS}
"""Label to the code system it is a code of."""

PURPOSES = frozenset({"TREAT", "CAREMGT", "COC"})
"""HL7 v3 PurposeOfUse codes a professional may ask for: treatment, care management, coordination of care."""

BREAK_THE_GLASS = "BTG"
"""The purpose of an emergency access; nobody asks for it, a professional declares it (consent_broker.emergency)."""

PATIENT_REQUEST = "PATRQT"
"""The purpose of a person who reads their own; no consent can be for it."""

ESTABLISHMENT_CATEGORIES = frozenset(
    {"I", "I-1", "I-2", "I-3", "I-4", "II", "II-1", "II-2", "II-E", "III", "III-1", "III-2", "III-E"}
)
"""RENIPRESS categories, and the levels that mean all of theirs."""

DEFAULT_DURATION = timedelta(days=7)
MAX_DURATION = timedelta(days=90)


class Status(StrEnum):
    """FHIR ConsentState, with the ends told apart."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    REJECTED = "rejected"
    REVOKED = "revoked"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.PROPOSED: frozenset({Status.ACTIVE, Status.REJECTED, Status.EXPIRED}),
    Status.ACTIVE: frozenset({Status.REVOKED, Status.EXPIRED, Status.SUPERSEDED}),
}
"""What may follow what; a state without an entry is final."""


def scope_of(category: str) -> str:
    """The SMART v2 scope that carries a category."""
    return f"patient/{FHIR_TYPES[category]}.rs"


_CATEGORIES = {scope_of(category): category for category in FHIR_TYPES}


def categories_of(scopes: Iterable[str]) -> frozenset[str]:
    """The categories a set of scopes asks for; scopes that are not about records count for nothing."""
    return frozenset(_CATEGORIES[scope] for scope in scopes if scope in _CATEGORIES)


def end_of_day(day: date) -> datetime:
    """The first instant after a calendar day in Lima, in UTC: a consent "until" that day ends then."""
    return datetime.combine(day + timedelta(days=1), time(), LIMA).astimezone(UTC)
