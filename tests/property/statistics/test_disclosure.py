"""No withheld count can be worked out: by reading one table, by subtracting tables, or by knowing the code."""

from itertools import product
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from registry.statistics.disclosure import ANYTHING, Chance, Interval, Key, Rule, deduce, equate, protect, sum_up

RULE = Rule()
COUNT = st.one_of(st.just(0), st.integers(1, 7), st.integers(8, 13), st.integers(0, 60), st.integers(0, 5000))
SEED = st.integers(0, 1000)
relaxed = settings(deadline=None)


def chance(seed: int) -> Chance:
    return lambda text: Random(f"{seed}:{text}").random()


@st.composite
def cubes(draw: st.DrawFn, most: int = 4, dimensions: int = 3) -> dict[Key, int]:
    sizes = draw(st.lists(st.integers(1, most), min_size=1, max_size=dimensions))
    keys = product(*(map(str, range(size)) for size in sizes))
    return {key: draw(COUNT) for key in keys}


@relaxed
@given(cubes(), SEED)
def test_each_shown_value_keeps_the_written_rule(counts: dict[Key, int], seed: int) -> None:
    cells, shown = sum_up(counts), protect(counts, RULE, chance(seed))
    assert shown.keys() == cells.keys()
    for key, value in shown.items():
        assert value is None or (value % RULE.base == 0 and value >= RULE.threshold)
        if None not in key:
            assert value == RULE.publish(cells[key])
        else:
            assert value is None or abs(value - cells[key]) < RULE.base


@relaxed
@given(cubes(), SEED, st.booleans())
@example({("0", "0"): 6, ("0", "1"): 7}, 0, True)
def test_adding_and_subtracting_tables_gives_nobody_away(counts: dict[Key, int], seed: int, split: bool) -> None:
    places = tuple(range(len(next(iter(counts)))))
    tables = [places[:-1], places[-1:]] if split else [places]
    cells, shown = sum_up(counts, tables), protect(counts, RULE, chance(seed), tables)
    equations = equate(shown)
    totals = {equation.total for equation in equations}
    known = deduce({key: told(cells[key], value, total=key in totals) for key, value in shown.items()}, equations)
    for key, value in shown.items():
        assert known[key].low <= cells[key] <= known[key].high
        small = value is None and cells[key] < RULE.threshold
        assert not small or known[key].high - known[key].low + 1 >= RULE.min_candidates


def told(count: int, shown: int | None, *, total: bool) -> Interval:
    """What is published, for a reader who even knows which counts are withheld only for the sake of others."""
    if shown is None and count >= RULE.threshold:
        return ANYTHING
    return RULE.total_reading(shown) if total else RULE.reading(shown)


def possible_worlds(shown: dict[Key, int | None]) -> list[dict[Key, int]]:
    """Every set of counts that could have been published so, by whatever chance, tried one by one."""
    finest = [key for key in shown if None not in key]
    totals = [
        (
            RULE.total_reading(value),
            [key for key in finest if all(a in {None, b} for a, b in zip(total, key, strict=True))],
        )
        for total, value in shown.items()
        if None in total
    ]
    ranges = [range(RULE.reading(shown[key]).low, RULE.reading(shown[key]).high + 1) for key in finest]
    worlds = (dict(zip(finest, world, strict=True)) for world in product(*ranges))
    return [w for w in worlds if all(r.low <= sum(w[key] for key in parts) <= r.high for r, parts in totals)]


@settings(deadline=None, max_examples=150)
@given(
    cubes(most=2, dimensions=2)
    | st.lists(COUNT, min_size=3, max_size=4).map(lambda c: {(str(i),): n for i, n in enumerate(c)}),
    SEED,
)
@example({("0", "0"): 11, ("0", "1"): 0, ("1", "0"): 1, ("1", "1"): 11}, 0)
@example({("0",): 13, ("1",): 13, ("2",): 1}, 0)
@example({("0",): 7, ("1",): 7}, 0)
@example({("0",): 13, ("1",): 13, ("2",): 13, ("3",): 13, ("4",): 1}, 0)
@example({("0",): 13, ("1",): 13, ("2",): 13, ("3",): 13, ("4",): 1}, 2)
@example({("0", "0"): 9, ("0", "1"): 8, ("1", "0"): 1, ("1", "1"): 1}, 0)
@example({("0", "0"): 13, ("0", "1"): 1, ("1", "0"): 1, ("1", "1"): 13}, 0)
def test_who_knows_the_code_is_no_wiser(counts: dict[Key, int], seed: int) -> None:
    """What is shown follows from chance and the counts; whoever tries all counts still has three to choose from."""
    shown = protect(counts, RULE, chance(seed))
    worlds = possible_worlds(shown)
    assert {key: count for key, count in counts.items() if count} in worlds
    for key, value in shown.items():
        if value is None and None not in key:
            assert len({world[key] for world in worlds}) >= RULE.min_candidates


@pytest.mark.parametrize("seed", range(20))
def test_seven_persons_in_seven_cells_are_not_told_by_their_total(seed: int) -> None:
    shown = protect({(str(place),): 1 for place in range(7)}, RULE, chance(seed))
    assert shown[(None,)] == 10


@relaxed
@given(cubes(), SEED, st.randoms())
def test_the_order_of_the_cells_changes_nothing(counts: dict[Key, int], seed: int, random: Random) -> None:
    shuffled = sorted(counts, key=lambda _: random.random())
    assert protect({key: counts[key] for key in shuffled}, RULE, chance(seed)) == protect(counts, RULE, chance(seed))


@relaxed
@given(cubes(), SEED, st.integers(0, 2))
def test_an_empty_category_changes_nothing(counts: dict[Key, int], seed: int, place: int) -> None:
    size = len(next(iter(counts)))
    empty = tuple("new" if index == place % size else "0" for index in range(size))
    assert protect(counts | {empty: 0}, RULE, chance(seed)) == protect(counts, RULE, chance(seed))


@relaxed
@given(st.integers(4, 12), st.integers(2, 10), st.lists(st.integers(0, 40), min_size=1, max_size=5), SEED)
def test_another_written_rule_is_kept_as_well(threshold: int, base: int, parts: list[int], seed: int) -> None:
    rule = Rule(threshold, min(base, threshold), 3)
    shown = protect({(str(place),): count for place, count in enumerate(parts)}, rule, chance(seed))
    assert all(value is None or (value % rule.base == 0 and value >= threshold) for value in shown.values())
    for place, count in enumerate(parts):
        assert (shown.get((str(place),), 0) is None) == (0 < count < threshold)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_total_may_be_any_of_its_roundings_and_says_no_more(total: int, luck: float) -> None:
    options = RULE.roundings(total, luck)
    assert set(options) == set(RULE.roundings(total, 0.0))
    for option in options:
        reading = RULE.total_reading(option)
        assert all(option in RULE.roundings(count, 0.5) for count in range(reading.low, reading.high + 1))
        assert reading.low <= total <= reading.high


def test_chance_rounds_without_bias() -> None:
    draws = [RULE.roundings(1003, Random(seed).random())[0] or 0 for seed in range(2000)]
    assert set(draws) == {1000, 1005}
    assert abs(sum(draws) / len(draws) - 1003) < 0.2


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
