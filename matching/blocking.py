"""Blocking keys: two records are compared when they share one.

Every key starts with its kind and is compound, except a document's number. How much a name key holds depends on how
many people in the country bear the name: the pair of surnames alone finds the Azurmendi Ccallohuanca, but Quispe Mamani
needs a given name and half a birth date or a district. The registry stores only keyed hashes of the keys. A key whose
parts are missing is not made: blocking never widens silently.

A file is compared by any key its records share. The registry opens a record for a key that says much, or for any two
(`worth`): a surname with a birth date that twenty people in the country have in common says too little alone, and each
of them would be compared with the nineteen others in vain. It opens first what shares `MORE`, and the rest only where
nobody among those settles who it is.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from matching.lexicon import GIVEN_RANKS, SURNAME_RANKS
from matching.normalise import Normalised
from matching.phonetics import phonetic, phonetic_given
from matching.spelling import given_codes, surname_codes

POPULATION = 34_000_000
BEARERS = 60
ALONE = 10
DAYS_OF_BIRTH = 25_000
BIRTHDAYS = 366
YEARS_OF_BIRTH = 80
PROVINCE_SHARE = 0.1
DISTRICT_SHARE = 0.03
UNLISTED_SHARE = 3e-5
SHARE_OF_FIRST = 0.15
REMEMBERED = 65_536


def _code_shares(ranks: Mapping[str, int], code: Callable[[str], str]) -> dict[str, float]:
    """Rough share of people behind each phonetic code, by Zipf's law on the rank."""
    shares: dict[str, float] = defaultdict(float)
    for name, rank in ranks.items():
        shares[code(name)] += SHARE_OF_FIRST / (rank + 5)
    return dict(shares)


JANUARY = "dsg:"
"""What the key begins with that a year of birth makes: whose day of birth is known shares it only by chance."""

ENOUGH = 2
MORE = 3
COMMON = "x"
"""What the kind of a key ends with that more than ALONE people in the country are expected to share."""
SURNAME_SHARES = _code_shares(SURNAME_RANKS, phonetic)
GIVEN_SHARES = _code_shares(GIVEN_RANKS, phonetic_given)


def blocking_keys(record: Normalised) -> frozenset[str]:
    """Keys of a record; empty only when it says too little to be found again."""
    return frozenset(_keys(record))


def lock_keys(record: Normalised) -> frozenset[str]:
    """Keys to serialise simultaneous registrations on: all blocking keys.

    Guarantee: two records that `resolve` could link share at least one, because only records that share blocking
    keys are ever compared.
    """
    return blocking_keys(record)


def worth(key: str) -> int:
    """What sharing a key counts; a search opens records from `ENOUGH` on."""
    return 1 if key[key.index(":") - 1] == COMMON else ENOUGH


def document_keys(record: Normalised) -> frozenset[str]:
    """Those of its keys that are a document's number: whoever shares one shares `MORE` than enough."""
    return frozenset(f"doc:{document.number}" for document in record.documents)


class Spelt(NamedTuple):
    """The codes a record may be found by: of either surname, of both in alphabetical order, of the given names."""

    surnames: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    given: tuple[str, ...]


def _spelt(record: Normalised) -> Spelt:
    surnames, pairs = _spelt_surnames(record.paternal, record.paternal_code, record.maternal, record.maternal_code)
    return Spelt(surnames, pairs, _spelt_given(record.given, record.given_codes))


