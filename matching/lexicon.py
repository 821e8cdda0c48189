"""Lists of Peruvian names and short forms, as data: which words are surnames, which are given names."""

import csv
from collections.abc import Iterator, Mapping
from importlib import resources

from matching.text import fold_name


def _rows(name: str) -> Iterator[dict[str, str]]:
    with resources.files("matching.models").joinpath(name).open(encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def _ranks(name: str, column: str) -> dict[str, int]:
    """Rank of every folded name; spaces are taken out as in a normalised surname, initials are no name."""
    ranks: dict[str, int] = {}
    for row in _rows(name):
        word = fold_name(row[column]).replace(" ", "")
        if len(word) > 2:
            ranks.setdefault(word, int(row["rank"]))
    return ranks


SURNAME_RANKS = _ranks("surnames_pe.csv", "surname")
GIVEN_RANKS = _ranks("given_names_pe.csv", "given_name")
UNRANKED = 10_000
BEFORE_I = {"C": "QU", "G": "GU", "Z": "C"}


def _diminutives(name: str, sex: str) -> Iterator[str]:
    """A given name as it is called in the family: PEDRITO, BLANQUITA, CARMENCITA, JORGITO."""
    last = name[-1] if name[-1] in "AO" else "O" if sex == "M" else "A"
    stem = name[:-1] if name[-1] in "AEO" else name
    yield f"{stem[:-1]}{BEFORE_I.get(stem[-1], stem[-1])}IT{last}"
    if name[-1] not in "AO":
        yield f"{name}CIT{last}"


def _short_forms() -> dict[str, str]:
    """Short forms and the full name of each: the listed, and the diminutives of names commoner than they are."""
    listed = {fold_name(row["short"]): fold_name(row["full"]) for row in _rows("short_forms.csv")}
    named = [(fold_name(row["given_name"]).replace(" ", ""), row["sex"]) for row in _rows("given_names_pe.csv")]
    called = {
        short: listed.get(name, name)
        for name, sex in reversed(named)
        for short in _diminutives(name, sex)
        if GIVEN_RANKS.get(name, UNRANKED) < GIVEN_RANKS.get(short, UNRANKED)
    }
    return called | listed


SHORT_FORMS = _short_forms()


UNLISTED_SHARE = 3e-5
SHARE_OF_FIRST = 0.15


def share(ranks: Mapping[str, int], word: str) -> float:
    """Rough share of people who bear the name, by Zipf's law on its rank."""
    rank = ranks.get(word)
    return UNLISTED_SHARE if rank is None else max(SHARE_OF_FIRST / (rank + 5), UNLISTED_SHARE)


def is_given(word: str) -> bool:
    """Whether the word is a given name more readily than a surname."""
    return GIVEN_RANKS.get(word, UNRANKED) <= SURNAME_RANKS.get(word, UNRANKED - 1)
