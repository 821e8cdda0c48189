"""What one step costs, in processor time: `python -m benchmarks.linkage.speed --data DIR`."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from matching.batch import block
from matching.blocking import blocking_keys
from matching.files import read_records
from matching.model import Model
from matching.normalise import normalise
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
    with (options.data / "records.csv").open(encoding="utf-8", newline="") as lines:
        raw = [record.demographics for record, _ in zip(read_records(lines), range(MOST), strict=False)]
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
