"""«Este registro no es mío»: a citizen contests a record, which is withheld at once until a steward has looked."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry import outbox
from registry.audit.event import Detail, Event
from registry.audit.service import record as audit
from registry.database import new_id, now
from registry.errors import Conflict, InvalidInput, NotFound, TooManyRequests
from registry.identity.candidates import lock_persons
from registry.identity.cases import CONTESTED, Question, ask
from registry.identity.models import (
    DISMISSED,
    OPEN,
    SUPERSEDED,
    UPHELD,
    WITHDRAWN,
    Contest,
    Membership,
    PossibleMatch,
    SourceRecord,
)
from registry.identity.notices import CHANGED
from registry.identity.persons import find_person, list_person_ids

REASONS = frozenset({"never-attended", "somebody-else", "wrong-data", "unknown-establishment"})
"""What a citizen may say: never been there, another person's, the data are not mine, I don't know that place."""

MOST_OPEN = 5
MOST_A_MONTH = 10
MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """Who claims: the person, or somebody who acts for them under a representation.

    `subject_token` and `session_id` are how it can be shown later who signed in.
    """

    person_id: UUID
    subject_token: str | None = None
    session_id: UUID | None = None
    actor_person_id: UUID | None = None
    representation_id: UUID | None = None

    def event(self, action: str, record_id: UUID, **more: Any) -> Event:
        """An audit event of what they did about a record."""
        acted_for = self.representation_id is not None
        detail: dict[str, Detail] = {
            "subject_token": self.subject_token,
            "session_id": str(self.session_id) if self.session_id else None,
        }
        if acted_for:
            detail["representation"] = str(self.representation_id)
        return Event(
            action=action,
            person_id=self.person_id,
            source_record_id=record_id,
            actor_person_id=self.actor_person_id if acted_for else self.person_id,
            actor_role="representative" if acted_for else "patient",
            detail=detail,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """That a record is not the claimant's, and why."""

    claimant: Claimant
    source_record_id: UUID
    reason: str

    @property
    def person_id(self) -> UUID:
        """Whose the record is taken to be."""
        return self.claimant.person_id


def contest(session: Session, claim: Claim) -> Contest:
    """Withhold a record of one's own from every reader, and ask a steward; the same claim again is the one there is.

    Raises InvalidInput for an unknown reason, NotFound for a record that is not the person's, Conflict when a steward
    has looked at this very version already, TooManyRequests beyond 5 open claims or 10 in 30 days.
    """
    if claim.reason not in REASONS:
        raise InvalidInput(f"The reason is one of {', '.join(sorted(REASONS))}.", code="reason-unknown")
    lock_persons(session, [claim.person_id])
    record = _own(session, claim)
    open_one = _find_open(session, record.id)
    if open_one is not None:
        return open_one
    _require_news(session, record)
    _require_restraint(session, claim)
    made = _put(session, claim, record)
    contested = claim.claimant.event(
        "identity:record:contested", record.id, reason=claim.reason, establishment_id=record.establishment_id
    )
    audit(session, contested)
    outbox.publish(session, "identity:record:contested", str(made.id), {"contest_id": str(made.id)})
    changed = {"person_id": str(claim.person_id), "source_record_id": str(record.id)}
    outbox.publish(session, CHANGED, f"{claim.person_id}:{made.id}", changed)
    return made


def _put(session: Session, claim: Claim, record: SourceRecord) -> Contest:
    question = Question(record_id=record.id, version=record.version, rivals=(claim.person_id,), reason=CONTESTED)
    made = Contest(
        id=new_id(),
        source_record_id=record.id,
        version=record.version,
        person_id=claim.person_id,
        possible_match_id=ask(session, question, both=True),
        reason=claim.reason,
        status=OPEN,
        opened_at=now(),
    )
    session.add(made)
    session.flush()
    return made


def withdraw(session: Session, contest_id: UUID, claimant: Claimant) -> Contest:
    """The citizen takes the claim back; raises NotFound for another's, Conflict when it has ended."""
    found = session.get(Contest, contest_id)
    if found is None or found.person_id not in list_person_ids(session, claimant.person_id):
        raise NotFound("There is no such claim.", code="unknown-contest")
    where = session.get_one(Membership, found.source_record_id)
    lock_persons(session, {where.person_id, found.person_id})
    session.refresh(found, with_for_update=True)
    if found.status != OPEN:
        raise Conflict("This claim has ended.", code="contest-over")
    found.status, found.closed_at = WITHDRAWN, now()
    _withdraw_question(session, found)
    audit(session, claimant.event("identity:record:contest-withdrawn", found.source_record_id))
    return found


