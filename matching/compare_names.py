"""Comparison of names: two surnames in their order, given names word by word."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import DamerauLevenshtein

from matching.levels import DIFFERENT, INITIAL, MISSING, NEAR, NOTHING, PHONETIC, SAME, SHORT, TYPO, Agreed, Outcome
from matching.lexicon import GIVEN_RANKS, SHORT_FORMS, SURNAME_RANKS
from matching.normalise import Normalised
from matching.phonetics import phonetic_given

RANK = {SAME: 4, PHONETIC: 3, TYPO: 2, NEAR: 1, DIFFERENT: 0, MISSING: 0}
AGREEING = frozenset({SAME, PHONETIC, TYPO, NEAR})
FREQUENCY_KNOWN = frozenset({SAME, PHONETIC, SHORT, TYPO})
WORD_LEVELS = (SAME, PHONETIC, SHORT, TYPO, NEAR, INITIAL)
UNLISTED = 1_000_000
STRAIGHT: Outcome = ("straight", NOTHING)
SWAPPED: Outcome = ("swapped", NOTHING)
REMEMBERED = 131_072


@lru_cache(maxsize=REMEMBERED)
def surname_level(one: str, one_code: str, other: str, other_code: str) -> str:
    """same, phonetic, typo (a slip away, one no known surname), near (both known), different or missing."""
    if not one or not other:
        return MISSING
    if one == other:
        return SAME
    if one_code == other_code:
        return PHONETIC
    return _slip_level(one, one_code, other, other_code, SURNAME_RANKS)


def _slip_level(one: str, one_code: str, other: str, other_code: str, known: Mapping[str, int]) -> str:
    """typo, near or different: a slip by letter or by sound; in a short word only when that makes no known name."""
    if near_words(one, other) or near_words(one_code, other_code):
        return NEAR if one in known and other in known else TYPO
    if not 3 <= min(len(one), len(other)) <= 4 or (one in known and other in known):
        return DIFFERENT
    return TYPO if DamerauLevenshtein.distance(one, other, score_cutoff=1) <= 1 else DIFFERENT


def near_words(one: str, other: str) -> bool:
    """Within one slip, or two for words of eight letters or more, or one is the other with particles before it."""
    shorter, longer = (one, other) if len(one) <= len(other) else (other, one)
    if len(shorter) < 4:
        return False
    slips = 2 if len(shorter) >= 8 else 1
    if len(longer) - len(shorter) > slips:
        return longer.startswith("DE") and longer.endswith(shorter)
    return DamerauLevenshtein.distance(one, other, score_cutoff=slips) <= slips


def compare_surnames(a: Normalised, b: Normalised) -> tuple[Outcome, Outcome, Outcome]:
    """Outcomes of paternal, maternal and their order (straight, swapped, missing)."""
    paternal = surname_level(a.paternal, a.paternal_code, b.paternal, b.paternal_code)
    maternal = surname_level(a.maternal, a.maternal_code, b.maternal, b.maternal_code)
    if paternal == SAME and maternal in AGREEING:
        return (paternal, (a.paternal,)), (maternal, _agreed(maternal, a.maternal, b.maternal)), STRAIGHT
    crossed = _crossed(a, b)
    if crossed is not None and _worth(*crossed) > _worth(paternal, maternal):
        better, worse = _swapped(a, b, *crossed)
        return better, worse, SWAPPED
    joined = _joined(a, b) or _joined(b, a)
    if joined:
        return ("joined", joined), (MISSING, NOTHING), STRAIGHT
    if maternal == DIFFERENT and (a.maternal == b.married or b.maternal == a.married):
        maternal = "husband"
    order = STRAIGHT if paternal in AGREEING or maternal in AGREEING else (MISSING, NOTHING)
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
    return _slip_level(one, one_code, other, other_code, GIVEN_RANKS)


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
    return _compare_words(Words(one, a.given_codes), Words(other, b.given_codes))


class Words(NamedTuple):
    """Given names and their codes."""

    given: Agreed
    codes: Agreed


@lru_cache(maxsize=REMEMBERED)
def _compare_words(a: Words, b: Words) -> Outcome:
    one, other = a.given, b.given
    if len(one) == len(other) and set(one) == set(other):
        return "reordered", min(one, other)
    initials = any(len(word) == 1 for word in (*one, *other))
    if len(one) != len(other) and not initials and near_words("".join(one), "".join(other)):
        return "variant", max(one, other, key=len)
    a, b = _untied(a, other), _untied(b, one)
    return _aligned(a, b) if len(a.given) <= len(b.given) else _aligned(b, a)


def _untied(words: Words, others: Agreed) -> Words:
    """The words, one that runs on from one of the other's words (EMERSONDIEGO, EMERSON) parted there."""
    if not any(word.startswith(others) for word in words.given):
        return words
    parted: list[str] = []
    for word in words.given:
        head = next((other for other in others if _run_on(other, word)), "")
        parted += [head, word[len(head) :]] if head else [word]
    if len(parted) == len(words.given):
        return words
    return Words(tuple(parted), tuple(map(phonetic_given, parted)))


def _aligned(a: Words, b: Words) -> Outcome:
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


def _best_pairs(a: Words, b: Words) -> list[tuple[str, str]]:
    """Words paired one to one, surest first: the level, and the commoner spelling."""
    found = sorted(
        (WORD_LEVELS.index(level), min(one, other), max(one, other), i, j)
        for i, (one, code) in enumerate(zip(*a, strict=True))
        for j, (other, other_code) in enumerate(zip(*b, strict=True))
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
