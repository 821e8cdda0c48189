"""Linking a whole file at once: blocks, pairs, and persons that stay consistent as they grow."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from matching.cluster import consistency
from matching.model import Model
from matching.score import weigh
from matching.table import Floats, Ints, Keys, Table, weigh_strong

LARGEST_BLOCK = 400
PAIRS_AT_ONCE = 500_000


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs to compare, as indices with the smaller in `one`; `skipped` counts blocks too large to compare, by kind."""

    one: Ints
    other: Ints
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.one)


def block(table: Table, largest: int = LARGEST_BLOCK) -> Pairs:
    """Pairs of records that share a blocking key; a block above `largest` is left out and reported, never cut."""
    keys = table.keys
    order = np.lexsort((keys.records, keys.hashes))
    records, starts = keys.records[order], _starts(keys.hashes[order])
    sizes = np.diff(np.append(starts, len(records)))
    found = [np.zeros(0, dtype=np.int64)]
    for size in np.unique(sizes[(sizes > 1) & (sizes <= largest)]):
        members = records[starts[sizes == size][:, None] + np.arange(size)]
        low, high = np.triu_indices(size, 1)
        found.append((members[:, low] * table.size + members[:, high]).ravel())
    one, other = np.divmod(np.unique(np.concatenate(found)), max(table.size, 1))
    return Pairs(one, other, _skipped(keys, order[starts[sizes > largest]]))


def _starts(ordered: npt.NDArray[np.uint64]) -> Ints:
    """Where each run of equal values begins."""
    return np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(ordered) else np.zeros(0, np.int64)


def _skipped(keys: Keys, at: Ints) -> dict[str, int]:
    counts = np.bincount(keys.kinds[at], minlength=len(keys.names))
    return {name: int(count) for name, count in zip(keys.names, counts, strict=True) if count}


class Linker:
    """Grows persons from the strongest pair down, judging each merge by all pairs between the two groups.

    That is average linkage: a record that resembles one member of a person and contradicts the others
    does not join, so chains of pairs don't carry strangers into one person.
    """

    def __init__(self, model: Model, table: Table) -> None:
        self.model = model
        self.table = table
        self.person = list(range(table.size))
        self.groups: dict[int, list[int]] = {}
        self.codes: Ints = np.zeros(0, dtype=np.int64)
        self.weights: Floats = np.zeros(0)
        self.unblocked: dict[int, float] = {}

    def link(self, pairs: Pairs, weights: Floats | None = None) -> list[int]:
        """A label for every record; records with one label are one person. The order of pairs changes nothing.

        `weights` are those of the pairs, where another executor has worked them out already.
        """
        self._weigh(pairs, weights)
        strong = np.flatnonzero(self.weights >= self.model.thresholds.pair)
        order = strong[np.lexsort((self.codes[strong], -self.weights[strong]))]
        ones, others = np.divmod(self.codes[order], max(self.table.size, 1))
        for one, other in zip(ones.tolist(), others.tolist(), strict=True):
            first, second = sorted((self.person[one], self.person[other]))
            if first != second and self._consistent(self._group(first), self._group(second)):
                self._merge(first, second)
        return list(self.person)

    def weight(self, one: int, other: int) -> float:
        """The weight of a pair: known when it is a strong one that blocking found, else worked out once."""
        code = min(one, other) * self.table.size + max(one, other)
        at = bisect_left(self.codes, code)
        if at < len(self.codes) and self.codes[at] == code:
            return float(self.weights[at])
        if code not in self.unblocked:
            self.unblocked[code] = weigh(self.model, self.table.record(one), self.table.record(other))
        return self.unblocked[code]

    def _weigh(self, pairs: Pairs, weights: Floats | None) -> None:
        codes = pairs.one * self.table.size + pairs.other
        order = np.argsort(codes)
        if weights is not None:
            self.codes, self.weights = codes[order], weights[order]
            return
        parts = [self._strong(pairs, some) for some in np.array_split(order, len(order) // PAIRS_AT_ONCE + 1)]
        self.codes = codes[np.concatenate([kept for kept, _ in parts])]
        self.weights = np.concatenate([found for _, found in parts])

    def _strong(self, pairs: Pairs, some: Ints) -> tuple[Ints, Floats]:
        """Those of some pairs that may join two persons, and their weights; others are weighed if it comes to that."""
        least = self.model.thresholds.pair
        kept, weights = weigh_strong(self.model, self.table, pairs.one[some], pairs.other[some], least)
        return some[kept], weights

    def _group(self, label: int) -> list[int]:
        return self.groups.get(label, [label])

    def _consistent(self, first: list[int], second: list[int]) -> bool:
        across = (self.weight(one, other) for one in first for other in second)
        return consistency(across) >= self.model.thresholds.consistency

    def _merge(self, first: int, second: int) -> None:
        joined = self._group(first) + self._group(second)
        self.groups[first] = joined
        self.groups.pop(second, None)
        for index in joined:
            self.person[index] = first
