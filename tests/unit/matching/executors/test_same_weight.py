"""One model, several executors, one weight."""

import numpy as np

from matching import batch
from matching.compare import ASPECTS
from matching.executors import duckdb
from matching.executors.values import record_of, written
from matching.intake import Intake
from matching.levels import FIELDS
from matching.table import compare_pairs, weigh_pairs
from tests.unit.matching.executors.sample import Sample
from tests.unit.matching.executors.splink_duckdb import weigh_with_splink

TOLERANCE = 1e-9


def test_the_sample_shows_most_levels(sample: Sample) -> None:
    """Or agreement on it would prove little."""
    found = compare_pairs(sample.model, sample.table, sample.pairs.one, sample.pairs.other).levels
    seen = {(field, int(level)) for column, field in enumerate(FIELDS) for level in np.unique(found[:, column])}
    assert len(seen) > 40
    assert (sample.weights > sample.model.thresholds.link).sum() > 10


def test_columns_weigh_as_the_online_scorer(sample: Sample) -> None:
    weights = weigh_pairs(sample.model, sample.table, sample.pairs.one, sample.pairs.other)
    assert np.abs(weights - sample.weights).max() < TOLERANCE


def test_splink_on_the_compiled_settings_weighs_as_the_online_scorer(sample: Sample) -> None:
    weights = weigh_with_splink(sample.model, sample.table, sample.pairs)
    assert np.abs(weights - sample.weights).max() < TOLERANCE


def test_duckdb_blocks_as_the_batch(sample: Sample) -> None:
    for largest in (400, 3):
        ours, theirs = duckdb.block(sample.table, largest), batch.block(sample.table, largest)
        assert (ours.one.tolist(), ours.other.tolist()) == (theirs.one.tolist(), theirs.other.tolist())
        assert ours.skipped == theirs.skipped


def test_written_values_say_what_the_record_says(sample: Sample) -> None:
    for index, row in enumerate(sample.rows):
        values = written(Intake(sample.model).record(row))
        assert len(values) == len(ASPECTS)
        assert record_of(values) == sample.table.record(index)
