"""Comparisons: how one field of two normalised records agrees, as a named level.

Each comparison is symmetric. An agreement on a name also returns the value agreed on, so that the model can weigh it
by its frequency; `MISSING` carries no weight.
"""

from collections import namedtuple
from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from rapidfuzz.distance import DamerauLevenshtein

from matching.compare_names import compare_given, compare_surnames
from matching.levels import DIFFERENT, FIELDS, MISSING, NOTHING, SAME, Agreed, Outcome
from matching.normalise import Normalised
from matching.records import Document, DocumentType

SINGLE_PER_PERSON = frozenset({DocumentType.DNI, DocumentType.CE, DocumentType.CNV, DocumentType.PTP})
DOCUMENT_RANK = {"same": 5, "other_type": 4, "slip": 3, "adjacent": 2, DIFFERENT: 1, MISSING: 0}
ADJACENT_NUMBERS = 4
GENERATION_YEARS = 14


class Aspect(NamedTuple):
    """One look at two records: the fields it gives the levels of, the attributes it reads, and how.

    Records equal in `reads` come out equal, so a batch needs to look at each distinct pair of values once only.
    """

    fields: tuple[str, ...]
    reads: tuple[str, ...]
    outcomes: Callable[[Normalised, Normalised], tuple[Outcome, ...]]

    shown: Callable[[tuple[Any, ...]], Normalised]
    """What says of a record only what this aspect reads: the attributes of `reads`, from their values."""


def _aspect(
    fields: tuple[str, ...],
    reads: tuple[str, ...],
    outcomes: Callable[[Normalised, Normalised], tuple[Outcome, ...]],
) -> Aspect:
    named: Any = namedtuple  # a batch makes a million of these: whole records would take it longer
    return Aspect(fields, reads, outcomes, named("Shown", reads)._make)


class Comparison(NamedTuple):
    """The level of every field in the order of `LEVELS`, and the names agreed on where their frequency matters."""

    levels: tuple[str, ...]
    paternal: Agreed
    maternal: Agreed
    given: Agreed


def compare(a: Normalised, b: Normalised) -> Comparison:
    """Compare two records field by field; symmetric."""
    (paternal, paternal_name), (maternal, maternal_name), (order, _) = compare_surnames(a, b)
    given, given_names = compare_given(a, b)
    levels = (
        compare_documents(a, b), paternal, maternal, order, given, compare_sex(a, b), compare_birth(a, b),
        compare_place(a, b), compare_address(a, b), compare_phone(a, b), compare_mother(a, b),
        compare_birth_order(a, b),
    )  # fmt: skip
    return Comparison(levels, paternal_name, maternal_name, given_names)


def compare_documents(a: Normalised, b: Normalised) -> str:
    """Best level over all pairs of documents; kinds that can't be compared are missing, not different."""
    best = MISSING
    for one in a.documents:
        for other in b.documents:
            level = _document_level(one, other)
            if DOCUMENT_RANK[level] > DOCUMENT_RANK[best]:
                best = level
    return best


def _document_level(one: Document, other: Document) -> str:
    if one.number == other.number:
        return "same" if one.type is other.type and one.country == other.country else "other_type"
    if one.type is not other.type or one.country != other.country:
        return MISSING
    if _adjacent(one.number, other.number):
        return "adjacent"
    if one_slip(one.number, other.number):
        return "slip"
    return DIFFERENT if one.type in SINGLE_PER_PERSON else MISSING


def _adjacent(one: str, other: str) -> bool:
    """Numbers issued one after another, as twins' and siblings' registered together are."""
    if len(one) != len(other) or one[:3] != other[:3] or not (one.isdigit() and other.isdigit()):
        return False
    return abs(int(one) - int(other)) <= ADJACENT_NUMBERS


def one_slip(one: str, other: str) -> bool:
    """One character typed wrong, dropped, doubled, or two neighbours exchanged; leading zeros may be lost with it."""
    if abs(len(one) - len(other)) <= 1 and DamerauLevenshtein.distance(one, other, score_cutoff=1) <= 1:
        return True
    if not (one.startswith("0") or other.startswith("0")):
        return False
    short, long = sorted((one.lstrip("0"), other.lstrip("0")), key=len)
    return len(short) + 1 == len(long) and DamerauLevenshtein.distance(short, long, score_cutoff=1) <= 1


