"""Careless clerks: what a record system ends up saying about a person who told the truth."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from sandbox.names import plain
from sandbox.population import Document, Person

CARELESS = 0.45
PLACEHOLDER_BIRTH = date(1900, 1, 1)
# Spellings of one sound, as heard at a counter: Spanish of Peru, Quechua and Aymara surnames.
SOUNDS = (
    ("HUA", "GUA"), ("HUA", "WA"), ("CC", "C"), ("QU", "K"), ("SP", "ZP"), ("S", "Z"), ("Z", "S"), ("CE", "SE"),
    ("CI", "SI"), ("V", "B"), ("B", "V"), ("LL", "Y"), ("Y", "I"), ("H", ""), ("GE", "JE"), ("NN", "N"),
    ("I", "Y"), ("UI", "I"), ("O", "U"), ("PH", "F"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """What one establishment wrote down about a person, under its own local number."""

    renipress: str
    local_number: str
    person: str
    document: Document | None
    given_names: str
    paternal_surname: str
    maternal_surname: str
    married_surname: str
    sex: str
    birth_date: date | None
    birth_ubigeo: str
    ubigeo: str
    address: str
    phone: str
    mother_document: Document | None
    birth_order: int | None = None
    slips: tuple[str, ...] = ()


Slip = Callable[[random.Random, Record], Record]


def write_down(person: Person, renipress: str, local_number: str) -> Record:
    """Return the record a careful clerk writes."""
    return Record(
        renipress=renipress,
        local_number=local_number,
        person=person.id,
        document=person.document,
        given_names=person.given_names,
        paternal_surname=person.paternal_surname,
        maternal_surname=person.maternal_surname,
        married_surname=person.married_surname,
        sex=person.sex,
        birth_date=person.birth_date,
        birth_ubigeo=person.birth_ubigeo,
        ubigeo=person.ubigeo,
        address=person.address,
        phone=person.phone,
        mother_document=person.mother_document if person.age < 18 else None,
        birth_order=person.birth_order,
    )


def newborn(record: Record, cnv: str) -> Record:
    """Return the record made at birth: no given name yet, the mother's surname, a live-birth certificate."""
    surname = record.maternal_surname or record.paternal_surname
    return replace(
        record,
        document=Document("cnv", cnv),
        given_names=f"RN DE {surname}",
        paternal_surname=surname,
        maternal_surname="",
        slips=("newborn",),
    )


def careless(rng: random.Random, record: Record) -> Record:
    """Return `record` as a hurried clerk leaves it: untouched, or with one to three slips, named in `slips`."""
    if rng.random() >= CARELESS:
        return record
    weights = [weight for weight, _ in SLIPS.values()]
    for name in rng.choices(list(SLIPS), weights, k=rng.choice((1, 1, 1, 2, 3))):
        slipped = SLIPS[name][1](rng, record)
        if slipped != record:
            record = replace(slipped, slips=(*slipped.slips, name))
    return record


def _typo(rng: random.Random, word: str) -> str:
    if len(word) < 4:
        return word
    at = rng.randrange(1, len(word) - 1)
    return rng.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :],
            word[:at] + rng.choice("AEIOUNRSTL") + word[at + 1 :],
        )
    )


def _misheard(rng: random.Random, word: str) -> str:
    possible = [(sound, spelt) for sound, spelt in SOUNDS if sound in word]
    return (word.replace(*rng.choice(possible), 1) or word) if possible else word


def _mistype_surname(rng: random.Random, record: Record) -> Record:
    return replace(record, paternal_surname=_typo(rng, record.paternal_surname))


def _mistype_given(rng: random.Random, record: Record) -> Record:
    return replace(record, given_names=_typo(rng, record.given_names))


def _mishear(rng: random.Random, record: Record) -> Record:
    if rng.random() < 0.5:
        return replace(record, maternal_surname=_misheard(rng, record.maternal_surname))
    return replace(record, paternal_surname=_misheard(rng, record.paternal_surname))


def _swap_surnames(_: random.Random, record: Record) -> Record:
    if not record.maternal_surname:
        return record
    return replace(record, paternal_surname=record.maternal_surname, maternal_surname=record.paternal_surname)


def _drop_maternal(_: random.Random, record: Record) -> Record:
    return replace(record, maternal_surname="")


def _shorten_given(rng: random.Random, record: Record) -> Record:
    names = record.given_names.split()
    if names[0] == "MARIA" and rng.random() < 0.5:
        return replace(record, given_names=" ".join(["MA.", *names[1:]]))
    return replace(record, given_names=rng.choice(names))


