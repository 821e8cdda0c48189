"""Disclosure control of a cube of counts: nobody is told apart by one table, nor by subtracting one from another.

The rule (as NHS Digital publishes below national level): 1 to 7 are withheld, other counts are rounded to 5, totals
are rounded by themselves. Rounding alone is not enough: where a published total and its published parts leave fewer
than `min_candidates` values for a withheld count, the total is moved to the next multiple that leaves more, or
withheld. All tables of a cube are protected together, so that any query shows the same value for the same cell.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

Key = tuple[str | None, ...]
"""One category a dimension; None where the dimension is summed up."""

MAX_PASSES = 100
STEPS = 3


class Interval(NamedTuple):
    """What a reader may conclude of a count: between two whole numbers, both possible."""

    low: int
    high: int

    def within(self, other: "Interval") -> "Interval":
        """What remains when both hold; empty (low above high) when they contradict."""
        return Interval(max(self.low, other.low), min(self.high, other.high))


ANYTHING = Interval(1, 10**12)


@dataclass(frozen=True, slots=True)
class Rule:
    """Counts from 1 to below `threshold` are withheld, others rounded to `base`; zero is shown as zero."""

    threshold: int = 8
    base: int = 5
    min_candidates: int = 3

    def __post_init__(self) -> None:
        if self.threshold < self.min_candidates + 1 or self.min_candidates < 2 or not 2 <= self.base <= self.threshold:
            msg = "the rule needs min_candidates >= 2, threshold > min_candidates and 2 <= base <= threshold"
            raise ValueError(msg)

    def publish(self, count: int) -> int | None:
        """What is shown of a count: None where it is withheld; halves are rounded up."""
        if count == 0:
            return 0
        if count < self.threshold:
            return None
        return max(self.floor, (2 * count + self.base) // (2 * self.base) * self.base)

    @property
    def floor(self) -> int:
        """The least number that is shown, zero apart."""
        return -(-self.threshold // self.base) * self.base

    def reading(self, shown: int | None) -> Interval:
        """What a reader concludes from a shown value who believes that every count was rounded to the nearest."""
        if shown is None:
            return Interval(1, self.threshold - 1)
        if shown == 0:
            return Interval(0, 0)
        low = self.threshold if shown == self.floor else shown - self.base // 2
        return Interval(low, shown + (self.base - 1) // 2)


class Equation(NamedTuple):
    """A total and the cells it is the sum of."""

    total: Key
    parts: tuple[Key, ...]


def protect(counts: Mapping[Key, int], rule: Rule) -> dict[Key, int | None]:
    """Every cell of every table of the cube as it may be shown; a cell that is not in the result is zero.

    `counts` are the finest cells: no None in a key, all keys of one length.
    """
    cells = sum_up(counts)
    equations = equate(cells)
    shown = {key: rule.publish(count) for key, count in cells.items()}
    readings = {key: rule.reading(value) for key, value in shown.items()}
    for total, of in sorted(_by_total(equations).items(), key=lambda item: (item[0].count(None), _order(item[0]))):
        shown[total], readings[total] = _choose(cells[total], of, readings, rule)
    for total in _withhold_until_safe(readings, equations, rule):
        shown[total] = None
    return shown


def deduce(readings: Mapping[Key, Interval], equations: Sequence[Equation]) -> dict[Key, Interval]:
    """What a patient reader concludes by adding and subtracting everything shown, until nothing more follows."""
    known = dict(readings)
    for _ in range(MAX_PASSES):
        moved = [_tighten(equation, known) for equation in equations]
        if not any(moved):
            break
    return known


def too_narrow(readings: Mapping[Key, Interval], known: Mapping[Key, Interval], rule: Rule) -> set[Key]:
    """The withheld cells for which fewer than `min_candidates` small values remain."""
    small = Interval(1, rule.threshold - 1)
    return {
        key
        for key, reading in readings.items()
        if reading == small and known[key].high - known[key].low + 1 < rule.min_candidates
    }


def sum_up(counts: Mapping[Key, int]) -> dict[Key, int]:
    """The finest cells that are not zero, and all their totals."""
    cells: dict[Key, int] = defaultdict(int)
    for key, count in counts.items():
        if count:
            for kept in _subsets(len(key)):
                cells[tuple(part if place in kept else None for place, part in enumerate(key))] += count
    return dict(cells)


def equate(cells: Iterable[Key]) -> list[Equation]:
    """Each total is the sum over each dimension it leaves out."""
    parts: dict[tuple[Key, int], list[Key]] = defaultdict(list)
    for key in cells:
        for place, part in enumerate(key):
            if part is not None:
                parts[(*key[:place], None, *key[place + 1 :]), place].append(key)
    return [Equation(total, tuple(sorted(of, key=_order))) for (total, _), of in parts.items()]


def _by_total(equations: Sequence[Equation]) -> dict[Key, list[Equation]]:
    found: dict[Key, list[Equation]] = defaultdict(list)
    for equation in equations:
        found[equation.total].append(equation)
    return found


def _choose(
    count: int, equations: Sequence[Equation], readings: Mapping[Key, Interval], rule: Rule
) -> tuple[int | None, Interval]:
    """The value nearest to the count that gives no withheld part away, or nothing."""
    nearest = max(rule.floor, count // rule.base * rule.base)
    steps = {nearest + step * rule.base for step in range(-STEPS, STEPS + 1)}
    others = sorted((value for value in steps if value >= rule.floor), key=lambda value: (abs(value - count), value))
    for value in (rule.publish(count), *others):
        reading = rule.reading(value)
        if all(_is_safe(equation, reading, readings, rule) for equation in equations):
            return value, reading
    return None, ANYTHING


def _is_safe(equation: Equation, total: Interval, readings: Mapping[Key, Interval], rule: Rule) -> bool:
    """Whether one equation alone leaves enough candidates for its withheld parts and for a withheld total."""
    known = {part: readings[part] for part in equation.parts} | {equation.total: total}
    given = dict(known)
    _tighten(equation, known)
    return not too_narrow(given, known, rule)


def _withhold_until_safe(readings: dict[Key, Interval], equations: Sequence[Equation], rule: Rule) -> Iterator[Key]:
    """Withhold, one after the other, the totals that still give something away when all tables are combined."""
    while narrow := too_narrow(readings, deduce(readings, equations), rule):
        for total in {_culprit(key, readings) for key in sorted(narrow, key=_order)}:
            readings[total] = ANYTHING
            yield total


def _culprit(key: Key, readings: Mapping[Key, Interval]) -> Key:
    """The narrowest total above a cell that is still shown; the cell itself where none is left."""
    above = (
        total
        for total in readings
        if total != key
        and readings[total] != ANYTHING
        and all(part in {None, of} for part, of in zip(total, key, strict=True))
    )
    return min(above, key=lambda total: (total.count(None), _order(total)), default=key)


def _tighten(equation: Equation, known: dict[Key, Interval]) -> bool:
    """Narrow a total and its parts by each other; True when anything moved."""
    lows = sum(known[part].low for part in equation.parts)
    highs = sum(known[part].high for part in equation.parts)
    total = known[equation.total].within(Interval(lows, highs))
    moved = total != known[equation.total]
    known[equation.total] = total
    for part in equation.parts:
        old = known[part]
        new = old.within(Interval(total.low - (highs - old.high), total.high - (lows - old.low)))
        if new != old:
            known[part], moved = new, True
    return moved


def _subsets(size: int) -> Iterator[tuple[int, ...]]:
    for length in range(size + 1):
        yield from combinations(range(size), length)


def _order(key: Key) -> tuple[str, ...]:
    return tuple(part or "" for part in key)
