"""Peruvian names taken apart: two surnames, a husband's surname, given names, newborns without one."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from matching.lexicon import GIVEN_RANKS, SHORT_FORMS, SURNAME_RANKS, is_given, share
from matching.records import Demographics
from matching.text import fold, fold_name, in_letters

PARTICLES = frozenset(
    ["DE", "DEL", "LA", "LAS", "LOS", "SAN", "SANTA", "SANTO", "VON", "VAN", "DI", "DA", "DOS", "DAS", "MC", "MAC", "Y"]
)
GIVEN_PARTICLES = frozenset(["DE", "DEL", "LA", "LAS", "LOS", "Y"])
PLACEHOLDERS = frozenset(
    [
        "NN",
        "SN",
        "SD",
        "ND",
        "NA",
        "NULL",
        "NONE",
        "NINGUNO",
        "NINGUNA",
        "NOTIENE",
        "NOREGISTRA",
        "NOREGISTRADO",
        "DESCONOCIDO",
        "DESCONOCIDA",
        "SINAPELLIDO",
        "SINAPELLIDOS",
        "SINDATO",
        "SINDATOS",
        "SINNOMBRE",
        "PENDIENTE",
        "PRUEBA",
        "TEST",
        "NOIDENTIFICADO",
        "NOIDENTIFICADA",
        "NOPRECISA",
    ]
)
ABBREVIATIONS = {"MA": "MARIA", "FCO": "FRANCISCO", "FCA": "FRANCISCA", "STA": "SANTA", "STO": "SANTO"}
COMPOUND = re.compile(r"\b(PONCE|MONTES|CABEZA|ALVAREZ|NUNEZ|LADRON) DE (LEON|OCA|VACA|PRADO|ARCE|GUEVARA)\b")
OF = r"DE (?!LA\b|LAS\b|LOS\b)"
WIDOW = re.compile(rf"^(?P<own>.*?)\s*\b(?:VDA|VIUDA|VD|V) (?=DEL? )(?:{OF})?(?P<husband>.*)$")
LEADING_OF = re.compile(rf"^{OF}")
WIFE = re.compile(rf"^(?P<own>.*?)\s*\b{OF}(?P<husband>\S.*)$")
NEWBORN = re.compile(r"^(RN|R N|RECIEN NACID[OA]|HIJ[OA] DE|BEBE|NEONAT[OA]|N N$|NN$|SIN NOMBRE|NINO DE|NINA DE)\b")
BIRTH_ORDER = re.compile(r"\b(?:(I{1,3})|([1-4])|(PRIMER|SEGUND|TERCER)[OA]?)\b")
MOST_GIVEN_NAMES = 8
SHORTEST_SURNAME = 3
WHOLE_NAME = ((0.45, 2, True), (0.25, 2, False), (0.10, 1, True), (0.05, 1, False), (0.15, 0, True))
MATERNAL_AMONG_GIVEN = ((0.02, 1, True), (0.98, 0, True))
"""Chance of a reading, how many words are surnames, and whether they stand at the end."""
REMEMBERED = 65_536
EXCHANGED = 64.0
"""How much likelier names must be in each other's column before they are put there."""
ORDINALS = {"PRIMER": 1, "SEGUND": 2, "TERCER": 3}


@dataclass(frozen=True, slots=True)
class Names:
    """Folded names: a surname is one word without spaces, given names are a tuple of words."""

    paternal: str = ""
    maternal: str = ""
    married: str = ""
    given: tuple[str, ...] = ()
    newborn: bool = False
    birth_order: int | None = None


def parse_names(record: Demographics) -> Names:
    """Names of a record in their normalised parts; a placeholder counts as missing.

    Columns are looked at as they are written, and once more as they were read: a surname found in another column may
    turn out to be a given name.
    """
    names = _parsed(_in_place(record))
    if names.paternal not in GIVEN_RANKS or not _exchanged(names.paternal, " ".join(names.given)):
        return names
    return _parsed(
        replace(
            record,
            paternal_surname=" ".join(names.given),
            maternal_surname=names.maternal,
            married_surname=names.married,
            given_names=names.paternal,
        )
    )


def _parsed(record: Demographics) -> Names:
    first, second, married = _surnames(record.paternal_surname, record.maternal_surname, record.sex != "M")
    if record.married_surname:
        married = _husbands(record.married_surname) or married
    is_newborn, written, words = _written(record.given_names or "")
    if not is_newborn:
        if words and not second:
            first, second, words = _surnames_from_given(first, words, written)
        given = _without_own_surnames(words, first, second)
        if not (is_newborn := NEWBORN.match(" ".join(given)) is not None):
            return Names(first, second, married, () if "".join(given) in PLACEHOLDERS else given)
    order = _birth_order(fold(record.given_names or ""))
    return Names(first, second, married, (), newborn=True, birth_order=order)


