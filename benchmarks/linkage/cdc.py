"""CDC RecordLinker's own test: `python -m benchmarks.linkage.cdc --data DIR` (`nbs_seed.csv`, `better_test.csv`).

The 1,044 seeds are registered as an index would register them: those the model takes for one person are one. Each of
the 234 probes is then resolved against the seeds alone, never against another probe. The model is written by hand
(`matching/models/cdc.json`), the names are counted from the seeds. Counting follows CDC's script, which asks only
whether a probe was matched, and leaves out the 26 probes it expects to be possible matches.

`f1_settled` leaves out what the engine gives to a human too, as CDC's script does with its own possible matches;
`f1` counts that as not matched.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matching.batch import Linker
from matching.cluster import Member, resolve
from matching.executors import duckdb
from matching.files import Reading, Row, read_table
from matching.intake import Intake, with_names_of
from matching.model import Model

EXPECTED = "expected_result"
MATCH, NO_MATCH = "match", "no_match"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many probes of each expectation were decided how, and how many were linked to somebody else."""

    counts: Mapping[tuple[str, str], int]
    astray: int

    @property
    def f1(self) -> float:
        """What a human is asked about counts as not matched."""
        return self._f1(self.counts.get((MATCH, "new"), 0) + self.counts.get((MATCH, "review"), 0))

    @property
    def f1_settled(self) -> float:
        """What a human is asked about does not count."""
        return self._f1(self.counts.get((MATCH, "new"), 0))

    def _f1(self, missed: int) -> float:
        right = self.counts.get((MATCH, "link"), 0)
        return 2 * right / (2 * right + self.counts.get((NO_MATCH, "link"), 0) + missed)


def measure(folder: Path) -> Outcome:
    """Resolve every probe against the seeds."""
    start = Model.shipped("cdc")
    seeds, probes = (_rows(folder / name, start) for name in ("nbs_seed.csv", "better_test.csv"))
    model = with_names_of(start, seeds)
    index = Index(model, seeds)
    counts: Counter[tuple[str, str]] = Counter()
    astray = 0
    for probe in probes:
        kind, found = index.resolve(probe)
        counts[probe.cells[EXPECTED], kind] += 1
        astray += kind == "link" and probe.cells["match_id"] not in found
    return Outcome(counts, astray)


class Index:
    """The seeds as persons, found by their blocking keys."""

    def __init__(self, model: Model, seeds: Sequence[Row]) -> None:
        self.model = model
        self.intake = Intake(model)
        table = self.intake.table(seeds)
        self.persons: dict[int, list[Member]] = defaultdict(list)
        self.names: dict[int, set[str]] = defaultdict(set)
        self.keys: dict[str, set[int]] = defaultdict(set)
        for seed, person in zip(seeds, Linker(model, table).link(duckdb.block(table)), strict=True):
            record = self.intake.record(seed)
            self.persons[person].append(Member(record))
            self.names[person].add(seed.cells["match_id"])
            for key in self.intake.keys_of(record):
                self.keys[key].add(person)

    def resolve(self, probe: Row) -> tuple[str, set[str]]:
        """The decision, and the seeds of the person it names."""
        record = self.intake.record(probe)
        found = {person for key in self.intake.keys_of(record) for person in self.keys.get(key, ())}
        resolution = resolve(self.model, record, {person: self.persons[person] for person in found})
        return resolution.kind, self.names[resolution.key] if resolution.key is not None else set()


def _rows(path: Path, model: Model) -> list[Row]:
    with path.open("rb") as source:
        return list(read_table(source, model.schema.required, Reading()))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    outcome = measure(parser.parse_args().data)
    for (expected, kind), count in sorted(outcome.counts.items()):
        print(f"{expected:<15} {kind:<7} {count:4}")
    print(f"F1 {outcome.f1:.3f}, without what a human is asked about {outcome.f1_settled:.3f}; astray {outcome.astray}")


if __name__ == "__main__":
    main()
