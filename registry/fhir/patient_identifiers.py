"""The identifiers of a person that a record system may be told, and the systems they are of (IHE domains)."""

from collections.abc import Collection
from uuid import UUID

from registry.access import Caller
from registry.database import session
from registry.directory.service import find_by_identifier_system
from registry.fhir import systems
from registry.fhir.wire import Json
from registry.identity.service import LoadedMember, LoadedPerson

OURS = frozenset({systems.PERSON, systems.SOURCE_RECORD})


def own_members(caller: Caller, person: LoadedPerson) -> list[LoadedMember]:
    """The caller's own records of a person that are in use."""
    return [one for one in person.members if one.establishment_id == caller.establishment_id and one.active]


def tellable_identifiers(caller: Caller, person: LoadedPerson, hidden: Collection[UUID]) -> list[Json]:
    """The person's id, the ids of one's own records, and local numbers.

    Others' local numbers are told only to an establishment that holds a record of the person, never one that is the
    number of a document, and never one of an establishment whose link the person hides (`hidden`).
    """
    own = own_members(caller, person)
    kept = {*hidden} - {caller.establishment_id}
    told = [one for one in person.members if own and one.active and one.establishment_id not in kept]
    return [
        {"system": systems.PERSON, "value": str(person.person_id)},
        *({"system": systems.SOURCE_RECORD, "value": str(one.record_id)} for one in own),
        *(_local(one) for one in told if _tellable(person, one, caller)),
    ]


def establishment_of(system: str) -> UUID | None:
    """The establishment whose local numbers carry that system."""
    found = find_by_identifier_system(session(), system)
    return found.id if found else None


def is_known_domain(system: str) -> bool:
    """Whether the registry keeps identifiers of that system."""
    return system in OURS or systems.is_document_system(system) or establishment_of(system) is not None


def _local(member: LoadedMember) -> Json:
    return {"system": member.content.local_system, "value": member.content.local_number}


def _tellable(person: LoadedPerson, member: LoadedMember, caller: Caller) -> bool:
    """One's own number, or another's that holds no document number of the person or of its mother."""
    if member.establishment_id == caller.establishment_id:
        return True
    facts = [one.normalised for one in person.members]
    documents = [document for one in facts for document in (*one.documents, one.mother_document) if document]
    number = "".join(filter(str.isalnum, member.content.local_number)).upper()
    return not any(document.number in number for document in documents)
