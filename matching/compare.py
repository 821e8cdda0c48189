"""Comparisons: how one field of two normalised records agrees, as a named level.

Each comparison is symmetric. An agreement on a name also returns the value agreed on, so that the model can weigh it
by its frequency; `MISSING` carries no weight.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import lru_cache

from rapidfuzz.distance import DamerauLevenshtein

from matching.lexicon import GIVEN_RANKS, SHORT_FORMS, SURNAME_RANKS
from matching.normalise import Normalised
from matching.phonetics import phonetic_given
from matching.records import Document, DocumentType

MISSING = "missing"
SAME, PHONETIC, TYPO, NEAR, DIFFERENT = "same", "phonetic", "typo", "near", "different"
SHORT, INITIAL = "short", "initial"
RANK = {SAME: 4, PHONETIC: 3, TYPO: 2, NEAR: 1, DIFFERENT: 0, MISSING: 0}
AGREEING = frozenset({SAME, PHONETIC, TYPO, NEAR})
FREQUENCY_KNOWN = frozenset({SAME, PHONETIC, SHORT, TYPO})
WORD_LEVELS = (SAME, PHONETIC, SHORT, TYPO, NEAR, INITIAL)
UNLISTED = 1_000_000
REMEMBERED = 131_072
LEVELS: Mapping[str, tuple[str, ...]] = {
    "document": (SAME, "other_type", "slip", "adjacent", DIFFERENT),
    "paternal": (SAME, PHONETIC, TYPO, NEAR, "joined", DIFFERENT),
    "maternal": (SAME, PHONETIC, TYPO, NEAR, "husband", DIFFERENT),
    "surname_order": ("straight", "swapped"),
    "given": (
        SAME, "reordered", "variant", TYPO, "subset", "subset_near", NEAR, INITIAL, "partial", DIFFERENT,
    ),
    "sex": (SAME, DIFFERENT),
    "birth": (
        SAME, "same_partial", "swapped", "slip", "part", "year_only", "year", "close", "generation", DIFFERENT,
    ),
    "place": ("district", "province", "department", DIFFERENT),
    "address": (SAME, "similar", DIFFERENT),
    "phone": (SAME, "slip", DIFFERENT),
    "mother": (SAME, "slip", "own", DIFFERENT),
    "birth_order": (SAME, DIFFERENT),
}  # fmt: skip
"""Every field in the order it is compared, and the levels it may come out as; `MISSING` stands beside them all."""
SINGLE_PER_PERSON = frozenset({DocumentType.DNI, DocumentType.CE, DocumentType.CNV, DocumentType.PTP})
DOCUMENT_RANK = {"same": 5, "other_type": 4, "slip": 3, "adjacent": 2, DIFFERENT: 1, MISSING: 0}
ADJACENT_NUMBERS = 4
GENERATION_YEARS = 14

Agreed = tuple[str, ...]
Outcome = tuple[str, Agreed]
NOTHING: Agreed = ()


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
    short, long = sorted((one.lstrip("0"), other.lstrip("0")), key=len)
    return len(short) + 1 == len(long) and DamerauLevenshtein.distance(short, long, score_cutoff=1) <= 1


@lru_cache(maxsize=REMEMBERED)
def surname_level(one: str, one_code: str, other: str, other_code: str) -> str:
    """same, phonetic, typo (a slip away, one no known surname), near (both known), different or missing."""
    if not one or not other:
        return MISSING
    if one == other:
        return SAME
    if one_code == other_code:
        return PHONETIC
    if not near_words(one, other):
        return DIFFERENT
    return NEAR if one in SURNAME_RANKS and other in SURNAME_RANKS else TYPO


def near_words(one: str, other: str) -> bool:
    """Within one slip, or two for words of eight letters or more, or one is the other with particles before it."""
    shorter, longer = (one, other) if len(one) <= len(other) else (other, one)
    if len(shorter) < 4:
        return False
    slips = 2 if len(shorter) >= 8 else 1
    if len(longer) - len(shorter) > slips:
        return longer.startswith("DE") and longer.endswith(shorter)
    return DamerauLevenshtein.distance(one, other, score_cutoff=slips) <= slips


def compare_surnames(a: Normalised, b: Normalised) -> tuple[Outcome, Outcome, str]:
    """Outcomes of paternal, maternal and their order (straight, swapped, missing)."""
    paternal = surname_level(a.paternal, a.paternal_code, b.paternal, b.paternal_code)
    maternal = surname_level(a.maternal, a.maternal_code, b.maternal, b.maternal_code)
    if paternal == SAME and maternal in AGREEING:
        return (paternal, (a.paternal,)), (maternal, _agreed(maternal, a.maternal, b.maternal)), "straight"
    crossed = _crossed(a, b)
    if crossed is not None and _worth(*crossed) > _worth(paternal, maternal):
        better, worse = _swapped(a, b, *crossed)
        return better, worse, "swapped"
    joined = _joined(a, b) or _joined(b, a)
    if joined:
        return ("joined", joined), (MISSING, NOTHING), "straight"
    if maternal == DIFFERENT and (a.maternal == b.married or b.maternal == a.married):
        maternal = "husband"
    order = "straight" if paternal in AGREEING or maternal in AGREEING else MISSING
    return (
        (paternal, _agreed(paternal, a.paternal, b.paternal)),
        (maternal, _agreed(maternal, a.maternal, b.maternal)),
        order,
    )


def _worth(first: str, second: str) -> int:
    return RANK[first] + RANK[second]


def _crossed(a: Normalised, b: Normalised) -> tuple[str, str] | None:
    """Levels with one record's surnames exchanged; None unless all that can be compared agrees."""
    first = surname_level(a.paternal, a.paternal_code, b.maternal, b.maternal_code)
    second = surname_level(a.maternal, a.maternal_code, b.paternal, b.paternal_code)
    levels = (first, second)
    return None if DIFFERENT in levels or levels == (MISSING, MISSING) else levels