def compare_birth(a: Normalised, b: Normalised) -> str:
    """same, swapped, slip, part, year_only, year, close, generation or different."""
    one, other = a.birth_date, b.birth_date
    if one is None or other is None:
        return MISSING
    if one == other:
        return "same_partial" if a.partial_birth else SAME
    if one.year == other.year:
        return _same_year(one, other, partial=a.partial_birth or b.partial_birth)
    if (one.month, one.day) == (other.month, other.day) and not a.partial_birth:
        return "slip" if _digits_differing(one.year, other.year) == 1 else "part"
    years = abs(one.year - other.year)
    if years <= 4:
        return "close"
    return "generation" if GENERATION_YEARS <= years <= 50 else DIFFERENT


def _same_year(one: date, other: date, *, partial: bool) -> str:
    if partial:
        return "year_only"
    if (one.month, one.day) == (other.day, other.month):
        return "swapped"
    if one.month == other.month:
        return "slip" if _digits_differing(one.day, other.day) == 1 else "part"
    if one.day == other.day:
        return "slip" if _digits_differing(one.month, other.month) == 1 else "part"
    return "year"


def _digits_differing(one: int, other: int) -> int:
    left, right = f"{one:04d}", f"{other:04d}"
    return sum(x != y for x, y in zip(left, right, strict=True))


def compare_place(a: Normalised, b: Normalised) -> str:
    """district, province, department, different by the common head of the ubigeo (INEI scheme)."""
    one, other = a.ubigeo, b.ubigeo
    if not one or not other:
        return MISSING
    for length, level in ((6, "district"), (4, "province"), (2, "department")):
        if len(one) >= length and one[:length] == other[:length]:
            return level
    return DIFFERENT


def compare_address(a: Normalised, b: Normalised) -> str:
    """same, similar (half of all words common) or different; without a number it names a community, at most similar."""
    if not a.address or not b.address:
        return MISSING
    common = len(a.address & b.address)
    union = len(a.address) + len(b.address) - common
    if common == union:
        return SAME if any(not word.isalpha() for word in a.address) else "similar"
    return "similar" if common * 2 >= union else DIFFERENT


def compare_phone(a: Normalised, b: Normalised) -> str:
    """same, slip or different."""
    if not a.phone or not b.phone:
        return MISSING
    if a.phone == b.phone:
        return SAME
    return "slip" if one_slip(a.phone, b.phone) else DIFFERENT


def compare_mother(a: Normalised, b: Normalised) -> str:
    """same, slip, own (one's own document is the other's mother's) or different."""
    one, other = a.mother_document, b.mother_document
    if one is not None and other is not None:
        if one.number == other.number:
            return SAME
        return "slip" if one_slip(one.number, other.number) else DIFFERENT
    mother, child = (one, b) if one is not None else (other, a)
    if mother is not None and any(document.number == mother.number for document in child.documents):
        return "own"
    return MISSING


def compare_birth_order(a: Normalised, b: Normalised) -> str:
    """same or different place in a multiple birth."""
    if a.birth_order is None or b.birth_order is None:
        return MISSING
    return SAME if a.birth_order == b.birth_order else DIFFERENT


def compare_sex(a: Normalised, b: Normalised) -> str:
    """same or different."""
    if a.sex is None or b.sex is None:
        return MISSING
    return SAME if a.sex == b.sex else DIFFERENT


def _plain(*fields: str, reads: tuple[str, ...], level: Callable[[Normalised, Normalised], str]) -> Aspect:
    return _aspect(fields, reads, lambda a, b: ((level(a, b), NOTHING),))


ASPECTS: tuple[Aspect, ...] = (
    _plain("document", reads=("documents",), level=compare_documents),
    _aspect(
        ("paternal", "maternal", "surname_order"),
        ("paternal", "paternal_code", "maternal", "maternal_code", "married"),
        compare_surnames,
    ),
    _aspect(("given",), ("given", "given_codes"), lambda a, b: (compare_given(a, b),)),
    _plain("sex", reads=("sex",), level=compare_sex),
    _plain("birth", reads=("birth_date", "partial_birth"), level=compare_birth),
    _plain("place", reads=("ubigeo",), level=compare_place),
    _plain("address", reads=("address",), level=compare_address),
    _plain("phone", reads=("phone",), level=compare_phone),
    _plain("mother", reads=("mother_document", "documents"), level=compare_mother),
    _plain("birth_order", reads=("birth_order",), level=compare_birth_order),
)
"""All that is compared, in the order of `LEVELS`."""
PATERNAL, MATERNAL, GIVEN = FIELDS.index("paternal"), FIELDS.index("maternal"), FIELDS.index("given")
