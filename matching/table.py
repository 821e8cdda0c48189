"""Records as columns: every distinct value of an aspect once, and for each record the number of its value.

Names, dates and places repeat, so a file's millions of comparisons come down to those between distinct values. What
compares them is `matching.compare`; nothing about levels or weights is decided here.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import numpy.typing as npt
import pandas as pd

from matching.blocking import blocking_keys
from matching.compare import ASPECTS
from matching.levels import FIELDS, LEVELS, MISSING
from matching.model import CLASSES, Model
from matching.normalise import Normalised
from matching.score import UNRELATED, agreed_bits

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int8]
READERS = tuple(attrgetter(*aspect.reads) for aspect in ASPECTS)
LEVEL_NUMBERS = tuple(
    {MISSING: 0} | {level: number for number, level in enumerate(LEVELS[field], start=1)} for field in FIELDS
)
FIRST_FIELD = tuple(FIELDS.index(aspect.fields[0]) for aspect in ASPECTS)


@dataclass(frozen=True, slots=True)
class Column:
    """One aspect of all records: `values[numbers[i]]` is what record i says of it, and nothing else."""

    numbers: Ints
    values: Sequence[Normalised]


@dataclass(frozen=True, slots=True)
class Keys:
    """Blocking keys of all records, hashed: `records[k]` has the key `hashes[k]`, whose kind is `kinds[k]`."""

    records: Ints
    hashes: npt.NDArray[np.uint64]
    kinds: npt.NDArray[np.int8]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Records as columns, one a aspect, with their blocking keys."""

    size: int
    columns: tuple[Column, ...]
    keys: Keys

    def record(self, index: int) -> Normalised:
        """A record with all that is compared of it."""
        parts = {}
        for aspect, column in zip(ASPECTS, self.columns, strict=True):
            value = column.values[column.numbers[index]]
            parts.update({name: getattr(value, name) for name in aspect.reads})
        return Normalised(**parts)


@dataclass(frozen=True, slots=True)
class Patterns:
    """Compared pairs: one row a pair, one column a field, 0 for missing, else the place in `LEVELS` from 1.

    `names` is log2 of how often the names agreed on occur.
    """

    levels: Levels
    names: Floats


def tabulate(records: Iterable[Normalised]) -> Table:
    """Records as columns, in their order."""
    numbers = [array("q") for _ in ASPECTS]
    known: list[dict[object, int]] = [{} for _ in ASPECTS]
    values: list[list[Normalised]] = [[] for _ in ASPECTS]
    sizes = array("q")
    keys: list[str] = []
    for record in records:
        for column, read in enumerate(READERS):
            value = read(record)
            number = known[column].setdefault(value, len(values[column]))
            if number == len(values[column]):
                values[column].append(_bare(column, record))
            numbers[column].append(number)
        found = blocking_keys(record)
        sizes.append(len(found))
        keys += found
    columns = tuple(Column(_ints(n), v) for n, v in zip(numbers, values, strict=True))
    return Table(len(sizes), columns, _hashed(_ints(sizes), keys))


def _bare(column: int, record: Normalised) -> Normalised:
    return Normalised(**{name: getattr(record, name) for name in ASPECTS[column].reads})


def _ints(numbers: "array[int]") -> Ints:
    return np.frombuffer(numbers, dtype=np.int64) if len(numbers) else np.zeros(0, dtype=np.int64)


def _hashed(sizes: Ints, keys: list[str]) -> Keys:
    text = np.array(keys, dtype=object)
    kinds, names = pd.factorize(np.array([key.partition(":")[0] for key in keys], dtype=object), sort=True)
    hashes = pd.util.hash_array(text, categorize=False) if len(keys) else np.zeros(0, dtype=np.uint64)
    return Keys(np.repeat(np.arange(len(sizes)), sizes), hashes, kinds.astype(np.int8), tuple(names))


def compare_pairs(model: Model, table: Table, one: Ints, other: Ints) -> Patterns:
    """Compare pairs of records, given as two arrays of indices; each distinct pair of values is looked at once."""
    levels = np.zeros((len(one), len(FIELDS)), dtype=np.int8)
    names = np.zeros(len(one))
    for aspect, column, first in zip(ASPECTS, table.columns, FIRST_FIELD, strict=True):
        a, b = column.numbers[one], column.numbers[other]
        codes, distinct = pd.factorize(np.minimum(a, b) * len(column.values) + np.maximum(a, b))
        found = np.zeros((len(distinct), len(aspect.fields)), dtype=np.int8)
        bits = np.zeros(len(distinct))
        for row, (low, high) in enumerate(zip(*np.divmod(distinct, len(column.values)), strict=True)):
            for place, (level, agreed) in enumerate(aspect.outcomes(column.values[low], column.values[high])):
                found[row, place] = LEVEL_NUMBERS[first + place][level]
                if agreed:
                    bits[row] += agreed_bits(model, first + place, level, agreed)
        levels[:, first : first + len(aspect.fields)] = found[codes]
        names += bits[codes]
    return Patterns(levels, names)


def class_bits(patterns: Patterns, start: Floats, tables: Sequence[Floats]) -> Floats:
    """log2 of prior times likelihood of every class, one row a pair: what `score` adds up for one pair."""
    sums = np.tile(start, (len(patterns.levels), 1))
    for field, table in enumerate(tables):
        sums += np.vstack([np.zeros(len(CLASSES)), table])[patterns.levels[:, field]]
    sums[:, UNRELATED] += patterns.names
    return sums


def weigh_pairs(model: Model, table: Table, one: Ints, other: Ints) -> Floats:
    """The weight of every pair, as `score` gives it."""
    tables = [np.array(list(levels.values())) for levels in model.tables]
    sums = class_bits(compare_pairs(model, table, one, other), np.array(model.prior), tables)
    return np.asarray(sums[:, 0] - np.logaddexp2.reduce(sums[:, 1:], axis=1), dtype=np.float64)
