"""Blocking keys: two records are compared when they share one.

Every key is compound and starts with its kind. The registry stores only keyed hashes of them. A key whose parts are
missing is not made: blocking never widens silently.
"""

from collections.abc import Iterator
from datetime import date

from matching.normalise import Normalised


def blocking_keys(record: Normalised) -> frozenset[str]:
    """Keys of a record; empty only when it says too little to be found again."""
    return frozenset(_keys(record))


def lock_keys(record: Normalised) -> frozenset[str]:
    """Keys to serialise simultaneous registrations on: all blocking keys.

    Guarantee: two records that `resolve` could link share at least one, because only records that share a blocking
    key are ever compared.
    """
    return blocking_keys(record)


def _keys(record: Normalised) -> Iterator[str]:
    yield from _document_keys(record)
    surnames = sorted({code for code in (record.paternal_code, record.maternal_code) if code})
    given = [code for code in record.given_codes if len(code) > 1]
    yield from _birth_keys(record, surnames, given)
    yield from _name_keys(record, surnames, given)
    if record.phone:
        yield from (f"tel:{record.phone}:{name}" for name in given or surnames)


def _document_keys(record: Normalised) -> Iterator[str]:
    """A number alone finds the same document under any type; with the birth date it finds it as the mother's."""
    numbers = [document.number for document in record.documents]
    yield from (f"doc:{number}" for number in numbers)
    if record.birth_date is None:
        return
    if record.mother_document is not None:
        numbers.append(record.mother_document.number)
    yield from (f"fam:{number}:{_either_order(record.birth_date)}" for number in numbers)


def _birth_keys(record: Normalised, surnames: list[str], given: list[str]) -> Iterator[str]:
    """The birth date with any one name; 1 January is too common for that and asks for two."""
    if record.birth_date is None:
        return
    born = _either_order(record.birth_date)
    if record.partial_birth:
        yield from (f"dsg:{born}:{surname}:{name}" for surname in surnames for name in given)
        return
    yield from (f"ds:{born}:{surname}" for surname in surnames)
    yield from (f"dg:{born}:{name}" for name in given)


def _name_keys(record: Normalised, surnames: list[str], given: list[str]) -> Iterator[str]:
    """Both surnames in either order, a given name and half of the birth date: the other half may be wrong."""
    if len(given) > 1:
        yield from (f"sgg:{surname}:{':'.join(sorted(given))}:{record.ubigeo[:4]}" for surname in surnames)
    if record.birth_date is None:
        return
    year, day_month = record.birth_date.year, _either_order(record.birth_date)[4:]
    if record.paternal and record.maternal:
        pair = ":".join(surnames)
        yield from (f"nny:{pair}:{name}:{year}" for name in given)
        yield from (f"nnd:{pair}:{name}:{day_month}" for name in given)
    if record.ubigeo:
        yield from (f"loc:{s}:{g}:{record.ubigeo}:{year}" for s in surnames for g in given)


def _either_order(birth: date) -> str:
    """The date with day and month in ascending order, so that both orders of writing meet."""
    low, high = sorted((birth.day, birth.month))
    return f"{birth.year:04d}{low:02d}{high:02d}"
