"""Which person a record belongs to: the record is judged against whole persons, never against single records."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from matching.compare import Comparison, compare
from matching.model import Model, Thresholds
from matching.normalise import Normalised
from matching.records import DocumentType
from matching.score import Score, explain, weigh, weigh_compared

K = TypeVar("K", bound=Hashable)
Kind = Literal["link", "review", "new"]
POSSIBLE = "possible-match"
MOST_BITS = 10.0
"""A pair counts for at most this much, either way, when it stands beside others: one pair can't outvote a person."""

NEARLY = 6.0
"""Bits that a record found may lack of a question for all of its person to be looked at."""


@dataclass(frozen=True, slots=True)
class Member:
    """One source record of a person; `verified` when RENIEC confirmed its DNI and names."""

    normalised: Normalised
    verified: bool = False
    establishment: str = ""


@dataclass(frozen=True, slots=True)
class Resolution(Generic[K]):
    """The decision: `key` is the person to link to or to review against, `rivals` the others worth a look.

    `score` is that of the person's member most like the record, None for a new one; `consistency` the mean weight over
    all members.
    """

    kind: Kind
    key: K | None
    score: Score | None
    reason: str
    rivals: tuple[K, ...] = ()
    consistency: float = 0.0


@dataclass(frozen=True, slots=True)
class Standing(Generic[K]):
    """How a record stands to one person: weights against its best member and against all of them."""

    key: K
    bits: float
    consistency: float
    closest: Comparison
    """With the member most alike."""
    same_establishment: bool


def resolve(
    model: Model,
    record: Normalised,
    candidates: Mapping[K, Sequence[Member]],
    *,
    establishment: str = "",
    verified: bool = False,
) -> Resolution[K]:
    """Decide `link`, `review` or `new` for a record among the persons its blocking keys found.

    The order of candidates and of their members changes nothing. A person with a verified DNI other than the record's
    verified DNI is no candidate at all. Reasons: `strong-evidence` (link); `possible-match`, `close-second`,
    `same-establishment`, `no-name`, `document-conflict`, `birth-order-conflict`, `inconsistent-person` (review);
    `no-candidate` (new).
    """
    arrival = Member(record, verified, establishment)
    return decide(model, rank(model, arrival, candidates))


def likely(
    model: Model, record: Normalised, first: Mapping[K, Normalised], rest: Callable[[], Mapping[K, Normalised]]
) -> frozenset[K]:
    """Which of the records found by their keys are reason to look at the whole person they are of.

    One carries the very document, or weighs within NEARLY of a question: another record of that person may weigh more.
    The `rest`, which share one key and no document, are asked for only where none of the `first` weighs half a margin
    more than a link: else only somebody nearly as much alike as that one could matter yet.
    """
    found, settled = _prospects(model, record, first)
    return found if settled else found | _prospects(model, record, rest())[0]


def rank(model: Model, arrival: Member, candidates: Mapping[K, Sequence[Member]]) -> list[Standing[K]]:
    """How a record stands to every person it may be of, best first."""
    return sorted(
        (_standing(model, arrival, key, members) for key, members in candidates.items() if _allowed(arrival, members)),
        key=lambda standing: (-standing.bits, str(standing.key)),
    )


def decide(model: Model, standings: Sequence[Standing[K]]) -> Resolution[K]:
    """What `resolve` decides, from what `rank` found."""
    if not standings or standings[0].bits < model.thresholds.review:
        return Resolution("new", None, None, "no-candidate")
    best, *others = standings
    evidence = explain(model, best.closest)
    rivals = tuple(standing.key for standing in others if standing.bits >= model.thresholds.review)
    doubt = _doubt(model, best, evidence, others)
    kind: Kind = "review" if doubt else "link"
    return Resolution(kind, best.key, evidence, doubt or "strong-evidence", rivals, best.consistency)


def hesitation(
    limits: Thresholds, *, bits: float, mean: float, evidence: Score, same_establishment: bool
) -> str | None:
    """Why a weight of so many bits joins nobody without a human, rivals left aside; None when it does.

    `evidence` is the score of the pair most alike: no name, or a hard fact against it, and a human decides.
    """
    if bits < limits.link:
        return POSSIBLE
    if evidence.nameless:
        return "no-name"
    if evidence.conflicts:
        return f"{min(evidence.conflicts).replace('_', '-')}-conflict"
    if mean < limits.consistency:
        return "inconsistent-person"
    if same_establishment and bits < limits.link + limits.same_establishment:
        return "same-establishment"
    return None


def consistency(weights: Iterable[float]) -> float:
    """Mean weight of a record, or of one group of records, against all members of another."""
    bounded = [max(-MOST_BITS, min(MOST_BITS, weight)) for weight in weights]
    return sum(bounded) / len(bounded)


def verified_conflict(one: Member, other: Member) -> bool:
    """Two verified, different DNIs: never one person."""
    if not (one.verified and other.verified):
        return False
    mine, theirs = _dnis(one.normalised), _dnis(other.normalised)
    return bool(mine) and bool(theirs) and mine.isdisjoint(theirs)


def _prospects(model: Model, record: Normalised, found: Mapping[K, Normalised]) -> tuple[frozenset[K], bool]:
    """Those worth looking at, and whether one settles whom to look at."""
    limits = model.thresholds
    weights = {key: weigh(model, record, said) for key, said in found.items()}
    worth_it = frozenset(
        key
        for key, said in found.items()
        if weights[key] >= limits.review - NEARLY or any(document in said.documents for document in record.documents)
    )
    return worth_it, any(weight >= limits.link + limits.margin / 2 for weight in weights.values())


def _allowed(arrival: Member, members: Sequence[Member]) -> bool:
    return bool(members) and not any(verified_conflict(arrival, member) for member in members)


def _standing(model: Model, arrival: Member, key: K, members: Sequence[Member]) -> Standing[K]:
    compared = [compare(arrival.normalised, member.normalised) for member in members]
    weights = [weigh_compared(model, one) for one in compared]
    most = max(weights)
    closest = [(member, one) for member, one, weight in zip(members, compared, weights, strict=True) if weight == most]
    return Standing(
        key=key,
        bits=most,
        consistency=consistency(sorted(weights)),
        closest=min(closest, key=lambda pair: repr(pair[0]))[1] if len(closest) > 1 else closest[0][1],
        same_establishment=any(arrival.establishment and arrival.establishment == m.establishment for m in members),
    )


def _doubt(model: Model, best: Standing[K], evidence: Score, others: Sequence[Standing[K]]) -> str | None:
    """Why the best person may not be linked without a human; None when it may."""
    limits = model.thresholds
    if best.bits >= limits.link and others and others[0].bits >= max(limits.review, best.bits - limits.margin):
        return "close-second"
    return hesitation(
        limits,
        bits=best.bits,
        mean=best.consistency,
        evidence=evidence,
        same_establishment=best.same_establishment,
    )


def _dnis(record: Normalised) -> frozenset[str]:
    return frozenset(d.number for d in record.documents if d.type is DocumentType.DNI)
