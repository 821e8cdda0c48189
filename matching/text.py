"""Folding of dirty text to plain capitals: accents, Ñ, mojibake, digits typed for letters."""

import re
import string
import unicodedata
from functools import lru_cache

MOJIBAKE = re.compile("[ÃÂ]")
LOST_LETTER = re.compile(r"(?<=[AEIOU])[?#¥\ufffd](?=[AEIOU])")
DIGIT_FOR_LETTER = re.compile(r"(?<=[A-Z])[0-58](?=[A-Z])|\b[01458](?=[A-Z]{4})|(?<=[A-Z]{3})[045]\b")
"""Not 1 to 3 at the end, which count twins, nor the 1 of 1ER."""
LETTERS = dict(zip("0123458", "OIZEASB", strict=True))
MOST_TIMES_MISREAD = 3
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
    """Fold a name: `fold`, and a digit typed or read for the letter it looks like becomes it; other digits go."""
    return in_letters(fold(text))


def in_letters(plain: str) -> str:
    """What is folded, as a name: letters only."""
    if plain.replace(" ", "").isalpha():
        return plain
    plain = DIGIT_FOR_LETTER.sub(lambda digit: LETTERS[digit.group()], plain)
    return SPACES.sub(" ", DIGITS.sub(" ", plain)).strip()


def _mend(text: str) -> str:
    """Undo UTF-8 read as Latin-1 or Windows-1252 (`PEÃ‘A`), where it is that; several systems may have done it."""
    for _ in range(MOST_TIMES_MISREAD):
        if not MOJIBAKE.search(text):
            return text
        try:
            text = b"".join(map(_byte, text)).decode("utf-8")
        except UnicodeError:
            return text
    return text


def _byte(character: str) -> bytes:
    """The byte read as this character: Windows shows the five it has no character for as Latin-1 does."""
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1")


def _strip_accents(text: str) -> str:
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
