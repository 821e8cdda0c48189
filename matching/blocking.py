"""Blocking keys: two records are compared when they share one.

Every key starts with its kind and is compound, except a document's number. How much a name key holds depends on how
many people in the country bear the name: the pair of surnames alone finds the Azurmendi Ccallohuanca, but Quispe Mamani
needs a given name and half a birth date or a district. The registry stores only keyed hashes of the keys. A key whose
parts are missing is not made: blocking never widens silently.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from itertools import product

from matching.lexicon import GIVEN_RANKS, SURNAME_RANKS
from matching.normalise import Normalised
from matching.phonetics import phonetic, phonetic_given

POPULATION = 34_000_000
BEARERS = 60
DISTRICT_SHARE = 0.03
UNLISTED_SHARE = 3e-5
SHARE_OF_FIRST = 0.15


def _code_shares(ranks: Mapping[str, int], code: Callable[[str], str]) -> dict[str, float]:
    """Rough share of people behind each phonetic code, by Zipf's law on the rank."""
    shares: dict[str, float] = defaultdict(float)
    for name, rank in ranks.items():
        shares[code(name)] += SHARE_OF_FIRST / (rank + 5)
    return dict(shares)


SURNAME_SHARES = _code_shares(SURNAME_RANKS, phonetic)
GIVEN_SHARES = _code_shares(GIVEN_RANKS, phonetic_given)


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
    surnames = sorted({code for code in (record.paternal_code, record.maternal_code) if code})
    given = sorted({code for code in record.given_codes if len(code) > 1})
    yield from _document_keys(record, surnames)
    yield from _birth_keys(record, surnames, given)
    yield from _pair_keys(record, surnames, given)
    yield from _single_keys(record, surnames, given)
    if record.phone:
        yield from (f"tel:{record.phone}:{name}" for name in surnames or given)
    if record.address and record.ubigeo:
        address = " ".join(sorted(record.address))
        yield from (f"adr:{record.ubigeo}:{address}:{name}" for name in surnames)


def _document_keys(record: Normalised, surnames: list[str]) -> Iterator[str]:
    """A number finds the same document under any type, each half of it with both surnames survives a slip in the other.

    With the birth date it finds the same number as the mother's.
    """
    numbers = [document.number for document in record.documents]
    for number in numbers:
        yield f"doc:{number}"
        if len(number) == 8 and len(surnames) == 2:
            yield f"dha:{number[:4]}:{':'.join(surnames)}"
            yield f"dhb:{number[4:]}:{':'.join(surnames)}"
        if len(number) == 8 and record.birth_date is not None:
            yield f"dhy:{number[4:]}:{record.birth_date.year}"
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
        yield from (f"dsg:{born}:{surname}:{name}" for surname, name in product(surnames, given))
        return
    yield from (f"ds:{born}:{surname}" for surname in surnames)
    yield from (f"dg:{born}:{name}" for name in given)
    if len(record.ubigeo) == 6:
        yield f"du:{born}:{record.ubigeo}"


def _pair_keys(record: Normalised, surnames: list[str], given: list[str]) -> Iterator[str]:
    """Both surnames in either order: alone, with a given name, or with half a birth date or a district too."""
    if not (record.paternal and record.maternal):
        return
    pair = ":".join(surnames)
    bearers = 2 * _bearers(surnames * (3 - len(surnames)), ())
    if bearers < BEARERS:
        yield f"nn:{pair}"
        return
    if len(record.ubigeo) == 6 and bearers * DISTRICT_SHARE < BEARERS:
        yield f"npu:{pair}:{record.ubigeo}"
    for name in given:
        if bearers * GIVEN_SHARES.get(name, UNLISTED_SHARE) < BEARERS:
            yield f"nng:{pair}:{name}"
            continue
        if record.birth_date is not None:
            yield f"nny:{pair}:{name}:{record.birth_date.year}"
            yield f"nnd:{pair}:{name}:{_either_order(record.birth_date)[4:]}"
        if len(record.ubigeo) == 6:
            yield f"nnu:{pair}:{name}:{record.ubigeo}"


def _single_keys(record: Normalised, surnames: list[str], given: list[str]) -> Iterator[str]:
    """One surname, for when the other is missing or wrong: with given names, and district and year where common."""
    year = record.birth_date.year if record.birth_date else None
    for surname, name in product(surnames, given):
        bearers = _bearers((surname,), (name,))
        if bearers < BEARERS:
            yield f"sg:{surname}:{name}"
        elif len(record.ubigeo) == 6:
            if bearers * DISTRICT_SHARE < BEARERS:
                yield f"sgu:{surname}:{name}:{record.ubigeo}"
            elif year is not None:
                yield f"sgy:{surname}:{name}:{record.ubigeo}:{year}"
    if len(given) > 1:
        names = ":".join(given)
        for surname in surnames:
            rare = _bearers((surname,), given) < BEARERS
            yield f"sgg:{surname}:{names}" if rare else f"sgg:{surname}:{names}:{record.ubigeo[:4]}"


def _bearers(surnames: Iterable[str], given: Iterable[str]) -> float:
    """Expected number of people in the country with these names."""
    expected = float(POPULATION)
    for code in surnames:
        expected *= SURNAME_SHARES.get(code, UNLISTED_SHARE)
    for code in given:
        expected *= GIVEN_SHARES.get(code, UNLISTED_SHARE)
    return expected


def _either_order(birth: date) -> str:
    """The date with day and month in ascending order, so that both orders of writing meet."""
    low, high = sorted((birth.day, birth.month))
    return f"{birth.year:04d}{low:02d}{high:02d}"
