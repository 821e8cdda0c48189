"""The patient a record system's search is about: a record of its own, or a person it knows by the registry's id."""

from collections.abc import Sequence
from uuid import UUID

from registry.access import Caller
from registry.app import parts
from registry.database import session
from registry.directory.service import get_establishment
from registry.errors import InvalidInput
from registry.fhir import systems
from registry.fhir.searching import Search
from registry.fhir.values import read_reference, read_uuid
from registry.identity.records import find_own_id, find_own_record
from registry.identity.service import find_person, list_person_ids
from registry.locator.service import locate


def own_records(caller: Caller, search: Search) -> Sequence[UUID]:
    """The caller's own records of the one patient a search names; none for nobody known. Raises InvalidInput."""
    named = named_patient(caller, search)
    if named is None:
        return []
    own = find_own_record(session(), parts().sealer, caller.establishment_id, named)
    person = find_person(session(), own.person_id if own else named)
    held = locate(session(), person.id) if person else []
    mine = [one.source_record_id for one in held if one.establishment_id == caller.establishment_id]
    return sorted({*mine, *([own.member.record_id] if own else [])})


def person_ids(caller: Caller, search: Search) -> Sequence[UUID]:
    """The ids of the person a search names, the replaced ones too; none for nobody known. Raises InvalidInput."""
    named = named_patient(caller, search)
    own = find_own_record(session(), parts().sealer, caller.establishment_id, named) if named else None
    wanted = own.person_id if own else named
    person = find_person(session(), wanted) if wanted else None
    return list_person_ids(session(), person.id) if person else []


def named_patient(caller: Caller, search: Search) -> UUID | None:
    """The id a search names its patient by, in `patient` or `patient.identifier`; raises InvalidInput unless once."""
    references, identifiers = search.values("patient"), search.values("patient.identifier")
    if len(references) + len(identifiers) != 1:
        raise InvalidInput("Name one patient, by patient or by patient.identifier.", code="patient-missing")
    return read_uuid(read_reference(references[0], "Patient")) if references else _identified(caller, identifiers[0])


def _identified(caller: Caller, text: str) -> UUID | None:
    system, _, value = text.partition("|")
    if system in {systems.PERSON, systems.SOURCE_RECORD}:
        return read_uuid(value)
    if system == get_establishment(session(), caller.establishment_id).identifier_system:
        return find_own_id(session(), parts().sealer, caller.establishment_id, value.strip())
    raise InvalidInput(
        "Name the patient by an id of the registry, or by your own local number.",
        code="patient-identifier",
        hint="An identity document never stands in a URL: use POST Patient/$match.",
    )
