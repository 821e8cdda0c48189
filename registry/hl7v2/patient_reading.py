"""A PID segment read as a FHIR Patient, so that both feeds write a source record in one way; pure but for authorities.

Peru's two surnames: PID-5.1 is the paternal one (or own surname, FN.3), PID-6.1, the mother's maiden name, the
maternal one, PID-5.1.5 the husband's. A ubigeo stands in PID-11.9.
"""

import re
from collections.abc import Iterator
from datetime import date

from sqlalchemy.orm import Session

from registry.fhir import systems
from registry.fhir.patient_feed import MAX_NUMBER
from registry.fhir.wire import Json
from registry.hl7v2.authorities import Authority, find_system, read_authority
from registry.hl7v2.faults import DATA_TYPE, REQUIRED_FIELD, TABLE_VALUE, UNKNOWN_KEY, Fault
from registry.hl7v2.parsing import Message, Repetition, Segment

GENDERS = {"M": "male", "F": "female", "O": "other", "A": "other", "U": "unknown", "N": "unknown", "": None}
NAME_TYPES = ("L", "D", "", "B", "C", "U", "N", "S")
"""Table 0200: the legal name first; maiden names and aliases are told apart."""

DNI_TYPES = frozenset({"NNPER", "NI"})
"""Table 0203: the national identifier of Peru."""

NUMBER_TYPES = frozenset({"", "PI", "MR", "PT"})
"""Those of an establishment's own numbers."""

RECORD_NUMBER = "MR"
OTHER_NUMBERS = frozenset({"VN", "AN"})
"""Of visits and accounts: they name no patient."""

MOBILE = frozenset({"CP"})
_DATE = re.compile(r"(\d{4})(?:(\d{2})(?:(\d{2})(?:\d{2,6}(?:\.\d+)?(?:[+-]\d{4})?)?)?)?")


def read_patient(session: Session, message: Message, own_system: str) -> tuple[str, Json]:
    """The local number of `own_system` in the PID, and what the message says as a Patient. Raises Fault."""
    pid = message.one("PID")
    number = own_number(session, pid, own_system)
    identifiers = [{"system": own_system, "value": number}, *_documents(session, pid)]
    patient = {
        "resourceType": "Patient",
        "identifier": identifiers,
        "name": [_name(pid, one) for one in _names(pid)],
        "gender": _gender(pid.text(8)),
        "birthDate": to_fhir_date(pid.text(7), "PID^1^7"),
        "address": [address for one in pid.repetitions(11) if (address := _address(one))],
        "telecom": [*_phones(pid, 13, "home"), *_phones(pid, 14, "work")],
        "multipleBirthInteger": _birth_order(pid),
        "extension": [*_mothers_surname(pid), *_mothers_identifiers(session, message, own_system)],
        "contact": _mothers_name(message),
        **_deceased(pid),
    }
    return number, {key: value for key, value in patient.items() if value not in (None, [], "")}


def own_number(session: Session, segment: Segment, own_system: str, field: int = 3) -> str:
    """The one identifier of one's own in PID-3 (or MRG-1); raises Fault where there is none, or are several.

    Of several the one that says it is the record's. Those of visits and accounts are not the patient's.
    """
    place = f"{segment.name}^1^{field}"
    found = [one for one in segment.repetitions(field) if one.text(1) and one.text(5).upper() not in OTHER_NUMBERS]
    if not found:
        raise Fault("The patient has no identifier.", number=REQUIRED_FIELD, place=place)
    authorities = [read_authority(one) for one in found]
    known = [find_system(session, one) for one in authorities]
    mine = [one for one, system in zip(found, known, strict=True) if system == own_system]
    of_record = {one.text(1) for one in mine if one.text(5).upper() == RECORD_NUMBER}
    own = of_record or {one.text(1) for one in mine}
    if any(len(one) > MAX_NUMBER for one in own):
        raise Fault(f"A number has at most {MAX_NUMBER} characters.", number=DATA_TYPE, place=place)
    if len(own) == 1:
        return own.pop()
    if own:
        raise Fault("The patient has several numbers of your establishment.", number=DATA_TYPE, place=place)
    raise _no_number_of_ones_own(authorities, known, place)


def _no_number_of_ones_own(authorities: list[Authority], known: list[str | None], place: str) -> Fault:
    if not any(authorities):
        return Fault("PID-3 names no assigning authority.", number=REQUIRED_FIELD, place=f"{place}^1^4")
    if not any(known):
        return Fault("The assigning authority is not known here.", number=UNKNOWN_KEY, place=f"{place}^1^4")
    return Fault(
        "The assigning authority is not your establishment's.",
        number=UNKNOWN_KEY,
        place=f"{place}^1^4",
        hint="A record system registers patients under its own establishment's numbers.",
    )


def _of_mother(message: Message, in_pid: int, in_kin: int) -> list[Repetition]:
    """What the PID says of the mother, or where it says nothing the next of kin who is her (NK1-3, table 0063)."""
    stated = message.one("PID").repetitions(in_pid)
    kin = (one for one in message.all("NK1") if one.text(3).upper() == systems.MOTHER)
    mother = next(kin, None)
    return stated if stated or mother is None else mother.repetitions(in_kin)


def _mothers_identifiers(session: Session, message: Message, own_system: str) -> Iterator[Json]:
    """The mother's documents, and her number with one's own or without any authority (PID-21, else NK1-33)."""
    for one in _of_mother(message, 21, 33):
        stated, authority = _document(session, one), read_authority(one)
        number = find_system(session, authority) == own_system if authority else one.text(5).upper() in NUMBER_TYPES
        if stated is None and number and one.text(1):
            stated = {"system": own_system, "value": one.text(1)}
        if stated is not None:
            yield {"url": systems.MOTHERS_DOCUMENT, "valueIdentifier": stated}


