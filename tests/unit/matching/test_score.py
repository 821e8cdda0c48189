from datetime import date

import pytest

from matching.model import Model
from matching.score import Score, score
from tests.unit.matching.conftest import MakeRecord


def pair(model: Model, person: MakeRecord, **changes: object) -> Score:
    return score(model, person(), person(**changes))


def test_contributions_add_up_and_hold_no_value(model: Model, person: MakeRecord) -> None:
    result = pair(model, person, paternal_surname="Guaman")
    assert sum(part.weight for part in result.contributions) == pytest.approx(result.weight_bits)
    said = " ".join(f"{part.field} {part.level}" for part in result.contributions)
    assert "paternal phonetic" in said
    assert not any(value in said for value in ("41238567", "GUAMAN", "HUAMAN", "1985"))


def test_a_rare_surname_weighs_more_than_a_common_one(model: Model, person: MakeRecord) -> None:
    common, rare = (
        next(part.weight for part in score(model, one, one).contributions if part.field == "paternal")
        for one in (person(paternal_surname="QUISPE"), person(paternal_surname="AZURMENDI"))
    )
    assert rare > common + 5


@pytest.mark.parametrize(
    "changes",
    [
        {"dni": "41238576"},
        {"birth_date": date(1985, 12, 3)},
        {"birth_date": date(1975, 3, 12)},
        {"maternal_surname": "DE ROJAS"},
        {"paternal_surname": "Ccori", "maternal_surname": "Huaman"},
        {"given_names": "Elvira"},
        {"dni": "", "given_names": "ROSA"},
        {"paternal_surname": "HUAMANCCORI", "maternal_surname": None},
    ],
)
def test_one_slip_still_links(model: Model, person: MakeRecord, changes: dict[str, object]) -> None:
    assert pair(model, person, **changes).weight_bits > model.thresholds.link


@pytest.mark.parametrize(
    "changes",
    [
        {"dni": "41238568", "given_names": "Rosa Maria"},
        {"dni": "41238568", "given_names": "Juan Pedro", "sex": "M"},
        {"dni": "47111222", "given_names": "Carla", "birth_date": date(1988, 7, 1)},
        {"given_names": "Juan", "sex": "M", "birth_date": date(2010, 6, 30)},
        {"dni": "", "given_names": "RN", "birth_date": date(2015, 6, 30), "maternal_surname": "Huaman"},
        {"dni": "09112233", "birth_date": date(1958, 9, 9), "maternal_surname": "Flores"},
    ],
    ids=[
        "twins",
        "twins of two sexes",
        "sisters",
        "child with the mother's number",
        "newborn",
        "daughter named after her",
    ],
)
def test_relatives_are_not_one_person(model: Model, person: MakeRecord, changes: dict[str, object]) -> None:
    assert pair(model, person, **changes).weight_bits < model.thresholds.link
