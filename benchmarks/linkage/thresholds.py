"""How far a stated rate of false links is to be believed: `python -m benchmarks.linkage.thresholds fit|coverage`.

`fit` learns a model's calibration on the worlds of `KINDS` and writes it into the model's file. `coverage` asks, in
runs it has not seen (other seeds; each world foretold by the others; worlds of `UNSEEN`), how often the true rate lies
inside the interval. Every run trains on its own records, without their truth, as the command `train` does.
"""

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.linkage.generate import KINDS, UNSEEN, write
from benchmarks.linkage.run import load, load_truth
from matching.calibration import Bools, Calibration, Sample, calibration_of, clumping, fit, mark_of
from matching.collecting import uncollected
from matching.executors.duckdb import block
from matching.intake import model_for
from matching.model import Model
from matching.table import Floats, Ints, tabulate, weigh_pairs
from matching.thresholds import UNKNOWN, Calibrated, Estimator, Labelled, LinkThreshold, link_threshold
from matching.train import train

PERSONS = 8_000
FIT_SEEDS = (801, 802, 803)
TEST_SEEDS = (811, 812, 813, 814, 815)
UNSEEN_SEEDS = (821, 822, 823, 824, 825)
TARGETS = (0.02, 0.01, 0.005, 0.002, 0.001)
CLUMPS_FROM = 5.0
SETTLED = 0.2
SAMPLES = 5


@dataclass(frozen=True, slots=True)
class Run:
    """One world and seed: the pairs that share a key, what a model trained on them weighs, and who is who."""

    weights: Floats
    one: Ints
    other: Ints
    persons: Ints

    @property
    def false(self) -> Bools:
        """Which pairs are of two persons."""
        return np.not_equal(self.persons[self.one], self.persons[self.other])

    def sample(self) -> Sample:
        """What a calibration learns from."""
        strong = self.false & (self.weights >= CLUMPS_FROM)
        ends = (self.persons[side[strong]] for side in (self.one, self.other))
        return Sample(self.weights, self.false, clumping(*ends))

    def labelled(self, share: float, seed: int) -> Labelled:
        """As if people had settled this share of the persons, drawn at random."""
        drawn = np.random.default_rng(seed).random(int(self.persons.max()) + 1) < share
        return Labelled(self.weights, self.one, self.other, np.where(drawn[self.persons], self.persons, UNKNOWN))


def run(start: Model, kind: str, seed: int, persons: int, cache: Path | None = None) -> Run:
    """Generate, train and weigh; kept in `cache` from one call to the next."""
    kept = cache / f"{mark_of(start)}-{kind}-{seed}-{persons}.npz" if cache else None
    if kept is None or not kept.exists():
        found = _run(start, kind, seed, persons)
        if kept is None:
            return found
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, weights=found.weights, one=found.one, other=found.other, persons=found.persons)
    arrays = np.load(kept)
    return Run(arrays["weights"], arrays["one"], arrays["other"], arrays["persons"])


def _run(start: Model, kind: str, seed: int, persons: int) -> Run:
    with TemporaryDirectory() as folder, uncollected():
        write(seed, persons, Path(folder), kind)
        table = tabulate(member.normalised for member in load(Path(folder)))
        truth = np.unique(load_truth(Path(folder)), return_inverse=True)[1].astype(np.int64)
    pairs = block(table)
    model = Model.from_document(train(model_for(start, None, table.size), table, pairs.one, pairs.other))
    return Run(weigh_pairs(model, table, pairs.one, pairs.other), pairs.one, pairs.other, truth)


@dataclass(frozen=True, slots=True)
class Score:
    """One statement held against the truth."""

    stated: LinkThreshold
    target: float
    true: float

    @property
    def inside(self) -> bool:
        """Whether the interval held the true rate."""
        return self.stated.low <= self.true <= self.stated.high


def scores(seen: Run, estimator: Estimator) -> Iterator[Score]:
    """What is stated for every target that can be shown."""
    for target in TARGETS:
        try:
            stated = link_threshold(estimator, target)
        except ValueError:
            continue
        yield Score(stated, target, float(seen.false[seen.weights >= stated.bits].mean()))


