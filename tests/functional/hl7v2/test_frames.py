"""What is in a frame: headers, modes, garbage, and what an answer could not repeat."""

import ssl

import pytest
from hypothesis import given
from hypothesis import settings as quiet
from hypothesis import strategies as st

from registry.app import Renhice
from registry.hl7v2 import parsing
from tests.functional.hl7v2.conftest import END, START, Engine, Port, read_frame
from tests.functional.hl7v2.terser import Reply
from tests.functional.hl7v2.test_peers import EVN, PATIENT
from tests.functional.statements import counted


@pytest.mark.parametrize(
    ("change", "place", "number"),
    [
        (("ADT^A28", "ADT^A99"), "MSH^1^9^1^2", "201"),
        (("ADT^A28", "ORU^R01"), "MSH^1^9^1^1", "200"),
        (("|2.5|", "|3.0|"), "MSH^1^12", "203"),
        (("ADT_A05", "ORU_R01"), "MSH^1^9^1^3", "200"),
        (("|K-1|", "||"), "MSH^1^10", "101"),
    ],
    ids=["event", "type", "version", "structure", "control"],
)
def test_headers_that_are_not_taken(engine: Engine, change: tuple[str, str], place: str, number: str) -> None:
    text = engine.message("ADT^A28^ADT_A05", EVN, PATIENT.format("S-3"), control="K-1").replace(*change)
    reply = Reply(engine.exchange(text.encode()))
    assert reply["MSA-1"] in {"AR", "AE"}
    assert (reply.all("ERR")[0][2], reply["ERR-3-1"]) == (place, number)


@pytest.mark.parametrize(
    ("accept", "apply", "answered"),
    [("AL", "NE", "CA"), ("AL", "", "CA"), ("", "AL", "AA"), ("AL", "AL", "AA"), ("SU", "NE", "CA"), ("ER", "NE", "")],
)
def test_enhanced_mode(engine: Engine, accept: str, apply: str, answered: str) -> None:
    text = engine.message("ADT^A28^ADT_A05", EVN, PATIENT.format("S-4"), accept=accept, apply=apply).encode()
    wrong = engine.message("ADT^A28^ADT_A05", EVN, accept=accept, apply=apply).encode()
    with engine.connect() as connection:
        connection.sendall(START + text + END + START + engine.message("ADT^A28^ADT_A05", EVN).encode() + END)
        replies = [Reply(one) for one in (read_until(connection, 1 + bool(answered)))]
    assert [one["MSA-1"] for one in replies] == [*([answered] if answered else []), "AE"]
    if accept == "ER":
        assert Reply(engine.exchange(wrong))["MSA-1"] == "CE"


def read_until(connection: ssl.SSLSocket, count: int) -> list[bytes]:
    found = b""
    while found.count(END) < count:
        found += connection.recv(65536)
    return [one.removeprefix(START) for one in found.split(END) if one]


@pytest.mark.parametrize(
    "sent",
    [b"GET / HTTP/1.1\r\n\r\n", b"MSH|^~\\&|", b"\x00" * 500, b"\x1c\r\x0b"],
    ids=["http", "unframed", "zeros", "out-of-step"],
)
def test_what_is_no_frame_ends_the_connection(engine: Engine, sent: bytes) -> None:
    with engine.connect() as connection:
        connection.sendall(sent)
        assert b"MSA|AR|" in read_frame(connection)
        assert connection.recv(10) == b""


PIECES = st.sampled_from(
    [b"MSH|^~\\&|", b"PID|", b"\r", b"|", b"^", b"~", b"&", b"\\", b"SIHCE-A", b"TEST", b"ADT^A08"]
)
GARBAGE = st.lists(PIECES | st.binary(max_size=12), max_size=30).map(b"".join)


@quiet(max_examples=40, deadline=None)
@given(noise=GARBAGE)
def test_garbage_in_a_frame_is_answered_and_the_next_message_served(port: Port, engine: Engine, noise: bytes) -> None:
    if END in noise:
        return
    good = engine.message("ADT^A28^ADT_A05", EVN, PATIENT.format("S-10")).encode()
    mixed = good.replace(b"Eulalia", noise.replace(b"\r", b""))
    with engine.connect() as connection:
        for frame in (noise, mixed, good):
            connection.sendall(START + frame + END)
            reply = read_frame(connection)
            assert b"MSA|A" in reply
        assert b"MSA|AA|" in reply


@pytest.mark.parametrize("number", [3, 4, 5, 8, 9, 10, 11, 14])
@pytest.mark.parametrize("value", ["\\X00\\", "x" * 1001], ids=["control character", "too long"])
def test_what_an_answer_could_not_repeat_is_rejected_for_good_and_audited(
    engine: Engine, renhice: Renhice, number: int, value: str
) -> None:
    header, *rest = engine.message("ADT^A28^ADT_A05", EVN, PATIENT.format("S-9")).split("\r")
    fields = header.split("|")
    fields[number] += f"^{value}"
    with counted(renhice.database.engine) as seen:
        refused = Reply(engine.exchange("\r".join(["|".join(fields), *rest]).encode()))
    assert (refused["MSA-1"], refused.all("ERR")[0][2:4]) == ("AR", ["MSH^1", "102^Data type error^HL70357"])
    written = [one.partition("(")[0].strip() for one in seen if one.startswith("INSERT")]
    assert written == ["INSERT INTO audit_events"]


@pytest.mark.parametrize("sign", ["|", "^", "~"], ids=["fields", "components", "repetitions"])
def test_a_message_of_nothing_but_delimiters_is_not_taken_apart(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, sign: str
) -> None:
    """One of 60,000 bytes kept the port's interpreter for 0.4 s, again and again."""
    monkeypatch.setattr(parsing.hl7, "parse", None)
    refused = engine.send("ADT^A28^ADT_A05", EVN, "PID|||" + sign * 60_000)
    assert (refused["MSA-1"], refused["ERR-3-1"]) == ("AR", "100")


def test_a_query_an_answer_could_not_repeat_is_rejected(engine: Engine) -> None:
    refused = engine.send("QBP^Q22^QBP_Q21", "QPD|\\X01\\|q|@PID.5.1^Huaman~@PID.7^1984")
    assert (refused["MSA-1"], refused.all("ERR")[0][2]) == ("AR", "QPD^1")
