"""How often links are false at a weight, learnt where the truth is known: log odds of a false link on the weight.

A model's own doubts are too small, since what relatives agree on comes together (docs/decisions/0008). A calibration
belongs to models trained from one start; how far it may be off on records it has not seen is taken from worlds left out
in turn.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from matching.model import Model
from matching.table import Floats

Bools = npt.NDArray[np.bool_]
LEAST_BITS = 0.0
"""Lighter pairs are of no interest to a threshold for links."""
MISS_AT = (3.0, 5.0, 7.0)
"""Bits from which a world left out is held against what the others foretell."""
STEPS = 50
SMALL = 1e-9


@dataclass(frozen=True, slots=True)
class Sample:
    """Pairs of records whose truth is known: their weights, which are of two persons, and `clump` (see `clumping`)."""

    weights: Floats
    false: Bools
    clump: float = 1.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """log2 odds that a pair is false: `level` less `slope` for every bit it weighs.

    `misses` is log2 of true over foretold false links in every world when it was left out; `pairs` how many were looked
    at, and `clump` how many false links come together; `weights` is the mark of the model it belongs to.
    """

    level: float
    slope: float
    clump: float
    pairs: int
    misses: Mapping[str, float]
    weights: str

    def __post_init__(self) -> None:
        numbers = (self.level, self.slope, self.clump, *self.misses.values())
        if not all(map(math.isfinite, numbers)) or self.slope <= 0 or self.clump < 1 or self.pairs < 1:
            raise ValueError("a calibration wants finite numbers, odds that fall with the weight, and pairs")
        if len(self.misses) < 2:
            raise ValueError("a calibration wants two worlds or more")

    def doubts(self, weights: Floats) -> Floats:
        """Chance that a pair of this weight is false; no smaller than one in the pairs looked at."""
        return np.maximum(_chances(self.level - self.slope * weights), 1 / self.pairs)

    @property
    def spread(self) -> float:
        """How far, in log2, the rate of one more world lies from what the others foretell (root mean square)."""
        return math.sqrt(sum(miss**2 for miss in self.misses.values()) / len(self.misses))


def calibration_of(model: Model) -> Calibration | None:
    """What the model's training facts say of false links; None where they say nothing about its present weights.

    Raises ValueError when they can't be understood.
    """
    if model.schema.names_of_its_own:
        return None
    try:
        facts = model.document.get("training", {}).get("calibration")
        if facts is None:
            return None
        found = Calibration(**{name: facts[name] for name in Calibration.__dataclass_fields__})
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"the model's calibration is malformed: {error!r}") from error
    return found if found.weights == mark_of(model) else None


def mark_of(model: Model) -> str:
    """Tells models apart by what pairs weigh; the number of people, thresholds and training facts play no part."""
    facts = [model.document[part] for part in ("fields", "names", "relatives_per_person")]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def fit(worlds: Mapping[str, Sequence[Sample]], weights: str) -> Calibration:
    """A calibration from samples of several worlds, for the model of this mark. Raises ValueError when it can't be."""
    samples = [sample for some in worlds.values() for sample in some]
    level, slope = _line(samples)
    misses = {
        name: round(_miss(_line([one for other in worlds if other != name for one in worlds[other]]), some), 3)
        for name, some in worlds.items()
    }
    clump = float(np.mean([sample.clump for sample in samples]))
    pairs = sum(int((sample.weights >= LEAST_BITS).sum()) for sample in samples)
    return Calibration(round(level, 4), round(slope, 4), round(clump, 2), pairs, misses, weights)


def clumping(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """How many false links come together: of the two persons that a false link joins, the mean number of false links.

    `one` and `other` are the persons each false link joins; 1 when there are none.
    """
    ends = np.sort(np.stack([np.asarray(one), np.asarray(other)], axis=1), axis=1)
    if not len(ends):
        return 1.0
    counts = np.unique(ends, axis=0, return_counts=True)[1].astype(np.float64)
    return float((counts**2).sum() / counts.sum())


def _line(samples: Sequence[Sample]) -> tuple[float, float]:
    """Logistic regression of false on weight, by Newton's steps, halved where they lead astray."""
    weights = np.concatenate([sample.weights for sample in samples])
    chosen = weights >= LEAST_BITS
    weights = weights[chosen]
    false = np.concatenate([sample.false for sample in samples])[chosen].astype(np.float64)
    line = np.array([0.0, 0.7])
    for _ in range(STEPS):
        gradient, curvature = _newton(line, weights, false)
        step = np.linalg.solve(curvature, gradient)
        while _likelihood(line + step, weights, false) < _likelihood(line, weights, false) - SMALL:
            step = step / 2
        line = line + step
        if np.abs(step).max() < SMALL:
            break
    return float(line[0]), float(line[1])


def _newton(line: Floats, weights: Floats, false: Floats) -> tuple[Floats, Floats]:
    chances = _chances(line[0] - line[1] * weights)
    terms = np.stack([np.ones_like(weights), -weights])
    curvature = (terms * (chances * (1 - chances))) @ terms.T + SMALL * np.eye(2)
    return math.log2(math.e) * (terms @ (false - chances)), curvature


def _likelihood(line: Floats, weights: Floats, false: Floats) -> float:
    odds = line[0] - line[1] * weights
    return float((false * odds - np.logaddexp2(0, odds)).sum())


def _chances(bits: Floats) -> Floats:
    """The chance of what has these log2 odds."""
    return np.asarray(np.exp2(-np.logaddexp2(0, -bits)), dtype=np.float64)


def _miss(line: tuple[float, float], samples: Sequence[Sample]) -> float:
    """log2 of true over foretold false links, where it is furthest off; half a link is added to both."""
    found = []
    for bits in MISS_AT:
        linked = [(s.weights[s.weights >= bits], s.false[s.weights >= bits]) for s in samples]
        true = sum(int(false.sum()) for _, false in linked)
        foretold = sum(float(_chances(line[0] - line[1] * weights).sum()) for weights, _ in linked)
        found.append(math.log2((true + 0.5) / (foretold + 0.5)))
    return max(found, key=abs)