def settled(seen: Run, seed: int) -> Iterator[Score]:
    """What is stated by samples of the persons."""
    for number in range(SAMPLES):
        yield from scores(seen, seen.labelled(SETTLED, seed * SAMPLES + number))


def without(worlds: Mapping[str, Sequence[Sample]], kind: str) -> Calibration:
    """What all worlds but one make of it."""
    return fit({name: some for name, some in worlds.items() if name != kind}, "")


def show(what: str, found: Sequence[Score]) -> None:
    """One line: statements, true rate inside the interval and within the target, bits, and true over stated."""
    if not found:
        print(f"{what:<40}{0:>5}")
        return
    inside, kept = (sum(hit) / len(found) for hit in zip(*((s.inside, s.true <= s.target) for s in found), strict=True))
    ratios = np.array([s.true / s.stated.rate for s in found if s.stated.rate] or [math.nan])
    low, middle, high = np.quantile(ratios, (0.05, 0.5, 0.95))
    bits = np.median([s.stated.bits for s in found])
    numbers = f"{len(found):>5}{inside:>9.1%}{kept:>9.1%}{bits:>7.1f}{low:>9.2f}{middle:>7.2f}{high:>7.2f}"
    print(f"{what:<40}{numbers}", flush=True)


def coverage(start: Model, persons: int, cache: Path | None) -> None:
    """Print how often statements hold, for every way of making them."""
    calibration = calibration_of(start)
    if calibration is None:
        raise SystemExit("the model is not calibrated: fit it first")
    samples = {kind: [run(start, kind, seed, persons, cache).sample() for seed in FIT_SEEDS] for kind in KINDS}
    print(f"{'':<40}{'said':>5}{'inside':>9}{'kept':>9}{'bits':>7}{'true over stated, 5 %, 50 %, 95 %':>36}")
    known: dict[str, list[Score]] = defaultdict(list)
    for kind, seed in product(KINDS, TEST_SEEDS):
        seen = run(start, kind, seed, persons, cache)
        known[f"{kind}, seed not seen"] += scores(seen, Calibrated(calibration, seen.weights))
        known[f"{kind}, left out"] += scores(seen, Calibrated(without(samples, kind), seen.weights))
        known[f"{kind}, a fifth settled"] += settled(seen, seed)
    for kind, seed in product(UNSEEN, UNSEEN_SEEDS):
        seen = run(start, kind, seed, persons, cache)
        known[f"{kind}, world not seen"] += scores(seen, Calibrated(calibration, seen.weights))
        known[f"{kind}, a fifth settled"] += settled(seen, seed)
    for name, found in known.items():
        show(name, found)
    for way in ("seed not seen", "left out", "world not seen", "a fifth settled"):
        found = [score for name, some in known.items() if name.endswith(way) for score in some]
        for target in TARGETS:
            show(f"{way}, asked for {target:g}", [score for score in found if score.target == target])
        show(f"{way}, all", found)


def calibrate(path: Path, persons: int, cache: Path | None) -> None:
    """Learn the calibration of a model and write it into its file."""
    start = Model.load(path)
    worlds = {kind: [run(start, kind, seed, persons, cache).sample() for seed in FIT_SEEDS] for kind in KINDS}
    found = fit(worlds, mark_of(start))
    document = dict(start.document)
    how = f"benchmarks.linkage.thresholds fit, {persons:,} persons a world, seeds {', '.join(map(str, FIT_SEEDS))}"
    facts = {name: getattr(found, name) for name in Calibration.__dataclass_fields__}
    document["training"] = dict(document.get("training", {})) | {"calibration": {"how": how} | facts}
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(found, f"spread {found.spread:.2f}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("do", choices=("fit", "coverage"))
    parser.add_argument("--model", type=Path, default=Path("matching/models/peru-1.json"))
    parser.add_argument("--persons", type=int, default=PERSONS)
    parser.add_argument("--cache", type=Path, help="A folder that keeps each run's weights.")
    options = parser.parse_args()
    if options.do == "fit":
        calibrate(options.model, options.persons, options.cache)
    else:
        coverage(Model.load(options.model), options.persons, options.cache)


if __name__ == "__main__":
    main()
