"""A record as received becomes a record as compared: one spelling for each thing, placeholders as missing."""

import re
from dataclasses import dataclass, fields
from datetime import date
from functools import lru_cache
from operator import attrgetter
from typing import Any

from matching.documents import normalise_document, normalise_documents
from matching.names import parse_names
from matching.phonetics import phonetic, phonetic_given
from matching.records import Demographics, Document, Sex
from matching.text import fold

EARLIEST_BIRTH_YEAR = 1901
NEWBORN_NAME = "RN"
NOT_DIGIT = re.compile(r"[^0-9]")
BETWEEN_PHONES = re.compile(r"[/;,|]")
PHONE_PREFIXES = re.compile(r"^(?:0051|51)(?=9\d{8}$)")
ADDRESS_WORDS = {
    "AVENIDA": "AV", "AVDA": "AV", "JIRON": "JR", "CALLE": "CA", "PASAJE": "PSJ", "PJE": "PSJ", "MANZANA": "MZ",
    "MZA": "MZ", "LOTE": "LT", "LTE": "LT", "URBANIZACION": "URB", "CARRETERA": "CARR", "NUMERO": "NRO", "NO": "NRO",
}  # fmt: skip
ADDRESS_NOISE = frozenset(
    [
        "DE",
        "DEL",
        "LA",
        "LAS",
        "LOS",
        "EL",
        "NRO",
        "N",
        "S",
        "SN",
        "AAHH",
        "AH",
        "HH",
        "PJ",
        "PPJJ",
        "SIN",
        "NINGUNO",
        "NINGUNA",
        "TIENE",
        "REFIERE",
        "REGISTRA",
        "PRECISA",
        "INDICA",
        "DOMICILIO",
        "DIRECCION",
        "CONOCIDO",
        "CONOCIDA",
        "DESCONOCIDO",
        "DESCONOCIDA",
        "DATO",
        "DATOS",
        "NULL",
        "NONE",
    ]
)


@dataclass(frozen=True, slots=True)
class Normalised:
    """A record ready to compare. Empty text or None is missing; codes are the phonetic forms of the names beside them.

    `partial_birth` marks 1 January and 1 July, which many sources write when they know the year or the age only.
    """

    documents: tuple[Document, ...] = ()
    paternal: str = ""
    maternal: str = ""
    married: str = ""
    given: tuple[str, ...] = ()
    paternal_code: str = ""
    maternal_code: str = ""
    given_codes: tuple[str, ...] = ()
    newborn: bool = False
    sex: Sex | None = None
    birth_date: date | None = None
    partial_birth: bool = False
    ubigeo: str = ""
    address: frozenset[str] = frozenset()
    phone: str = ""
    mother_document: Document | None = None
    birth_order: int | None = None

    def __reduce__(self) -> tuple[type["Normalised"], tuple[Any, ...]]:
        """How it is sent to another process, as `Document` is."""
        return Normalised, _facts(self)

    def demographics(self) -> Demographics:
        """The same facts as a record again; normalising it gives this value back."""
        return Demographics(
            documents=self.documents,
            paternal_surname=self.paternal or None,
            maternal_surname=self.maternal or None,
            married_surname=self.married or None,
            given_names=" ".join(self.given) or (NEWBORN_NAME if self.newborn else None),
            sex=self.sex,
            birth_date=self.birth_date,
            ubigeo=self.ubigeo or None,
            address=" ".join(sorted(self.address)) or None,
            phone=self.phone or None,
            mother_document=self.mother_document,
            multiple_birth_order=self.birth_order,
        )


_facts = attrgetter(*(field.name for field in fields(Normalised)))


def normalise(record: Demographics) -> Normalised:
    """Normalise a record; total on any input and idempotent in effect."""
    names = parse_names(record)
    birth_date = _birth_date(record.birth_date)
    return Normalised(
        documents=normalise_documents(record.documents),
        paternal=names.paternal,
        maternal=names.maternal,
        married=names.married,
        given=names.given,
        paternal_code=phonetic(names.paternal),
        maternal_code=phonetic(names.maternal),
        given_codes=tuple([phonetic_given(word) for word in names.given]),
        newborn=names.newborn,
        sex=record.sex,
        birth_date=birth_date,
        partial_birth=birth_date is not None and (birth_date.month, birth_date.day) in {(1, 1), (7, 1)},
        ubigeo=_ubigeo(record.ubigeo),
        address=_address(record.address),
        phone=_phone(record.phone),
        mother_document=normalise_document(record.mother_document),
        birth_order=record.multiple_birth_order or names.birth_order,
    )


def _birth_date(value: date | None) -> date | None:
    return None if value is None or value.year < EARLIEST_BIRTH_YEAR else value


@lru_cache(maxsize=8_192)
def _ubigeo(value: str | None) -> str:
    digits = NOT_DIGIT.sub("", value or "")
    if len(digits) not in {2, 4, 6} or digits[:2] == "00":
        return ""
    while digits.endswith("00"):
        digits = digits[:-2]
    return digits


def _address(value: str | None) -> frozenset[str]:
    if not value:
        return frozenset()
    words = [ADDRESS_WORDS.get(word, word) for word in fold(value).split()]
    kept = frozenset(words) - ADDRESS_NOISE
    return kept if len("".join(kept)) > 3 else frozenset()


def _phone(value: str | None) -> str:
    if not value:
        return ""
    return next(filter(None, map(_one_phone, BETWEEN_PHONES.split(value))), "")


def _one_phone(value: str) -> str:
    digits = PHONE_PREFIXES.sub("", NOT_DIGIT.sub("", value)).lstrip("0")
    return digits if 6 <= len(digits) <= 12 and len(set(digits)) > 2 else ""
