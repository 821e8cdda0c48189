"""Training without labels: expectation maximisation over compared pairs, from a model to a better one.

Counts are absolute. The pairs given are those that blocking found among `records` records; unrelated pairs are expected
in proportion to all pairs there are, so that the level shares of the class `unrelated` stay those of random pairs and
the number of matches comes out of the data. Relatives are rare and look like matches: their shares are held near the
starting model's by prior counts.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from matching.levels import FIELDS, LEVELS
from matching.model import CLASSES, KIN, SMALLEST, Model
from matching.score import UNRELATED
from matching.table import Floats, Ints, Patterns, Table, class_bits, compare_pairs

MATCH = CLASSES.index("match")
MATCHES_PER_RECORD = 0.4


@dataclass(frozen=True, slots=True)
class Settings:
    """How long to train and how firmly to hold on to the starting model, in pairs' worth of evidence."""

    iterations: int = 25
    tolerance: float = 1e-4
    match_prior: float = 50.0
    kin_prior: float = 300.0
    random_pairs: int = 200_000
    unrelated_prior: float = 20_000.0
    seed: int = 1


def train(model: Model, table: Table, one: Ints, other: Ints, settings: Settings | None = None) -> dict[str, Any]:
    """A new model document from pairs of records; `training` in it says how it came about.

    Raises ValueError when there is nothing to learn from.
    """
    if table.size < 2 or not len(one):
        raise ValueError("training needs at least two records and one compared pair")
    chosen = settings or Settings()
    shares = [np.exp2(np.array(list(levels.values()))) for levels in model.tables]
    shares = _unrelated_shares(model, table, shares, chosen)
    patterns = compare_pairs(model, table, one, other)
    counts, shares, steps = _maximise(patterns, shares, table.size, chosen, model)
    return _document(model, shares, counts, table.size, steps)


def _unrelated_shares(model: Model, table: Table, shares: list[Floats], settings: Settings) -> list[Floats]:
    """Level shares of random pairs, held to the model's; levels weighed by name frequency keep their factors.

    A random pair counts as far as it is unrelated: among few records a sample holds true matches too.
    """
    rng = np.random.default_rng(settings.seed)
    one = rng.integers(0, table.size, min(settings.random_pairs, table.size * (table.size - 1) // 2))
    other = (one + rng.integers(1, table.size, len(one))) % table.size
    sample = compare_pairs(model, table, one, other)
    weights = responsibilities(sample, shares, _starting_counts(model, table.size))[:, UNRELATED]
    updated = []
    for column, name in enumerate(FIELDS):
        found = shares[column].copy()
        plain = [i for i, level in enumerate(LEVELS[name]) if level not in model.frequency_levels[name]]
        seen = np.bincount(sample.levels[:, column], weights=weights, minlength=len(found) + 1)[1:]
        if seen.sum() > 0:
            smoothed = (seen + settings.unrelated_prior * found[:, UNRELATED]) / (seen.sum() + settings.unrelated_prior)
            found[plain, UNRELATED] = smoothed[plain]
        updated.append(found)
    return updated


def _maximise(
    patterns: Patterns, shares: list[Floats], records: int, settings: Settings, model: Model
) -> tuple[Floats, list[Floats], int]:
    """Alternate expectation and maximisation until the expected counts stand still."""
    start = [table.copy() for table in shares]
    counts = _starting_counts(model, records)
    pairs = counts[UNRELATED]
    strength = np.array([settings.match_prior, 0.0, *([settings.kin_prior] * len(KIN))])
    for step in range(1, settings.iterations + 1):
        chances = responsibilities(patterns, shares, counts)
        expected = chances.sum(axis=0)
        fresh = np.where(np.arange(len(CLASSES)) == UNRELATED, pairs, np.maximum(expected, 1.0))
        shares = [
            _updated(patterns, column, chances, start[column], shares[column], strength)
            for column in range(len(FIELDS))
        ]
        moved = float(np.abs(np.log(fresh / counts)).max())
        counts = fresh
        if moved < settings.tolerance:
            return counts, shares, step
    return counts, shares, settings.iterations


def _starting_counts(model: Model, records: int) -> Floats:
    """Expected pairs of every class before training; relatives in proportion to matches as the model has them."""
    matches = records * MATCHES_PER_RECORD
    relatives = [matches * 2.0 ** (model.prior[CLASSES.index(kin)] - model.prior[MATCH]) for kin in KIN]
    return np.array([matches, records * (records - 1) / 2, *relatives])


def responsibilities(patterns: Patterns, shares: Sequence[Floats], counts: Floats) -> Floats:
    """Probability of every class for every pair."""
    bits = class_bits(patterns, np.log2(counts), [np.log2(np.maximum(table, SMALLEST)) for table in shares])
    odds = np.exp2(bits - bits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float64)


def _updated(
    patterns: Patterns, column: int, chances: Floats, start: Floats, current: Floats, strength: Floats
) -> Floats:
    """New level shares of one field; the unrelated column stays."""
    table = current.copy()
    for kind in range(len(CLASSES)):
        if kind == UNRELATED:
            continue
        seen = np.bincount(patterns.levels[:, column], weights=chances[:, kind], minlength=len(start) + 1)[1:]
        table[:, kind] = (seen + strength[kind] * start[:, kind]) / max(seen.sum() + strength[kind], 1e-9)
    return table


def _document(model: Model, shares: Sequence[Floats], counts: Floats, records: int, steps: int) -> dict[str, Any]:
    document: dict[str, Any] = deepcopy(dict(model.document))
    pairs = records * (records - 1) / 2
    document["population"] = round(pairs / float(counts[MATCH]), 1)
    document["relatives_per_person"] = {kin: round(float(counts[CLASSES.index(kin)] / counts[MATCH]), 6) for kin in KIN}
    for name, table in zip(FIELDS, shares, strict=True):
        document["fields"][name]["levels"] = {
            level: _rounded(row) for level, row in zip(model.levels[name], table, strict=True)
        }
    document["training"] = {
        "how": "expectation maximisation without labels",
        "from": model.hash,
        "records": records,
        "expected_matches": round(float(counts[MATCH]), 1),
        "iterations": steps,
    }
    return document


def _rounded(row: Floats) -> Mapping[str, float]:
    return {kind: float(f"{value:.4g}") for kind, value in zip(CLASSES, row, strict=True)}
