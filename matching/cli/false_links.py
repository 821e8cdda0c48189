"""`train --false-links`: the threshold for links, and what is known of the rate of false ones, in words."""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
import numpy as np

from matching.batch import Pairs
from matching.calibration import Calibration, calibration_of
from matching.cli.evaluation import PERSON_COLUMNS, Identity, labelled, name_some
from matching.model import Model
from matching.table import Floats, Ints
from matching.thresholds import UNKNOWN, LinkThreshold, estimator_for, link_threshold

NOT_CALIBRATED = (
    "{version} is not calibrated: it can't say how often its links are false, so no threshold follows from a rate. "
    "Give --truth, or start from a calibrated model (see: match models)"
)
WORDS = {
    "labelled sample": "{pairs:,} pairs of settled persons, {rate} of them false (95 %: {low} to {high})",
    "calibration": (
        "{pairs:,} pairs, {rate} of them expected to be false (95 %: {low} to {high}) as far as these records are like "
        "the synthetic worlds of the calibration; --truth says it from your own"
    ),
}


def required_calibration(model: Model, truth: str | None) -> Calibration | None:
    """The model's calibration. Raises `ClickException` where there is none and no truth instead of it."""
    try:
        found = calibration_of(model)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if found is None and truth is None:
        raise click.ClickException(NOT_CALIBRATED.format(version=model.version))
    return found


def set_link(
    document: dict[str, Any], target: float, calibration: Calibration | None, weighed: tuple[Pairs, Floats],
    persons: Ints | None,
) -> str:  # fmt: skip
    """Set the threshold for a link, and write down what was asked for, and what is known; the same in words."""
    pairs, weights = weighed
    found = link_threshold(estimator_for(calibration, weights, pairs.one, pairs.other, persons), target)
    document["thresholds"]["link"] = found.bits
    document["training"]["link"] = {"target": target} | {
        name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in asdict(found).items()
    }
    return f"links from {found.bits:g} bits on: {_words(found)}"


def _words(found: LinkThreshold) -> str:
    shares = {name: f"{100 * getattr(found, name):.2g} %" for name in ("rate", "low", "high")}
    return WORDS[found.basis].format(pairs=found.pairs, **shares)


def settled(path: str, identities: Sequence[Identity]) -> Ints:
    """The number of each record's person, -1 where the truth doesn't name it.

    Raises `ClickException` when the truth names a record that is not there, or nobody.
    """
    waiting: dict[Identity, deque[int]] = defaultdict(deque)
    for index, identity in enumerate(identities):
        waiting[identity].append(index)
    persons = np.full(len(identities), UNKNOWN, dtype=np.int64)
    numbers: dict[str, int] = {}
    unknown: list[Identity] = []
    for identity, person in labelled(path, PERSON_COLUMNS):
        if waiting.get(identity):
            persons[waiting[identity].popleft()] = numbers.setdefault(person, len(numbers))
        else:
            unknown.append(identity)
    if unknown:
        raise click.ClickException(
            f"{len(unknown):,} records are in the truth but not in the records: {name_some(unknown)}"
        )
    if not numbers:
        raise click.ClickException(f"{path}: the truth names nobody")
    return persons
