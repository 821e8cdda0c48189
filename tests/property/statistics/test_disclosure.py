"""No withheld count can be worked out: by reading one table, by subtracting tables, or by knowing the rule's code."""

from collections import defaultdict
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.statistics.disclosure import ANYTHING, Interval, Key, Rule, deduce, equate, protect, sum_up

RULE = Rule()
SMALL = Interval(1, RULE.threshold - 1)
COUNT = st.one_of(st.just(0), st.integers(1, 12), st.integers(0, 60), st.integers(0, 5000))


@st.composite
def cubes(draw: st.DrawFn) -> dict[Key, int]:
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    keys = product(*(map(str, range(size)) for size in sizes))
    return {key: draw(COUNT) for key in keys}


def order(key: Key) -> tuple[str, ...]:
    return tuple(part or "" for part in key)


@given(cubes())
def test_each_shown_value_keeps_the_written_rule(counts: dict[Key, int]) -> None:
    cells, shown = sum_up(counts), protect(counts, RULE)
    assert shown.keys() == cells.keys()
    for key, value in shown.items():
        finest = None not in key
        assert value is None or (value % RULE.base == 0 and value >= 10)
        assert not finest or value == RULE.publish(cells[key])
        assert value is None or finest or abs(value - cells[key]) <= 2 * RULE.base
        assert not finest or (value is None) == (cells[key] < RULE.threshold)


@given(cubes())
def test_adding_and_subtracting_tables_gives_nobody_away(counts: dict[Key, int]) -> None:
    cells, shown = sum_up(counts), protect(counts, RULE)
    # The reader is told more than is shown: which totals are withheld because they are small themselves.
    unsaid = [key for key, value in shown.items() if value is None and cells[key] >= RULE.threshold]
    readings = {key: RULE.reading(value) for key, value in shown.items()} | dict.fromkeys(unsaid, ANYTHING)
    known = deduce(readings, equate(shown))
    for key, value in shown.items():
        if value is None and None not in key:
            left = known[key].within(SMALL)
            assert left.high - left.low + 1 >= RULE.min_candidates


@given(cubes(), st.randoms())
def test_the_order_of_the_cells_changes_nothing(counts: dict[Key, int], random: object) -> None:
    shuffled = sorted(counts, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert protect({key: counts[key] for key in shuffled}, RULE) == protect(counts, RULE)


@given(cubes(), st.integers(1, 3))
def test_an_empty_category_changes_nothing(counts: dict[Key, int], place: int) -> None:
    size = len(next(iter(counts)))
    empty = tuple("new" if index == place % size else "0" for index in range(size))
    assert protect(counts | {empty: 0}, RULE) == protect(counts, RULE)


@settings(max_examples=30)
@given(st.integers(4, 12), st.integers(2, 10), st.lists(st.integers(0, 40), min_size=1, max_size=5))
def test_another_written_rule_is_kept_as_well(threshold: int, base: int, parts: list[int]) -> None:
    if base > threshold:
        return
    rule = Rule(threshold, base, 3)
    shown = protect({(str(place),): count for place, count in enumerate(parts)}, rule)
    assert all(value is None or (value % base == 0 and value >= threshold) for value in shown.values())
    for place, count in enumerate(parts):
        assert (shown.get((str(place),), 0) is None) == (0 < count < threshold)


@pytest.mark.parametrize(("parts", "top", "complete"), [(1, 22, 20), (2, 22, 20), (3, 22, 20), (4, 12, 10)])
def test_who_knows_the_code_is_no_wiser(parts: int, top: int, complete: int) -> None:
    """Every world of small tables is tried: worlds that look the same leave three values for each withheld count."""
    worlds = defaultdict(list)
    for world in product(range(top + 1), repeat=parts):
        shown = protect({(str(place),): count for place, count in enumerate(world)}, RULE)
        worlds[tuple(shown.get(key, 0) for key in [*((str(place),) for place in range(parts)), (None,)])].append(world)
    for look, alike in worlds.items():
        if all(value is None or value <= complete for value in look[:parts]):
            for place in range(parts):
                assert look[place] is not None or len({world[place] for world in alike}) >= RULE.min_candidates


@pytest.mark.parametrize(
    ("count", "shown"), [(0, 0), (1, None), (7, None), (8, 10), (9, 10), (12, 10), (13, 15), (1002, 1000)]
)
def test_the_rule_for_one_count(count: int, shown: int | None) -> None:
    assert RULE.publish(count) == shown
    reading = RULE.reading(shown)
    assert reading.low <= count <= reading.high


@pytest.mark.parametrize(("threshold", "base", "candidates"), [(3, 2, 3), (8, 9, 3), (8, 1, 3), (8, 5, 1)])
def test_a_rule_that_protects_nobody_is_refused(threshold: int, base: int, candidates: int) -> None:
    with pytest.raises(ValueError, match="the rule needs"):
        Rule(threshold, base, candidates)
