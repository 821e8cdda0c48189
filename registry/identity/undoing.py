"""Taking a steward's decision back: exactly what it did, in reverse, or not at all."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from registry.audit.service import record as audit
from registry.errors import Conflict
from registry.identity.candidates import LoadedPerson
from registry.identity.contests import settle_contests
from registry.identity.decisions import (
    APPLIED,
    UNDO,
    Decision,
    Grounds,
    Held,
    add_decision,
    get_decision,
    get_row,
    hold,
    taken_back,
)
from registry.identity.engine import Engine
from registry.identity.events import EventKind
from registry.identity.models import MembershipEvent, Ruling, StewardDecision
from registry.identity.notices import MERGED, SPLIT, UNLINKED, tell
from registry.identity.plans import refuse_verified_conflict
from registry.identity.regrouping import Act, list_events, list_homes, list_members
from registry.identity.reopening import reopen
from registry.identity.rulings import find_apart, take_back
from registry.identity.stewards import Steward, require_steward, require_stranger


@dataclass(frozen=True, slots=True)
class Undoing:
    """What a decision did, to be reversed: `records` went from `source` to `target`, which `replaced` it or not."""

    source: UUID
    target: UUID
    records: frozenset[UUID]
    replaced: bool
    position: int


def undo(session: Session, engine: Engine, steward: Steward, decision_id: UUID, grounds: Grounds) -> Decision:
    """Take a decision back: memberships, persons, rulings, cases and claims are as they were before it.

    Raises NotFound, Forbidden, Conflict that names the later event or decision in the way, Unprocessable when two DNIs
    that RENIEC confirmed since would meet in one person.
    """
    require_steward(session, steward)
    grounds.check()
    undone, undoing, held = prepare_undo(session, engine, steward, get_row(session, decision_id))
    row = add_decision(
        session,
        engine.sealer,
        steward,
        grounds,
        held,
        verdict=UNDO,
        undoes=undone.id,
        possible_match_id=undone.possible_match_id,
        person_id=undone.person_id,
        others=list(undone.others),
        records=list(undone.records),
        whole=undone.whole,
        survivor=undone.survivor,
        needs_second=undoing is not None and held.members > engine.four_eyes_above,
    )
    if row.needs_second:
        audit(session, steward.event("identity:decision:proposed", row.person_id, row.reason, decision=str(row.id)))
    else:
        apply_undo(session, steward, row, undone, undoing)
    return get_decision(session, row.id)


def prepare_undo(
    session: Session, engine: Engine, steward: Steward, undone: StewardDecision
) -> tuple[StewardDecision, Undoing | None, Held]:
    """Hold all persons a decision concerned and see that it can still be taken back; raises as `undo`."""
    undoing = _reverse(list_events(session, undone.id))
    moved = {undoing.source, undoing.target} if undoing else set()
    looked_at = [UUID(record) for group in undone.basis.values() for record in group]
    now_with = list_homes(session, looked_at)
    held = hold(session, engine.sealer, {undone.person_id, *undone.others, *moved, *now_with}, active=False)
    if list_homes(session, looked_at) != now_with:
        raise Conflict("A record has just moved.", code="case-changed", hint="Try again.")
    if undone.verdict == UNDO or get_decision(session, undone.id).state != APPLIED:
        raise Conflict("Only a decision in force can be taken back.", code="not-in-force")
    _refuse_later_ruling(session, undone)
    if undoing is not None:
        _refuse_later_event(session, undoing)
        _refuse_told_apart(session, undone, undoing, held.groups.get(undoing.source, frozenset()))
        _refuse_two_humans(undoing, held.loaded)
    require_stranger(engine.sealer, steward, held.loaded.values())
    return undone, undoing, held


def _reverse(events: Sequence[MembershipEvent]) -> Undoing | None:
    links = [one for one in events if one.kind == EventKind.LINKED]
    if not links:
        return None
    left = next(one for one in events if one.kind == EventKind.UNLINKED)
    return Undoing(
        source=left.person_id,
        target=links[0].person_id,
        records=frozenset(one.source_record_id for one in links),
        replaced=any(one.kind == EventKind.MERGED for one in events),
        position=events[-1].position,
    )


def apply_undo(
    session: Session, steward: Steward, row: StewardDecision, undone: StewardDecision, undoing: Undoing | None
) -> None:
    """Do in reverse what the decision did; the persons are held by the caller."""
    act = Act(session, row.id, row.reason)
    if undoing is None:
        act.touch({undone.person_id, *undone.others})
    else:
        topic = _return(session, act, undoing)
        settle_contests(session, undoing.records, row.id)
        tell(session, topic, str(row.id), persons=(undoing.target, undoing.source), records=undoing.records)
    take_back(session, undone.id, row.id)
    reopen(session, undone)
    persons = {undone.person_id, *undone.others} | ({undoing.source, undoing.target} if undoing else set())
    for person_id in sorted(persons):
        audit(
            session,
            steward.event(
                "identity:decision:undone", person_id, row.reason, decision=str(row.id), undoes=str(undone.id)
            ),
        )


def _return(session: Session, act: Act, undoing: Undoing) -> str:
    """Put the records back; a person made for them leads to where they went. Returns the topic this is told under."""
    witness = max(undoing.records)
    if undoing.replaced:
        act.revive(undoing.source, witness)
    act.move(undoing.records, undoing.target, undoing.source)
    act.set_status(undoing.source, "active")
    left_empty = not list_members(session, [undoing.target])[undoing.target]
    if undoing.replaced:
        if left_empty:
            act.set_status(undoing.target, "empty")
        return SPLIT
    if left_empty:
        act.replace(undoing.target, undoing.source, witness)
        return MERGED
    return UNLINKED


def _refuse_later_event(session: Session, undoing: Undoing) -> None:
    """What moved since can't be moved back as if nothing had happened."""
    became_another = and_(
        MembershipEvent.person_id == undoing.source, MembershipEvent.kind.in_([EventKind.MERGED, EventKind.SPLIT])
    )
    later = select(MembershipEvent).where(
        MembershipEvent.position > undoing.position,
        MembershipEvent.source_record_id.in_(undoing.records) | became_another,
        MembershipEvent.decision_id.is_(None) | MembershipEvent.decision_id.not_in(taken_back()),
    )
    event = session.scalar(later.order_by(MembershipEvent.position).limit(1))
    if event is None:
        return
    when = event.at.isoformat(timespec="seconds")
    raise Conflict(
        f"Record {event.source_record_id} was {event.kind} by {event.actor} later, at {when}.",
        code="undo-impossible",
        hint=_way_out(event.decision_id),
    )


