"""From rows to a table, for Peru and for people whose names the engine has no list of."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from matching.files import Row
from matching.intake import Intake
from matching.model import Model
from matching.naming import counted_names, in_place
from matching.normalise import normalise
from matching.records import Demographics, Document, DocumentType
from matching.table import join_tables
from matching.wide_blocking import wide_keys

NAMES = (("lucy", "fitzpatrick"), ("lucy", "browne"), ("nikita", "fitzpatrick"), ("nikita", "browne")) * 3


def row(line: int, **cells: str) -> Row:
    return Row(line, cells)


def people(names: Sequence[tuple[str, str]]) -> list[Demographics]:
    return [Demographics(paternal_surname=surname, given_names=given) for given, surname in names]


@pytest.fixture(scope="module")
def foreign(model: Model) -> Model:
    """A model that has counted its names."""
    document = counted_names(model, map(normalise, people(NAMES)))
    return Model.from_document({**document, "schema": {"names_of_its_own": True}})


@pytest.mark.parametrize("cuts", [(0, 6), (0, 2, 6), (0, 0, 1, 2, 3, 4, 5, 6, 6)])
def test_tables_of_parts_are_the_table_of_the_whole(model: Model, cuts: tuple[int, ...]) -> None:
    rows = [
        row(2, local_id="1", given_names="Rosa", paternal_surname="Quispe", birth_date="1985-03-12", sex="F"),
        row(3, local_id="2", given_names="Rosa", paternal_surname="Quispe", document_number="41238567"),
        row(4, local_id="3"),
        row(5, local_id="4", given_names="Rosa Elvira", paternal_surname="Huaman", address="Av. El Sol 456"),
        row(6, local_id="5", given_names="Rosa", paternal_surname="Huaman", phone="984123456"),
        row(7, local_id="6", given_names="Rosa", paternal_surname="Quispe", birth_date="1985-03-12", sex="F"),
    ]
    intake = Intake(model)
    whole, parts = intake.table(rows), join_tables([intake.table(rows[a:b]) for a, b in pairwise(cuts)])
    assert [parts.record(i) for i in range(6)] == [whole.record(i) for i in range(6)]
    for one, other in zip(whole.columns, parts.columns, strict=True):
        assert np.array_equal(one.numbers, other.numbers)
    assert np.array_equal(whole.keys.records, parts.keys.records)
    assert set(zip(whole.keys.records, whole.keys.hashes, strict=True)) == set(
        zip(parts.keys.records, parts.keys.hashes, strict=True)
    )
    assert [whole.keys.names[kind] for kind in whole.keys.kinds] == [
        parts.keys.names[kind] for kind in parts.keys.kinds
    ]


def test_no_tables_are_an_empty_table() -> None:
    assert join_tables([]).size == 0


def test_counted_names_weigh_by_their_share(foreign: Model) -> None:
    assert foreign.given_bits("LUCY") == pytest.approx(-1.0)
    assert foreign.surname_bits("BROWNE") == pytest.approx(-1.0)
    assert foreign.surname_bits("QUISPE") < -4


def test_names_in_each_others_place_are_put_back(foreign: Model) -> None:
    exchanged = Demographics(paternal_surname="Lucy", given_names="Browne")
    assert in_place(foreign, exchanged) == in_place(
        foreign, Demographics(paternal_surname="Browne", given_names="Lucy")
    )
    for left_alone in ({"paternal_surname": "Lee", "given_names": "Kim"}, {"given_names": "Browne"}, {}):
        record = Demographics(**left_alone)
        assert in_place(foreign, record) == normalise(record)


@pytest.mark.parametrize(
    "changes",
    [
        {"paternal_surname": "Lucy", "given_names": "Fitzpatrick"},
        {"paternal_surname": "Smith", "documents": (Document(DocumentType.DNI, "41236567"),)},
        {"documents": (Document(DocumentType.DNI, "99887766"),), "paternal_surname": "Lee", "given_names": "Ann"},
        {"documents": (), "given_names": "", "address": "12 Tenison Woods circuit"},
    ],
)
def test_wide_keys_find_what_ordinary_keys_miss(changes: dict[str, object]) -> None:
    facts = {
        "paternal_surname": "Fitzpatrick",
        "given_names": "Lucy",
        "documents": (Document(DocumentType.DNI, "41238567"),),
        "address": "12 tenison-woods circuit ywurrie",
    }
    one, other = normalise(Demographics(**facts)), normalise(Demographics(**facts | changes))  # type: ignore[arg-type]
    assert wide_keys(one) & wide_keys(other)
