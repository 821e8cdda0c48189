"""Telephone numbers as people write them, and the words of a message that any telephone shows."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_broker.desk.sms_words import HIDDEN, Codes, code_message
from consent_broker.emergency.notices import officer_message, person_message
from registry.messages.phones import mobile_number
from registry.messages.words import LONGEST, plain

GSM = set("@$_ !\"#%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzñÑ\n")


@pytest.mark.parametrize(
    "written", ["987654321", " 987 654 321", "+51987654321", "+51 987-654-321", "0051987654321", "51 987654321"]
)
def test_a_mobile_however_written(written: str) -> None:
    assert mobile_number(written) == "+51987654321"


@pytest.mark.parametrize(
    "written",
    [None, "", "014567890", "98765432", "9876543210", "+1 987654321", "+5198765432", "x", "٩٨٧٦٥٤٣٢١", "9" * 99],
)
def test_no_other_number_is_used(written: str | None) -> None:
    assert mobile_number(written) is None


@given(st.text(max_size=60))
def test_any_text_is_a_mobile_or_none(written: str) -> None:
    found = mobile_number(written)
    assert found is None or (found.startswith("+519") and len(found) == 12 and found[1:].isdecimal())


def test_the_message_says_who_for_what_until_when_and_the_code() -> None:
    until = datetime(2026, 3, 6, 5, tzinfo=UTC)
    text = code_message(
        Codes("482913", "173920"), "JULIO CÉSAR NUÑEZ (CMP 990101)", "Hospital de Ñaña", "TREAT", until, 5
    )
    for words in (
        "JULIO CESAR NUÑEZ (CMP 990101)",
        "Hospital de Ñaña",
        "para atenderle",
        "06/03",
        "482913",
        "5 minutos",
    ):
        assert words in text


@given(who=st.text(max_size=400), place=st.text(max_size=400))
def test_a_message_fits_two_segments_and_always_shows_its_code(who: str, place: str) -> None:
    text = code_message(Codes("482913", "173920"), who, place, "CAREMGT", datetime(2026, 3, 6, 5, tzinfo=UTC), 5)
    assert len(text) <= LONGEST
    assert "digale el codigo 482913, o 173920 para solo lo basico. Vale 5 minutos. Si no, no lo diga." in text
    assert HIDDEN not in text


@given(who=st.text(max_size=400), place=st.text(max_size=400))
def test_who_is_told_of_an_emergency_reads_until_when_and_what_to_do(who: str, place: str) -> None:
    opened, until = datetime(2026, 3, 6, 4, 59, tzinfo=UTC), datetime(2026, 3, 6, 5, 59, tzinfo=UTC)
    person, officer = person_message(who, place, opened, until), officer_message(place, opened, until)
    assert max(len(person), len(officer)) <= LONGEST
    assert "el 05/03 a las 23:59" in person
    assert "hasta las 00:59" in person
    assert person.endswith("113.")
    assert officer.endswith("antes del 06/03 a las 00:59.")


@given(
    st.text(st.characters(codec="latin-1", exclude_categories=("Cc", "So", "Sm", "Sk", "Sc", "Po", "Pi", "Pf", "No")))
)
def test_spanish_becomes_what_any_telephone_shows(text: str) -> None:
    assert all(letter in GSM for letter in plain(text) if letter.isalpha())