def _in_place(record: Demographics) -> Demographics:
    """The record, a whole name taken out of the surname's column, or given names and surname put back into theirs."""
    paternal, given = record.paternal_surname, record.given_names
    if not paternal:
        return record
    is_newborn, _, words = _written(given or "")
    if words and _exchanged(paternal, given or ""):
        return replace(record, paternal_surname=given, given_names=paternal)
    alone = not (words or is_newborn or _groups(fold_name(record.maternal_surname or "")))
    if alone and _is_whole(_groups(fold_name(paternal))):
        return replace(record, paternal_surname=None, maternal_surname=None, given_names=paternal)
    return record


def _exchanged(paternal: str, given: str) -> bool:
    """Whether the two are far likelier in each other's place; initials say nothing."""
    return _may_be_given(paternal) and _likelier_exchanged(paternal, given)


@lru_cache(maxsize=REMEMBERED)
def _may_be_given(paternal: str) -> bool:
    surnames = _groups(fold_name(paternal))
    return bool(surnames) and surnames[0] in GIVEN_RANKS


@lru_cache(maxsize=REMEMBERED)
def _likelier_exchanged(paternal: str, given: str) -> bool:
    surnames, names = _groups(fold_name(paternal)), _whole_words(given)
    if not names:
        return False
    turned = _likelihood(_groups(fold_name(given)), _whole_words(paternal))
    return turned > EXCHANGED * _likelihood(surnames, names)


def _whole_words(given: str) -> tuple[str, ...]:
    return tuple(word for word in _given_words(fold_name(given)) if len(word) > 1)


def _is_whole(groups: Sequence[str]) -> bool:
    """Whether three words or more in the surname's column hold a given name."""
    return len(groups) > 2 and any(is_given(word) for word in groups)


@lru_cache(maxsize=REMEMBERED)
def _written(given_names: str) -> tuple[bool, str, tuple[str, ...]]:
    """Whether given names are a newborn's, and else how they are folded, and their words."""
    folded = fold(given_names)
    if NEWBORN.match(folded):
        return True, "", ()
    written = in_letters(folded)
    return False, written, _given_words(written)


def _surnames(paternal: str | None, maternal: str | None, may_be_wife: bool) -> tuple[str, str, str]:
    """The two surnames and a husband's, from the two fields."""
    own, husband_1 = _own_and_husband(paternal, may_be_wife, True)
    other, husband_2 = _own_and_husband(maternal, may_be_wife, False)
    if len(own) == len(other) == 1:
        return own[0], other[0], husband_1 or husband_2
    return *_settle_surnames(own, other), husband_1 or husband_2


@lru_cache(maxsize=REMEMBERED)
def _own_and_husband(surname: str | None, may_be_wife: bool, keep_leading: bool) -> tuple[tuple[str, ...], str]:
    """Own surnames, and the husband's after them."""
    own, husband = _parted_from_husband(surname, may_be_wife, keep_leading=keep_leading)
    return _groups(own), husband


def _parted_from_husband(surname: str | None, may_be_wife: bool, *, keep_leading: bool) -> tuple[str, str]:
    """Split `QUISPE DE FLORES` or `VDA DE FLORES`; `keep_leading` keeps an own surname that starts with DE."""
    folded = fold_name(surname or "")
    if "DE" not in folded:
        return folded, ""
    folded = COMPOUND.sub(r"\1DE\2", folded)
    match = WIDOW.match(folded) or (WIFE.match(folded) if may_be_wife else None)
    if match is None or (keep_leading and not match["own"] and not folded.startswith("V")):
        return folded, ""
    return match["own"], _joined(_groups(match["husband"]))


def _husbands(surname: str | None) -> str:
    return _joined(_groups(LEADING_OF.sub("", fold_name(surname)))) if surname else ""


@lru_cache(maxsize=REMEMBERED)
def _groups(folded: str) -> tuple[str, ...]:
    """Surnames in a field, each glued to its particles: `DE LA CRUZ QUISPE` is DELACRUZ and QUISPE."""
    groups: list[str] = []
    prefix = ""
    for token in folded.split():
        prefix += token
        if token not in PARTICLES:
            groups.append(prefix)
            prefix = ""
    if prefix:
        groups.append(prefix)
    if _is_placeholder("".join(groups)):
        return ()
    return tuple(group for group in groups if not _is_placeholder(group))


def _joined(groups: Sequence[str]) -> str:
    joined = "".join(groups)
    return "" if _is_placeholder(joined) else joined


