"""Link a generated benchmark and measure: `python -m benchmarks.linkage.run --data DIR [--model FILE] [--train FILE]`.

`--train` first learns a model from the records (without their truth) and writes it to that file.
"""

import argparse
import csv
import json
import resource
import time
from pathlib import Path

from benchmarks.linkage.report import show
from matching.batch import Linker, Pairs
from matching.cluster import Member
from matching.collecting import uncollected
from matching.evaluate import evaluate, pairs_completeness
from matching.executors.duckdb import block
from matching.model import Model
from matching.normalise import normalise
from matching.schema import read_records
from matching.table import Table, tabulate
from matching.train import train

RECORDS_PER_PERSON = 1.5
"""A guess made before looking, for the odds before any evidence; training replaces it."""


class Clock:
    """Prints what each step took: by the clock, and of processor time."""

    def __init__(self) -> None:
        self.started = self.last = self._now()

    def lap(self, what: str) -> None:
        """End a step."""
        self._say(what, self.last)
        self.last = self._now()

    def total(self) -> None:
        """Print what all steps took together."""
        self._say("total", self.started)

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()

    def _say(self, what: str, since: tuple[float, float]) -> None:
        wall, cpu = (now - then for now, then in zip(self._now(), since, strict=True))
        print(f"{what:<44}{wall:8.1f} s, {cpu:.1f} s of processor", flush=True)


def load(folder: Path) -> list[Member]:
    """Normalised records of a benchmark."""
    with (folder / "records.csv").open("rb") as source:
        return [
            Member(normalise(record.demographics), establishment=record.establishment)
            for record in read_records(source)
        ]


def load_truth(folder: Path) -> list[str]:
    """True person of every record, in the same order."""
    with (folder / "truth.csv").open(encoding="utf-8", newline="") as lines:
        return [row["cluster"] for row in csv.DictReader(lines)]


def learn(model: Model, table: Table, pairs: Pairs, out: Path) -> Model:
    """Train on the file itself, without its truth."""
    document = train(model, table, pairs.one, pairs.other)
    out.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return Model.from_document(document)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--train", type=Path)
    options = parser.parse_args()
    model, clock = Model.load(options.model), Clock()
    with uncollected():
        members = load(options.data)
        clock.lap(f"normalised {len(members)} records")
        table = tabulate(member.normalised for member in members)
    model = model.for_population(len(members) / RECORDS_PER_PERSON)
    pairs = block(table)
    clock.lap(f"blocked: {len(pairs)} pairs, skipped {dict(pairs.skipped)}")
    if options.train:
        model = learn(model, table, pairs, options.train)
        clock.lap(f"trained {model.version} {model.hash[:8]}")
    with uncollected():
        labels = Linker(model, table).link(pairs)
    clock.lap("weighed and linked")
    clock.total()
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    truth = load_truth(options.data)
    print(f"pairs completeness {pairs_completeness(pairs.one.tolist(), pairs.other.tolist(), truth):.5f}")
    show(evaluate(labels, truth))


if __name__ == "__main__":
    main()
