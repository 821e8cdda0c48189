"""What a model would change about one person, among those its records resemble; pure and without a database."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal
from uuid import UUID

from matching.cluster import Member
from matching.groups import INCONSISTENT, Gathering, Tie, divide, gather, tie_between
from matching.model import Model
from matching.score import Score
from registry.identity.agreement import dnis
from registry.identity.candidates import LoadedMember, LoadedPerson
from registry.identity.placement import DOCUMENT_CONFLICT

Kind = Literal["unlink", "link", "merge", "review"]
KINDS: tuple[Kind, ...] = ("unlink", "link", "merge", "review")
"""In the order they are applied: who does not belong leaves before a person joins another."""

MOST_MEMBERS = 100
"""Records of a person that is judged; a larger one is reported, for a human to look at."""

STRONG = "strong-evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A change: these records of `person_id` leave it, or (review) the first of them is put before the stewards."""

    kind: Kind
    person_id: UUID
    records: tuple[UUID, ...]
    reason: str
    target_id: UUID | None = None
    rivals: tuple[UUID, ...] = ()
    score: Score | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What outranks the engine: pairs of records stewards told apart or found together, and records not to be moved.

    `held` records wait for a steward for a reason of their own, or the State refuted their DNI. `asked` says with which
    persons an open case confronts a record.
    """

    apart: frozenset[frozenset[UUID]] = frozenset()
    together: frozenset[frozenset[UUID]] = frozenset()
    held: frozenset[UUID] = frozenset()
    asked: Mapping[UUID, frozenset[UUID]]

    def bar(self, ours: Iterable[LoadedMember], theirs: Iterable[LoadedMember]) -> bool:
        """Whether the engine may not bring the two together."""
        one, other = ids(ours), ids(theirs)
        return not self.held.isdisjoint((*one, *other)) or any(frozenset(p) in self.apart for p in product(one, other))

    def is_asked(self, person: LoadedPerson, rivals: Mapping[UUID, LoadedPerson]) -> bool:
        """Whether stewards have the question already, put from either side."""
        mine = any(not self.asked.get(one, frozenset()).isdisjoint(rivals) for one in ids(person.members))
        theirs = (one for rival in rivals.values() for one in ids(rival.members))
        return mine or any(person.person_id in self.asked.get(one, ()) for one in theirs)


Ask = Callable[[], Constraints]
"""Constraints are asked for only where something would change, which is seldom."""


def judge(model: Model, person: LoadedPerson, others: Mapping[UUID, LoadedPerson], constraints: Ask) -> list[Proposal]:
    """What the model would change about this person.

    Of two persons that are one, the lesser proposes to join the other (`survivor`); of two in doubt, the younger asks.
    Nothing is proposed about a person with a record that is held.
    """
    if len(person.members) > MOST_MEMBERS:
        return []
    core, *leaving = _parts(model, person, constraints)
    proposals = [_leave(model, person, core, part, others, constraints) for part in leaving]
    if all(one is None or one.kind != "review" for one in proposals):
        proposals.append(_join(model, person, core, others, constraints))
    found = [one for one in proposals if one is not None]
    return [] if found and not constraints().held.isdisjoint(ids(person.members)) else found


def companions(
    model: Model, person: LoadedPerson, members: Sequence[LoadedMember], others: Mapping[UUID, LoadedPerson], ask: Ask
) -> Gathering[UUID]:
    """Which persons are one with these records of a person, or leave a doubt about it."""
    records = {person.person_id: members} | {key: other.members for key, other in others.items()}
    groups = {key: views(found) for key, found in records.items() if found}
    found = gather(model, person.person_id, groups, lambda one, other: ask().bar(records[one], records[other]))
    joined = [member for key in (person.person_id, *found.joined) for member in records[key]]
    if found.joined and _brings_other_dni(joined):
        return Gathering((), found.joined, DOCUMENT_CONFLICT, found.tie)
    return found


def survivor(persons: Iterable[LoadedPerson]) -> UUID:
    """Whose id remains: one with a record that RENIEC confirmed, then with more records, then the older."""

    def rank(person: LoadedPerson) -> tuple[bool, int, UUID]:
        return not any(one.verified for one in person.members), -len(person.members), person.person_id

    return min(persons, key=rank).person_id


def views(members: Iterable[LoadedMember]) -> list[Member]:
    """The records as the engine judges them."""
    return [one.member() for one in members]


def ids(members: Iterable[LoadedMember]) -> list[UUID]:
    """The records' ids."""
    return [one.record_id for one in members]


