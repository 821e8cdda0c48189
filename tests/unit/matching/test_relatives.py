"""The written rules for relatives: who is linked, who is asked about, and who is never taken for another."""

from datetime import date

import pytest

from matching.cluster import Member, Resolution, resolve
from matching.model import Model
from matching.records import Document, DocumentType
from tests.unit.matching.conftest import MakeRecord

MOTHER = Document(DocumentType.DNI, "41238567")
CHILD = {
    "dni": "",
    "paternal_surname": "Apaza",
    "maternal_surname": "Huamán",
    "given_names": "RN",
    "sex": "M",
    "birth_date": date(2026, 1, 5),
    "mother_document": MOTHER,
}


def decide(model: Model, record: object, *members: object) -> Resolution[str]:
    return resolve(model, record, {"p": [Member(member) for member in members]})  # type: ignore[arg-type]


def test_a_newborn_is_found_again_under_its_name(model: Model, person: MakeRecord) -> None:
    named = person(**(CHILD | {"given_names": "Luis Alberto", "dni": "93111222"}))
    assert decide(model, named, person(**CHILD)).kind in {"link", "review"}


def test_unnamed_twins_are_told_apart_by_their_order(model: Model, person: MakeRecord) -> None:
    first, second = (person(**(CHILD | {"given_names": f"RN {order}"})) for order in (1, 2))
    assert decide(model, second, first).kind != "link"


def test_newborns_of_two_sexes_on_one_day_are_two(model: Model, person: MakeRecord) -> None:
    assert decide(model, person(**(CHILD | {"sex": "F"})), person(**CHILD)).kind != "link"


def test_a_newborn_on_the_mothers_number_is_not_the_mother(model: Model, person: MakeRecord) -> None:
    newborn = person(**(CHILD | {"dni": "41238567", "mother_document": None}))
    assert decide(model, newborn, person()).kind != "link"


def test_twins_with_numbers_in_a_row_and_names_alike_are_two(model: Model, person: MakeRecord) -> None:
    twin = person(dni="41238568", given_names="Rosa Elena")
    assert decide(model, twin, person(), person(phone=None)).kind != "link"


def test_a_son_named_after_his_father_is_not_the_father(model: Model, person: MakeRecord) -> None:
    father = person(given_names="Juan Carlos", sex="M")
    son = person(
        dni="72111333", given_names="Juan Carlos", sex="M", maternal_surname="Flores", birth_date=date(2009, 4, 2)
    )
    assert decide(model, son, father).kind == "new"


def test_a_father_and_son_without_birth_date_or_number_are_not_linked(model: Model, person: MakeRecord) -> None:
    father = person(given_names="Juan Carlos", sex="M", maternal_surname=None, dni="", birth_date=None)
    son = person(dni="72111333", given_names="Juan Carlos", sex="M", birth_date=date(2009, 4, 2), phone=None)
    assert decide(model, son, father).kind != "link"


def test_sisters_in_one_home_are_two(model: Model, person: MakeRecord) -> None:
    sister = person(dni="46111222", given_names="Carla", birth_date=date(1989, 7, 1))
    assert decide(model, sister, person()).kind == "new"


@pytest.mark.parametrize(
    "changes",
    [
        {"maternal_surname": "de Rojas"},
        {"paternal_surname": "Huamán de Rojas", "maternal_surname": None},
        {"maternal_surname": "Ccori vda. de Rojas"},
        {"maternal_surname": "Rojas", "married_surname": "Rojas"},
    ],
)
def test_a_married_woman_stays_herself(model: Model, person: MakeRecord, changes: dict[str, object]) -> None:
    assert decide(model, person(**changes), person()).kind == "link"


def test_a_person_with_one_surname_is_found(model: Model, person: MakeRecord) -> None:
    single = person(maternal_surname=None)
    assert decide(model, single, person(maternal_surname=None, phone=None)).kind == "link"
    assert decide(model, single, person(paternal_surname=None, maternal_surname="Huaman")).kind == "link"


def test_a_record_of_two_people_at_once_goes_to_review(model: Model, person: MakeRecord) -> None:
    mixed = person(given_names="Flor Isabel")
    people = {"rosa": [Member(person())], "flor": [Member(person(dni="41238568", given_names="Flor Isabel"))]}
    assert resolve(model, mixed, people).kind != "link"
