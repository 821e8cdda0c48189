"""ITI-119: how many are answered, in what order, how sure each is, and nobody where it must be certain and is not."""

from typing import Any

import pytest

from tests.functional.fhir.conftest import Call, Json

DNI = "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/dni"
FACTS: Json = {
    "resourceType": "Patient",
    "name": [{"family": "Puquirre", "given": ["Tomasa", "Eulogia"]}],
    "gender": "female",
    "birthDate": "1960-01-22",
}
NUMBERS = ("40010001", "40010002", "40010003")


@pytest.fixture(autouse=True)
def namesakes(put: Call) -> None:
    """Three people of one name and birth date, told apart by their documents."""
    for number in NUMBERS:
        assert put(f"N-{number}", document(number)).status_code in {200, 201}


def document(number: str, **more: Any) -> Json:
    return FACTS | {"identifier": [{"system": DNI, "value": number}], **more}


def ask(call: Call, patient: Json, **more: Json) -> list[Json]:
    """The entries of a `$match`, in their order."""
    parameters = [{"name": "resource", "resource": patient}, *({"name": name, **value} for name, value in more.items())]
    answer = call("POST", "/fhir/Patient/$match", {"resourceType": "Parameters", "parameter": parameters})
    assert answer.status_code == 200, answer.text
    assert answer.json["total"] == len(answer.json.get("entry", []))
    found: list[Json] = answer.json.get("entry", [])
    return found


def grades(entries: list[Json]) -> list[str]:
    return [one["search"]["extension"][0]["valueCode"] for one in entries]


def scores(entries: list[Json]) -> list[float]:
    return [one["search"]["score"] for one in entries]


def test_the_surest_comes_first_and_says_how_sure_it_is(call: Call) -> None:
    entries = ask(call, document(NUMBERS[1]))
    assert grades(entries) == ["certain", "possible", "possible"]
    assert [one["value"] for one in entries[0]["resource"]["identifier"] if one.get("system") == DNI] == [NUMBERS[1]]
    assert all(0 <= one <= 1 for one in scores(entries))
    assert len(set(scores(entries))) > 1
    order = ["certain", "probable", "possible"]
    ranked = [(order.index(grade), -score) for grade, score in zip(grades(entries), scores(entries), strict=True)]
    assert ranked == sorted(ranked)


def test_no_more_are_answered_than_asked_for(call: Call) -> None:
    every = ask(call, FACTS)
    assert len(every) >= 3
    assert [one["fullUrl"] for one in ask(call, FACTS, count={"valueInteger": 2})] == [
        one["fullUrl"] for one in every[:2]
    ]


def test_who_wants_certainty_gets_one_or_none(call: Call) -> None:
    """Three namesakes without a document are nobody for certain, and that is an answer, no error."""
    only = {"valueBoolean": True}
    assert "certain" not in grades(ask(call, FACTS))
    assert ask(call, FACTS, onlyCertainMatches=only) == []
    assert grades(ask(call, document(NUMBERS[2]), onlyCertainMatches=only)) == ["certain"]
    assert len(ask(call, document(NUMBERS[2]), onlyCertainMatches={"valueBoolean": False})) > 1
