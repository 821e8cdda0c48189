"""A person with everybody its records resemble, and what outranks the engine about them, read from the index."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from matching.blocking import blocking_keys
from registry.identity.agreement import speaks_of_another
from registry.identity.candidates import LoadedPerson, find_persons, load_persons
from registry.identity.engine import Engine, blind_keys
from registry.identity.models import (
    NAMES_DIFFER,
    OPEN,
    DecisionAnswer,
    PossibleMatch,
    Ruling,
    SourceRecord,
    StewardDecision,
    Verification,
)
from registry.identity.records import list_versions
from registry.identity.reresolution.judgement import Constraints, Proposal, companions, ids, judge
from registry.identity.rulings import DIFFERENT, SAME

CLOSE_SECOND = "close-second"
FORMER_IDENTITY = "former-identity"


@dataclass(frozen=True)
class Neighbourhood:
    """A person and the persons found by its blocking keys, as of one moment."""

    session: Session
    person: LoadedPerson
    others: Mapping[UUID, LoadedPerson]

    @cached_property
    def constraints(self) -> Constraints:
        """What outranks the engine among these persons; read when first asked for."""
        return read_constraints(self.session, [self.person, *self.others.values()])


def propose(session: Session, engine: Engine, person_id: UUID) -> list[Proposal]:
    """What the engine's model would change about a person now; nothing for one that is no more."""
    around = load_neighbourhood(session, engine, person_id)
    if around is None:
        return []
    found = judge(engine.model, around.person, around.others, lambda: around.constraints)
    seen = [_confirm(session, engine, around, one) if one.kind == "merge" else one for one in found]
    return [one for one in seen if one is not None]


def load_neighbourhood(session: Session, engine: Engine, person_id: UUID) -> Neighbourhood | None:
    """The person with its neighbours, opened; None for a person without readable records."""
    person = load_persons(session, engine.sealer, [person_id]).get(person_id)
    if person is None or not person.members:
        return None
    keys = frozenset[str]().union(*(blocking_keys(one.normalised) for one in person.members))
    found = find_persons(session, engine.sealer, blind_keys(engine.sealer, keys))
    return Neighbourhood(session, person, {key: other for key, other in found.items() if key != person_id})


def read_constraints(session: Session, persons: Collection[LoadedPerson]) -> Constraints:
    """What stewards ruled about the records of these persons, what they are asked, and what the State refuted."""
    records = [one for person in persons for one in ids(person.members)]
    pairs = session.execute(
        select(Ruling.verdict, Ruling.record_id, Ruling.other_record_id).where(
            Ruling.record_id.in_(records), Ruling.other_record_id.in_(records), Ruling.ended_at.is_(None)
        )
    ).all()
    cases = session.execute(
        select(PossibleMatch.source_record_id, PossibleMatch.rivals, PossibleMatch.model_hash).where(
            PossibleMatch.source_record_id.in_(records), PossibleMatch.status == OPEN
        )
    ).all()
    asked_otherwise = (case.source_record_id for case in cases if not case.model_hash)
    return Constraints(
        apart=frozenset(frozenset(pair[1:]) for pair in pairs if pair.verdict == DIFFERENT),
        together=frozenset(frozenset(pair[1:]) for pair in pairs if pair.verdict == SAME),
        held=frozenset((*_refuted(session, records), *_undecided(session, persons), *asked_otherwise)),
        asked={case.source_record_id: frozenset(case.rivals) for case in cases},
    )


def _refuted(session: Session, records: Collection[UUID]) -> Iterable[UUID]:
    """Records whose DNI is somebody else's by the State's own word."""
    query = (
        select(Verification.source_record_id)
        .join(SourceRecord, SourceRecord.id == Verification.source_record_id)
        .where(Verification.source_record_id.in_(records), Verification.version == SourceRecord.version)
        .where(Verification.status == NAMES_DIFFER)
    )
    return session.scalars(query)


def _undecided(session: Session, persons: Collection[LoadedPerson]) -> Iterable[UUID]:
    """Records of persons about whom a decision waits for a second steward."""
    keys = [person.person_id for person in persons]
    query = select(StewardDecision.person_id, StewardDecision.others).where(
        StewardDecision.needs_second,
        StewardDecision.person_id.in_(keys) | StewardDecision.others.overlap(keys),
        ~exists().where(DecisionAnswer.decision_id == StewardDecision.id),
    )
    concerned = {key for row in session.execute(query) for key in (row.person_id, *row.others)}
    return [one for person in persons if person.person_id in concerned for one in ids(person.members)]


def _confirm(session: Session, engine: Engine, around: Neighbourhood, proposal: Proposal) -> Proposal | None:
    """A merge that both sides see and nothing in the past of the records forbids, or the question it raises instead.

    Whoever was recognised by what a record said before must not be led to a stranger by the emptied person's id.
    """
    there = load_neighbourhood(session, engine, proposal.target_id) if proposal.target_id else None
    if there is None:
        return None
    seen = companions(engine.model, there.person, there.person.members, there.others, lambda: there.constraints)
    if proposal.person_id not in seen.joined:
        return _as_question(around, there.person, proposal, seen.doubt or CLOSE_SECOND)
    leaving = [one for one in around.person.members if one.record_id in proposal.records]
    if any(
        speaks_of_another(version, one.normalised)
        for one in leaving
        for version in list_versions(session, engine.sealer, one.record_id)
    ):
        return _as_question(around, there.person, proposal, FORMER_IDENTITY)
    return proposal


def _as_question(around: Neighbourhood, rival: LoadedPerson, proposal: Proposal, reason: str) -> Proposal | None:
    """The merge as a question for the stewards; None where they have it already."""
    if around.constraints.is_asked(around.person, {rival.person_id: rival}):
        return None
    record = proposal.records[:1]
    return replace(proposal, kind="review", records=record, reason=reason, target_id=None, rivals=(rival.person_id,))
