"""Blocking keys for people whose names the engine has no list of: wider, since it can't tell a rare name from a common.

For files only. They come on top of the ordinary keys and survive what those don't: given name and surname exchanged, a
number and a name wrong at once, everything wrong but the address.
"""

from collections.abc import Iterator
from itertools import combinations, product

from matching.blocking import blocking_keys
from matching.normalise import Normalised
from matching.phonetics import phonetic

SHORTEST_WORD = 4


def wide_keys(record: Normalised) -> frozenset[str]:
    """Ordinary and wide keys of a record."""
    return blocking_keys(record) | frozenset(_keys(record))


def _keys(record: Normalised) -> Iterator[str]:
    names = sorted(
        {code for code in (record.paternal_code, record.maternal_code, *map(phonetic, record.given)) if len(code) > 1}
    )
    for one, other in combinations(names, 2):
        yield f"wnn:{one}:{other}"
    for number in (document.number for document in record.documents):
        half = len(number) // 2
        yield from (f"wha:{number[:half]}:{name}" for name in names)
        yield from (f"whb:{number[half:]}:{name}" for name in names)
        yield from (f"wdl:{number[:at]}{number[at + 1 :]}" for at in range(len(number)))
    numbers = sorted(word for word in record.address if word.isdecimal())
    words = sorted({phonetic(word) for word in record.address if len(word) >= SHORTEST_WORD and not word.isdecimal()})
    for number, word in product(numbers, words):
        yield from (f"wan:{number}:{word}:{name}" for name in names)
    for number, (one, other) in product(numbers, combinations(words, 2)):
        yield f"waw:{number}:{one}:{other}"
