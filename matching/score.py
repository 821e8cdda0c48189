"""The weight of evidence that two records are one person, with what each field contributed.

Fellegi and Sunter's log-odds, against a mixture of alternatives instead of one: the pair may be unrelated people, or
relatives. The weight is log2 of P(levels | match) · prior over the sum of the same for every other class; a field's
contribution is its weight against unrelated people, `prior` is the odds before any evidence, and `relatives` (never
positive) is what the possibility of siblings, twins or a parent and child takes away. Contributions add up to the
weight.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2
from typing import NamedTuple

from matching.compare import GIVEN, MATERNAL, PATERNAL, Comparison, compare
from matching.levels import DIFFERENT, FIELDS, MISSING, Agreed
from matching.model import CLASSES, KIN, Bits, Model
from matching.normalise import Normalised

MOST_NAME_BITS = 20.0
LARGEST_EXPONENT = 1000.0
MOST_PATTERNS = 65_536
NAMES = frozenset({"paternal", "maternal", "given"})
UNRELATED = CLASSES.index("unrelated")
HARD_FACTS = tuple((field, FIELDS.index(field)) for field in ("document", "birth_order"))


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

    @property
    def nameless(self) -> bool:
        """Whether no name of the two could be compared."""
        return NAMES.isdisjoint(part.field for part in self.contributions)


def score(model: Model, a: Normalised, b: Normalised) -> Score:
    """Score a pair of records, with its explanation; the order of the two does not matter."""
    return explain(model, compare(a, b))


def explain(model: Model, comparison: Comparison) -> Score:
    """The score of a pair that was compared."""
    names = name_bits(model, comparison)
    sums = _class_bits(model, comparison.levels, names)
    weight = _weight(sums)
    parts = _contributions(model, comparison.levels, names, sums)
    return Score(weight, probability(weight), parts, _conflicts(comparison.levels))


def weigh(model: Model, a: Normalised, b: Normalised) -> float:
    """The weight of `score` alone, for the many pairs nobody asks to have explained."""
    return weigh_compared(model, compare(a, b))


def weigh_compared(model: Model, comparison: Comparison) -> float:
    """`weigh` of a pair that was compared."""
    return _weight(_class_bits(model, comparison.levels, name_bits(model, comparison)))


def probability(weight_bits: float) -> float:
    """The probability that a weight in bits stands for."""
    return float(1 / (1 + 2.0 ** -max(min(weight_bits, LARGEST_EXPONENT), -LARGEST_EXPONENT)))


def name_bits(model: Model, comparison: Comparison) -> dict[int, float]:
    """log2 of how often each agreed name occurs, by index of the field."""
    bits = {}
    for index, names in (PATERNAL, comparison.paternal), (MATERNAL, comparison.maternal), (GIVEN, comparison.given):
        if names and (value := agreed_bits(model, index, comparison.levels[index], names)):
            bits[index] = value
    return bits


def agreed_bits(model: Model, index: int, level: str, names: Agreed) -> float:
    """log2 of how often the names agreed on in one field occur, where the level counts that.

    Bounded, since given names that go together are not independent.
    """
    if level not in model.frequency_levels[FIELDS[index]]:
        return 0.0
    return max(sum(map(model.name_table(index), names)), -MOST_NAME_BITS)


def _class_bits(model: Model, levels: tuple[str, ...], names: Mapping[int, float]) -> Bits:
    """log2 of prior times likelihood for each class."""
    known = model.patterns.get(levels)
    if known is None:
        known = _pattern_bits(model, levels)
        if len(model.patterns) < MOST_PATTERNS:
            model.patterns[levels] = known
    match, unrelated, sibling, twin, parent = known
    return match, unrelated + sum(names.values()), sibling, twin, parent


def _pattern_bits(model: Model, levels: tuple[str, ...]) -> Bits:
    """The same by the levels alone: pairs have few patterns of them."""
    match, unrelated, sibling, twin, parent = model.prior
    for table, level in zip(model.tables, levels, strict=True):
        if level != MISSING:
            m, u, s, t, p = table[level]
            match += m
            unrelated += u
            sibling += s
            twin += t
            parent += p
    return match, unrelated, sibling, twin, parent


def _weight(sums: Bits) -> float:
    match, *others = sums
    return match - _log2_sum(*others)


def _log2_sum(*bits: float) -> float:
    most = max(bits)
    return most + log2(sum([2.0 ** (value - most) for value in bits]))


def _contributions(
    model: Model, levels: tuple[str, ...], names: Mapping[int, float], sums: Bits
) -> tuple[Contribution, ...]:
    parts = [Contribution("prior", "", model.prior[0] - model.prior[1])]
    for index, (field, level) in enumerate(zip(FIELDS, levels, strict=True)):
        if level != MISSING:
            match, unrelated, *_ = model.tables[index][level]
            parts.append(Contribution(field, level, match - unrelated - names.get(index, 0.0)))
    kin = sums[2:]
    taken = min(sums[1] - _log2_sum(*sums[1:]), 0.0)
    return (*parts, Contribution("relatives", KIN[kin.index(max(kin))], taken))


def _conflicts(levels: tuple[str, ...]) -> frozenset[str]:
    return frozenset(field for field, index in HARD_FACTS if levels[index] == DIFFERENT)
