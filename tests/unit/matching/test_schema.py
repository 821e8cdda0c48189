"""From cells to what the engine is given."""

from collections.abc import Mapping
from datetime import date
from io import BytesIO
from typing import Any

import pytest

from matching.files import FileError
from matching.records import Demographics, Document, DocumentType
from matching.schema import FileSchema, SchemaError, read_records

HEADER = (
    "establishment,local_id,document_type,document_number,paternal_surname,maternal_surname,given_names,sex,birth_date"
)


def records(text: str, schema: Mapping[str, Any] | None = None) -> list[Demographics]:
    found = read_records(BytesIO(text.encode()), FileSchema.from_document(schema))
    return [record.demographics for record in found]


def test_a_row_becomes_a_record() -> None:
    content = f"{HEADER}\n00000001,HC1,dni,41238567,Peña,,Rosa,Mujer,12/03/1985\n"
    (record,) = read_records(BytesIO(content.encode()))
    assert (record.line, record.establishment, record.local_id) == (2, "00000001", "HC1")
    assert record.demographics == Demographics(
        documents=(Document(DocumentType.DNI, "41238567"),),
        paternal_surname="Peña",
        given_names="Rosa",
        sex="F",
        birth_date=date(1985, 3, 12),
    )


@pytest.mark.parametrize(
    ("kind", "number", "expected"),
    [
        ("", "", ()),
        ("DNI", "", ()),
        ("", "41238567", (Document(DocumentType.DNI, "41238567"),)),
        ("", "AB123456", (Document(DocumentType.OTHER, "AB123456"),)),
        ("Pasaporte", "AB123456", (Document(DocumentType.PASSPORT, "AB123456"),)),
        ("Carné de extranjería", "001234567", (Document(DocumentType.CE, "001234567"),)),
        ("LIBRETA", "123456", (Document(DocumentType.OTHER, "123456"),)),
    ],
)
def test_documents(kind: str, number: str, expected: tuple[Document, ...]) -> None:
    (record,) = records(f"{HEADER}\n1,2,{kind},{number},,,,,\n")
    assert record.documents == expected


@pytest.mark.parametrize(("text", "sex"), [("M", "M"), ("h", "M"), ("Mujer", "F"), ("2", "F"), ("?", None), ("", None)])
def test_sex(text: str, sex: str | None) -> None:
    (record,) = records(f"{HEADER}\n1,2,,,,,,{text},\n")
    assert record.sex == sex


def test_columns_beyond_the_usual_are_read_where_known_and_tolerated_where_not() -> None:
    (record,) = records(
        "establishment,local_id,married_surname,mother_document,multiple_birth_order,remarks\n1,2,Flores,40811222,2,x\n"
    )
    assert record.married_surname == "Flores"
    assert record.mother_document == Document(DocumentType.DNI, "40811222")
    assert record.multiple_birth_order == 2


def test_a_file_that_says_nothing_of_people_is_refused() -> None:
    with pytest.raises(FileError, match="no column says anything"):
        records("establishment,local_id,remarks\n1,2,x\n")


def test_another_schema() -> None:
    schema = {
        "columns": {
            "local_id": "Match Id",
            "paternal_surname": "LAST",
            "given_names": "FIRST",
            "birth_date": "BIRTHDATE",
            "document_type": "=CE",
            "document_number": "SSN",
            "address": ["STREET", "CITY"],
        },
        "date_order": "mdy",
        "placeholders": ["Unknown"],
        "short_forms": {"Bob": "Robert"},
        "document_digits": 9,
    }
    header = "match id,first,last,birthdate,ssn,street,city"
    bob, unknown = records(
        f"{header}\n1,Bob,Lee,3/14/85,446-25-5155,1 Elm St,Troy\n2,UNKNOWN,Lee,,5155,,Troy\n", schema
    )
    assert bob == Demographics(
        documents=(Document(DocumentType.CE, "446-25-5155"),),
        paternal_surname="Lee",
        given_names="ROBERT",
        birth_date=date(1985, 3, 14),
        address="1 Elm St Troy",
    )
    assert unknown == Demographics(paternal_surname="Lee", address="Troy")


@pytest.mark.parametrize("broken", [{"columns": {"surname": "LAST"}}, {"date_order": "ymd"}])
def test_a_schema_that_says_what_no_schema_says_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        FileSchema.from_document(broken)
