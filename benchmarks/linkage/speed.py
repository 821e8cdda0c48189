"""What one step costs, in processor time: `python -m benchmarks.linkage.speed --data DIR`."""

import argparse
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from matching.batch import block
from matching.blocking import blocking_keys
from matching.model import Model
from matching.normalise import normalise
from matching.schema import read_records
from matching.score import score, weigh
from matching.table import tabulate

MOST = 12_000


def report(what: str, count: int, work: Callable[[], object]) -> None:
    """Print microseconds of processor time for one of `count` steps."""
    started = time.process_time()
    work()
    print(f"{what:<32}{1e6 * (time.process_time() - started) / count:7.1f} µs")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    with (options.data / "records.csv").open("rb") as source:
        raw = [record.demographics for record in islice(read_records(source), MOST)]
    report("normalise, names seen first", len(raw), lambda: [normalise(record) for record in raw])
    report("normalise, names seen before", len(raw), lambda: [normalise(record) for record in raw])
    records = [normalise(record) for record in raw]
    report("blocking keys", len(records), lambda: [blocking_keys(record) for record in records])
    keys = sum(len(blocking_keys(record)) for record in records) / len(records)
    model, found = Model.load(), block(tabulate(records))
    pairs = list(zip(found.one.tolist(), found.other.tolist(), strict=True))
    report("weigh a blocked pair", len(pairs), lambda: [weigh(model, records[i], records[j]) for i, j in pairs])
    report("score a blocked pair", len(pairs), lambda: [score(model, records[i], records[j]) for i, j in pairs])
    print(f"{keys:.1f} keys a record, {len(pairs)} pairs of {len(records)} records")


if __name__ == "__main__":
    main()
