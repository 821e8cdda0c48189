"""Linking a whole file at once: blocks, pairs, and persons that stay consistent as they grow."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from matching.blocking import blocking_keys
from matching.cluster import Member, consistency, verified_conflict
from matching.model import Model
from matching.normalise import Normalised
from matching.score import weigh

LARGEST_BLOCK = 400

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Blocking:
    """Pairs to compare, as indices with the smaller first; `skipped` counts blocks too large to compare, by kind."""

    pairs: frozenset[Pair]
    skipped: Mapping[str, int] = field(default_factory=dict)


def block(records: Sequence[Normalised], largest: int = LARGEST_BLOCK) -> Blocking:
    """Pairs of records that share a blocking key; a block above `largest` is left out and reported, never cut."""
    blocks: dict[str, list[int]] = defaultdict(list)
    for index, record in enumerate(records):
        for key in blocking_keys(record):
            blocks[key].append(index)
    pairs: set[Pair] = set()
    skipped: Counter[str] = Counter()
    for key, members in blocks.items():
        if len(members) > largest:
            skipped[key.partition(":")[0]] += 1
            continue
        pairs.update((one, other) for at, other in enumerate(members) for one in members[:at])
    return Blocking(frozenset(pairs), dict(skipped))


class Linker:
    """Grows persons from the strongest pair down, judging each merge by all pairs between the two groups.

    That is average linkage with hard rules: a record that resembles one member of a person and contradicts the others
    does not join, so chains of pairs don't carry strangers into one person.
    """

    def __init__(self, model: Model, members: Sequence[Member]) -> None:
        self.model = model
        self.members = members
        self.person = list(range(len(members)))
        self.groups: dict[int, list[int]] = {}
        self.weights: dict[Pair, float] = {}

    def link(self, pairs: Iterable[Pair]) -> list[int]:
        """A label for every record; records with one label are one person. The order of pairs changes nothing."""
        limits = self.model.thresholds
        strong = [(-weight, pair) for pair in pairs if (weight := self.weight(*pair)) >= limits.pair]
        for _, (one, other) in sorted(strong):
            first, second = sorted((self.person[one], self.person[other]))
            if first != second and self._consistent(self._group(first), self._group(second)):
                self._merge(first, second)
        return list(self.person)

    def weight(self, one: int, other: int) -> float:
        """The weight of a pair, remembered."""
        pair = (one, other) if one < other else (other, one)
        known = self.weights.get(pair)
        if known is None:
            known = weigh(self.model, self.members[pair[0]].normalised, self.members[pair[1]].normalised)
            self.weights[pair] = known
        return known

    def _group(self, label: int) -> list[int]:
        return self.groups.get(label, [label])

    def _consistent(self, first: list[int], second: list[int]) -> bool:
        across = [(one, other) for one in first for other in second]
        if any(verified_conflict(self.members[one], self.members[other]) for one, other in across):
            return False
        return consistency(self.weight(*pair) for pair in across) >= self.model.thresholds.consistency

    def _merge(self, first: int, second: int) -> None:
        joined = self._group(first) + self._group(second)
        self.groups[first] = joined
        self.groups.pop(second, None)
        for index in joined:
            self.person[index] = first


def link_batch(model: Model, members: Sequence[Member]) -> list[int]:
    """Block, weigh and link; a label for every record, the smallest index of its person."""
    blocking = block([member.normalised for member in members])
    return Linker(model, members).link(blocking.pairs)
