"""Whole persons against whole persons."""

import pytest

from matching.cluster import Member
from matching.groups import divide, gather
from matching.model import Model
from tests.unit.matching.conftest import MakeRecord

Groups = dict[str, list[Member]]


def nobody(_one: str, _other: str) -> bool:
    return False


@pytest.fixture
def persons(person: MakeRecord) -> Groups:
    """Rosa three times over, her sister, and a stranger."""
    sister = person(dni="41299000", given_names="Julia", birth_date=person().birth_date.replace(year=1990))  # type: ignore[union-attr]
    stranger = person(dni="70999111", paternal_surname="Luna", maternal_surname="Paz", given_names="Ana", phone=None)
    return {
        "rosa": [Member(person())],
        "guaman": [Member(person(paternal_surname="Guaman")), Member(person(given_names="Rosa"))],
        "rosita": [Member(person(dni="", phone=None))],
        "sister": [Member(sister)],
        "stranger": [Member(stranger)],
    }


def test_persons_of_one_human_are_no_rivals_of_each_other(model: Model, persons: Groups) -> None:
    for start in ("rosa", "guaman", "rosita"):
        found = gather(model, start, persons, nobody)
        assert {start, *found.joined} == {"rosa", "guaman", "rosita"}
        assert found.doubt is None


def test_two_humans_who_look_alike_to_a_third_leave_a_doubt(model: Model, person: MakeRecord) -> None:
    groups = {
        "one": [Member(person(), verified=True)],
        "other": [Member(person(dni="41238576"), verified=True)],
        "third": [Member(person(dni=""))],
    }
    found = gather(model, "third", groups, nobody)
    assert (found.joined, found.doubt, set(found.rivals)) == ((), "close-second", {"one", "other"})
    assert gather(model, "one", {key: groups[key] for key in ("one", "other")}, nobody).rivals == ()


def test_what_is_barred_is_neither_joined_nor_a_rival(model: Model, persons: Groups) -> None:
    found = gather(model, "rosa", persons, lambda one, other: {one, other} == {"rosa", "guaman"})
    assert "guaman" not in (*found.joined, *found.rivals)


def test_nobody_near_leaves_nothing(model: Model, persons: Groups) -> None:
    found = gather(model, "stranger", persons, nobody)
    assert (found.joined, found.rivals, found.doubt, found.tie) == ((), (), None, None)


def test_a_person_of_one_human_is_not_divided(model: Model, persons: Groups) -> None:
    rosa = [persons["rosa"], persons["guaman"], persons["rosita"]]
    assert divide(model, rosa) == [[0, 1, 2]]


def test_a_person_of_two_humans_is_divided_and_the_larger_part_comes_first(model: Model, persons: Groups) -> None:
    assert divide(model, [persons["sister"], persons["rosa"], persons["guaman"]]) == [[1, 2], [0]]


def test_what_is_held_together_is_not_divided(model: Model, persons: Groups) -> None:
    unit = [*persons["rosa"], *persons["stranger"]]
    assert divide(model, [[member] for member in unit]) == [[0], [1]]
    assert divide(model, [unit]) == [[0]]
