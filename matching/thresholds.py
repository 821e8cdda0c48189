"""The threshold for a link from the rate of false links one is ready to bear, estimated without labels.

The estimate is the model's own: of pairs that weigh at least so much, the mean probability that they are of two people.
The interval is that of the draw, not of the model's being wrong, and models are too sure of themselves: where the truth
was known it was 1.6 to 4.6 times the estimate (docs/decisions/0008-bulk-executors.md).
"""

from dataclasses import dataclass

import numpy as np

from matching.table import Floats

STEP = 0.5
LOWEST, HIGHEST = 0.0, 40.0
RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class LinkThreshold:
    """Bits from which to link; the share of false links expected there, its 95 % interval, and from how many pairs."""

    bits: float
    rate: float
    low: float
    high: float
    pairs: int


def link_threshold(weights: Floats, target: float, seed: int = 0) -> LinkThreshold:
    """The lowest threshold, in steps of half a bit, at which even the upper end of the interval is within the target.

    Raises ValueError when there is none, or the target is no rate.
    """
    if not 0 < target < 1:
        raise ValueError("the rate of false links lies between 0 and 1")
    rng = np.random.default_rng(seed)
    ordered = np.sort(weights)
    for bits in np.arange(LOWEST, HIGHEST, STEP):
        above = ordered[np.searchsorted(ordered, bits) :]
        if not len(above):
            break
        found = _estimate(float(bits), 1 / (1 + np.exp2(above)), rng)
        if found.high <= target:
            return found
    raise ValueError(
        f"these records give no threshold with at most {target:g} false links: too few pairs, or too much doubt"
    )


def _estimate(bits: float, doubts: Floats, rng: np.random.Generator) -> LinkThreshold:
    """The mean doubt, with an interval from as many links, each false or not by its doubt, drawn anew."""
    drawn = np.array([np.mean(rng.random(len(doubts)) < doubts) for _ in range(RESAMPLES)])
    low, high = np.quantile(drawn, (0.025, 0.975))
    return LinkThreshold(bits, float(doubts.mean()), float(low), float(high), len(doubts))
