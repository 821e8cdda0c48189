"""What a record system reads of the document index by itself: its own establishment's documents, and no other's.

Others' are found through the gateway, under what the patient permits. Every read is audited; what is not one's own and
what is not there look the same.
"""

from uuid import UUID

from registry.access import Caller
from registry.app import parts
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import session
from registry.errors import NotFound
from registry.fhir.document_search import DOCUMENTS, SUBMISSION_SETS, matching, readers_of
from registry.fhir.document_writing import document_reference, signature_provenance, submission_set
from registry.fhir.own_patients import own_records
from registry.fhir.searching import Search
from registry.fhir.wire import Json
from registry.identity.records import find_own_record
from registry.locator.documents import (
    Document,
    find_document,
    find_submission,
    list_documents,
    list_submissions,
    replaced_by,
)

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
    records = own_records(caller, search)
    documents = list_documents(session(), parts().sealer, records)
    replaces = replaced_by(session(), [one.id for one in documents])
    found = [document_reference(one, one.source_record_id, replaces.get(one.id, [])) for one in documents]
    record(session(), _event(caller, SEARCHED, records[0] if records else None, None))
    return matching(found, search.criteria, readers_of(DOCUMENTS))


def search_submission_sets(caller: Caller, search: Search) -> list[Json]:
    """The caller's own submission sets of one patient that a search means (ITI-66); raises InvalidInput. Audited."""
    records = own_records(caller, search)
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