@lru_cache(maxsize=REMEMBERED)
def _spelt_surnames(
    paternal: str, paternal_code: str, maternal: str, maternal_code: str
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The codes of either surname, and of both."""
    first = surname_codes(paternal, paternal_code) if paternal_code else ()
    second = surname_codes(maternal, maternal_code) if maternal_code else ()
    pairs = {(min(pair), max(pair)) for pair in product(first, second)}
    return tuple(sorted({*first, *second})), tuple(sorted(pairs))


@lru_cache(maxsize=REMEMBERED)
def _spelt_given(words: tuple[str, ...], codes: tuple[str, ...]) -> tuple[str, ...]:
    """The codes of the given names; an initial is none."""
    written = zip(words, codes, strict=True)
    return tuple(sorted({known for word, code in written if len(word) > 1 for known in given_codes(word, code)}))


def _keys(record: Normalised) -> Iterator[str]:
    spelt = _spelt(record)
    yield from _number_keys(record, spelt)
    yield from _birth_keys(record, spelt)
    yield from _pair_keys(record, spelt)
    yield from _single_keys(record, spelt)
    yield from _all_given_keys(record, spelt)
    yield from _contact_keys(record, spelt)


def _number_keys(record: Normalised, spelt: Spelt) -> Iterator[str]:
    """A number finds the same document under any type; either end of it with both surnames survives a slip elsewhere.

    With the birth date it finds the same number as the mother's.
    """
    yield from document_keys(record)
    numbers = [document.number for document in record.documents]
    for number in numbers:
        if len(number) >= 8:
            yield from (f"dha:{number[:3]}:{one}:{other}" for one, other in spelt.pairs)
            yield from (f"dhb:{number[-3:]}:{one}:{other}" for one, other in spelt.pairs)
    if record.birth_date is None:
        return
    if record.mother_document is not None:
        numbers.append(record.mother_document.number)
    yield from (f"fam:{number}:{_either_order(record.birth_date)}" for number in numbers)


def _birth_keys(record: Normalised, spelt: Spelt) -> Iterator[str]:
    """The birth date with any one name; 1 January is too common for that and asks for two."""
    if record.birth_date is None:
        return
    born = _either_order(record.birth_date)
    if _is_january(record.birth_date):
        yield from (f"{JANUARY}{born}:{surname}:{name}" for surname, name in product(spelt.surnames, spelt.given))
        return
    for surname in spelt.surnames:
        yield f"{_kind('ds', _bearers((surname,), ()) / DAYS_OF_BIRTH)}:{born}:{surname}"
    for name in spelt.given:
        yield f"{_kind('dg', _bearers((), (name,)) / DAYS_OF_BIRTH)}:{born}:{name}"
    if len(record.ubigeo) == 6:
        yield f"du{COMMON}:{born}:{record.ubigeo}"


def _pair_keys(record: Normalised, spelt: Spelt) -> Iterator[str]:
    """Both surnames in either order: alone, with a given name, or with half a birth date or a district too."""
    halves = _half_births(record)
    for one, other in spelt.pairs:
        pair = f"{one}:{other}"
        bearers = 2 * _bearers((one, other), ())
        if bearers < BEARERS:
            yield f"nn:{pair}"
            continue
        if record.newborn:
            yield f"rn:{pair}:{record.ubigeo[:4]}"
        if len(record.ubigeo) == 6:
            near = (record.ubigeo,) if bearers * DISTRICT_SHARE < BEARERS else (f"{record.ubigeo}:{h}" for h in halves)
            yield from (f"npu:{pair}:{place}" for place in near)
        for name in spelt.given:
            if bearers * GIVEN_SHARES.get(name, UNLISTED_SHARE) < BEARERS:
                yield f"nng:{pair}:{name}"
                continue
            yield from (f"nnb:{pair}:{name}:{half}" for half in halves)
            if len(record.ubigeo) == 6:
                yield f"nnu:{pair}:{name}:{record.ubigeo}"


def _single_keys(record: Normalised, spelt: Spelt) -> Iterator[str]:
    """One surname, for when the other is missing or wrong: with a given name, and where common with more.

    The district, the birthday, or the year of birth, which a wrong day and the first of January leave standing.
    """
    for surname, name in product(spelt.surnames, spelt.given):
        bearers = _bearers((surname,), (name,))
        if bearers < BEARERS:
            yield f"{_kind('sg', bearers)}:{surname}:{name}"
        if bearers < ALONE:
            continue
        if len(record.ubigeo) == 6 and bearers * DISTRICT_SHARE < BEARERS:
            yield f"sgu:{surname}:{name}:{record.ubigeo}"
        if record.birth_date is None:
            continue
        born = _either_order(record.birth_date)
        if bearers / YEARS_OF_BIRTH < ALONE:
            yield f"sgy:{surname}:{name}:{born[:4]}"
        if not _is_january(record.birth_date):
            yield f"{_kind('sgd', bearers / BIRTHDAYS)}:{surname}:{name}:{born[4:]}"


def _all_given_keys(record: Normalised, spelt: Spelt) -> Iterator[str]:
    """One surname with all given names, and the province where common."""
    if len(record.given_codes) < 2:
        return
    names = tuple(sorted(set(record.given_codes)))
    for surname in spelt.surnames:
        bearers = _bearers((surname,), names)
        if bearers < BEARERS:
            yield f"{_kind('sgg', bearers)}:{surname}:{':'.join(names)}"
        else:
            kind = _kind("sgg", bearers * PROVINCE_SHARE)
            yield f"{kind}:{surname}:{':'.join(names)}:{record.ubigeo[:4]}"


def _contact_keys(record: Normalised, spelt: Spelt) -> Iterator[str]:
    """The telephone with any one name, the address with a given name or, in its province, with a surname."""
    if record.phone:
        yield from (f"tel:{record.phone}:{name}" for name in (*spelt.surnames, *spelt.given))
    if record.address:
        address = " ".join(sorted(record.address))
        yield from (f"adg{COMMON}:{address}:{name}" for name in spelt.given)
        if record.ubigeo:
            yield from (f"ads:{record.ubigeo[:4]}:{address}:{name}" for name in spelt.surnames)


def _kind(kind: str, sharers: float) -> str:
    """The kind of a key by how many people in the country are expected to share it."""
    return kind if sharers < ALONE else kind + COMMON


@lru_cache(maxsize=REMEMBERED)
def _bearers(surnames: tuple[str, ...], given: tuple[str, ...]) -> float:
    """Expected number of people in the country with these names."""
    expected = float(POPULATION)
    for code in surnames:
        expected *= SURNAME_SHARES.get(code, UNLISTED_SHARE)
    for code in given:
        expected *= GIVEN_SHARES.get(code, UNLISTED_SHARE)
    return expected


@lru_cache(maxsize=REMEMBERED)
def _either_order(birth: date) -> str:
    """The date with day and month in ascending order, so that both orders of writing meet."""
    low, high = sorted((birth.day, birth.month))
    return f"{birth.year:04d}{low:02d}{high:02d}"


def _half_births(record: Normalised) -> tuple[str, ...]:
    """The year, and the day and month in either order: an error in one half leaves the other."""
    if record.birth_date is None:
        return ()
    born = _either_order(record.birth_date)
    return (born[:4],) if _is_january(record.birth_date) else (born[:4], born[4:])


def _is_january(birth: date) -> bool:
    """Whether the day is the one that far more people are said to be born on than are."""
    return (birth.month, birth.day) == (1, 1)
