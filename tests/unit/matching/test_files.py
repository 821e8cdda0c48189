"""What people hand over as a CSV: encodings, delimiters, broken rows."""

from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.files import FileError, Reading, Row, read_table

HEADER = "establishment,local_id,paternal_surname\n"
REQUIRED = ("establishment", "local_id")


def read(content: bytes | str, *, skip: bool = False) -> tuple[list[Row], Reading]:
    reading = Reading(skip_bad_rows=skip)
    data = content.encode() if isinstance(content, str) else content
    return list(read_table(BytesIO(data), REQUIRED, reading)), reading


@pytest.mark.parametrize(
    "content",
    [
        (HEADER + "1,HC1,Peña\n").encode(),
        (HEADER + "1,HC1,Peña\n").encode("utf-8-sig"),
        (HEADER + "1,HC1,Peña\n").encode("latin-1"),
        (HEADER + "1,HC1,Peña").replace(",", ";").encode("cp1252"),
        (HEADER + "1,HC1,Peña\n").replace(",", "\t").encode(),
        (HEADER + " 1 , HC1 ,  Peña\n").replace("\n", "\r\n").encode(),
        ("sep=;\r\n" + (HEADER + "1,HC1,Peña\n").replace(",", ";")).encode(),
        ("\n\n" + HEADER.upper().replace("_", " ") + "\n1,HC1,Peña,,\n\n").encode(),
        (HEADER + "1,HC1,Peña\n,,\n , ,\n,\n").encode(),
        b'\xef\xbb\xbf"establishment","local-id","paternal_surname"\n"1","HC1","Pe\xc3\xb1a"\n',
    ],
)
def test_one_table_in_many_clothes(content: bytes) -> None:
    rows, _ = read(content)
    assert [dict(row.cells) for row in rows] == [{"establishment": "1", "local_id": "HC1", "paternal_surname": "Peña"}]


def test_lines_that_are_not_utf8_are_counted_and_the_others_stay_as_they_are() -> None:
    rows, reading = read((HEADER + "1,HC1,Peña\n").encode() + "1,HC2,Núñez\n".encode("latin-1"))
    assert [row.cells["paternal_surname"] for row in rows] == ["Peña", "Núñez"]
    assert reading.not_utf8 == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"PK\x03\x04 xl/workbook.xml", "spreadsheet"),
        (HEADER.encode("utf-16"), "UTF-16"),
        (HEADER.encode("utf-16-le"), "UTF-16"),
        ((HEADER + "1,HC1,A\n").replace("\n", "\r"), "carriage return"),
        (b"establishment\0local_id", "no text"),
        ("nombre,apellido\na,b\n", "missing columns: establishment, local_id; the header has: nombre, apellido"),
        ("establishment,local_id,LOCAL ID\n1,2,3\n", "twice: local_id"),
        (HEADER + "1,HC1\n", "line 2: 2 cells where the header has 3"),
        ("\n" + HEADER + "1,HC1,A\n1,HC2,A,B\n", "line 4: 4 cells"),
        (HEADER + f"1,HC1,{'A' * 500}\n", "line 2: a cell is longer"),
        (HEADER + '1,HC1,"A"B\n', "line 2: "),
        (HEADER + '1,HC1,A\n1,HC2,"A\n1,HC3,A\n', "line 3: a quotation mark opened here is never closed"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(content: bytes | str, says: str) -> None:
    with pytest.raises(FileError, match=says):
        read(content)


def test_bad_rows_may_be_left_out_and_are_all_named() -> None:
    content = HEADER + '1,HC1,A\n1,HC2\n1,HC3,"A"B\n1,"HC\n4",A,B\n1,HC5,A\n'
    rows, reading = read(content, skip=True)
    assert [(row.line, row.cells["local_id"]) for row in rows] == [(2, "HC1"), (7, "HC5")]
    assert [str(bad).split(":")[0] for bad in reading.left_out] == ["line 3", "line 4", "lines 5 to 6"]


def test_a_mark_never_closed_is_an_error_even_when_bad_rows_are_left_out() -> None:
    swallowed = "1,HC,ROSA\n" * 20_000
    for rest in ("", swallowed):
        with pytest.raises(FileError, match="line 2: a quotation mark"):
            read(HEADER + '1,HC1,"A\n' + rest, skip=True)


@given(st.one_of(st.binary(max_size=200), st.text('establishment,local_id\n";\r\0ñ1', max_size=80).map(str.encode)))
def test_any_bytes_are_rows_or_a_clear_error(content: bytes) -> None:
    for prefix in (b"", HEADER.encode()):
        with suppress(FileError):
            rows, reading = read(prefix + content, skip=True)
            assert all(set(row.cells) <= set(reading.columns) for row in rows)
