"""Peruvian names taken apart: two surnames, a husband's surname, given names, newborns without one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from matching.lexicon import is_given, is_surname
from matching.records import Demographics
from matching.text import fold, fold_name

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
    """Names of a record in their normalised parts; a placeholder counts as missing."""
    may_be_wife = record.sex != "M"
    paternal, husband_1 = _own_and_husband(record.paternal_surname, may_be_wife, keep_leading=True)
    maternal, husband_2 = _own_and_husband(record.maternal_surname, may_be_wife, keep_leading=False)
    married = _husbands(record.married_surname) or husband_1 or husband_2
    first, second = _settle_surnames(_groups(paternal), _groups(maternal))
    raw = fold(record.given_names or "")
    if NEWBORN.match(raw):
        return Names(first, second, married, (), newborn=True, birth_order=_birth_order(raw))
    words = _given_words(fold_name(record.given_names or ""))
    if not first and not second:
        first, second, words = _surnames_from_given(words)
    given = _without_own_surnames(words, first, second)
    if NEWBORN.match(" ".join(given)):
        return Names(first, second, married, (), newborn=True, birth_order=_birth_order(raw))
    return Names(first, second, married, () if "".join(given) in PLACEHOLDERS else given)


@lru_cache(maxsize=65_536)
def _own_and_husband(surname: str | None, may_be_wife: bool, *, keep_leading: bool) -> tuple[str, str]:
    """Split `QUISPE DE FLORES` or `VDA DE FLORES`; `keep_leading` keeps an own surname that starts with DE."""
    folded = COMPOUND.sub(r"\1DE\2", fold_name(surname or ""))
    match = WIDOW.match(folded) or (WIFE.match(folded) if may_be_wife else None)
    if match is None or (keep_leading and not match["own"] and not folded.startswith("V")):
        return folded, ""
    return match["own"], _joined(_groups(match["husband"]))


def _husbands(surname: str | None) -> str:
    return _joined(_groups(LEADING_OF.sub("", fold_name(surname)))) if surname else ""


@lru_cache(maxsize=65_536)
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
    words = (ABBREVIATIONS.get(word, word) for word in folded.split() if word not in GIVEN_PARTICLES)
    return tuple(word for word in words if word not in PLACEHOLDERS and set(word) != {"X"})[:MOST_GIVEN_NAMES]


def _surnames_from_given(words: tuple[str, ...]) -> tuple[str, str, tuple[str, ...]]:
    """A whole name typed into the given names; left alone unless the words say which end the surnames are."""
    if len(words) < 3:
        return "", "", words
    if is_surname(words[0]) and is_surname(words[1]) and not is_surname(words[-1]):
        return words[0], words[1], words[2:]
    if is_surname(words[-1]) and is_surname(words[-2]) and is_given(words[0]):
        return words[-2], words[-1], words[:-2]
    return "", "", words


def _without_own_surnames(words: tuple[str, ...], paternal: str, maternal: str) -> tuple[str, ...]:
    """Surnames repeated at the end of the given names are taken off; a surname that is also a given name may stay."""
    while len(words) > 2 and maternal and words[-2:] == (paternal, maternal):
        words = words[:-2]
    while len(words) > 1 and words[-1] == paternal and not is_given(paternal):
        words = words[:-1]
    return words


def _birth_order(raw: str) -> int | None:
    match = BIRTH_ORDER.search(raw)
    if match is None:
        return None
    roman, digit, ordinal = match.groups()
    return len(roman) if roman else int(digit) if digit else ORDINALS[ordinal]
