"""A threshold keeps to the rate of false links asked for, says how sure it is and by what; labels come first."""

import numpy as np
import pytest

from matching.calibration import Calibration
from matching.thresholds import UNKNOWN, Calibrated, Labelled, estimator_for, link_threshold, wilson

CALIBRATION = Calibration(1.0, 0.9, 3.0, 50_000, {"one": 0.5, "other": -0.4, "third": 0.3, "last": -0.6}, "")
WEIGHTS = np.concatenate([np.full(3000, 20.0), np.linspace(-10, 20, 3000)])
RECORDS = np.arange(12_000)
ONE, OTHER = RECORDS[:6000], RECORDS[6000:]
SETTLED = np.concatenate([np.arange(6000), np.where(WEIGHTS >= 4, np.arange(6000), np.arange(6000, 12_000))])


@pytest.mark.parametrize(
    "estimator", [Calibrated(CALIBRATION, WEIGHTS), Labelled(WEIGHTS, ONE, OTHER, SETTLED)], ids=["foretold", "settled"]
)
def test_a_stricter_rate_asks_for_more_bits_and_the_interval_holds_the_rate(estimator: Calibrated | Labelled) -> None:
    loose, strict = (link_threshold(estimator, target) for target in (0.05, 0.004))
    assert loose.bits < strict.bits
    for found, target in ((loose, 0.05), (strict, 0.004)):
        assert 0 <= found.low <= found.rate <= found.high <= target
        assert found.pairs == int((found.bits <= WEIGHTS).sum())


def test_the_rate_foretold_is_the_mean_doubt_and_worlds_apart_widen_the_interval() -> None:
    found = Calibrated(CALIBRATION, WEIGHTS).at(4.0)
    near = Calibrated(Calibration(1.0, 0.9, 3.0, 50_000, {"one": 0.01, "other": -0.01}, ""), WEIGHTS).at(4.0)
    assert found is not None
    assert near is not None
    assert found.rate == near.rate == pytest.approx(CALIBRATION.doubts(WEIGHTS[WEIGHTS >= 4]).mean())
    assert found.low < near.low < near.high < found.high


def test_settled_persons_outrank_the_calibration_and_without_either_nothing_is_said() -> None:
    both = estimator_for(CALIBRATION, WEIGHTS, ONE, OTHER, SETTLED)
    found = link_threshold(both, 0.004)
    assert (found.basis, found.rate, found.bits) == ("labelled sample", 0.0, 4.0)
    assert link_threshold(estimator_for(CALIBRATION, WEIGHTS, ONE, OTHER, None), 0.004).basis == "calibration"
    with pytest.raises(ValueError, match="not calibrated"):
        estimator_for(None, WEIGHTS, ONE, OTHER, None)


def test_a_pair_with_a_record_not_looked_at_is_false_and_counts_half() -> None:
    weights, one, other = np.full(4, 9.0), np.array([0, 0, 2, 4]), np.array([1, 2, 3, 5])
    found = Labelled(weights, one, other, np.array([7, 7, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN])).at(5.0)
    assert found is not None
    assert found.rate == pytest.approx(0.5 / 1.5)


def test_persons_drawn_at_random_give_the_rate_of_all() -> None:
    rng = np.random.default_rng(3)
    persons = np.concatenate(
        [np.arange(6000), np.where(rng.random(6000) < 0.02, np.arange(6000) + 6000, np.arange(6000))]
    )
    whole = Labelled(WEIGHTS, ONE, OTHER, persons).at(-10.0)
    drawn = rng.random(12_000) < 0.5
    part = Labelled(WEIGHTS, ONE, OTHER, np.where(drawn[persons], persons, UNKNOWN)).at(-10.0)
    assert whole is not None
    assert part is not None
    assert whole.rate == pytest.approx((persons[ONE] != persons[OTHER]).mean())
    assert part.low <= whole.rate <= part.high
    assert whole.high - whole.low < part.high - part.low


def test_one_person_with_many_false_links_says_less_than_many_persons() -> None:
    weights, count = np.full(400, 9.0), 400
    ones = np.arange(count)
    apart = np.arange(count) + count
    scattered = np.where(np.arange(count) < 20, apart + 400, ones)
    together = Labelled(weights, np.where(np.arange(count) < 20, 0, ones), apart, np.concatenate([ones, scattered])).at(
        5.0
    )
    spread = Labelled(weights, ones, apart, np.concatenate([ones, scattered])).at(5.0)
    assert together is not None
    assert spread is not None
    assert together.rate == spread.rate
    assert together.high > spread.high


@pytest.mark.parametrize(("share", "count"), [(0.0, 10), (0.0, 4000), (0.001, 4000), (0.5, 4), (1.0, 10)])
def test_an_interval_holds_its_share(share: float, count: int) -> None:
    low, high = wilson(share, count)
    assert 0 <= low <= share <= high <= 1
    assert low < high


@pytest.mark.parametrize(
    ("weights", "target"),
    [(np.array([]), 0.01), (np.full(20, -3.0), 0.01), (np.full(20, 2.0), 1e-9), (WEIGHTS, 0.0), (WEIGHTS, 1.0)],
    ids=["no-pairs", "no-links", "too-few", "no-rate", "all"],
)
def test_what_can_not_be_shown_is_refused(weights: np.ndarray, target: float) -> None:
    with pytest.raises(ValueError, match="false links"):
        link_threshold(Calibrated(CALIBRATION, weights), target)
