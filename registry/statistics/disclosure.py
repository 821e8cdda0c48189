"""Disclosure control of a cube of counts: nobody is told apart by one table, nor by subtracting one from another.

The rule: 1 to 7 are withheld, other counts are rounded to the nearest 5, totals are rounded by themselves. Rounding to
the nearest is not enough for totals: 13 + 13 + 1 shown as 15, * and 15 of 25 gives the 1 away. So a total goes up or
down by a secret chance, and goes the other way where the published values together would leave fewer than
`min_candidates` values for a withheld count. That is judged on what is published alone, so that knowing this code tells
a reader nothing more. All tables are protected together: any query shows the same value for the same cell.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

Key = tuple[str | None, ...]
"""One category a dimension; None where the dimension is summed up."""

Table = tuple[int, ...]
"""The places of the dimensions a table is divided by."""

Chance = Callable[[str], float]

MAX_PASSES = 100
REDRAWS, ATTEMPTS = 12, 20


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
    """Counts from 1 to below `threshold` are withheld, others rounded to multiples of `base`; zero is shown as zero."""

    threshold: int = 8
    base: int = 5
    min_candidates: int = 3

    def __post_init__(self) -> None:
        if self.threshold < self.min_candidates + 1 or self.min_candidates < 2 or not 2 <= self.base <= self.threshold:
            msg = "the rule needs min_candidates >= 2, threshold > min_candidates and 2 <= base <= threshold"
            raise ValueError(msg)

    @property
    def floor(self) -> int:
        """The least number that is shown, zero apart."""
        return -(-self.threshold // self.base) * self.base

    @property
    def small(self) -> Interval:
        """The counts that are withheld for themselves."""
        return Interval(1, self.threshold - 1)

    def publish(self, count: int) -> int | None:
        """A count of the finest cells: withheld (None), or the nearest multiple; halves go up."""
        if count == 0:
            return 0
        if count < self.threshold:
            return None
        return max(self.floor, (2 * count + self.base) // (2 * self.base) * self.base)

    def reading(self, shown: int | None) -> Interval:
        """What a published count says of the true one."""
        if shown is None:
            return self.small
        if shown == 0:
            return Interval(0, 0)
        low = self.threshold if shown == self.floor else shown - self.base // 2
        return Interval(low, shown + (self.base - 1) // 2)

    def roundings(self, total: int, chance: float) -> list[int | None]:
        """The ways a total may be shown, the one that chance picks first; on average rounding changes nothing."""
        below = total // self.base * self.base
        around = {below, -(-total // self.base) * self.base, self.floor}
        values = sorted(value for value in around if value >= self.floor and abs(value - total) < self.base)
        if chance < (total - below) / self.base:
            values.reverse()
        small: list[int | None] = [None] if total < self.threshold else []
        return [*small, *values]

    def total_reading(self, shown: int | None) -> Interval:
        """What a published total says of the true one: no more than `roundings` allows."""
        return self.small if shown is None else Interval(max(1, shown - self.base + 1), shown + self.base - 1)


class Equation(NamedTuple):
    """A total and the cells it is the sum of."""

    total: Key
    parts: tuple[Key, ...]


def protect(
    counts: Mapping[Key, int], rule: Rule, chance: Chance, tables: Sequence[Table] | None = None
) -> dict[Key, int | None]:
    """Every cell of every published table as it may be shown; a cell that is not in the result is zero.

    `counts` are the finest counts: no None in a key, all keys of one length. `chance` gives the same secret number
    from 0 to 1 for the same text: what is shown never changes until a count does. `tables` are the finest
    tables that are published; all that can be summed from them are published too. Without it there is one.
    """
    cells = sum_up(counts, tables)
    equations = equate(cells)
    totals = _by_total(equations)
    board = _Board(cells, rule, chance, totals)
    for total in sorted(totals, key=lambda key: (key.count(None), _order(key))):
        board.choose(total, 0)
    for attempt in range(1, ATTEMPTS + 1):
        narrow = too_narrow(board.readings, deduce(board.readings, equations), rule)
        if not narrow:
            break
        board.mend(board.totals_above(narrow), attempt)
    return board.shown


class _Board:
    """The cells while it is decided how each is shown."""

    def __init__(
        self, cells: Mapping[Key, int], rule: Rule, chance: Chance, totals: Mapping[Key, Sequence[Equation]]
    ) -> None:
        self._cells, self._rule, self._chance, self._totals = cells, rule, chance, totals
        self.shown = {key: rule.publish(count) for key, count in cells.items()}
        self.readings = {key: rule.reading(value) for key, value in self.shown.items()}

    def choose(self, total: Key, attempt: int) -> None:
        """Round a total the way chance picks, or the other way where that gives a part away."""
        count = self._cells[total]
        options = self._rule.roundings(count, self._chance(f"{total}:{count}:{attempt}"))
        safe = (value for value in options if self._is_safe(total, self._rule.total_reading(value)))
        self.shown[total] = next(safe, options[0])
        self.readings[total] = self._rule.total_reading(self.shown[total])

    def mend(self, totals: Sequence[Key], attempt: int) -> None:
        """Draw again; at last withhold the totals, and then what tells them through another table."""
        for total in totals:
            if attempt <= REDRAWS:
                self.choose(total, attempt)
            else:
                self._withhold(total)
        if attempt > REDRAWS + 1:
            for part in {part for total in totals for equation in self._totals[total] for part in equation.parts}:
                if self.shown[part] is not None:
                    self._withhold(part)

    def _withhold(self, key: Key) -> None:
        self.shown[key], self.readings[key] = None, ANYTHING

    def totals_above(self, keys: Collection[Key]) -> list[Key]:
        """The totals the cells are part of, and those cells that are totals, in a fixed order."""
        above = {
            total
            for total in self._totals
            for key in keys
            if all(part in {None, of} for part, of in zip(total, key, strict=True))
        }
        return sorted(above, key=_order)

    def _is_safe(self, total: Key, reading: Interval) -> bool:
        return all(_leaves_enough(equation, reading, self.readings, self._rule) for equation in self._totals[total])


def deduce(readings: Mapping[Key, Interval], equations: Sequence[Equation]) -> dict[Key, Interval]:
    """What a patient reader concludes by adding and subtracting everything shown, until nothing more follows."""
    known = dict(readings)
    for _ in range(MAX_PASSES):
        moved = [_tighten(equation, known) for equation in equations]
        if not any(moved):
            break
    return known


def too_narrow(readings: Mapping[Key, Interval], known: Mapping[Key, Interval], rule: Rule) -> set[Key]:
    """The withheld small counts for which fewer than `min_candidates` values remain."""
    return {
        key
        for key, reading in readings.items()
        if reading == rule.small and known[key].high - known[key].low + 1 < rule.min_candidates
    }


def sum_up(counts: Mapping[Key, int], tables: Sequence[Table] | None = None) -> dict[Key, int]:
    """The cells of the published tables that are not zero."""
    cells: dict[Key, int] = defaultdict(int)
    margins: set[Table] | None = None
    for key, count in counts.items():
        margins = margins or _margins(tables or [tuple(range(len(key)))])
        for kept in margins if count else ():
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


def _leaves_enough(equation: Equation, total: Interval, readings: Mapping[Key, Interval], rule: Rule) -> bool:
    """Whether one equation alone leaves enough candidates for its withheld parts and for a withheld total."""
    known = {part: readings[part] for part in equation.parts} | {equation.total: total}
    given = dict(known)
    _tighten(equation, known)
    return not too_narrow(given, known, rule)


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


def _margins(tables: Iterable[Table]) -> set[Table]:
    return {kept for table in tables for length in range(len(table) + 1) for kept in combinations(table, length)}


def _order(key: Key) -> tuple[str, ...]:
    return tuple(part or "" for part in key)
