"""A few dirty records with all their pairs, and what the online scorer says of each pair."""

from dataclasses import dataclass

import numpy as np

from benchmarks.linkage.clerks import COLUMNS
from benchmarks.linkage.generate import records
from matching.batch import Pairs
from matching.files import Row
from matching.intake import Intake
from matching.model import Model
from matching.score import score
from matching.table import Floats, Table

PERSONS, SEED = 40, 7


@dataclass(frozen=True)
class Sample:
    """Rows, their table, all pairs of them, and the weight of each pair record by record."""

    model: Model
    rows: list[Row]
    table: Table
    pairs: Pairs
    weights: Floats


def make_sample(model: Model) -> Sample:
    """The same sample every time."""
    rows = [
        Row(number, dict(zip(COLUMNS, row.values(), strict=True)))
        for number, (row, _) in enumerate(records(SEED, PERSONS))
    ]
    one, other = np.triu_indices(len(rows), 1)
    normalised = [Intake(model).record(row) for row in rows]
    weights = [score(model, normalised[i], normalised[j]).weight_bits for i, j in zip(one, other, strict=True)]
    return Sample(model, rows, Intake(model).table(rows), Pairs(one, other), np.array(weights))