def _refuse_later_ruling(session: Session, undone: StewardDecision) -> None:
    query = select(Ruling.ended_by).where(Ruling.decision_id == undone.id, Ruling.ended_by.is_not(None))
    later = session.scalar(query.limit(1))
    if later is not None:
        raise Conflict(
            f"Decision {later} was about the same records later.", code="undo-impossible", hint=_way_out(later)
        )


def _refuse_told_apart(session: Session, undone: StewardDecision, undoing: Undoing, staying: Collection[UUID]) -> None:
    """What a later decision told apart is not put together again by taking back an earlier one."""
    later = find_apart(session, undoing.records, staying, besides=undone.id)
    if later is not None:
        raise Conflict(f"Decision {later} told these records apart.", code="undo-impossible", hint=_way_out(later))


def _way_out(decision_id: UUID | None) -> str:
    if decision_id is None:
        return "The engine moved it by newer data: split or merge what stands now instead."
    return f"Take decision {decision_id} back first."


def _refuse_two_humans(undoing: Undoing, loaded: Mapping[UUID, LoadedPerson]) -> None:
    """Records may have been confirmed since under two different DNIs."""
    members = {one.record_id: one.member() for person in loaded.values() for one in person.members}
    home = loaded.get(undoing.source)
    staying = [one.member() for one in home.members] if home else []
    refuse_verified_conflict([members[key] for key in undoing.records if key in members], staying)
