"""Values of a record as text, one an aspect, for executors that keep records outside Python."""

from functools import lru_cache

from pydantic import TypeAdapter

from matching.compare import ASPECTS
from matching.normalise import Normalised

COLUMNS = tuple(f"value_{aspect.fields[0]}" for aspect in ASPECTS)
"""Names of the columns that hold a record's values, one an aspect."""
ADAPTER = TypeAdapter(Normalised)
REMEMBERED = 262_144


def written(record: Normalised) -> list[str]:
    """What each aspect reads of a record, in the order of `ASPECTS`."""
    return [ADAPTER.dump_json(record, include=set(aspect.reads), exclude_defaults=True).decode() for aspect in ASPECTS]


@lru_cache(maxsize=REMEMBERED)
def read(value: str) -> Normalised:
    """A record that shows one written value, and nothing else."""
    return ADAPTER.validate_json(value)


def record_of(values: list[str]) -> Normalised:
    """A record with all that is compared of it, from its written values."""
    parts = {}
    for aspect, value in zip(ASPECTS, values, strict=True):
        shown = read(value)
        parts.update({name: getattr(shown, name) for name in aspect.reads})
    return Normalised(**parts)
