"""The fingerprint of the rules that make blocking keys: what was indexed under other rules is not found under these.

It is taken of the name lists and of the keys of a fixed sample, so that a change of normalisation, phonetics, names or
blocking shows without anybody having to remember a version number.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from functools import cache

from matching.blocking import blocking_keys
from matching.lexicon import GIVEN_RANKS, SHORT_FORMS, SURNAME_RANKS
from matching.normalise import normalise
from matching.records import Demographics, Document, DocumentType, Sex

SURNAMES_EVERY, GIVEN_EVERY = 11, 7
WRITTEN = (
    ("DE LA CRUZ", "QUISPE MAMANI", "María del Rosario"),
    ("Huamán", "CCAHUANA VDA DE ROJAS", "RN 2"),
    ("ÑAUPARI", "PeÃ±a", "José Mª"),
    ("VÁSQUEZ HUALLPA ROSA", "", ""),
    ("Guaman", "Yupanqui", "ROSITA"),
    ("X", "NN", "SIN NOMBRE"),
)
PLACES = ("080101", "150131", "0801", "")
SEXES: tuple[Sex | None, ...] = ("F", "M", None)


@cache
def key_scheme() -> int:
    """A number from 0 to 2^31 - 1, the same in every process that makes the same keys."""
    digest = hashlib.sha256(json.dumps([SURNAME_RANKS, GIVEN_RANKS, SHORT_FORMS]).encode())
    for record in _sample():
        digest.update("\n".join((*sorted(blocking_keys(normalise(record))), "")).encode())
    return int.from_bytes(digest.digest()[:4]) >> 1


def _sample() -> Iterator[Demographics]:
    surnames, given = list(SURNAME_RANKS)[::SURNAMES_EVERY], list(GIVEN_RANKS)[::GIVEN_EVERY]
    listed = [
        (surnames[number], surnames[-1 - number], f"{given[number % len(given)]} {given[-1 - number % len(given)]}")
        for number in range(len(surnames))
    ]
    kinds = list(DocumentType)
    for number, (paternal, maternal, names) in enumerate((*WRITTEN * len(kinds), *listed)):
        yield Demographics(
            documents=(Document(kinds[number % len(kinds)], f"{number * 7_919_311 % 99_999_989:08d}"),),
            paternal_surname=paternal,
            maternal_surname=maternal or None,
            given_names=names,
            sex=SEXES[number % len(SEXES)],
            birth_date=date(1905 + number % 115, 1 + number % 12, 1 + number % 28) if number % 9 else None,
            ubigeo=PLACES[number % len(PLACES)] or None,
            address="Jr. Amargura Nº 214, AA.HH. San Martín" if number % 3 else None,
            phone=f"+51 9{number * 104_729 % 99_999_989:08d}" if number % 5 else None,
            mother_document=Document(DocumentType.DNI, f"{number * 15_485_863 % 99_999_989:08d}")
            if number % 4 == 0
            else None,
        )
