"""Which groups of records are one person: whole persons judged against whole persons, a neighbourhood at once.

`matching.cluster` places one arriving record among persons. Here nothing arrives: records that are together may have
to part, and persons that are apart may be one. The strongest pair joins first and the rest is judged against what has
grown (average linkage): two persons of one human are no rivals of each other, and one bad record carries nobody along.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Generic, TypeVar

from matching.cluster import POSSIBLE, Member, consistency, hesitation, verified_conflict
from matching.model import Model
from matching.score import Score, score, weigh

K = TypeVar("K", bound=Hashable)
CLOSE_SECOND = "close-second"
INCONSISTENT = "inconsistent-person"


@dataclass(frozen=True, slots=True)
class Tie:
    """What stands between two groups: the weights of all pairs across, and the pair that is most alike."""

    weights: tuple[float, ...]
    closest: tuple[Member, Member]
    same_establishment: bool
    excluded: bool
    """Two verified, different DNIs: never one person."""

    @property
    def bits(self) -> float:
        """The weight of the pair most alike."""
        return max(self.weights)

    @property
    def consistency(self) -> float:
        """The mean over all pairs."""
        return consistency(self.weights)

    def evidence(self, model: Model) -> Score:
        """The score of the pair most alike, with its contributions."""
        return score(model, self.closest[0].normalised, self.closest[1].normalised)

    def doubt(self, model: Model) -> str | None:
        """Why the two may not be joined without a human, leaving rivals aside; None when they may."""
        if self.bits < model.thresholds.link:
            return POSSIBLE
        return hesitation(
            model.thresholds,
            bits=self.bits,
            mean=self.consistency,
            evidence=self.evidence(model),
            same_establishment=self.same_establishment,
        )


@dataclass(frozen=True, slots=True)
class Gathering(Generic[K]):
    """What a group belongs with: `joined` are one person with it; where there is `doubt` a human should see `rivals`.

    `tie` is the strongest one that the outcome rests on; None where nothing comes near.
    """

    joined: tuple[K, ...] = ()
    rivals: tuple[K, ...] = ()
    doubt: str | None = None
    tie: Tie | None = None


def tie_between(model: Model, ours: Sequence[Member], theirs: Sequence[Member]) -> Tie:
    """Weigh every record of one group against every record of the other; symmetric but for the order of `closest`."""
    pairs = list(product(ours, theirs))
    weights = [weigh(model, one.normalised, other.normalised) for one, other in pairs]
    most = max(weights)
    closest = [pair for pair, weight in zip(pairs, weights, strict=True) if weight == most]
    return Tie(
        weights=tuple(sorted(weights)),
        closest=closest[0] if len(closest) == 1 else min(closest, key=repr),
        same_establishment=any(one.establishment and one.establishment == other.establishment for one, other in pairs),
        excluded=any(verified_conflict(one, other) for one, other in pairs),
    )


def gather(
    model: Model, start: K, groups: Mapping[K, Sequence[Member]], barred: Callable[[K, K], bool]
) -> Gathering[K]:
    """Which of the groups are one person with `groups[start]`, or which of them leave a doubt.

    `barred` groups are never joined nor rivals of each other. The order of groups and of members changes nothing.
    Doubts are those of `resolve`, and `close-second` is one only between persons that are not one themselves.
    """
    limits = model.thresholds
    ties = {key: tie_between(model, groups[start], groups[key]) for key in groups if key != start}
    near = {key: tie for key, tie in ties.items() if not tie.excluded and tie.bits >= limits.review}
    near = {key: tie for key, tie in near.items() if not barred(start, key)}
    if not near:
        return Gathering()
    order = sorted(near, key=lambda key: (-near[key].bits, str(key)))
    best = near[order[0]]
    clusters = Clusters(model, {key: groups[key] for key in (start, *order)}, barred)
    clusters.join(limits.link, lambda tie: tie.doubt(model) is None)
    joined = tuple(key for key in order if key in clusters.of(start))
    if not joined:
        return Gathering((), tuple(order), best.doubt(model) or INCONSISTENT, best)
    rivals = tuple(key for key in order if key not in joined)
    strongest = max((near[key] for key in joined), key=lambda tie: tie.bits)
    if any(near[key].bits >= strongest.bits - limits.margin for key in rivals):
        return Gathering((), tuple(order), CLOSE_SECOND, strongest)
    return Gathering(joined, rivals, None, strongest)


def divide(model: Model, units: Sequence[Sequence[Member]]) -> list[list[int]]:
    """The persons that the records of one person make under this model, as lists of indices of `units`.

    A unit is never divided. One list: they belong together. The largest comes first, then the one verified.
    """
    clusters = Clusters(model, dict(enumerate(units)), lambda _one, _other: False)
    clusters.join(model.thresholds.pair, lambda _tie: True)
    found = {tuple(sorted(clusters.of(index))) for index in range(len(units))}

    def rank(cluster: tuple[int, ...]) -> tuple[int, bool, tuple[int, ...]]:
        members = [member for index in cluster for member in units[index]]
        return -len(members), not any(member.verified for member in members), cluster

    return [list(cluster) for cluster in sorted(found, key=rank)]


class Clusters(Generic[K]):
    """Groups that grow by joining, strongest pair first, while what they become stays consistent."""

    def __init__(self, model: Model, groups: Mapping[K, Sequence[Member]], barred: Callable[[K, K], bool]) -> None:
        self.model = model
        self._barred = barred
        self._cluster = {key: frozenset({key}) for key in groups}
        self._ties = {
            frozenset({one, other}): tie_between(model, groups[one], groups[other])
            for one, other in combinations(sorted(groups, key=str), 2)
        }

    def of(self, key: K) -> frozenset[K]:
        """The groups that are one person with this one, itself included."""
        return self._cluster[key]

    def join(self, least: float, may: Callable[[Tie], bool]) -> None:
        """Join what pairs of `least` bits suggest, where the two groups themselves `may` and their clusters agree."""
        strong = [(pair, tie) for pair, tie in self._ties.items() if tie.bits >= least and may(tie)]
        for pair, _ in sorted(strong, key=lambda item: (-item[1].bits, sorted(map(str, item[0])))):
            one, other = (self._cluster[key] for key in pair)
            if one != other and self._agree(one, other):
                self._cluster.update(dict.fromkeys(one | other, one | other))

    def _agree(self, ours: Iterable[K], theirs: Iterable[K]) -> bool:
        pairs = list(product(ours, theirs))
        ties = [self._ties[frozenset(pair)] for pair in pairs]
        if any(tie.excluded for tie in ties) or any(self._barred(*pair) for pair in pairs):
            return False
        weights = sorted(weight for tie in ties for weight in tie.weights)
        return consistency(weights) >= self.model.thresholds.consistency
