"""The invented people: the same for a seed, as varied as Peru, and none with a real number."""

from collections import Counter
from datetime import timedelta

import pytest

from sandbox.archive import keep_records
from sandbox.clerks import CARELESS, Record
from sandbox.names import load_given_names, load_surnames, plain
from sandbox.population import TODAY, Person, Population


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return Population().people(2000)


@pytest.fixture(scope="module")
def records(people: list[Person]) -> list[Record]:
    return list(keep_records(people))


def test_same_seed_gives_the_same_people_and_a_larger_population_begins_with_the_smaller(people: list[Person]) -> None:
    assert Population().people(2000) == people
    assert Population().people(150) == people[:150]


def test_another_seed_gives_other_people(people: list[Person]) -> None:
    assert Population(7).people(50) != people[:50]


def test_records_are_the_same_for_the_same_people(people: list[Person], records: list[Record]) -> None:
    assert list(keep_records(people)) == records


def test_numbers_are_unique_and_outside_the_block_in_circulation(people: list[Person]) -> None:
    numbers = [p.document.number for p in people if p.document and p.document.type == "dni"]
    assert len(set(numbers)) == len(numbers)
    assert all(len(number) == 8 and int(number) >= 95_000_000 for number in numbers)


def test_there_are_foreigners_newborns_twins_and_people_without_papers(people: list[Person]) -> None:
    kinds = Counter(p.document.type if p.document else "none" for p in people)
    assert all(kinds[kind] > 0 for kind in ("dni", "carne-extranjeria", "ptp", "passport", "none"))
    assert any(TODAY - p.birth_date < timedelta(days=30) for p in people)
    births = Counter((p.household, p.birth_date) for p in people if p.age < 18)
    assert any(count > 1 for count in births.values())
    assert any(not p.maternal_surname for p in people)
    assert any(p.married_surname for p in people)


def test_children_take_a_surname_of_each_parent(people: list[Person]) -> None:
    by_document = {p.document: p for p in people if p.document}
    children = [p for p in people if p.mother_document]
    assert children
    for child in children:
        assert child.maternal_surname == by_document[child.mother_document].paternal_surname
        assert child.birth_date > by_document[child.mother_document].birth_date


def test_a_person_has_about_one_point_seven_records(people: list[Person], records: list[Record]) -> None:
    assert 1.55 < len(records) / len(people) < 1.85
    keys = [(r.renipress, r.local_number) for r in records]
    assert len(set(keys)) == len(keys)


def test_clerks_slip_in_every_way_but_not_always(records: list[Record]) -> None:
    slips = Counter(slip for record in records for slip in record.slips)
    assert len(slips) >= 20
    clean = sum(not record.slips for record in records) / len(records)
    assert 1 - CARELESS < clean < 0.75


def test_names_keep_the_enie_and_lose_initials() -> None:
    assert plain("Muñoz Ángel") == "MUÑOZ ANGEL"
    surnames = load_surnames().words
    assert surnames[0] == "QUISPE"
    assert "MUÑOZ" in surnames
    assert "SANCHEZ" in surnames
    assert not {"SAC", "CH", "SÁNCHEZ"} & set(surnames)
    assert not set(load_given_names("M").words) & set(load_given_names("F").words[:50])
