"""Records as columns: every distinct value of an aspect once, and for each record the number of its value.

Names, dates and places repeat, so a file's millions of comparisons come down to those between distinct values. What
compares them is `matching.compare`; nothing about levels or weights is decided here.
"""

from array import array
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from matching.blocking import blocking_keys
from matching.compare import ASPECTS, GIVEN
from matching.levels import FIELDS, LEVELS, MISSING
from matching.model import CLASSES, Model
from matching.normalise import Normalised
from matching.score import MOST_NAME_BITS, UNRELATED, agreed_bits

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int8]
Value = tuple[Any, ...]
"""What an aspect reads of a record: the attributes named in its `reads`."""
LEVEL_NUMBERS = tuple(
    {MISSING: 0} | {level: number for number, level in enumerate(LEVELS[field], start=1)} for field in FIELDS
)
FIRST_FIELD = tuple(FIELDS.index(aspect.fields[0]) for aspect in ASPECTS)
GIVEN_ASPECT = FIRST_FIELD.index(GIVEN)


@dataclass(frozen=True, slots=True)
class Column:
    """One aspect of all records: `values[numbers[i]]` is what record i says of it."""

    numbers: Ints
    values: Sequence[Value]


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
        parts: dict[str, Any] = {}
        for aspect, column in zip(ASPECTS, self.columns, strict=True):
            parts.update(zip(aspect.reads, column.values[column.numbers[index]], strict=True))
        return Normalised(**parts)


@dataclass(frozen=True, slots=True)
class Patterns:
    """Compared pairs: one row a pair, one column a field, 0 for missing, else the place in `LEVELS` from 1.

    `names` is log2 of how often the names agreed on occur.
    """

    levels: Levels
    names: Floats


def _reader(names: tuple[str, ...]) -> Callable[[Normalised], Value]:
    if len(names) > 1:
        return attrgetter(*names)
    read = attrgetter(*names)
    return lambda record: (read(record),)


READERS = tuple(_reader(aspect.reads) for aspect in ASPECTS)
KeyMaker = Callable[[Normalised], Collection[str]]


def tabulate(records: Iterable[Normalised], keys_of: KeyMaker = blocking_keys) -> Table:
    """Records as columns, in their order."""
    numbers = [array("q") for _ in ASPECTS]
    known: list[dict[Value, int]] = [{} for _ in ASPECTS]
    columns = list(zip(READERS, known, numbers, strict=True))
    sizes = array("q")
    keys: list[str] = []
    for record in records:
        for read, places, column in columns:
            column.append(places.setdefault(read(record), len(places)))
        found = keys_of(record)
        sizes.append(len(found))
        keys += found
    found_columns = tuple(Column(_ints(n), list(places)) for n, places in zip(numbers, known, strict=True))
    return Table(len(sizes), found_columns, _hashed(_ints(sizes), keys))


def join_tables(parts: Sequence[Table]) -> Table:
    """Tables of consecutive records as one: a value that several know is known once."""
    if not parts:
        return tabulate(())
    columns = tuple(_joined([part.columns[at] for part in parts]) for at in range(len(ASPECTS)))
    starts = np.cumsum([0, *(part.size for part in parts)])
    names = tuple(sorted({name for part in parts for name in part.keys.names}))
    keys = [part.keys for part in parts]
    return Table(
        int(starts[-1]),
        columns,
        Keys(
            np.concatenate([key.records + start for key, start in zip(keys, starts, strict=False)]),
            np.concatenate([key.hashes for key in keys]),
            np.concatenate([np.array([names.index(name) for name in key.names], np.int8)[key.kinds] for key in keys]),
            names,
        ),
    )


def _joined(parts: Sequence[Column]) -> Column:
    known: dict[Value, int] = {}
    numbers = [
        np.array([known.setdefault(value, len(known)) for value in part.values], dtype=np.int64)[part.numbers]
        for part in parts
    ]
    return Column(np.concatenate(numbers), list(known))


def _ints(numbers: "array[int]") -> Ints:
    return np.frombuffer(numbers, dtype=np.int64) if len(numbers) else np.zeros(0, dtype=np.int64)


def _hashed(sizes: Ints, keys: list[str]) -> Keys:
    text = np.array(keys, dtype=object)
    kinds, names = pd.factorize(np.array([key.partition(":")[0] for key in keys], dtype=object), sort=True)
    hashes = pd.util.hash_array(text, categorize=False) if len(keys) else np.zeros(0, dtype=np.uint64)
    return Keys(np.repeat(np.arange(len(sizes)), sizes), hashes, kinds.astype(np.int8), tuple(names))


