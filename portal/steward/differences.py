"""Which characters of two values differ, so that a page can mark them; pure."""

import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of characters, and whether the other value lacks it."""

    text: str
    differs: bool = False


def mark_differences(one: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Both values in pieces; put together they are what was given. Case and accents of a letter are no difference.

    A value beside an empty one, or beside one it has nothing in common with, is left whole: there is nothing to point
    at.
    """
    blocks = SequenceMatcher(None, _plain(one), _plain(other), autojunk=False).get_opcodes()
    if not any(kind == "equal" for kind, *_ in blocks):
        return whole(one), whole(other)
    mine = [Piece(one[start:end], kind != "equal") for kind, start, end, _, _ in blocks]
    theirs = [Piece(other[start:end], kind != "equal") for kind, _, _, start, end in blocks]
    return [piece for piece in mine if piece.text], [piece for piece in theirs if piece.text]


def whole(value: str) -> list[Piece]:
    """A value with nothing marked."""
    return [Piece(value)] if value else []


def _plain(value: str) -> str:
    """The value with every letter bare, as long as it was."""
    return "".join(unicodedata.normalize("NFD", letter)[0].upper()[:1] for letter in value)
