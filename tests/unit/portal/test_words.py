"""What people read: dates, files, charts, masks, the words of consent."""

import csv
import io
import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.accesses import csv_row, to_csv
from portal.charts import SIZES, bar_chart
from portal.dates import age, long_day, long_moment, number, parse_day
from portal.error_texts import ERRORS, error_text
from portal.texts import CATEGORIES
from portal.views import Access, ConsentQuestion, Figure, FigureRow
from portal.wording import PROMISE, consent_text

MOMENT = datetime(2026, 3, 5, 19, 5, tzinfo=UTC)


def access(**changes: str) -> Access:
    words = {"who": "Rosa", "profession": "CMP 1", "establishment": "A", "what": "Alergias", "why": "Para atenderle"}
    return Access(at=MOMENT, permitted=True, **(words | changes))


def test_dates_are_written_as_in_peru_and_in_lima() -> None:
    assert long_moment(MOMENT) == "5 de marzo de 2026, 14:05"
    assert long_day(datetime(2026, 1, 1, 3, tzinfo=UTC)) == "31 de diciembre de 2025"
    assert long_day(date(2026, 3, 5)) == "5 de marzo de 2026"
    assert number(12345) == "12,345"


@pytest.mark.parametrize(("today", "years"), [(date(2026, 3, 4), 41), (date(2026, 3, 5), 42)])
def test_a_birthday_makes_one_older(today: date, years: int) -> None:
    assert age(date(1984, 3, 5), today) == years


@given(st.text(max_size=12))
def test_any_text_is_a_day_or_none(text: str) -> None:
    found = parse_day(text)
    assert found is None or found.tzinfo is not None


@pytest.mark.parametrize("hostile", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_spreadsheet_runs_nothing_of_a_file(hostile: str) -> None:
    (row,) = csv.reader(io.StringIO(to_csv([csv_row(access(who=hostile))])))
    assert row[1].startswith("'")


def test_a_file_says_what_the_page_says() -> None:
    (row,) = csv.reader(io.StringIO(to_csv([csv_row(access(refusal="x"))])))
    assert row == [
        "2026-03-05T19:05:00+00:00",
        "Rosa",
        "CMP 1",
        "A",
        "Alergias",
        "Para atenderle",
        "Permitido",
        "x",
    ]


@pytest.mark.parametrize("theme", ["claro", "oscuro"])
@pytest.mark.parametrize("size", SIZES)
@given(rows=st.lists(st.tuples(st.text(max_size=60), st.none() | st.integers(0, 10**9)), max_size=30))
def test_a_chart_is_always_an_image_inside_its_frame(theme: str, size: str, rows: list[tuple[str, int | None]]) -> None:
    legible = [(label, value) for label, value in rows if label.isprintable()]
    figure = Figure(
        key="x", title="<T> & 'x'", unit="u", dimension="d", total=None, updated_at=None,
        rows=[FigureRow(label=label, value=value) for label, value in legible],
    )  # fmt: skip
    image = ET.fromstring(bar_chart(figure, theme, SIZES[size]))  # our own output
    bars = image.findall(".//{*}g/{*}rect")
    assert len(bars) == sum(value is not None for _, value in legible)
    limit = SIZES[size].width - SIZES[size].values
    assert all(float(bar.attrib["x"]) + float(bar.attrib["width"]) <= limit + 0.1 for bar in bars)


def test_the_words_of_consent_hold_all_that_is_decided() -> None:
    question = ConsentQuestion(
        action="/x",
        establishment="Hospital A",
        place="Cusco",
        professional="Julio",
        credential="CMP 1",
        purpose="TREAT",
        categories=["allergies"],
        until=MOMENT,
    )
    for words in (
        "Julio CMP 1",
        "Hospital A",
        "Cusco",
        "Alergias",
        "Para atenderle",
        "5 de marzo de 2026, 14:05",
        PROMISE,
    ):
        assert words in consent_text(question)
    assert not any(label in consent_text(question) for code, label in CATEGORIES.items() if code != "allergies")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 415, 418, 422, 429, 500, 502, 503])
def test_every_error_says_what_to_do_next(status: int) -> None:
    assert error_text(status).next
    assert error_text(status) in ERRORS.values()
