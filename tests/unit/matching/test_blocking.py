from datetime import date
from typing import Any

import pytest

from matching.blocking import COMMON, ENOUGH, blocking_keys, lock_keys, worth
from matching.normalise import Normalised, normalise
from matching.phonetics import phonetic, phonetic_given
from matching.records import Demographics, Document, DocumentType
from matching.spelling import given_codes, surname_codes
from tests.unit.matching.conftest import MakeRecord


@pytest.mark.parametrize(
    "changes",
    [
        {"dni": ""},
        {"dni": "", "paternal_surname": "GUAMAN", "maternal_surname": "KORI"},
        {"dni": "", "paternal_surname": "Ccori", "maternal_surname": "Huaman"},
        {"dni": "", "birth_date": date(1985, 12, 3)},
        {"dni": "", "birth_date": date(1975, 3, 12), "ubigeo": None, "phone": None},
        {"dni": "", "birth_date": date(1985, 3, 21), "ubigeo": None, "phone": None},
        {"dni": "", "maternal_surname": "De Rojas", "phone": None},
        {"paternal_surname": "X", "maternal_surname": None, "given_names": "RN", "birth_date": None, "phone": None},
        {"dni": "", "paternal_surname": "Zapata", "maternal_surname": "Ruiz"},
        {"dni": "", "birth_date": None},
        {"dni": "", "birth_date": None, "paternal_surname": "Huamyn", "given_names": "Rosq", "phone": None},
        {"dni": "", "birth_date": date(1987, 3, 12), "maternal_surname": None, "ubigeo": None, "phone": None},
        {"dni": "", "birth_date": None, "maternal_surname": None, "ubigeo": "0801", "phone": None},
        {"dni": "", "birth_date": None, "given_names": "Rosita", "ubigeo": None, "address": None, "phone": None},
        {"dni": "41283567", "birth_date": None, "given_names": None, "ubigeo": None, "address": None, "phone": None},
    ],
)
def test_a_person_is_found_again(person: MakeRecord, changes: dict[str, object]) -> None:
    assert blocking_keys(person()) & blocking_keys(person(**changes))


@pytest.mark.parametrize(
    ("written", "meant"), [("QUIMPE", "QUISPE"), ("CASTIDLO", "CASTILLO"), ("MAMNI", "MAMANI"), ("FLOERS", "FLORES")]
)
def test_a_mistyped_surname_is_looked_for_under_what_it_may_stand_for(written: str, meant: str) -> None:
    found = surname_codes(written, phonetic(written))
    assert phonetic(meant) in found
    assert len(found) <= 4


def test_a_known_name_stands_for_itself_and_a_short_form_for_the_whole() -> None:
    assert surname_codes("ROJAS", phonetic("ROJAS")) == (phonetic("ROJAS"),)
    assert phonetic_given("JOSE") in given_codes("PEPE", phonetic_given("PEPE"))


def test_a_number_is_found_under_another_type(person: MakeRecord) -> None:
    other = Normalised(documents=(Document(DocumentType.OTHER, "41238567"),))
    assert blocking_keys(person()) & blocking_keys(other)


def test_missing_parts_make_no_keys() -> None:
    assert blocking_keys(Normalised()) == frozenset()
    assert blocking_keys(Normalised(paternal="QUISPE", paternal_code="KISPI", sex="M")) == frozenset()


def test_every_key_names_its_kind_and_is_compound(person: MakeRecord) -> None:
    for key in blocking_keys(person()):
        kind, *parts = key.split(":")
        assert kind.isalpha()
        assert len(parts) >= (1 if kind == "doc" else 2)


def test_first_of_january_alone_with_one_name_is_no_key(person: MakeRecord) -> None:
    keys = blocking_keys(person(birth_date=date(1985, 1, 1)))
    assert not any(key.startswith(("ds:", "dsx:", "dg:", "dgx:")) for key in keys)
    assert any(key.startswith("dsg:") for key in keys)


def test_a_name_without_end_makes_no_keys_without_end(person: MakeRecord) -> None:
    endless = " ".join(f"NAME{'ABCDEFGHIJ'[i % 10]}{'KLMNOPQRST'[i // 10]}" for i in range(90))
    assert len(blocking_keys(person(given_names=endless))) < 100


def test_lock_keys_cover_whatever_could_be_compared(person: MakeRecord) -> None:
    assert lock_keys(person()) >= blocking_keys(person())


@pytest.mark.parametrize(
    ("surname", "given", "compared"),
    [
        ("QUISPE", "JUAN", {"ds": 1, "dg": 1, "du": 1, "sgd": 1}),
        ("AZURMENDI", "ELEUTERIA", {"ds": 2, "dg": 2, "du": 1, "sg": 2}),
    ],
    ids=["common", "rare"],
)
def test_what_many_share_is_not_enough_alone(surname: str, given: str, compared: dict[str, int]) -> None:
    named = Demographics(paternal_surname=surname, given_names=given, birth_date=date(1985, 3, 12), ubigeo="050101")
    found = {key.partition(":")[0].removesuffix(COMMON): worth(key) for key in blocking_keys(normalise(named))}
    assert {kind: found.get(kind) for kind in compared} == compared
    assert worth("doc:41238567") == ENOUGH


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"document": "77436106", "maternal_surname": None}, {"document": "77346106", "birth_date": date(2005, 1, 1)}),
        ({"maternal_surname": None}, {"birth_date": date(2005, 1, 1)}),
        ({"maternal_surname": "Duran", "birth_date": date(2005, 7, 12)}, {"paternal_surname": "Orteea"}),
    ],
    ids=["number-slipped", "no-number", "day-slipped"],
)
def test_a_name_and_the_year_of_birth_are_enough(one: dict[str, Any], other: dict[str, Any]) -> None:
    """One surname missing or wrong, and a birth date of which the year is right: these weigh as much as a link."""

    def keys(changes: dict[str, Any]) -> frozenset[str]:
        facts = {"paternal_surname": "Ortega", "maternal_surname": "Durand", "given_names": "Elva"} | changes
        number = facts.pop("document", "")
        documents = (Document(DocumentType.DNI, number),) if number else ()
        return blocking_keys(normalise(Demographics(**{"birth_date": date(2005, 7, 21)} | facts, documents=documents)))

    assert sum(map(worth, keys(one) & keys(other))) >= ENOUGH
