"""What a worker of a cluster does with a batch of rows; needs no Spark, only the frames Spark hands over."""

import json
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pandas as pd

from matching.batch import Linker, Pairs
from matching.executors.values import COLUMNS, read, record_of, written
from matching.files import Row
from matching.intake import Intake
from matching.model import Model
from matching.table import READERS, Patterns, compare_values, tabulate


def prepare(document: str, frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Rows with `record` and a file's columns become `record`, blocking `keys`, and the values of each aspect."""
    intake = Intake(_model(document))
    for frame in frames:
        names = [name for name in frame.columns if name != "record"]
        found = []
        for number, *cells in frame[["record", *names]].itertuples(index=False, name=None):
            texts = {name: "" if cell is None else str(cell).strip() for name, cell in zip(names, cells, strict=True)}
            record = intake.record(Row(number, texts))
            found.append((number, list(intake.keys_of(record)), *written(record)))
        yield pd.DataFrame(found, columns=["record", "keys", *COLUMNS])


def compare(document: str, at: int, one: pd.Series, other: pd.Series) -> Patterns:
    """Compare pairs of written values of the aspect at `at`."""
    codes, distinct = pd.factorize(pd.concat([one, other], ignore_index=True))
    numbers = codes.astype(np.int64)
    values = [READERS[at](read(value)) for value in distinct]
    return compare_values(_model(document), at, values, numbers[: len(one)], numbers[len(one) :])


def grow(document: str, records: pd.DataFrame, edges: pd.DataFrame) -> pd.DataFrame:
    """Persons among some records, from the weighed pairs among them: `record` and its `cluster`."""
    records = records.sort_values("record")
    names = records["record"].to_numpy()
    table = tabulate(map(record_of, records[list(COLUMNS)].itertuples(index=False, name=None)), lambda _: ())
    pairs = Pairs(np.searchsorted(names, edges["one"]), np.searchsorted(names, edges["other"]))
    labels = Linker(_model(document), table).link(pairs, edges["weight"].to_numpy())
    return pd.DataFrame({"record": names, "cluster": names[labels]})


@lru_cache(maxsize=2)
def _model(document: str) -> Model:
    return Model.from_document(json.loads(document))
