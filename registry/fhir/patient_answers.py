"""What a record system reads: its own records, and persons in a recognisable form; every read is audited."""

from collections.abc import Collection, Sequence
from uuid import UUID

from matching.records import Document
from registry.access import Caller
from registry.app import parts
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import session
from registry.errors import NotFound
from registry.fhir.history import History, Version
from registry.fhir.patient_writing import own_record, recognisable, replaced
from registry.fhir.wire import Json
from registry.identity.records import list_own_versions, list_version_moments
from registry.identity.service import (
    LoadedPerson,
    OwnRecord,
    find_own_record,
    find_person,
    load_person,
)

READ_RECORD = "identity:record:read"
READ_PERSON = "identity:person:read"


def get_own(caller: Caller, record_id: UUID, version: int | None = None) -> OwnRecord | None:
    """A version of one of the caller's own records, audited; None when it has no such record."""
    own = find_own_record(session(), parts().sealer, caller.establishment_id, record_id, version)
    if own is not None:
        account(caller, READ_RECORD, own.person_id, source_record_id=record_id)
    return own


def read_history(caller: Caller, record_id: UUID) -> History:
    """The versions of one of the caller's own records, audited; raises NotFound."""
    if get_own(caller, record_id) is None:
        raise unknown(caller, READ_RECORD, record_id)

    def load(numbers: Sequence[int]) -> list[Json]:
        found = list_own_versions(session(), parts().sealer, caller.establishment_id, record_id, numbers)
        return [own_record(one.member, str(one.person_id)) for one in found]

    return History([Version(*one) for one in list_version_moments(session(), record_id)], load)


def read_patient(caller: Caller, patient_id: UUID) -> Json:
    """One's own source record, or a person in a recognisable form; raises NotFound for anything else."""
    own = get_own(caller, patient_id)
    if own is not None:
        return own_record(own.member, str(own.person_id))
    person = find_person(session(), patient_id)
    if person is None:
        raise unknown(caller, READ_PERSON, patient_id)
    if person.id != patient_id:
        account(caller, READ_PERSON, person.id)
        return replaced(str(patient_id), str(person.id))
    loaded = load_person(session(), parts().sealer, person.id)
    if loaded is None:
        raise unknown(caller, READ_PERSON, patient_id)
    account(caller, READ_PERSON, person.id)
    return recognisable(loaded, _own_documents(caller, loaded))


def account(
    caller: Caller,
    action: str,
    person_id: UUID | None,
    *,
    source_record_id: UUID | None = None,
    count: int | None = None,
) -> None:
    """Audit a read by a record system; where this can't be written nothing is released."""
    record(
        session(),
        Event(
            action=action,
            person_id=person_id,
            source_record_id=source_record_id,
            establishment_id=caller.establishment_id,
            client_id=caller.client_id,
            token_id=caller.token_id,
            detail={} if count is None else {"count": count},
        ),
    )


def unknown(
    caller: Caller, action: str, requested: UUID | None, message: str = "There is no such Patient."
) -> NotFound:
    """No such Patient, or not the caller's: they look the same to the caller, and the attempt is audited."""
    return NotFound(message, audit=refused(caller, action, "unknown-patient", None, requested))


def refused(caller: Caller, action: str, reason: str, person_id: UUID | None, requested: UUID | None = None) -> Event:
    """What the log says of a record system that was refused."""
    return Event(
        action=action,
        outcome="refused",
        reason=reason,
        person_id=person_id,
        establishment_id=caller.establishment_id,
        client_id=caller.client_id,
        token_id=caller.token_id,
        detail={"requested": str(requested)} if requested else {},
    )


def _own_documents(caller: Caller, person: LoadedPerson) -> Collection[Document]:
    """The document numbers the caller's own records of the person carry."""
    own = (one for one in person.members if one.establishment_id == caller.establishment_id)
    return {document for one in own for document in one.normalised.documents}
