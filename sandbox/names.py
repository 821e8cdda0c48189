"""Peruvian names drawn by rank, most frequent first, as a Zipf-Mandelbrot law has them."""

import csv
import random
import unicodedata
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path

DATA = Path(__file__).parent / "data"
OFFSET = 5.0
# The ranks come from free text: initials and company forms stand among the surnames.
NOT_SURNAMES = frozenset({"SAC", "EIRL", "SRL", "PERU", "LIMA", "SAN", "DEL", "LOS", "LAS"})


def plain(text: str) -> str:
    """Return `text` in capitals without accents; Ñ is a letter of its own and stays."""
    kept = text.upper().replace("Ñ", "\0")
    bare = "".join(c for c in unicodedata.normalize("NFD", kept) if not unicodedata.combining(c))
    return bare.replace("\0", "Ñ")


class Ranked:
    """Words in order of frequency; `draw` takes one with the probability its rank deserves."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(dict.fromkeys(words))
        self._cumulative = list(accumulate(1 / (rank + OFFSET) for rank in range(1, len(self.words) + 1)))

    def draw(self, rng: random.Random) -> str:
        """Return one word."""
        return rng.choices(self.words, cum_weights=self._cumulative)[0]


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _is_name(word: str) -> bool:
    return len(word) > 2 and word not in NOT_SURNAMES and any(vowel in word for vowel in "AEIOUY")


def load_surnames() -> Ranked:
    """Return the surnames, initials and accent variants left out."""
    return Ranked(word for row in _rows("surnames_pe.csv") if _is_name(word := plain(row["surname"])))


def load_given_names(sex: str) -> Ranked:
    """Return the given names of `sex`, M or F."""
    rows = _rows("given_names_pe.csv")
    return Ranked(word for row in rows if row["sex"] == sex and _is_name(word := plain(row["given_name"])))
