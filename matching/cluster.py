"""Which person a record belongs to: the record is judged against whole persons, never against single records."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from matching.model import Model
from matching.normalise import Normalised
from matching.records import DocumentType
from matching.score import Score, score

K = TypeVar("K", bound=Hashable)
Kind = Literal["link", "review", "new"]


@dataclass(frozen=True, slots=True)
class Member:
    """One source record of a person; `verified` when RENIEC confirmed its DNI and names."""

    normalised: Normalised
    verified: bool = False
    establishment: str = ""


@dataclass(frozen=True, slots=True)
class Resolution(Generic[K]):
    """The decision: `key` is the person to link to or to review against, `rivals` the others worth a look."""

    kind: Kind
    key: K | None
    score: Score | None
    reason: str
    rivals: tuple[K, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing(Generic[K]):
    """How a record stands to one person: its best score, its worst, and what forbids linking them unseen."""

    key: K
    best: Score
    worst_bits: float
    same_establishment: bool
    forbidden: bool

    @property
    def bits(self) -> float:
        """Weight of the best pair."""
        return self.best.weight_bits


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
    `same-establishment`, `document-conflict`, `inconsistent-person` (review); `no-candidate`, `weak-evidence` (new).
    """
    arrival = Member(record, verified, establishment)
    standings = [_standing(model, arrival, key, members) for key, members in candidates.items() if members]
    allowed = sorted(
        (standing for standing in standings if not standing.forbidden), key=lambda s: (-s.bits, str(s.key))
    )
    if not allowed:
        return Resolution("new", None, None, "no-candidate")
    best = allowed[0]
    if best.bits < model.thresholds.review:
        return Resolution("new", None, best.best, "weak-evidence")
    rivals = tuple(standing.key for standing in allowed[1:] if standing.bits >= model.thresholds.review)
    reason = _doubt(model, best, allowed[1:])
    return Resolution("review" if reason else "link", best.key, best.best, reason or "strong-evidence", rivals)


def _standing(model: Model, arrival: Member, key: K, members: Sequence[Member]) -> Standing[K]:
    scores = [score(model, arrival.normalised, member.normalised) for member in members]
    return Standing(
        key=key,
        best=max(scores, key=lambda s: (s.weight_bits, sorted(s.conflicts))),
        worst_bits=min(s.weight_bits for s in scores),
        same_establishment=any(arrival.establishment and arrival.establishment == m.establishment for m in members),
        forbidden=any(verified_conflict(arrival, member) for member in members),
    )


def _doubt(model: Model, best: Standing[K], others: Sequence[Standing[K]]) -> str | None:
    """Why the best person may not be linked without a human; None when it may."""
    limits = model.thresholds
    if best.bits < limits.link:
        return "possible-match"
    if others and others[0].bits >= max(limits.review, best.bits - limits.margin):
        return "close-second"
    if best.best.conflicts:
        return "document-conflict"
    if best.worst_bits < limits.member_floor:
        return "inconsistent-person"
    if best.same_establishment and best.bits < limits.link + limits.same_establishment:
        return "same-establishment"
    return None


def verified_conflict(one: Member, other: Member) -> bool:
    """Two verified, different DNIs: never one person."""
    if not (one.verified and other.verified):
        return False
    mine, theirs = _dnis(one.normalised), _dnis(other.normalised)
    return bool(mine) and bool(theirs) and mine.isdisjoint(theirs)


def _dnis(record: Normalised) -> frozenset[str]:
    return frozenset(d.number for d in record.documents if d.type is DocumentType.DNI)
