"""A FHIR Patient, as the registry shows it to a record system, written as a PID segment."""

import re

from sqlalchemy.orm import Session

from matching.records import Demographics
from registry.fhir import systems
from registry.fhir.patient_reading import extension_value, identifiers_of_mother
from registry.fhir.wire import Json
from registry.hl7v2.authorities import write_authority
from registry.hl7v2.parsing import DEFAULT

GENDERS = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
TYPES = {systems.PERSON: "PT", systems.SOURCE_RECORD: "PT", systems.DNI_OID: "NNPER"}
AREA = re.compile(r"\(([0-9]{1,6})\) (.+)", re.ASCII)
NO_NAME = "~^^^^^^S"
"""PID-5 of an answer that tells identifiers only: no name, on purpose (IHE ITI TF-2 §3.9.4.2.2.4)."""


def write_identifier(session: Session, identifier: Json) -> str:
    """CX: the id, its authority and its type."""
    value, system = str(identifier["value"]), str(identifier.get("system") or "")
    authority = "&".join(map(DEFAULT.escaped, write_authority(session, system))) if system else ""
    return f"{DEFAULT.escaped(value)}^^^{authority}^{_type(system)}"


def _type(system: str) -> str:
    if system.startswith(systems.PASSPORT_PREFIX):
        return "PPN"
    if system in systems.DOCUMENT_SYSTEMS:
        kind = systems.DOCUMENT_SYSTEMS[system]
        return "NNPER" if system.endswith("/dni") or system == systems.DNI_OID else kind.value
    return TYPES.get(system, "PI")


def write_identifiers(session: Session, identifiers: list[Json]) -> str:
    """A PID of identifiers alone (K23)."""
    return _segment({3: "~".join(write_identifier(session, one) for one in identifiers), 5: NO_NAME})


def write_patient(session: Session, patient: Json, identifiers: list[Json], mother: Demographics) -> str:
    """A PID of what a Patient says, with these identifiers (K22); `mother` says her name where the Patient doesn't."""
    name = (patient.get("name") or [{}])[0]
    address = (patient.get("address") or [{}])[0]
    phones = [one for one in patient.get("telecom") or [] if one.get("value")]
    return _segment(
        {
            3: "~".join(write_identifier(session, one) for one in identifiers),
            5: _name(name),
            6: _mothers_name(patient, mother),
            7: str(patient.get("birthDate") or "").replace("-", ""),
            8: GENDERS.get(str(patient.get("gender")), "U"),
            11: _address(address),
            13: "~".join(_phone(str(one["value"])) for one in phones if one.get("use") != "work"),
            14: "~".join(_phone(str(one["value"]), "WPN") for one in phones if one.get("use") == "work"),
            21: "~".join(write_identifier(session, one) for one in identifiers_of_mother(patient)),
            25: str(patient.get("multipleBirthInteger") or ""),
            29: str(patient.get("deceasedDateTime") or "").replace("-", "")[:8],
            30: "Y" if "deceasedDateTime" in patient or patient.get("deceasedBoolean") else "",
        }
    )


def _name(name: Json) -> str:
    """XPN; PID-5 is required, so that a patient without a name has one that says so (table 0200, U)."""
    if not name:
        return "^^^^^^U"
    partner = extension_value(name.get("_family") or {}, systems.PARTNER_NAME)
    family = DEFAULT.escaped(str(name.get("family") or "")) + (f"&&&&{DEFAULT.escaped(partner)}" if partner else "")
    first, *others = [DEFAULT.escaped(word) for word in name.get("given") or [""]]
    return f"{family}^{first}^{' '.join(others)}^^^^L"


def _mothers_name(patient: Json, mother: Demographics) -> str:
    """XPN of PID-6: what the record says itself, else her own record."""
    family = extension_value(patient, systems.MOTHERS_MAIDEN_NAME) or mother.paternal_surname
    contact = (patient.get("contact") or [{}])[0]
    given = (contact.get("name") or {}).get("given") or (mother.given_names or "").split()
    if not family and not given:
        return ""
    first, *others = [DEFAULT.escaped(word) for word in given or [""]]
    return f"{DEFAULT.escaped(str(family or ''))}^{first}^{' '.join(others)}^^^^L"


def _address(address: Json) -> str:
    line = DEFAULT.escaped(" ".join(address.get("line") or []))
    ubigeo = extension_value(address, systems.UBIGEO) or ""
    city, state, code = (DEFAULT.escaped(str(address.get(part) or "")) for part in ("city", "state", "postalCode"))
    return f"{line}^^{city}^{state}^{code}^^^^{ubigeo}".rstrip("^")


def _phone(number: str, use: str = "PRN") -> str:
    """XTN, with the area code apart where it was said apart."""
    area, local = found.groups() if (found := AREA.fullmatch(number)) else ("", number)
    return f"^{use}^PH^^^{area}^{DEFAULT.escaped(local)}"


def _segment(fields: dict[int, str]) -> str:
    last = max(number for number, value in fields.items() if value)
    return "|".join(["PID", *(fields.get(number, "") for number in range(1, last + 1))])