def _join_surname(_: random.Random, record: Record) -> Record:
    return replace(record, paternal_surname=record.paternal_surname.replace(" ", ""))


def _mangle_letters(rng: random.Random, record: Record) -> Record:
    spelt = rng.choice(("N", "Ã‘", "?", "NI"))
    return replace(
        record,
        paternal_surname=record.paternal_surname.replace("Ñ", spelt),
        maternal_surname=record.maternal_surname.replace("Ñ", spelt),
    )


def _write_accents(_: random.Random, record: Record) -> Record:
    accents = (("GARCIA", "GARCÍA"), ("RODRIGUEZ", "RODRÍGUEZ"), ("JOSE", "José"), ("MARIA", "María"))
    paternal, given = record.paternal_surname, record.given_names
    for bare, accented in accents:
        paternal, given = paternal.replace(bare, accented), given.replace(bare, accented)
    return replace(record, paternal_surname=paternal, given_names=given)


def _swap_day_month(_: random.Random, record: Record) -> Record:
    born = record.birth_date
    if born is None or born.day > 12:
        return record
    return replace(record, birth_date=born.replace(month=born.day, day=born.month))


def _miss_year(rng: random.Random, record: Record) -> Record:
    born = record.birth_date
    if born is None or born.year < 1905:
        return record
    return replace(record, birth_date=born.replace(year=born.year - rng.choice((1, 1, 2, 10)), day=min(born.day, 28)))


def _placeholder_birth(_: random.Random, record: Record) -> Record:
    return replace(record, birth_date=PLACEHOLDER_BIRTH)


def _forget_birth(_: random.Random, record: Record) -> Record:
    return replace(record, birth_date=None)


def _wrong_digit(rng: random.Random, record: Record) -> Record:
    if record.document is None:
        return record
    number, at = record.document.number, rng.randrange(3, 8)
    digit = rng.choice([d for d in "0123456789" if d != number[at]])
    return replace(record, document=replace(record.document, number=number[:at] + digit + number[at + 1 :]))


def _swap_digits(rng: random.Random, record: Record) -> Record:
    if record.document is None:
        return record
    number, at = record.document.number, rng.randrange(3, 7)
    swapped = number[:at] + number[at + 1] + number[at] + number[at + 2 :]
    return replace(record, document=replace(record.document, number=swapped))


def _no_document(_: random.Random, record: Record) -> Record:
    return replace(record, document=None)


def _mothers_document(_: random.Random, record: Record) -> Record:
    return replace(record, document=record.mother_document) if record.mother_document else record


def _forget_birth_order(_: random.Random, record: Record) -> Record:
    return replace(record, birth_order=None)


def _wrong_sex(_: random.Random, record: Record) -> Record:
    return replace(record, sex="M" if record.sex == "F" else "F")


def _married_in_surname(_: random.Random, record: Record) -> Record:
    if not record.married_surname:
        return record
    of_husband = f"DE {record.married_surname}"
    maternal = f"{record.maternal_surname} {of_husband}".strip()
    return replace(record, maternal_surname=maternal, married_surname="")


def _old_address(rng: random.Random, record: Record) -> Record:
    return replace(record, address=f"JR. {plain(record.paternal_surname)} {rng.randrange(100, 999)}", phone="")


SLIPS: dict[str, tuple[int, Slip]] = {
    "mistyped-surname": (10, _mistype_surname),
    "mistyped-given-name": (10, _mistype_given),
    "misheard-surname": (14, _mishear),
    "swapped-surnames": (5, _swap_surnames),
    "maternal-surname-missing": (6, _drop_maternal),
    "given-names-shortened": (12, _shorten_given),
    "surname-joined": (4, _join_surname),
    "letters-mangled": (4, _mangle_letters),
    "accents": (5, _write_accents),
    "day-and-month-swapped": (6, _swap_day_month),
    "wrong-year": (5, _miss_year),
    "birth-date-placeholder": (2, _placeholder_birth),
    "birth-date-missing": (2, _forget_birth),
    "wrong-digit": (6, _wrong_digit),
    "digits-swapped": (4, _swap_digits),
    "document-missing": (7, _no_document),
    "mothers-document": (6, _mothers_document),
    "birth-order-missing": (8, _forget_birth_order),
    "wrong-sex": (2, _wrong_sex),
    "married-surname-in-maternal": (6, _married_in_surname),
    "old-address": (12, _old_address),
}
