"""An establishment says that two records of its own are two patients (HL7 v2 ADT^A37): a question for the stewards."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from registry.audit.event import Event
from registry.audit.service import record as audit
from registry.errors import NotFound
from registry.identity.candidates import lock_persons
from registry.identity.cases import Question, ask
from registry.identity.records import OwnRecord, find_own_id, find_own_record
from registry.sealing import Sealer

CLAIMED_APART = "claimed-apart"
CLAIMED = "identity:record:claimed-apart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """The claim: two local numbers of one establishment; the first is the one that would leave."""

    establishment_id: UUID
    client_id: str
    local_number: str
    other_number: str
    token_id: str | None = None


def doubt_link(session: Session, sealer: Sealer, doubt: Doubt) -> bool:
    """Ask the stewards to tell two records of one person apart; False where they are of two persons already.

    Nothing moves before a steward has looked: other establishments' records, and what was permitted on them, hang on
    the person too. Raises NotFound for an unknown number.
    """
    own, other = (_own(session, sealer, doubt, number) for number in (doubt.local_number, doubt.other_number))
    lock_persons(session, {own.person_id})
    if own.person_id != other.person_id:
        return False
    ask(
        session,
        Question(
            record_id=own.member.record_id,
            version=own.member.version,
            rivals=(own.person_id,),
            reason=CLAIMED_APART,
        ),
        both=True,
    )
    audit(
        session,
        Event(
            action=CLAIMED,
            person_id=own.person_id,
            source_record_id=own.member.record_id,
            establishment_id=doubt.establishment_id,
            client_id=doubt.client_id,
            token_id=doubt.token_id,
            detail={"other_source_record": str(other.member.record_id)},
        ),
    )
    return True


def _own(session: Session, sealer: Sealer, doubt: Doubt, number: str) -> OwnRecord:
    record_id = find_own_id(session, sealer, doubt.establishment_id, number)
    own = find_own_record(session, sealer, doubt.establishment_id, record_id) if record_id else None
    if own is None:
        raise NotFound("There is no record of that number.", code="unknown-record")
    return own
