"""Training without labels: expectation maximisation over compared pairs, from a model to a better one.

Counts are absolute. The pairs given are those that blocking found among `records` records; unrelated pairs are expected
in proportion to all pairs there are, so that the level shares of the class `unrelated` stay those of random pairs and
the number of matches comes out of the data. Relatives are rare and look like matches: their shares are held near the
starting model's by prior counts.
"""

import random
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from matching.compare import Comparison, compare
from matching.levels import FIELDS, MISSING
from matching.model import CLASSES, KIN, Model
from matching.normalise import Normalised
from matching.score import name_bits

Floats = npt.NDArray[np.float64]
MATCH, UNRELATED = CLASSES.index("match"), CLASSES.index("unrelated")
MATCHES_PER_RECORD = 0.4
NATURAL = float(np.log(2.0))


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


@dataclass(slots=True)
class Patterns:
    """Compared pairs as level indices, one row a pair, -1 for missing, and log2 of the agreed names' frequency."""

    levels: npt.NDArray[np.int16]
    names: Floats
    vocabulary: tuple[tuple[str, ...], ...] = field(default=())


def train(
    model: Model, records: Sequence[Normalised], comparisons: Sequence[Comparison], settings: Settings | None = None
) -> dict[str, Any]:
    """A new model document for the records that gave these comparisons; `training` in it says how it came about.

    Raises ValueError when there is nothing to learn from.
    """
    if len(records) < 2 or not comparisons:
        raise ValueError("training needs at least two records and one compared pair")
    chosen = settings or Settings()
    patterns = encode(model, comparisons)
    shares = [_shares(model, name) for name in FIELDS]
    shares = _unrelated_shares(model, records, shares, chosen)
    counts, shares, steps = _maximise(patterns, shares, len(records), chosen, model)
    return _document(model, shares, counts, len(records), steps)


def encode(model: Model, comparisons: Sequence[Comparison]) -> Patterns:
    """Level indices and name frequencies of compared pairs."""
    vocabulary = tuple(tuple(model.levels[name]) for name in FIELDS)
    index = [{MISSING: -1} | {level: i for i, level in enumerate(levels)} for levels in vocabulary]
    rows = [[table[level] for table, level in zip(index, pair.levels, strict=True)] for pair in comparisons]
    names = [sum(name_bits(model, pair).values()) for pair in comparisons]
    return Patterns(np.array(rows, dtype=np.int16), np.array(names), vocabulary)


def _shares(model: Model, name: str) -> Floats:
    """Shares of a field's levels, one row a level, one column a class."""
    bits = np.array(list(model.levels[name].values()), dtype=np.float64)
    return np.asarray(np.power(2.0, bits), dtype=np.float64)


def _unrelated_shares(
    model: Model, records: Sequence[Normalised], shares: list[Floats], settings: Settings
) -> list[Floats]:
    """Level shares of random pairs, held to the model's; levels weighed by name frequency keep their factors.

    A random pair counts as far as it is unrelated: among few records a sample holds true matches too.
    """
    rng = random.Random(settings.seed)  # noqa: S311 - a sample, not a secret
    wanted = min(settings.random_pairs, len(records) * (len(records) - 1) // 2)
    drawn = (rng.sample(range(len(records)), 2) for _ in range(wanted))
    sample = encode(model, [compare(records[i], records[j]) for i, j in drawn])
    weights = responsibilities(sample, shares, _starting_counts(model, len(records)))[:, UNRELATED]
    updated = []
    for column, name in enumerate(FIELDS):
        table = shares[column].copy()
        plain = [i for i, level in enumerate(sample.vocabulary[column]) if level not in model.frequency_levels[name]]
        seen = np.bincount(sample.levels[:, column] + 1, weights=weights, minlength=len(table) + 1)[1:]
        if seen.sum() > 0:
            smoothed = (seen + settings.unrelated_prior * table[:, UNRELATED]) / (seen.sum() + settings.unrelated_prior)
            table[plain, UNRELATED] = smoothed[plain]
        updated.append(table)
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
    logs = np.tile(np.log(counts), (len(patterns.levels), 1))
    for column, table in enumerate(shares):
        padded = np.vstack([np.zeros(len(CLASSES)), np.log(np.maximum(table, 1e-12))])
        logs += padded[patterns.levels[:, column] + 1]
    logs[:, UNRELATED] += patterns.names * NATURAL
    logs -= logs.max(axis=1, keepdims=True)
    odds = np.exp(logs)
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float64)


def _updated(
    patterns: Patterns, column: int, chances: Floats, start: Floats, current: Floats, strength: Floats
) -> Floats:
    """New level shares of one field; the unrelated column stays."""
    levels = patterns.levels[:, column]
    table = current.copy()
    for kind in range(len(CLASSES)):
        if kind == UNRELATED:
            continue
        seen = np.bincount(levels + 1, weights=chances[:, kind], minlength=len(start) + 1)[1:]
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
