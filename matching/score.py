"""The weight of evidence that two records are one person, with what each field contributed.

Fellegi and Sunter's log-odds, against a mixture of alternatives instead of one: the pair may be unrelated people, or
relatives. The weight is log2 of P(levels | match) · prior over the sum of the same for every other class; a field's
contribution is its weight against unrelated people, `prior` is the odds before any evidence, and `relatives` (never
positive) is what the possibility of siblings, twins or a parent and child takes away. Contributions add up to the
weight.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum, log2
from typing import NamedTuple

from matching.compare import (
    DIFFERENT,
    MISSING,
    NOTHING,
    Agreed,
    compare_address,
    compare_birth,
    compare_birth_order,
    compare_documents,
    compare_given,
    compare_mother,
    compare_phone,
    compare_place,
    compare_sex,
    compare_surnames,
)
from matching.model import KIN, Model
from matching.normalise import Normalised

MOST_NAME_BITS = 20.0
LARGEST_EXPONENT = 1000.0

Levels = tuple[tuple[str, str, Agreed], ...]


class Contribution(NamedTuple):
    """What one field added to the weight, in bits; field and level names only, never a value."""

    field: str
    level: str
    weight: float


@dataclass(frozen=True, slots=True)
class Score:
    """The weight in bits, its probability, its parts, and hard facts against (`document`, `birth_order`)."""

    weight_bits: float
    probability: float
    contributions: tuple[Contribution, ...]
    conflicts: frozenset[str]


def compare(a: Normalised, b: Normalised) -> Levels:
    """Level of every field of a pair, with the name agreed on where its frequency matters."""
    paternal, maternal, order = compare_surnames(a, b)
    return (
        ("document", compare_documents(a, b), NOTHING),
        ("paternal", *paternal),
        ("maternal", *maternal),
        ("surname_order", order, NOTHING),
        ("given", *compare_given(a, b)),
        ("sex", compare_sex(a, b), NOTHING),
        ("birth", compare_birth(a, b), NOTHING),
        ("place", compare_place(a, b), NOTHING),
        ("address", compare_address(a, b), NOTHING),
        ("phone", compare_phone(a, b), NOTHING),
        ("mother", compare_mother(a, b), NOTHING),
        ("birth_order", compare_birth_order(a, b), NOTHING),
    )


def score(model: Model, a: Normalised, b: Normalised) -> Score:
    """Score a pair of records; the order of the two does not matter."""
    levels = compare(a, b)
    match, unrelated, sibling, twin, parent = model.prior
    contributions = [Contribution("prior", "", match - unrelated)]
    for field, level, agreed in levels:
        if level == MISSING:
            continue
        m, u, s, t, p = model.levels[field][level]
        if agreed and level in model.frequency_levels[field]:
            u += _name_bits(model, field, agreed)
        match, unrelated, sibling, twin, parent = match + m, unrelated + u, sibling + s, twin + t, parent + p
        contributions.append(Contribution(field, level, m - u))
    others = _log2_sum(unrelated, sibling, twin, parent)
    contributions.append(_relatives(unrelated - others, (sibling, twin, parent)))
    weight = match - others
    return Score(weight, _probability(weight), tuple(contributions), _conflicts(levels))


def _name_bits(model: Model, field: str, agreed: Agreed) -> float:
    """log2 of how often the agreed name occurs; bounded, since given names that go together are not independent."""
    table = model.given_bits if field == "given" else model.surname_bits
    return max(sum(map(table, agreed)), -MOST_NAME_BITS)


def _relatives(weight: float, kin: tuple[float, float, float]) -> Contribution:
    likeliest = KIN[kin.index(max(kin))]
    return Contribution("relatives", likeliest, min(weight, 0.0))


def _log2_sum(*bits: float) -> float:
    most = max(bits)
    return most + log2(fsum(2.0 ** (value - most) for value in bits))


def _probability(weight: float) -> float:
    return float(1 / (1 + 2.0 ** -max(min(weight, LARGEST_EXPONENT), -LARGEST_EXPONENT)))


def _conflicts(levels: Levels) -> frozenset[str]:
    found: Mapping[str, str] = {field: level for field, level, _ in levels}
    return frozenset(field for field in ("document", "birth_order") if found[field] == DIFFERENT)
