"""JSON that somebody else made, read in the one way in which everybody else reads it too.

The guard is published alone, so it has a reader of its own, beside the registry's of what is sent to it.
"""

import json
from typing import Any


class Unreadable(ValueError):
    """What can't be read, or could be read in two ways; the message holds nothing of it."""


class Ambiguous(Unreadable):
    """What could be read in two ways."""


class TooMuch(Unreadable):
    """What would take too long to look through."""


MAX_VALUES = 200_000
"""How many JSON values one body may have, or all that is attached to one answer: honest ones of 4 MB have fewer."""


class Allowance:
    """How many JSON values may still be looked through."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def spend(self, body: bytes) -> None:
        """Take those of one body; raises TooMuch, and so for each body after it that has any."""
        self._left -= _values(body)
        if self._left < 0:
            raise TooMuch


def read_json(body: bytes, most: int | None = None) -> Any:
    """What JSON in UTF-8 says, of at most so many values; raises Unreadable.

    So does an object that says a member twice: this reader would go by the last, and the next one by the first.
    """
    if most is not None and _values(body) > most:
        raise TooMuch
    try:
        return json.loads(body.decode("utf-8-sig"), object_pairs_hook=_no_duplicates)
    except Ambiguous:
        raise
    except (ValueError, RecursionError):
        raise Unreadable from None


def read_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object that a body is; None for any other."""
    try:
        found = read_json(body)
    except Unreadable:
        return None
    return found if isinstance(found, dict) else None


def _values(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Ambiguous
    return made
