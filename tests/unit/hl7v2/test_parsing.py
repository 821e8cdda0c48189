"""Messages taken apart: delimiters, repetitions, escapes, character sets, limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.hl7v2.answers import Answer, wanted, write, write_rejection
from registry.hl7v2.faults import Fault, Rejected, to_fault
from registry.hl7v2.parsing import DEFAULT, Delimiters, Message, parse
from registry.hl7v2.patient_reading import to_fhir_date

HEADER = "MSH|^~\\&|APP|FAC|RENHICE|MINSA|20261126||ADT^A08^ADT_A01|C-1|P|2.5"


def message(*segments: str, header: str = HEADER) -> Message:
    return parse("\r".join([header, *segments]).encode())


def test_fields_repetitions_components_and_subcomponents() -> None:
    pid = message("PID|1||A^^^N&1.2&ISO^PI~B||X&Y^Z|").one("PID")
    first, second = pid.repetitions(3)
    assert [first.text(1), first.text(4, 1), first.text(4, 2), first.text(4, 3), first.text(5)] == [
        "A", "N", "1.2", "ISO", "PI",
    ]  # fmt: skip
    assert (second.text(1), second.text(4), second.text(9, 2)) == ("B", "", "")
    assert pid.repetitions(5)[0].texts(1) == ["X", "Y"]
    assert (pid.text(1), pid.text(2), pid.text(6), pid.text(40)) == ("1", "", "", "")
    assert pid.written() == "PID|1||A^^^N&1.2&ISO^PI~B||X&Y^Z|"


def test_the_header_counts_its_delimiters() -> None:
    header = message().header
    assert (header.text(3), header.text(9, 2), header.text(10), header.text(12)) == ("APP", "A08", "C-1", "2.5")
    assert message().kind == "ADT^A08"


def test_null_is_nothing() -> None:
    assert message('PID|||1||""^""').one("PID").text(5) == ""


@pytest.mark.parametrize("line_end", ["\r", "\n", "\r\n", "\r\r\n"])
def test_ends_of_lines(line_end: str) -> None:
    assert len(parse(f"{HEADER}{line_end}EVN||1{line_end}PID|1{line_end}".encode()).segments) == 3


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", "a|b^c&d~e\\f"),
        (r"a\X41\\X4243\b", "aABCb"),
        (r"a\XC391\b", "aÑb"),
        (r"a\X4\b", "ab"),
        (r"a\.br\b\.sp2\c", "a b c"),
        (r"\H\bold\N\ ", "bold "),
        (r"a\Zfoo\b", "ab"),
        ("a\\b", "a\\b"),
    ],
)
def test_escapes(written: str, read: str) -> None:
    assert DEFAULT.unescape(written) == read


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0x2FFF, blacklist_characters="\x7f")))
def test_what_is_escaped_is_read_back(text: str) -> None:
    escaped = DEFAULT.escaped(text)
    assert not set("|^~&") & set(escaped)
    assert DEFAULT.unescape(escaped) == text


@given(st.text(alphabet="#*+$!xÑ", max_size=30))
def test_a_field_in_other_delimiters_is_rewritten_in_the_usual_ones(text: str) -> None:
    odd = Delimiters("#", "*", "+", "$", "!")
    header = HEADER.translate(str.maketrans("|^~\\&", "#*+$!"))
    pid = parse(f"{header}\rPID#{odd.escaped(text)}".encode()).one("PID")
    assert pid.text(1) == text.strip()
    assert DEFAULT.unescape(pid.rewritten(1)) == text.strip()


@pytest.mark.parametrize(
    "frame",
    [
        b"", b"MSH", b"MSH|", b"MSH|^~\\&", b"MSH||||||", b"MSH|^^\\&|", b"PID|1", b"MSH|^~\\&#|A", b"MSHABCDEA",
        HEADER.encode() + b"\r1X|", HEADER.encode() + b"\r" + HEADER.encode(), HEADER.encode() + b"\rPI\xff|",
        HEADER.encode() + b"\rZZZ|" * 300, HEADER.encode() + b"||||||KLINGON",
    ],
)  # fmt: skip
def test_what_is_no_message(frame: bytes) -> None:
    with pytest.raises(Rejected) as refusal:
        parse(frame)
    assert b"MSA|AR||" in write_rejection(refusal.value)


def test_limits_of_a_value_and_of_repetitions() -> None:
    with pytest.raises(Fault):
        message("PID|" + "x" * 1001).one("PID").text(1)
    with pytest.raises(Fault):
        message("PID|" + "~".join("x" * 51)).one("PID").repetitions(1)
    with pytest.raises(Fault):
        message(r"PID|\X00\ ").one("PID").text(1)
    with pytest.raises(Fault, match="EVN"):
        message().one("EVN")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1984", "1984"),
        ("198407", "1984-07"),
        ("19840719", "1984-07-19"),
        ("198407191230", "1984-07-19"),
        ("19840719123015.123-0500", "1984-07-19"),
        ("", None),
    ],
)
def test_dates(written: str, read: str | None) -> None:
    assert to_fhir_date(written, "PID^1^7") == read


@pytest.mark.parametrize("written", ["84", "1984071", "1984-07-19", "hoy", "19840719x"])
def test_what_is_no_date(written: str) -> None:
    with pytest.raises(Fault):
        to_fhir_date(written, "PID^1^7")


@pytest.mark.parametrize(
    ("accept", "apply", "ack", "code"),
    [
        ("", "", "AA", "AA"), ("AL", "NE", "AA", "CA"), ("AL", "NE", "AR", "CR"), ("ER", "NE", "AA", None),
        ("ER", "NE", "AE", "CE"), ("SU", "NE", "AE", None), ("NE", "NE", "AE", None), ("AL", "AL", "AE", "AE"),
        ("NE", "SU", "AA", "AA"),
    ],
)  # fmt: skip
def test_acknowledgment_conditions(accept: str, apply: str, ack: str, code: str | None) -> None:
    asked = message(header=f"{HEADER}|||{accept}|{apply}")
    answer = Answer(ack)
    assert wanted(asked, answer) is (code is not None)
    if code:
        assert f"MSA|{code}|C-1".encode() in write(asked, answer)


def test_errors_in_the_form_of_each_version() -> None:
    answer = Answer("AE", [Fault("Nobody.", number="204", place="QPD^1^3^1^4", hint="Ask others.")])
    old = message(header=HEADER.replace("2.5", "2.3.1"))
    assert b"ERR|QPD^1^3^204&Unknown key identifier&HL70357|QPD^1^3^1^4|204^" in write(old, answer)
    assert b"ERR||QPD^1^3^1^4|204^Unknown key identifier^HL70357|E||||Nobody. Ask others." in write(message(), answer)


def test_an_answer_is_in_the_character_set_of_the_message_or_in_utf_8() -> None:
    latin = message(header=f"{HEADER}||||||8859/1")
    assert "Ñ".encode("iso-8859-1") in write(latin, Answer(segments=["PID|Ñ"]))
    assert "Ĳ".encode() in write(latin, Answer(segments=["PID|Ĳ"]))
    assert b"|UNICODE UTF-8\r" in write(message(), Answer(segments=["PID|Ñ"]))


def test_a_refusal_keeps_its_own_words_only() -> None:
    fault = to_fault(Fault("No.", number="102", place="PID^1^5"))
    assert (fault.ack, fault.place) == ("AE", "PID^1^5")
