"""A calibration finds the odds that made its sample, says how far worlds lie apart, and belongs to one model."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from matching.calibration import Calibration, Sample, calibration_of, clumping, fit, mark_of
from matching.model import Model

LEVELS = {"calm": 0.6, "plain": 1.0, "wild": 1.4}


def drawn(level: float, seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    weights = rng.uniform(-5, 15, 60_000)
    return Sample(weights, rng.random(60_000) < 1 / (1 + np.exp2(0.8 * weights - level)))


@pytest.fixture(scope="module")
def found() -> Calibration:
    return fit({name: [drawn(level, seed)] for seed, (name, level) in enumerate(LEVELS.items())}, "mark")


def test_the_odds_that_made_the_sample_are_found(found: Calibration) -> None:
    assert found.level == pytest.approx(1.0, abs=0.1)
    assert found.slope == pytest.approx(0.8, abs=0.03)


def test_a_heavier_pair_is_never_more_doubtful(found: Calibration) -> None:
    doubts = found.doubts(np.linspace(-60, 60, 500))
    assert (np.diff(doubts) <= 0).all()
    assert 1 >= doubts.max() > doubts.min() == 1 / found.pairs


def test_a_world_left_out_is_missed_by_what_sets_it_apart(found: Calibration) -> None:
    assert found.misses["calm"] < -0.2 < found.misses["plain"] < 0.2 < found.misses["wild"]
    assert 0.2 < found.spread < 1


def test_false_links_of_the_same_two_persons_come_together() -> None:
    assert clumping([], []) == 1
    assert clumping([1, 2, 3], [4, 5, 6]) == 1
    assert clumping([1, 4, 1, 9], [4, 1, 4, 8]) == pytest.approx(10 / 4)


def calibrated(model: Model, facts: Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = deepcopy(dict(model.document))
    document["training"]["calibration"] = dict(facts)
    return document


def facts_for(model: Model) -> dict[str, Any]:
    return {
        "level": 1.0, "slope": 0.9, "clump": 2.0, "pairs": 9, "misses": {"a": 0.1, "b": 0.2}, "weights": mark_of(model)
    }  # fmt: skip


def test_the_shipped_model_is_calibrated_and_its_hash_covers_that(model: Model) -> None:
    assert calibration_of(model) is not None
    assert Model.from_document(calibrated(model, facts_for(model))).hash != model.hash


def test_a_model_keeps_its_calibration_for_other_people_and_thresholds(model: Model) -> None:
    document = calibrated(model, facts_for(model)) | {"population": 500}
    document["thresholds"]["link"] = 11
    assert calibration_of(Model.from_document(document)) is not None


def test_models_that_weigh_otherwise_are_not_calibrated(model: Model) -> None:
    document = calibrated(model, facts_for(model))
    document["fields"]["sex"]["levels"]["same"]["match"] = 0.9
    assert calibration_of(Model.from_document(document)) is None
    assert all(calibration_of(Model.shipped(name)) is None for name in ("peru-expert", "febrl", "cdc"))
    own = calibrated(model, facts_for(model)) | {"schema": {"columns": {"local_id": "id"}, "names_of_its_own": True}}
    assert calibration_of(Model.from_document(own)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"slope": -1.0}, {"slope": float("nan")}, {"slope": "steep"}, {"clump": 0.2}, {"pairs": 0},
        {"misses": {"a": 1.0}}, {"misses": None}, {"misses": {"a": "far", "b": 1}}, {"level": None},
    ],
    ids=["rising", "nan", "words", "clump", "no-pairs", "one-world", "no-worlds", "world-words", "no-level"],
)  # fmt: skip
def test_garbage_is_refused(model: Model, wrong: dict[str, Any]) -> None:
    for facts in (facts_for(model) | wrong, {}):
        with pytest.raises(ValueError, match="calibration"):
            calibration_of(Model.from_document(calibrated(model, facts)))