def _swapped(a: Normalised, b: Normalised, first: str, second: str) -> list[Outcome]:
    """Outcomes of exchanged surnames, the better one first: which record is called `a` must not matter."""
    outcomes: list[Outcome] = [
        (first, _agreed(first, a.paternal, b.maternal)),
        (second, _agreed(second, a.maternal, b.paternal)),
    ]
    return sorted(outcomes, key=lambda outcome: (-RANK[outcome[0]], outcome))


def _joined(a: Normalised, b: Normalised) -> Agreed | None:
    """Both surnames written as one word in one record."""
    if a.maternal or not b.maternal or not b.paternal or a.paternal != b.paternal + b.maternal:
        return None
    return (b.paternal, b.maternal)


def _agreed(level: str, one: str, other: str) -> Agreed:
    """The surname agreed on: of two spellings the commoner one, whose frequency is that of them all."""
    if level == SAME:
        return (one,)
    return (_commoner(one, other, SURNAME_RANKS),) if level in FREQUENCY_KNOWN else NOTHING


def _commoner(one: str, other: str, ranks: Mapping[str, int]) -> str:
    if one == other:
        return one
    return min((ranks.get(one, UNLISTED), one), (ranks.get(other, UNLISTED), other))[1]


@lru_cache(maxsize=REMEMBERED)
def given_word_level(one: str, one_code: str, other: str, other_code: str) -> str:
    """same, phonetic, short (a short form of the other), typo, near, initial or different."""
    if one == other:
        return SAME
    if len(one) == 1 or len(other) == 1:
        return INITIAL if one[0] == other[0] else DIFFERENT
    if one_code == other_code:
        return PHONETIC
    if SHORT_FORMS.get(one, one) == SHORT_FORMS.get(other, other):
        return SHORT
    if not near_words(one, other):
        return DIFFERENT
    return NEAR if one in GIVEN_RANKS and other in GIVEN_RANKS else TYPO


def _run_on(one: str, other: str) -> bool:
    """Whether `other` is two names run together, the first of them `one`."""
    return len(other) >= len(one) + 3 >= 6 and other.startswith(one) and other not in GIVEN_RANKS


def compare_given(a: Normalised, b: Normalised) -> Outcome:
    """same, reordered, variant, typo, subset, near, initial, subset_near, partial or different, judged word by word."""
    one, other = a.given, b.given
    if not one or not other:
        return MISSING, NOTHING
    if one == other:
        return SAME, one
    if len(one) == len(other) and set(one) == set(other):
        return "reordered", one
    if len(one) != len(other) and near_words("".join(one), "".join(other)):
        return "variant", max(one, other, key=len)
    a, b = _untied(a, other), _untied(b, one)
    return _aligned(a, b) if len(a.given) <= len(b.given) else _aligned(b, a)


def _untied(record: Normalised, others: Agreed) -> Normalised:
    """The record with a word that runs on from one of the other's words (EMERSONDIEGO, EMERSON) parted there."""
    parted: list[str] = []
    for word in record.given:
        head = next((other for other in others if _run_on(other, word)), "")
        parted += [head, word[len(head) :]] if head else [word]
    if len(parted) == len(record.given):
        return record
    return replace(record, given=tuple(parted), given_codes=tuple(map(phonetic_given, parted)))


def _aligned(a: Normalised, b: Normalised) -> Outcome:
    """Words of the shorter name against those of the longer, best pairs first."""
    pairs = _best_pairs(a, b)
    if not pairs:
        return DIFFERENT, NOTHING
    levels = {level for level, _ in pairs}
    agreed = tuple(word for level, word in pairs if level in FREQUENCY_KNOWN)
    if len(pairs) < len(a.given):
        return ("partial", agreed) if agreed else (DIFFERENT, NOTHING)
    known = levels <= FREQUENCY_KNOWN
    if len(a.given) < len(b.given):
        return ("subset" if known else "subset_near"), agreed
    if not known:
        return (INITIAL if INITIAL in levels else NEAR), agreed
    return (TYPO if TYPO in levels else "variant"), agreed


def _best_pairs(a: Normalised, b: Normalised) -> list[tuple[str, str]]:
    """Words paired one to one, surest first: the level, and the commoner spelling."""
    found = sorted(
        (WORD_LEVELS.index(level), min(one, other), max(one, other), i, j)
        for i, (one, code) in enumerate(zip(a.given, a.given_codes, strict=True))
        for j, (other, other_code) in enumerate(zip(b.given, b.given_codes, strict=True))
        if (level := given_word_level(one, code, other, other_code)) != DIFFERENT
    )
    left: set[int] = set()
    right: set[int] = set()
    pairs: list[tuple[str, str]] = []
    for rank, one, other, i, j in found:
        if i not in left and j not in right:
            left.add(i)
            right.add(j)
            pairs.append((WORD_LEVELS[rank], _commoner(one, other, GIVEN_RANKS)))
    return pairs


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
    """same, similar (half of all words common) or different."""
    if not a.address or not b.address:
        return MISSING
    common = len(a.address & b.address)
    union = len(a.address) + len(b.address) - common
    if common == union:
        return SAME
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
