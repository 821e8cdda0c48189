from dataclasses import replace
from datetime import date

import pytest

from matching.cluster import Member, likely, resolve
from matching.model import Model
from matching.score import weigh
from tests.unit.matching.conftest import MakeRecord

HOSPITAL, POST = "00000001", "00000002"


def test_the_same_person_elsewhere_is_linked(model: Model, person: MakeRecord) -> None:
    decision = resolve(
        model, person(given_names="ROSA", paternal_surname="GUAMAN"), {"p": [Member(person())]}, establishment=POST
    )
    assert (decision.kind, decision.key, decision.reason) == ("link", "p", "strong-evidence")


def test_nobody_like_it_is_new(model: Model, person: MakeRecord) -> None:
    assert resolve(model, person(), {}).reason == "no-candidate"
    stranger = person(
        dni="70999111", given_names="Ana", paternal_surname="Luna", birth_date=date(2001, 5, 6), phone=None
    )
    assert resolve(model, person(), {"p": [Member(stranger)]}).kind == "new"
    found = {"stranger": stranger, "near": person(dni="", given_names="Rosa")}
    assert likely(model, person(), found, dict) == {"near"}
    parent = person(dni="70999111", paternal_surname="Flores", given_names="Juan")
    assert likely(model, parent, {"stranger": stranger}, dict) == {"stranger"}


def test_only_one_who_is_surely_linked_settles_whom_to_look_at(model: Model, person: MakeRecord) -> None:
    doubtful = person(dni="", given_names="Ana", birth_date=date(2001, 5, 6))
    rest = {"rest": person(dni="", given_names="Rosa")}
    assert "rest" in likely(model, person(), {"near": doubtful}, lambda: rest)
    assert likely(model, person(), {"near": doubtful, "same": person()}, lambda: rest) == {"same"}


@pytest.mark.parametrize(("over", "is_asked"), [(0.5, True), (2.9, True), (3.1, False), (8.0, False)])
def test_half_a_margin_over_a_link_settles_whom_to_look_at(
    model: Model, person: MakeRecord, over: float, is_asked: bool
) -> None:
    found, rest = person(dni="", given_names="Rosa"), {"rest": person(dni="")}
    link = weigh(model, person(), found) - over
    strict = replace(model, thresholds=replace(model.thresholds, link=link, margin=6.0))
    assert likely(strict, person(), {"found": found}, lambda: rest) == {"found"} | ({"rest"} if is_asked else set())


def test_a_number_alone_never_links(model: Model, person: MakeRecord) -> None:
    other = person(paternal_surname="Flores", maternal_surname="Diaz", given_names="Juan", sex="M",
                   birth_date=date(1999, 8, 7), phone=None, address=None, ubigeo="150101")  # fmt: skip
    assert resolve(model, other, {"p": [Member(person())]}).kind != "link"


def test_two_verified_different_dnis_never_meet(model: Model, person: MakeRecord) -> None:
    candidates = {"p": [Member(person(dni="41238576"), verified=True)]}
    assert resolve(model, person(), candidates, verified=True).kind == "new"
    assert resolve(model, person(), candidates).kind == "link"


def test_two_persons_alike_go_to_review(model: Model, person: MakeRecord) -> None:
    candidates = {"p": [Member(person())], "q": [Member(person(dni=""))]}
    decision = resolve(model, person(), candidates)
    assert (decision.kind, decision.reason, decision.rivals) == ("review", "close-second", ("q",))


def test_two_numbers_of_one_establishment_need_more(model: Model, person: MakeRecord) -> None:
    weak = person(dni="", phone=None, address=None, given_names="Rosa")
    elsewhere = resolve(model, weak, {"p": [Member(person(), establishment=HOSPITAL)]}, establishment=POST)
    assert elsewhere.kind == "link"
    here = resolve(model, weak, {"p": [Member(person(), establishment=POST)]}, establishment=POST)
    assert here.kind == "review" or here.score is not None
    assert here.score is not None
    needed = model.thresholds.link + model.thresholds.same_establishment
    assert (here.kind == "link") == (here.score.weight_bits >= needed)


def test_another_number_with_all_else_equal_is_for_a_human(model: Model, person: MakeRecord) -> None:
    decision = resolve(model, person(dni="70999111", given_names="Rosa Elvira Ursula"), {"p": [Member(person())]})
    assert (decision.kind, decision.key) == ("review", "p")
    same_names = resolve(model, person(dni="70999111", phone=None, address=None), {"p": [Member(person())]})
    assert (same_names.kind, same_names.reason) == ("review", "document-conflict")


def test_a_number_and_a_date_without_any_name_are_for_a_human(model: Model, person: MakeRecord) -> None:
    nameless = person(paternal_surname=None, maternal_surname=None, given_names=None)
    decision = resolve(model, nameless, {"p": [Member(person())]})
    assert (decision.kind, decision.reason, decision.key) == ("review", "no-name", "p")
    assert (
        resolve(model, person(maternal_surname=None, given_names="RN"), {"p": [Member(person())]}).reason != "no-name"
    )


def test_a_person_whose_members_disagree_is_for_a_human(model: Model, person: MakeRecord) -> None:
    strangers = [
        Member(person(dni=f"7099911{i}", given_names=name, paternal_surname="Luna", birth_date=date(1990 + i, 5, 6)))
        for i, name in enumerate(("Ana", "Julia", "Carmen"))
    ]
    alone = resolve(model, person(), {"p": [Member(person())]})
    mixed = resolve(model, person(), {"p": [Member(person()), *strangers]})
    assert (alone.kind, mixed.kind, mixed.reason) == ("link", "review", "inconsistent-person")
    assert mixed.consistency < model.thresholds.consistency < alone.consistency


@pytest.mark.parametrize("order", [("p", "q", "r"), ("r", "q", "p")])
def test_order_of_candidates_changes_nothing(model: Model, person: MakeRecord, order: tuple[str, ...]) -> None:
    people = {
        "p": [Member(person()), Member(person(given_names="ROSA"))],
        "q": [Member(person(dni=""))],
        "r": [Member(person(birth_date=date(1958, 1, 2)))],
    }
    decision = resolve(model, person(), {key: people[key][:: 1 if order[0] == "p" else -1] for key in order})
    assert decision == resolve(model, person(), people)
