"""The threshold for a link from the rate of false links one is ready to bear, with what is known of that rate.

The rate is the share of false ones among pairs of records that weigh at least so much, before persons are made of them.
Where people have settled who is who, their sample decides. Else a model's calibration does, learnt on synthetic worlds
(`matching.calibration`): its interval covers the draw and how far apart worlds are. There is no third way: a model's
own doubts are too small by a factor nobody knows.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from matching.calibration import Calibration
from matching.table import Floats, Ints

STEP = 0.5
LOWEST, HIGHEST = 0.0, 40.0
DRAWS = 4000
WITHIN = 1.96
"""Standard errors on either side that make a 95 % interval."""
UNKNOWN = -1
Basis = Literal["labelled sample", "calibration"]


@dataclass(frozen=True, slots=True)
class LinkThreshold:
    """Bits from which to link; the share of false links there, its 95 % interval, from how many pairs and by what."""

    bits: float
    rate: float
    low: float
    high: float
    pairs: int
    basis: Basis


class Estimator(Protocol):
    """Tells what share of the pairs that weigh at least so many bits is false; None where it has no pair."""

    def at(self, bits: float) -> LinkThreshold | None: ...


class Calibrated:
    """By the model's calibration; the interval is for the share that is false among these very pairs."""

    def __init__(self, calibration: Calibration, weights: Floats, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.weights = np.sort(weights)
        self.doubts = calibration.doubts(self.weights)
        self.clump = calibration.clump
        spread = calibration.spread * rng.standard_t(len(calibration.misses) - 1, DRAWS)
        self.factors = np.exp2(np.clip(spread, -20, 20))
        self.seed = seed

    def at(self, bits: float) -> LinkThreshold | None:
        """The mean doubt; the interval from other worlds drawn by how far they lay apart, and false links in clumps."""
        doubts = self.doubts[np.searchsorted(self.weights, bits) :]
        if not len(doubts):
            return None
        rate = float(doubts.mean())
        expected = np.minimum(rate * self.factors, 1) * len(doubts) / self.clump
        drawn = np.random.default_rng(self.seed).poisson(expected) * self.clump / len(doubts)
        low, high = np.quantile(drawn, (0.025, 0.975))
        return LinkThreshold(
            bits, rate, min(float(low), rate), min(max(float(high), rate), 1.0), len(doubts), "calibration"
        )


class Labelled:
    """By persons that people have settled: `persons` numbers each record's, -1 where it was not looked at.

    A person settled has all its records settled: a record not looked at is taken to be of somebody else. A false link
    counts half for either of its two persons, so that persons drawn at random give the rate of all.
    """

    def __init__(self, weights: Floats, one: Ints, other: Ints, persons: Ints) -> None:
        known = (persons[one] != UNKNOWN) | (persons[other] != UNKNOWN)
        self.weights, self.ends = weights[known], np.stack([persons[one[known]], persons[other[known]]])
        self.count = int(persons.max(initial=UNKNOWN)) + 1

    def at(self, bits: float) -> LinkThreshold | None:
        """The share found, with Wilson's interval for as many pairs as persons leave independent."""
        ends = self.ends[:, self.weights >= bits]
        apart = ends[0] != ends[1]
        wrong = ends[:, apart].ravel()
        false = np.bincount(wrong[wrong != UNKNOWN], minlength=self.count).astype(np.float64) / 2
        links = false + np.bincount(ends[0][~apart], minlength=self.count)
        total = float(links.sum())
        if not total:
            return None
        rate = float(false.sum()) / total
        low, high = wilson(rate, _independent(links, false - rate * links, rate))
        return LinkThreshold(bits, rate, low, high, round(total), "labelled sample")


def estimator_for(
    calibration: Calibration | None, weights: Floats, one: Ints, other: Ints, persons: Ints | None
) -> Estimator:
    """What to go by: persons that people have settled, where there are any, or else the calibration.

    Raises ValueError where there is neither.
    """
    if persons is not None:
        return Labelled(weights, one, other, persons)
    if calibration is None:
        raise ValueError("not calibrated: nothing says how often links are false")
    return Calibrated(calibration, weights)


def link_threshold(estimator: Estimator, target: float) -> LinkThreshold:
    """The lowest threshold, in steps of half a bit, at which even the upper end of the interval is within the target.

    Raises ValueError when there is none, or the target is no rate.
    """
    if not 0 < target < 1:
        raise ValueError("the rate of false links lies between 0 and 1")
    best = 1.0
    for bits in np.arange(LOWEST, HIGHEST, STEP):
        found = estimator.at(float(bits))
        if found is None:
            break
        if found.high <= target:
            return found
        best = min(best, found.high)
    raise ValueError(
        f"no threshold is shown to keep false links at or below {target:g}; the least that is shown is {best:.2g}"
    )


def wilson(share: float, count: float) -> tuple[float, float]:
    """The 95 % interval (Wilson's score) of a share seen among so many independent draws."""
    square = WITHIN**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = WITHIN / (1 + square / count) * np.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return max(min(float(middle - half), share), 0.0), min(max(float(middle + half), share), 1.0)


def _independent(links: Floats, residuals: Floats, rate: float) -> float:
    """How many independent pairs say as much as these: no more than persons, nor than their spread allows.

    The variance is the one that drawing persons anew tends to.
    """
    persons = float((links > 0).sum())
    variance = float((residuals**2).sum()) / float(links.sum()) ** 2
    return max(min(persons, rate * (1 - rate) / variance), 1.0) if variance else persons