def _is_placeholder(word: str) -> bool:
    return len(word) < 2 or word in PLACEHOLDERS or set(word) == {"X"}


def _settle_surnames(paternal: tuple[str, ...], maternal: tuple[str, ...]) -> tuple[str, str]:
    """Both surnames typed into one field are parted; one repeated in the other field is dropped there."""
    if not maternal and len(paternal) == 1:
        paternal = _parted_surname(paternal[0])
    if not maternal and len(paternal) > 1:
        return paternal[0], _joined(paternal[1:])
    if not paternal and len(maternal) > 1:
        return maternal[0], _joined(maternal[1:])
    if len(paternal) > 1 and paternal[1:] == maternal:
        paternal = paternal[:1]
    elif len(maternal) > 1 and maternal[:1] == paternal:
        maternal = maternal[1:]
    return _joined(paternal), _joined(maternal)


def _given_words(folded: str) -> tuple[str, ...]:
    return tuple([part for word in folded.split() for part in _given_word(word)][:MOST_GIVEN_NAMES])


@lru_cache(maxsize=REMEMBERED)
def _given_word(written: str) -> tuple[str, ...]:
    """The given names that one word stands for."""
    word = ABBREVIATIONS.get(written, written)
    if written in GIVEN_PARTICLES or word in PLACEHOLDERS or set(word) == {"X"}:
        return ()
    return _parted(word, GIVEN_RANKS, 3)


@lru_cache(maxsize=REMEMBERED)
def _parted_surname(word: str) -> tuple[str, ...]:
    return _parted(word, SURNAME_RANKS, 4)


def _parted(word: str, ranks: Mapping[str, int], shortest: int) -> tuple[str, ...]:
    """Two known names run together, parted where both halves are commonest; a name that is itself commoner stays."""
    if len(word) < 7 or word in SHORT_FORMS:
        return (word,)
    cuts = [(word[:at], word[at:]) for at in range(shortest, len(word) - shortest + 1)]
    known = [(ranks[head] * ranks[tail], head, tail) for head, tail in cuts if head in ranks and tail in ranks]
    commonest = min(known, default=None)
    if commonest is None or commonest[0] >= min(GIVEN_RANKS.get(word, 10**9), SURNAME_RANKS.get(word, 10**9)):
        return (word,)
    return commonest[1:]


@lru_cache(maxsize=REMEMBERED)
def _surnames_from_given(paternal: str, words: tuple[str, ...], written: str) -> tuple[str, str, tuple[str, ...]]:
    """Surnames typed among the given names: the likeliest reading of the words, by how common each is as which.

    With both surname fields empty a whole name is expected, in either order; else seldom a maternal surname at the end.
    """
    readings = []
    for chance, count, at_end in MATERNAL_AMONG_GIVEN if paternal else WHOLE_NAME:
        cut = len(words) - count if at_end else count
        surnames, given = (words[cut:], words[:cut]) if at_end else (words[:cut], words[cut:])
        if given and all(len(name) >= SHORTEST_SURNAME for name in surnames):
            readings.append((chance * _likelihood(surnames, given), surnames, given))
    _, surnames, given = max(readings)
    glued = _glued(written)
    found = [glued.get(name, name) for name in surnames]
    first, second, *_ = [paternal, *found, ""] if paternal else [*found, "", ""]
    return first, second, given


def _likelihood(surnames: tuple[str, ...], given: tuple[str, ...]) -> float:
    return math.prod([share(SURNAME_RANKS, name) for name in surnames] + [share(GIVEN_RANKS, name) for name in given])


def _glued(folded: str) -> dict[str, str]:
    """Surnames with the particles before them: CRUZ stands for DELACRUZ in `JUAN DE LA CRUZ`."""
    return {
        word: group for group in _groups(folded) for word in folded.split() if group.endswith(word) and group != word
    }


def _without_own_surnames(words: tuple[str, ...], paternal: str, maternal: str) -> tuple[str, ...]:
    """Surnames repeated at either end of the given names are taken off; one that is also a given name may stay."""
    while len(words) > 2 and maternal and words[-2:] == (paternal, maternal):
        words = words[:-2]
    while len(words) > 1 and words[-1] == paternal and not is_given(paternal):
        words = words[:-1]
    while len(words) > 1 and words[0] == paternal and not is_given(paternal):
        words = words[1:]
    return words


def _birth_order(raw: str) -> int | None:
    match = BIRTH_ORDER.search(raw)
    if match is None:
        return None
    roman, digit, ordinal = match.groups()
    return len(roman) if roman else int(digit) if digit else ORDINALS[ordinal]