def _parts(model: Model, person: LoadedPerson, ask: Ask) -> list[list[LoadedMember]]:
    """The person's records as the model groups them, those first that keep its id; who was found together stays so."""
    units = [[member] for member in person.members]
    parts = divide(model, [views(unit) for unit in units])
    if len(parts) > 1:
        units = _units(person.members, ask().together)
        parts = divide(model, [views(unit) for unit in units])
    return [[member for index in part for member in units[index]] for part in parts]


def _units(members: Sequence[LoadedMember], together: frozenset[frozenset[UUID]]) -> list[list[LoadedMember]]:
    units: list[list[LoadedMember]] = []
    for member in members:
        tied = [unit for unit in units if any(frozenset({member.record_id, one}) in together for one in ids(unit))]
        units = [unit for unit in units if unit not in tied]
        units.append([*(one for unit in tied for one in unit), member])
    return units


def _leave(
    model: Model,
    person: LoadedPerson,
    core: Sequence[LoadedMember],
    part: Sequence[LoadedMember],
    others: Mapping[UUID, LoadedPerson],
    ask: Ask,
) -> Proposal | None:
    """Where records go that the model does not hold for the person's: nowhere while it is not sure of that."""
    tie = tie_between(model, views(core), views(part))
    records = tuple(ids(part))
    if not tie.excluded and tie.bits >= model.thresholds.review:
        if ask().is_asked(LoadedPerson(person.person_id, 0, tuple(part)), {person.person_id: person}):
            return None
        return Proposal(
            kind="review",
            person_id=person.person_id,
            records=records,
            reason=INCONSISTENT,
            rivals=(person.person_id,),
            score=tie.evidence(model),
        )
    found = companions(model, person, part, others, ask)
    if found.joined:
        target = survivor(others[key] for key in found.joined)
        return _moving("link", person, records, found, model, target)
    return _moving("unlink", person, records, found, model, None)


def _moving(
    kind: Kind,
    person: LoadedPerson,
    records: tuple[UUID, ...],
    found: Gathering[UUID],
    model: Model,
    target: UUID | None,
) -> Proposal:
    return Proposal(
        kind=kind,
        person_id=person.person_id,
        records=records,
        reason=STRONG if target else INCONSISTENT,
        target_id=target,
        rivals=found.rivals if found.doubt else (),
        score=_evidence(model, found.tie),
    )


def _join(
    model: Model,
    person: LoadedPerson,
    core: Sequence[LoadedMember],
    others: Mapping[UUID, LoadedPerson],
    ask: Ask,
) -> Proposal | None:
    """Whether the person, without those who leave, is one with another or may be."""
    found = companions(model, person, core, others, ask)
    if found.joined:
        target = survivor([person, *(others[key] for key in found.joined)])
        return _moving("merge", person, tuple(ids(core)), found, model, target) if target != person.person_id else None
    older = {key: others[key] for key in found.rivals if key < person.person_id}
    if not found.doubt or not older or ask().is_asked(person, older):
        return None
    return doubtful(model, person, core, found, tuple(sorted(older)))


def doubtful(
    model: Model,
    person: LoadedPerson,
    members: Sequence[LoadedMember],
    found: Gathering[UUID],
    rivals: tuple[UUID, ...],
    reason: str | None = None,
) -> Proposal:
    """A question for the stewards about the record that is most like the rivals'."""
    closest = found.tie.closest if found.tie else ()
    like = [one for one in members if any(one.normalised is member.normalised for member in closest)]
    return Proposal(
        kind="review",
        person_id=person.person_id,
        records=tuple(ids(like or members))[:1],
        reason=reason or found.doubt or INCONSISTENT,
        rivals=rivals,
        score=_evidence(model, found.tie),
    )


def _evidence(model: Model, tie: Tie | None) -> Score | None:
    return tie.evidence(model) if tie else None


def _brings_other_dni(members: Sequence[LoadedMember]) -> bool:
    """Whether joining would put another DNI beside one that RENIEC confirmed."""
    confirmed = frozenset[str]().union(*(dnis(one.normalised) for one in members if one.verified))
    carried = frozenset[str]().union(*(dnis(one.normalised) for one in members))
    return bool(confirmed) and not carried <= confirmed
