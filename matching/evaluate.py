"""How good a linkage is, given the truth: pairwise and B-cubed, with intervals, and the two ways of being wrong."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Label = Hashable
RESAMPLES = 400


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval (bootstrap over true persons)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Quality:
    """Precision, recall and F1 of one way of counting."""

    precision: Estimate
    recall: Estimate
    f1: Estimate


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A linkage against the truth; `over_merged` clusters hold several persons, `split` persons lie in several."""

    records: int
    persons: int
    clusters: int
    pairwise: Quality
    b_cubed: Quality
    over_merged: int
    split: int


def evaluate(predicted: Sequence[Label], truth: Sequence[Label], seed: int = 0) -> Evaluation:
    """Compare labels record by record. Raises ValueError when there are none or the lengths differ."""
    if not truth or len(predicted) != len(truth):
        raise ValueError("evaluate needs one predicted and one true label for every record")
    clusters, persons = _groups(predicted), _groups(truth)
    tallies = np.array([_tally(members, predicted, clusters) for members in persons.values()])
    rng = np.random.default_rng(seed)
    samples = rng.integers(0, len(tallies), (RESAMPLES, len(tallies)))
    sums = np.stack([tallies[rows].sum(axis=0) for rows in samples])
    total = tallies.sum(axis=0)
    return Evaluation(
        records=len(truth),
        persons=len(persons),
        clusters=len(clusters),
        pairwise=_quality(total[:3], sums[:, :3]),
        b_cubed=_quality_by_record(total[3:], sums[:, 3:]),
        over_merged=sum(len({truth[i] for i in members}) > 1 for members in clusters.values()),
        split=sum(len({predicted[i] for i in members}) > 1 for members in persons.values()),
    )


def pairs_completeness(one: Sequence[int], other: Sequence[int], truth: Sequence[Label]) -> float:
    """Share of the true pairs among the pairs blocking found (distinct, as two sequences); 1.0 when there are none."""
    true = sum(len(members) * (len(members) - 1) // 2 for members in _groups(truth).values())
    found = sum(truth[i] == truth[j] for i, j in zip(one, other, strict=True))
    return found / true if true else 1.0


def _groups(labels: Sequence[Label]) -> Mapping[Label, list[int]]:
    groups: dict[Label, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        groups[label].append(index)
    return groups


def _tally(
    members: Sequence[int], predicted: Sequence[Label], clusters: Mapping[Label, list[int]]
) -> tuple[float, ...]:
    """Of one person: right pairs, predicted pairs (half of each wrong one), true pairs; B-cubed sums and records."""
    right = wrong = precision = recall = 0.0
    for label, inside in Counter(predicted[i] for i in members).items():
        size = len(clusters[label])
        right += inside * (inside - 1) / 2
        wrong += inside * (size - inside) / 2
        precision += inside * inside / size
        recall += inside * inside / len(members)
    count = len(members)
    return right, right + wrong, count * (count - 1) / 2, precision, recall, count


def _quality(total: npt.NDArray[np.float64], sums: npt.NDArray[np.float64]) -> Quality:
    """Pairwise: right over predicted, right over true."""
    values, spread = total[None, :], sums
    return _estimates(
        [_ratio(rows[:, 0], rows[:, 1]) for rows in (values, spread)],
        [_ratio(rows[:, 0], rows[:, 2]) for rows in (values, spread)],
    )


def _quality_by_record(total: npt.NDArray[np.float64], sums: npt.NDArray[np.float64]) -> Quality:
    """B-cubed: means over records."""
    values, spread = total[None, :], sums
    return _estimates(
        [_ratio(rows[:, 0], rows[:, 2]) for rows in (values, spread)],
        [_ratio(rows[:, 1], rows[:, 2]) for rows in (values, spread)],
    )


def _estimates(precision: list[npt.NDArray[np.float64]], recall: list[npt.NDArray[np.float64]]) -> Quality:
    f1 = [_ratio(2 * p * r, p + r) for p, r in zip(precision, recall, strict=True)]
    return Quality(_estimate(precision), _estimate(recall), _estimate(f1))


def _estimate(values: list[npt.NDArray[np.float64]]) -> Estimate:
    low, high = np.quantile(values[1], (0.025, 0.975))
    return Estimate(float(values[0][0]), float(low), float(high))


def _ratio(above: npt.NDArray[np.float64], below: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A ratio of sums; 1 where there was nothing to get right or wrong."""
    return np.divide(above, below, out=np.ones_like(above, dtype=np.float64), where=below > 0)
