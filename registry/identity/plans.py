"""What a steward's verdict comes to, worked out before anything is written: which records go where, what is ruled."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from matching.cluster import Member, verified_conflict
from registry.errors import Conflict, InvalidInput, Unprocessable
from registry.identity.candidates import LoadedPerson
from registry.identity.rulings import DIFFERENT, SAME

Verdict = Literal["same", "different", "unknown"]
UNKNOWN = "unknown"
Groups = Mapping[UUID, frozenset[UUID]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Records leave `source` for `target` (None: a person of their own), and `ours` are ruled on against `theirs`.

    Nothing moves where `moving` is empty. `persons` are all concerned, `members` how many records they hold together.
    """

    verdict: str
    source: UUID
    target: UUID | None = None
    moving: frozenset[UUID] = frozenset()
    empties: bool = False
    ours: frozenset[UUID] = frozenset()
    theirs: frozenset[UUID] = frozenset()
    persons: tuple[UUID, ...] = ()
    members: int = 0

    @property
    def merges(self) -> bool:
        """Whether one person is replaced by another."""
        return self.empties and self.target is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is judged: `records` of `person_id`, against `others`; `whole` joins persons rather than move records."""

    person_id: UUID
    records: frozenset[UUID]
    others: Sequence[UUID]
    whole: bool = True
    survivor: UUID | None = None


def make_plan(verdict: str, subject: Subject, groups: Groups, loaded: Mapping[UUID, LoadedPerson]) -> Plan:
    """The plan of a verdict over the persons as they stand.

    Raises Conflict when a record is not with its person any more, InvalidInput for a verdict that names nobody,
    Unprocessable (`verified-conflict`) when two different DNIs that RENIEC confirmed would meet in one person.
    """
    home = groups[subject.person_id]
    if not subject.records <= home:
        raise Conflict("The record is not with this person any more.", code="case-changed", hint="Read it again.")
    if verdict == SAME:
        plan = _join(subject, groups, loaded)
        _refuse_two_humans(plan, loaded)
    elif verdict == DIFFERENT:
        plan = _part(subject, groups)
    else:
        plan = Plan(verdict=verdict, source=subject.person_id)
    concerned = tuple(sorted({subject.person_id, *subject.others}))
    members = sum(len(groups[key]) for key in concerned)
    return replace(plan, persons=concerned, members=members)


def _join(subject: Subject, groups: Groups, loaded: Mapping[UUID, LoadedPerson]) -> Plan:
    if len(subject.others) != 1:
        raise InvalidInput("Say with which person it is the same.", code="other-missing")
    home, [other] = subject.person_id, subject.others
    if other == home:
        return Plan(verdict=SAME, source=home, ours=subject.records, theirs=groups[home] - subject.records)
    whole = subject.whole or groups[home] == subject.records
    if not whole:
        records = subject.records
        return Plan(verdict=SAME, source=home, target=other, moving=records, ours=records, theirs=groups[other])
    target = survivor_of(home, other, groups, loaded, subject.survivor)
    source = other if target == home else home
    moving, staying = groups[source], groups[target]
    return Plan(verdict=SAME, source=source, target=target, moving=moving, empties=True, ours=moving, theirs=staying)


def _part(subject: Subject, groups: Groups) -> Plan:
    """Told apart: ruled so against every record of the others; where they share a person, they leave it."""
    home, records = subject.person_id, subject.records
    theirs = frozenset[UUID]().union(*(groups[other] for other in subject.others)) - records
    leaves = home in subject.others
    return Plan(
        verdict=DIFFERENT,
        source=home,
        moving=records if leaves else frozenset(),
        empties=leaves and groups[home] == records,
        ours=records,
        theirs=theirs,
    )


def survivor_of(
    home: UUID, other: UUID, groups: Groups, loaded: Mapping[UUID, LoadedPerson], chosen: UUID | None = None
) -> UUID:
    """Which person keeps its id: the chosen one, else one RENIEC confirmed, else the larger, else the older.

    Raises InvalidInput for a choice that is neither.
    """
    if chosen is not None:
        if chosen not in {home, other}:
            raise InvalidInput("The person that stays is one of the two.", code="survivor-unknown")
        return chosen
    return max((home, other), key=lambda key: (_confirmed(loaded.get(key)), len(groups[key]), -key.int))


def _confirmed(person: LoadedPerson | None) -> bool:
    return person is not None and any(one.verified for one in person.members)


def _refuse_two_humans(plan: Plan, loaded: Mapping[UUID, LoadedPerson]) -> None:
    if not plan.moving:
        return
    members = {one.record_id: one.member() for person in loaded.values() for one in person.members}
    refuse_verified_conflict(
        [members[key] for key in plan.moving if key in members], [members[key] for key in plan.theirs if key in members]
    )


def refuse_verified_conflict(some: Collection[Member], others: Collection[Member]) -> None:
    """Raise Unprocessable where two different DNIs that RENIEC confirmed would meet: nobody may join those."""
    if conflicting(some, others):
        raise Unprocessable(
            "RENIEC confirmed two different DNIs here: these are two people.",
            code="verified-conflict",
            hint="If a DNI is wrong, its establishment must correct the record first.",
        )


def conflicting(some: Collection[Member], others: Collection[Member]) -> bool:
    """Whether RENIEC confirmed different DNIs on the two sides."""
    return any(verified_conflict(one, other) for one in some for other in others)