def compare_pairs(model: Model, table: Table, one: Ints, other: Ints) -> Patterns:
    """Compare pairs of records, given as two arrays of indices; each distinct pair of values is looked at once."""
    patterns = Patterns(np.zeros((len(one), len(FIELDS)), dtype=np.int8), np.zeros(len(one)))
    for at in range(len(ASPECTS)):
        _compare_aspect(model, table, at, (one, other), patterns)
    return patterns


def _compare_aspect(model: Model, table: Table, at: int, pairs: tuple[Ints, Ints], into: Patterns) -> None:
    column, first = table.columns[at], FIRST_FIELD[at]
    found = compare_values(model, at, column.values, *(column.numbers[side] for side in pairs))
    into.levels[:, first : first + found.levels.shape[1]] = found.levels
    into.names[:] += found.names


def compare_values(model: Model, at: int, values: Sequence[Value], one: Ints, other: Ints) -> Patterns:
    """Compare pairs of values of the aspect at `at`, given as two arrays of places in `values`; its fields only."""
    aspect, first = ASPECTS[at], FIRST_FIELD[at]
    codes, distinct = pd.factorize(np.minimum(one, other) * len(values) + np.maximum(one, other))
    lows, highs = np.divmod(distinct, max(len(values), 1))
    telling = np.array([any(value) for value in values], dtype=np.bool_)
    rows = np.flatnonzero(telling[lows] & telling[highs])
    shown = list(map(aspect.shown, values))
    found = np.zeros((len(distinct), len(aspect.fields)), dtype=np.int8)
    bits = np.zeros(len(distinct))
    for row, low, high in zip(rows.tolist(), lows[rows].tolist(), highs[rows].tolist(), strict=True):
        for place, (level, agreed) in enumerate(aspect.outcomes(shown[low], shown[high])):
            found[row, place] = LEVEL_NUMBERS[first + place][level]
            if agreed:
                bits[row] += agreed_bits(model, first + place, level, agreed)
    return Patterns(found[codes], bits[codes])


def class_bits(patterns: Patterns, start: Floats, tables: Sequence[Floats]) -> Floats:
    """log2 of prior times likelihood of every class, one row a pair: what `score` adds up for one pair."""
    sums = np.tile(start, (len(patterns.levels), 1))
    for field, table in enumerate(tables):
        sums += np.vstack([np.zeros(len(CLASSES)), table])[patterns.levels[:, field]]
    sums[:, UNRELATED] += patterns.names
    return sums


def weigh_pairs(model: Model, table: Table, one: Ints, other: Ints) -> Floats:
    """The weight of every pair, as `score` gives it."""
    return _weights(_class_bits(model, compare_pairs(model, table, one, other)))


def weigh_strong(model: Model, table: Table, one: Ints, other: Ints, least: float) -> tuple[Ints, Floats]:
    """The pairs that may weigh `least`, as places in `one`, and their weights; each pair left out weighs less.

    Given names cost as much to compare as all else together, so they are not looked at where the best could not help.
    """
    found = Patterns(np.zeros((len(one), len(FIELDS)), dtype=np.int8), np.zeros(len(one)))
    for at in (at for at in range(len(ASPECTS)) if at != GIVEN_ASPECT):
        _compare_aspect(model, table, at, (one, other), found)
    kept = np.flatnonzero(_most(model, _class_bits(model, found)) >= least)
    found = Patterns(found.levels[kept], found.names[kept])
    _compare_aspect(model, table, GIVEN_ASPECT, (one[kept], other[kept]), found)
    return kept, _weights(_class_bits(model, found))


def _most(model: Model, sums: Floats) -> Floats:
    """What pairs can weigh at most, whatever their given names: at its best level, of the rarest names that count."""
    most = _weights(sums)
    for level, bits in model.tables[GIVEN].items():
        step = np.array(bits)
        step[UNRELATED] -= MOST_NAME_BITS if level in model.frequency_levels["given"] else 0.0
        most = np.maximum(most, _weights(sums + step))
    return most


def _class_bits(model: Model, patterns: Patterns) -> Floats:
    return class_bits(patterns, np.array(model.prior), [np.array(list(levels.values())) for levels in model.tables])


def _weights(sums: Floats) -> Floats:
    return np.asarray(sums[:, 0] - np.logaddexp2.reduce(sums[:, 1:], axis=1), dtype=np.float64)
