"""What professionals type: good searches, plain messages, and garbage."""

from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from portal.forms import read_request, read_search

TODAY = date(2026, 3, 5)
GOOD = {
    "por": "nombre",
    "paterno": "DE LA CRUZ",
    "materno": "Ñahui",
    "nombres": "Rosa Elvira",
    "nacimiento": "1984-03-05",
}


@pytest.mark.parametrize("typed", ["45678901", " 4567 8901 ", "45.678.901"])
def test_a_dni_is_read_as_people_write_it(typed: str) -> None:
    found = read_search({"por": "dni", "dni": typed}, TODAY)
    assert found.demographics is not None
    assert [document.number for document in found.demographics.documents] == ["45678901"]


@pytest.mark.parametrize("typed", ["", "4567890", "456789012", "4567890A", "٤٥٦٧٨٩٠١", "<b>45678901</b>", "0" * 5000])
def test_a_wrong_dni_is_told_and_never_echoed(typed: str) -> None:
    found = read_search({"por": "dni", "dni": typed}, TODAY)
    assert found.demographics is None
    assert list(found.problems) == ["dni"]
    assert not found.typed


def test_a_name_search_needs_a_surname_a_name_and_a_birth_date() -> None:
    assert read_search(GOOD, TODAY).problems == {}
    assert set(read_search({"por": "nombre"}, TODAY).problems) == {"paterno", "nombres", "nacimiento"}
    assert read_search(GOOD | {"materno": ""}, TODAY).problems == {}


@pytest.mark.parametrize("born", ["2026-03-06", "1700-01-01", "05/03/1984", "1984-13-01", ""])
def test_an_impossible_birth_date_is_told(born: str) -> None:
    assert "nacimiento" in read_search(GOOD | {"nacimiento": born}, TODAY).problems


def sent(form: dict[str, str], categories: list[str], labels: list[str] | None = None) -> MultiDict[str, str]:
    ticked = [("categoria", one) for one in categories] + [("reservado", one) for one in labels or []]
    return MultiDict([*form.items(), *ticked])


def test_what_is_sensitive_is_asked_for_from_the_list() -> None:
    form = {"motivo": "TREAT", "dias": "7"}
    moment = datetime(2026, 3, 6, 3, tzinfo=UTC)
    assert read_request(sent(form, ["allergies"], ["PSY"]), moment).labels == {"PSY"}
    assert read_request(sent(form, ["allergies"], ["N"]), moment).problem
    assert read_request(sent(form, ["allergies"], ["X"]), moment).problem


def test_a_request_ends_at_midnight_in_lima() -> None:
    asked = read_request(
        sent({"motivo": "TREAT", "dias": "7", "establecimiento": str(uuid4())}, ["allergies"]),
        datetime(2026, 3, 6, 3, tzinfo=UTC),
    )
    assert asked.problem is None
    assert asked.ends_at == datetime(2026, 3, 13, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("form", "categories"),
    [
        ({"motivo": "TREAT", "dias": "7"}, []),
        ({"motivo": "TREAT", "dias": "7"}, ["everything"]),
        ({"motivo": "HMARKT", "dias": "7"}, ["allergies"]),
        ({"motivo": "TREAT", "dias": "9999"}, ["allergies"]),
        ({}, []),
    ],
)
def test_a_request_nobody_may_make_has_a_problem(form: dict[str, str], categories: list[str]) -> None:
    assert read_request(sent(form, categories), datetime(2026, 3, 5, tzinfo=UTC)).problem


@given(
    st.dictionaries(
        st.sampled_from(
            ["por", "dni", "paterno", "materno", "nombres", "nacimiento", "motivo", "dias", "establecimiento"]
        ),
        st.text(max_size=300),
    ),
    st.lists(st.text(max_size=20), max_size=4),
)
def test_garbage_is_a_problem_and_never_an_error(form: dict[str, str], categories: list[str]) -> None:
    found = read_search(form, TODAY)
    assert (found.demographics is None) == bool(found.problems)
    read_request(sent(form, categories), datetime(2026, 3, 5, tzinfo=UTC))