def _mothers_surname(pid: Segment) -> list[Json]:
    """PID-6.1, which of a newborn may be known before any name is."""
    surname = pid.text(6)
    return [{"url": systems.MOTHERS_MAIDEN_NAME, "valueString": surname}] if surname else []


def _mothers_name(message: Message) -> list[Json]:
    """The mother's given names (PID-6, else NK1-2): NK1-2.1 holds both surnames as often as one, and is not read."""
    given = [word for one in _of_mother(message, 6, 2)[:1] for part in (2, 3) for word in one.text(part).split()]
    role = {"coding": [{"system": systems.ROLES, "code": systems.MOTHER}]}
    return [{"relationship": [role], "name": {"given": given}}] if given else []


def _documents(session: Session, pid: Segment) -> Iterator[Json]:
    for one in pid.repetitions(3):
        document = _document(session, one)
        if document is not None:
            yield document


def _document(session: Session, identifier: Repetition) -> Json | None:
    """An identity document by its authority or its type (table 0203, and Peru's codes); None for anything else."""
    value, code = identifier.text(1), identifier.text(5).upper()
    if not value:
        return None
    system = find_system(session, read_authority(identifier))
    if system is not None:
        return {"system": system, "value": value} if systems.is_document_system(system) else None
    if code == "PPN":
        return {"system": f"{systems.PASSPORT_PREFIX}{_country(identifier)}", "value": value}
    if code in DNI_TYPES:
        return {"system": systems.DNI_OID, "value": value}
    is_ours = code in systems.TYPE_CODES and not code.isdigit()
    return {"type": {"coding": [{"system": systems.V2_ID_TYPES, "code": code}]}, "value": value} if is_ours else None


def _country(identifier: Repetition) -> str:
    """The issuer of a passport: CX.9 (its jurisdiction) or a namespace of three letters; Peru otherwise."""
    for stated in (identifier.text(9), identifier.text(4)):
        if len(stated) == 3 and stated.isalpha():
            return stated.upper()
    return "PER"


def _names(pid: Segment) -> list[Repetition]:
    found = [one for one in pid.repetitions(5) if any(one.text(part) for part in (1, 2, 3))]
    order = {kind: index for index, kind in enumerate(NAME_TYPES)}
    return (
        sorted((one for one in found if _type(one) in order), key=lambda one: order[_type(one)])[:1]
        + [one for one in found if _type(one) == "M"][:1]
    )


def _type(name: Repetition) -> str:
    return name.text(7).upper()


def _name(pid: Segment, name: Repetition) -> Json:
    surname = [*name.texts(1), "", "", "", "", ""]
    family = surname[2] or surname[0]
    mothers = pid.text(6, 1)
    extension = [
        {"url": url, "valueString": value}
        for url, value in ((systems.MOTHERS_FAMILY, mothers), (systems.PARTNER_NAME, surname[4]))
        if value
    ]
    given = [word for part in (2, 3) for word in name.text(part).split()]
    stated: Json = {"use": "maiden" if _type(name) == "M" else "official", "family": family, "given": given}
    stated["_family"] = {"extension": extension} if extension else None
    return {key: value for key, value in stated.items() if value}


def _gender(code: str) -> str | None:
    if code.upper() not in GENDERS:
        raise Fault("PID-8 is not a code of table 0001.", number=TABLE_VALUE, place="PID^1^8")
    return GENDERS[code.upper()]


def to_fhir_date(text: str, place: str) -> str | None:
    """`YYYY[MM[DD]]`, a time behind it left out, as FHIR writes it; raises Fault."""
    if not text:
        return None
    found = _DATE.fullmatch(text)
    written = "-".join(part for part in found.groups() if part) if found else ""
    try:
        date.fromisoformat(f"{written}-01-01"[:10])
    except ValueError:
        raise Fault("A date is written YYYY, YYYYMM or YYYYMMDD.", number=DATA_TYPE, place=place) from None
    return written


def _address(one: Repetition) -> Json | None:
    line = " ".join(part for part in (one.text(1), one.text(2)) if part)
    ubigeo = re.sub(r"\D", "", one.text(9))
    extension = [{"url": systems.UBIGEO, "valueString": ubigeo}] if len(ubigeo) == 6 else []
    stated: Json = {
        "extension": extension,
        "line": [line] if line else [],
        "city": one.text(3),
        "state": one.text(4),
        "postalCode": one.text(5),
    }
    kept = {key: value for key, value in stated.items() if value}
    return {"use": "home", **kept} if kept else None


def _phones(pid: Segment, field: int, use: str) -> Iterator[Json]:
    for one in pid.repetitions(field):
        value = one.text(12) or _number(one.text(6), one.text(7)) or one.text(1)
        if value and one.text(3).upper() not in {"INTERNET", "X.400"}:
            yield {"system": "phone", "value": value, "use": "mobile" if one.text(3).upper() in MOBILE else use}


def _number(area: str, local: str) -> str:
    """Both as one number, so that they can be told apart again."""
    return f"({area}) {local}" if area.isdecimal() and local else f"{area}{local}"


def _birth_order(pid: Segment) -> int | None:
    text = pid.text(25)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 2):
        raise Fault("PID-25 is a small whole number.", number=DATA_TYPE, place="PID^1^25")
    return int(text)


def _deceased(pid: Segment) -> Json:
    when = to_fhir_date(pid.text(29), "PID^1^29")
    if when:
        return {"deceasedDateTime": when}
    return {"deceasedBoolean": True} if pid.text(30).upper() == "Y" else {}
