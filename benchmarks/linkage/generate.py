"""Write a benchmark: `python -m benchmarks.linkage.generate --persons 20000 --seed 7 --out DIR`.

`records.csv` holds what the engine sees, `truth.csv` says who each record is (establishment, local_id, person,
relation). Seeds in use: 101 to tune, 202 to choose thresholds, 303 and above to score.
"""

import argparse
import csv
import random
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from benchmarks.linkage.clerks import COLUMNS, Clerk, Habits, Row
from benchmarks.linkage.population import Person, Population, Society

RECORDS_PER_PERSON = ((1, 52), (2, 28), (3, 12), (4, 6), (6, 2))
SAME_ESTABLISHMENT = 0.05


KINDS = {
    "harsh": (Society(), Habits()),
    "mild": (Society(), Habits(careless=0.4, no_document=0.06)),
    "twins": (Society(twin_births=0.08, twins_alike=0.7, named_after_parent=0.25), Habits()),
    "papers": (Society(no_document=0.10), Habits(no_document=0.45, no_contact=0.55)),
    "villages": (Society(villages=40), Habits()),
}
"""Worlds to generate: the benchmark's own, and others that show whether an engine holds outside it."""
UNSEEN = {
    "careless": (Society(), Habits(careless=1.5)),
    "crowded": (Society(villages=15, named_after_parent=0.3), Habits()),
    "bare": (Society(), Habits(no_document=0.3, no_contact=0.9)),
    "sober": (Society(), Habits(careless=0.2, no_document=0.2)),
    "mixed": (Society(twin_births=0.05, no_document=0.08, villages=80), Habits(0.8, 0.3, 0.5)),
}
"""Worlds that no calibration may learn from (`benchmarks.linkage.thresholds`)."""


def records(seed: int, persons: int, kind: str = "harsh") -> Iterator[tuple[Row, Person]]:
    """Rows with the person each one is of, in random order of households."""
    rng = random.Random(seed * 7919)
    society, habits = (KINDS | UNSEEN)[kind]
    clerk = Clerk(rng, habits)
    counts, weights = zip(*RECORDS_PER_PERSON, strict=True)
    serial = 0
    for _, household in groupby(Population(seed, persons, society).people(), key=lambda person: person.household):
        clerk.household = list(household)
        for person in clerk.household:
            establishments = rng.sample(range(1, 61), 6)
            for visit in range(rng.choices(counts, weights)[0]):
                serial += 1
                at = establishments[0] if rng.random() < SAME_ESTABLISHMENT else establishments[visit]
                yield clerk.write(person, f"{at:08d}", f"HC{serial:07d}"), person


def write(seed: int, persons: int, folder: Path, kind: str = "harsh") -> int:
    """Write both files; the number of records."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = list(records(seed, persons, kind))
    random.Random(seed).shuffle(rows)
    with (folder / "records.csv").open("w", encoding="utf-8", newline="") as lines:
        out = csv.writer(lines)
        out.writerow(COLUMNS)
        out.writerows(row.values() for row, _ in rows)
    with (folder / "truth.csv").open("w", encoding="utf-8", newline="") as lines:
        out = csv.writer(lines)
        out.writerow(("establishment", "local_id", "cluster", "relation"))
        out.writerows((row.establishment, row.local_id, person.id, person.relation) for row, person in rows)
    return len(rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--kind", choices=KINDS | UNSEEN, default="harsh")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    print(write(options.seed, options.persons, options.out, options.kind), "records")


if __name__ == "__main__":
    main()