def list_contests(session: Session, person_ids: Collection[UUID]) -> Sequence[Contest]:
    """The claims a person made under any of its ids, newest first, each with how it stands."""
    query = select(Contest).where(Contest.person_id.in_(person_ids))
    return session.scalars(query.order_by(Contest.opened_at.desc(), Contest.id.desc())).all()


def settle_contests(
    session: Session, records: Collection[UUID], decision_id: UUID | None = None, *, found_theirs: bool = False
) -> None:
    """End the open claims about records that have left the claimant, and with `found_theirs` the others too."""
    query = (
        select(Contest, Membership.person_id, SourceRecord.version)
        .join(SourceRecord, SourceRecord.id == Contest.source_record_id)
        .join(Membership, Membership.source_record_id == Contest.source_record_id)
        .where(Contest.source_record_id.in_(records), Contest.status == OPEN)
        .order_by(Contest.id)
    )
    for claim, person_id, version in session.execute(query.execution_options(populate_existing=True)).all():
        claimant = find_person(session, claim.person_id)
        stays = claimant is not None and claimant.id == person_id
        if stays and not found_theirs:
            continue
        claim.status, claim.closed_at, claim.decision_id = DISMISSED if stays else UPHELD, now(), decision_id
        claim.version = version
        _tell(session, claim)
    session.flush()


def _tell(session: Session, claim: Contest) -> None:
    event = Event(
        action="identity:record:contest-settled",
        reason=claim.status,
        person_id=claim.person_id,
        source_record_id=claim.source_record_id,
        actor_role="steward",
        detail={"contest": str(claim.id)},
    )
    audit(session, event)
    key = f"{claim.id}:{claim.decision_id}"
    outbox.publish(session, "identity:record:contest-settled", key, {"contest_id": str(claim.id)})


def _own(session: Session, claim: Claim) -> SourceRecord:
    query = (
        select(SourceRecord)
        .join(Membership, Membership.source_record_id == SourceRecord.id)
        .where(SourceRecord.id == claim.source_record_id, Membership.person_id == claim.person_id)
    )
    record = session.scalar(query.execution_options(populate_existing=True))
    if record is None:
        raise NotFound("There is no such record of yours.", code="unknown-record")
    return record


def _find_open(session: Session, record_id: UUID) -> Contest | None:
    return session.scalar(select(Contest).where(Contest.source_record_id == record_id, Contest.status == OPEN))


def _require_news(session: Session, record: SourceRecord) -> None:
    query = select(Contest.id).where(
        Contest.source_record_id == record.id, Contest.version == record.version, Contest.status == DISMISSED
    )
    if session.scalar(query.limit(1)) is not None:
        raise Conflict(
            "A steward has looked at this record and found it to be yours.",
            code="already-reviewed",
            hint="It can be claimed again when the establishment changes it.",
        )


def _require_restraint(session: Session, claim: Claim) -> None:
    mine = Contest.person_id.in_(list_person_ids(session, claim.person_id))
    recent = Contest.opened_at > now() - MONTH
    query = (
        select(func.count().filter(Contest.status == OPEN), func.count().filter(recent))
        .select_from(Contest)
        .where(mine)
    )
    still_open, this_month = session.execute(query).one()
    if still_open >= MOST_OPEN or this_month >= MOST_A_MONTH:
        raise TooManyRequests(
            "You have claimed many records lately.", code="contested-too-often", hint="Wait for what a steward finds."
        )


def _withdraw_question(session: Session, claim: Contest) -> None:
    case = session.get_one(PossibleMatch, claim.possible_match_id, with_for_update=True, populate_existing=True)
    if case.status != OPEN:
        return
    mine = set(list_person_ids(session, claim.person_id))
    case.rivals = [one for one in case.rivals if one not in mine]
    case.revision += 1
    if not case.rivals:
        case.status, case.closed_at = SUPERSEDED, now()
    session.flush()
