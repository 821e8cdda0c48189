"""Folding of dirty text to plain capitals: accents, Ñ, mojibake, digits typed for letters."""

import re
import string
import unicodedata
from functools import lru_cache

MOJIBAKE = re.compile("[ÃÂ]")
LOST_LETTER = re.compile(r"(?<=[AEIOU])[?#¥\ufffd](?=[AEIOU])")
DIGIT_IN_WORD = re.compile(r"(?<=[A-Z])[01](?=[A-Z])")
DIGITS = re.compile(r"[0-9]+")
APOSTROPHES = re.compile(r"['’`´ʼ]")
NOT_WORD = re.compile(r"[^A-Z0-9 ]+")
SPACES = re.compile(r"\s+")
MAX_LENGTH = 200
UNSURE = re.compile("[^\x00-\x7fÁÉÍÓÚÑÜáéíóúñü]|[?#]")
"""Characters that need a look at their neighbours, or a longer one."""
PLAIN: dict[int, int | str | None] = dict.fromkeys(range(128), " ")
PLAIN |= str.maketrans(string.ascii_letters + string.digits, string.ascii_uppercase * 2 + string.digits, "'`")
PLAIN |= str.maketrans("ÁÉÍÓÚÑÜáéíóúñü", "AEIOUNU" * 2)
"""What becomes of a character of Spanish, apart from the signs that may stand for a lost letter."""


def fold(text: str) -> str:
    """Capitals A-Z, digits and single spaces; Ñ becomes N, as half of the sources write it."""
    if not UNSURE.search(text):
        return " ".join(text[:MAX_LENGTH].translate(PLAIN).split())
    plain = _strip_accents(_mend(text[:MAX_LENGTH])).upper()
    plain = LOST_LETTER.sub("N", plain)
    plain = NOT_WORD.sub(" ", APOSTROPHES.sub("", plain))
    return SPACES.sub(" ", plain).strip()


@lru_cache(maxsize=65_536)
def fold_name(text: str) -> str:
    """Fold a name: `fold`, and a 0 or 1 typed inside a word becomes O or I; other digits go."""
    plain = fold(text)
    if plain.replace(" ", "").isalpha():
        return plain
    plain = DIGIT_IN_WORD.sub(lambda digit: "OI"[int(digit.group())], plain)
    return SPACES.sub(" ", DIGITS.sub(" ", plain)).strip()


def _mend(text: str) -> str:
    """Undo UTF-8 read as Latin-1 or Windows-1252 (`PEÃ‘A`), where it is that."""
    if not MOJIBAKE.search(text):
        return text
    for encoding in ("cp1252", "latin-1"):
        try:
            return text.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
    return text


def _strip_accents(text: str) -> str:
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
