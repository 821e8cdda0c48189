from datetime import date

import pytest

from matching.files import FileError, parse_date, read_records
from matching.records import Document, DocumentType

HEADER = "establishment,local_id,document_type,document_number,paternal_surname,sex,birth_date\n"


def test_a_row_becomes_a_record() -> None:
    (record,) = read_records([HEADER, "00000001,HC1,dni,41238567,Peña,Hombre,12/03/1985\n"])
    assert (record.establishment, record.local_id) == ("00000001", "HC1")
    assert record.demographics.documents == (Document(DocumentType.DNI, "41238567"),)
    assert (record.demographics.paternal_surname, record.demographics.sex) == ("Peña", "M")
    assert record.demographics.birth_date == date(1985, 3, 12)


def test_empty_cells_are_missing_and_unknown_types_are_other() -> None:
    empty, odd = read_records([HEADER, "00000001,HC1,,,,,\n", "00000001,HC2,LIBRETA,123456,,?,never\n"])
    assert empty.demographics.documents == ()
    assert odd.demographics.documents[0].type is DocumentType.OTHER
    assert (odd.demographics.sex, odd.demographics.birth_date) == (None, None)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["nombre,apellido\n", "a,b\n"],
        [HEADER, "1,2\n"],
        [HEADER, "1,2,3,4,5,6,7,8,9\n"],
        [HEADER, f"1,2,DNI,1,{'A' * 500},M,\n"],
        [HEADER, '1,2,DNI,1,"A"B,M,\n'],
    ],
)
def test_what_is_no_table_of_records_is_refused(lines: list[str]) -> None:
    with pytest.raises(FileError):
        list(read_records(lines))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1985-03-12", date(1985, 3, 12)),
        ("12.03.1985", date(1985, 3, 12)),
        ("1985-13-05", date(1985, 5, 13)),
        ("1985-02-30", None),
        ("0000-01-01", None),
        ("1985", None),
        ("²-1-1985", None),
        ("", None),
    ],
)
def test_dates(text: str, expected: date | None) -> None:
    assert parse_date(text) == expected
