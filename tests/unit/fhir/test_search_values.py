"""Search values as FHIR R4 search §3.1.1.4 reads them."""

from datetime import UTC, datetime

import pytest

from registry.errors import InvalidInput
from registry.fhir.values import Token, read_date, read_reference, read_token, read_uuid


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("1984-07-19", True), ("1984-07", True), ("1984", True), ("1984-07-18", False), ("1985", False),
        ("eq1984-07", True), ("ne1984-07", False), ("ne1984-08", True),
        ("gt1984-07-18", True), ("gt1984-07-19", False), ("ge1984-07-19", True), ("ge1984-07", True), ("ge1985", False),
        ("lt1984-07-20", True), ("lt1984-07-19", False), ("le1984-07-19", True), ("le1984-07", True), ("le1983", False),
        ("sa1984-07-18", True), ("sa1984-07", False), ("eb1984-08", True), ("eb1984-07", False),
        ("ap1984-07-20", True), ("ap1986", False),
    ],
)  # fmt: skip
def test_a_day_against_a_date(text: str, accepted: bool) -> None:
    assert read_date(text).accepts_date("1984-07-19") is accepted


@pytest.mark.parametrize(
    ("text", "said", "accepted"),
    [
        ("1984-05", "1984-05", True), ("1984", "1984-05", True), ("1984", "1984", True), ("1984-01-01", "1984", False),
        ("1984-05", "1984", False), ("1984-05-12", "1984-05", False), ("ap1984-05-12", "1984-05", True),
        ("ge1984-05-12", "1984-05", True), ("gt1984-05", "1984", True), ("gt1984-05-31", "1984-05", False),
        ("lt1984-05", "1984", True), ("le1984-04-30", "1984-05", False), ("ne1984-05", "1984", True),
        ("sa1984-04", "1984-05", True), ("eb1984-05-31", "1984-05", False),
    ],
)  # fmt: skip
def test_a_month_or_year_is_all_of_it(text: str, said: str, accepted: bool) -> None:
    assert read_date(text).accepts_date(said) is accepted


def test_a_moment_without_time_zone_is_limas_and_a_plus_sign_may_come_as_a_space() -> None:
    moment = datetime(2026, 11, 26, 17, tzinfo=UTC)
    assert read_date("2026-11-26T12:00:00").accepts(moment)
    assert read_date("2026-11-26T18:00:00 01:00").accepts(moment)
    assert not read_date("2026-11-26T17:00:00").accepts(moment)


@pytest.mark.parametrize("text", ["", "x", "84", "1984-13", "1984-02-30", "1984-7-1", "xx1984", "1984-07-19Tnoon",
                                  "9999", "9998", "0000", "0001", "ap0001", "9999-12-30", "0001-01-01T00:00:00+14:00",
                                  "1984-07-19T25:00:00", "1984\n", "١٩٨٤"])  # fmt: skip
def test_what_is_no_date_is_a_clear_error(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_date(text)


def test_tokens_and_references() -> None:
    assert read_token("s|1") == Token("s", "1")
    assert read_token("s|").matches("s", "anything")
    assert read_token("|1").matches(None, "1")
    assert not read_token("|1").matches("s", "1")
    assert read_token("1").matches("s", "1")
    assert read_reference("Patient/7", "Patient") == "7"
    assert read_reference("https://example.pe/fhir/Patient/7", "Patient") == "7"
    assert read_reference("7", "Patient") == "7"
    assert read_reference("Group/7", "Patient") is None
    with pytest.raises(InvalidInput):
        read_token("|")


def test_an_id_is_one_as_it_is_shown() -> None:
    said = "0f0e0d0c-0b0a-4908-8706-050403020100"
    assert [str(read_uuid(text)) for text in (said, said.upper())] == [said, said]
    others = (
        None,
        "",
        said.replace("-", ""),
        f"urn:uuid:{said}",
        f"{{{said}}}",
        f"{said} ",
        f"{said}\n",
        said[:-1] + "\u0660",
    )
    assert [read_uuid(text) for text in others] == [None] * len(others)
