"""What a record system reads of the document index by itself: its own establishment's documents, and no other's.

Others' are found through the gateway, under what the patient permits. Every read is audited; what is not one's own and
what is not there look the same.
"""

from collections.abc import Sequence
from uuid import UUID

from registry.access import Caller
from registry.app import parts
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import session
from registry.directory.service import get_establishment
from registry.errors import InvalidInput, NotFound
from registry.fhir import systems
from registry.fhir.document_search import DOCUMENTS, SUBMISSION_SETS, matching, readers_of
from registry.fhir.document_writing import document_reference, signature_provenance, submission_set
from registry.fhir.searching import Search
from registry.fhir.values import read_reference
from registry.fhir.wire import Json
from registry.identity.records import find_own_id, find_own_record
from registry.identity.service import find_person
from registry.locator.documents import (
    Document,
    find_document,
    find_submission,
    list_documents,
    list_submissions,
    replaced_by,
)
from registry.locator.service import locate

READ, SEARCHED = "locator:document:read", "locator:document:searched"


def read_document(caller: Caller, document_id: UUID) -> Json:
    """One of the caller's own documents; raises NotFound. Audited."""
    found = _own(caller, document_id)
    replaces = replaced_by(session(), [found.id]).get(found.id, [])
    return document_reference(found, found.source_record_id, replaces)


def read_signatures(caller: Caller, document_id: UUID) -> Json:
    """The Provenance with the signatures of one of the caller's own documents; raises NotFound. Audited."""
    found = signature_provenance(_own(caller, document_id))
    if found is None:
        raise NotFound("There is no such Provenance.")
    return found


def read_submission_set(caller: Caller, submission_id: UUID) -> Json:
    """One of the caller's own submission sets; raises NotFound. Audited."""
    found = find_submission(session(), parts().sealer, submission_id)
    if found is None or found.establishment_id != caller.establishment_id:
        raise NotFound("There is no such List.", audit=_event(caller, READ, None, submission_id, refused=True))
    record(session(), _event(caller, READ, found.source_record_id, submission_id))
    return submission_set(found, found.source_record_id)


def search_documents(caller: Caller, search: Search) -> list[Json]:
    """The caller's own documents of one patient that a search means (ITI-67); raises InvalidInput. Audited."""
    records = _records(caller, search)
    documents = list_documents(session(), parts().sealer, records)
    replaces = replaced_by(session(), [one.id for one in documents])
    found = [document_reference(one, one.source_record_id, replaces.get(one.id, [])) for one in documents]
    record(session(), _event(caller, SEARCHED, records[0] if records else None, None))
    return matching(found, search.criteria, readers_of(DOCUMENTS))


def search_submission_sets(caller: Caller, search: Search) -> list[Json]:
    """The caller's own submission sets of one patient that a search means (ITI-66); raises InvalidInput. Audited."""
    records = _records(caller, search)
    sets = list_submissions(session(), parts().sealer, records)
    record(session(), _event(caller, SEARCHED, records[0] if records else None, None))
    return matching(
        [submission_set(one, one.source_record_id) for one in sets], search.criteria, readers_of(SUBMISSION_SETS)
    )


def _own(caller: Caller, document_id: UUID) -> Document:
    found = find_document(session(), parts().sealer, document_id)
    if found is None or found.establishment_id != caller.establishment_id:
        refusal = _event(caller, READ, None, document_id, refused=True)
        raise NotFound("There is no such document.", audit=refusal)
    record(session(), _event(caller, READ, found.source_record_id, document_id))
    return found


def _records(caller: Caller, search: Search) -> Sequence[UUID]:
    """The caller's own records of the patient a search names; none for nobody known. Raises InvalidInput."""
    references, identifiers = search.values("patient"), search.values("patient.identifier")
    if len(references) + len(identifiers) != 1:
        raise InvalidInput("Name one patient, by patient or by patient.identifier.", code="patient-missing")
    named = _uuid(read_reference(references[0], "Patient")) if references else _identified(caller, identifiers[0])
    if named is None:
        return []
    own = find_own_record(session(), parts().sealer, caller.establishment_id, named)
    person = find_person(session(), own.person_id if own else named)
    held = locate(session(), person.id) if person else []
    mine = [one.source_record_id for one in held if one.establishment_id == caller.establishment_id]
    return sorted({*mine, *([own.member.record_id] if own else [])})


def _identified(caller: Caller, text: str) -> UUID | None:
    system, _, value = text.partition("|")
    if system in {systems.PERSON, systems.SOURCE_RECORD}:
        return _uuid(value)
    if system == get_establishment(session(), caller.establishment_id).identifier_system:
        return find_own_id(session(), parts().sealer, caller.establishment_id, value.strip())
    raise InvalidInput(
        "Name the patient by an id of the registry, or by your own local number.",
        code="patient-identifier",
        hint="An identity document never stands in a URL: use POST Patient/$match.",
    )


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


def _event(
    caller: Caller, action: str, source_record_id: UUID | None, requested: UUID | None, *, refused: bool = False
) -> Event:
    own = source_record_id and find_own_record(session(), parts().sealer, caller.establishment_id, source_record_id)
    return Event(
        action=action,
        outcome="refused" if refused else "success",
        reason="unknown-document" if refused else None,
        person_id=own.person_id if own else None,
        source_record_id=source_record_id,
        establishment_id=caller.establishment_id,
        client_id=caller.client_id,
        token_id=caller.token_id,
        actor_role="record-system",
        detail={"requested": str(requested)} if requested else {},
    )
