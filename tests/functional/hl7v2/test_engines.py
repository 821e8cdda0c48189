"""What interface engines in use send that the standard allows, or nearly: other delimiters, batches, stray bytes."""

import pytest

from tests.functional.hl7v2.conftest import END, START, Engine, read_frame
from tests.functional.hl7v2.terser import Reply
from tests.functional.hl7v2.test_feed import EVN, PV1, pid

UTF8 = "UNICODE UTF-8"


def feed(engine: Engine, number: str, control: str, charset: str = UTF8, name: str = "Huamán^Nélida^Rosaura") -> str:
    return engine.message("ADT^A28^ADT_A05", EVN, pid(number, "HOSP-A", name=name), control=control, charset=charset)


def shown(engine: Engine, number: str) -> str:
    """The names of one's own record."""
    reply = engine.send("QBP^Q22^QBP_Q21", f"QPD|IHE PDQ Query|Q1|@PID.3.1^{number}", "RCP|I")
    return f"{reply['PID-5-1']}^{reply['PID-5-2']}"


def test_other_delimiters_say_the_same(engine: Engine) -> None:
    text = feed(engine, "X-1", "X-1", name="Quispe\\F\\Mamani^Rosa^Eva")
    other = text.translate(str.maketrans("|^~\\&", "#*+?%"))
    assert b"MSA|AA|X-1" in engine.exchange(other.encode())
    reply = engine.send("QBP^Q22^QBP_Q21", "QPD|IHE PDQ Query|Q1|@PID.3.1^X-1", "RCP|I")
    assert (reply["PID-5-1"], reply["PID-5-2"], reply["PID-5-3"]) == ("Quispe#Mamani", "Rosa", "Eva")


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("8859/1", "latin-1"), ("ISO-8859-1", "latin-1"), ("8859/1~UNICODE UTF-8", "latin-1"), ("UTF-8", "utf-8"),
     ("unicode", "utf-8"), ("8859/15", "iso-8859-15"), ("", "utf-8")],
)  # fmt: skip
def test_character_sets_by_the_names_engines_give_them(engine: Engine, charset: str, encoding: str) -> None:
    number = f"CS-{charset.encode().hex()}"
    answer = engine.exchange(feed(engine, number, number, charset).encode(encoding))
    assert f"MSA|AA|{number}".encode() in answer
    assert shown(engine, number) == "Huamán^Nélida"


def test_what_can_not_be_read_is_answered_with_its_control_id(engine: Engine) -> None:
    wrong = engine.exchange(feed(engine, "CS-9", "CTL-9", charset="GB 18030-2000").encode())
    assert b"MSA|AR|CTL-9|" in wrong
    latin = engine.exchange(feed(engine, "CS-9", "CTL-8").encode("latin-1"))
    assert b"MSA|AR|CTL-8|" in latin
    odd = engine.exchange(feed(engine, "CS-9", "CT<b>", charset="GB 18030-2000").encode())
    assert b"MSA|AR||" in odd


def test_a_switch_of_character_sets_is_refused_not_passed_over(engine: Engine) -> None:
    reply = Reply(engine.exchange(feed(engine, "CS-7", "CS-7", name="\\C2842\\Huaman^Rosa").encode()))
    assert (reply["MSA-1"], reply["ERR-3-1"]) == ("AE", "102")


def test_blank_lines_and_a_mark_before_a_message(engine: Engine) -> None:
    for number, before in (("BL-1", b"\r\n"), ("BL-2", b"\xef\xbb\xbf"), ("BL-3", b"\n\n")):
        assert b"MSA|AA|" in engine.exchange(before + feed(engine, number, number).encode())


def test_line_ends_between_frames_are_passed_over(engine: Engine) -> None:
    with engine.connect() as connection:
        for number in ("LE-1", "LE-2"):
            connection.sendall(b"\r\n" + START + feed(engine, number, number).encode() + END)
            assert f"MSA|AA|{number}".encode() in read_frame(connection)
        connection.sendall(b"\n" * 9)
        assert b"MSA|AR|" in read_frame(connection)


def batch(*messages: str, file: bool = False) -> bytes:
    lines = ["BHS|^~\\&|SIHCE-A|TEST|RENHICE|MINSA|20261126", *(one.rstrip("\r") for one in messages)]
    lines += [f"BTS|{len(messages)}"]
    whole = ["FHS|^~\\&|SIHCE-A|TEST", *lines, "FTS|1"] if file else lines
    return ("\r".join(whole) + "\r").encode()


def test_the_messages_of_a_batch_are_answered_one_by_one(engine: Engine) -> None:
    for file in (False, True):
        good = [feed(engine, f"BA-{file}-{number}", f"BA-{file}-{number}") for number in (1, 2)]
        wrong = engine.message("ADT^A08^ADT_A01", EVN, pid("1", "NOBODY"), PV1, control="BA-X")
        reply = Reply(engine.exchange(batch(good[0], wrong, good[1], file=file)))
        assert [one[0] for one in reply.segments] == ["BHS", "MSH", "MSA", "MSH", "MSA", "ERR", "MSH", "MSA", "BTS"]
        assert [(one[1], one[2]) for one in reply.all("MSA")] == [
            ("AA", f"BA-{file}-1"), ("AE", "BA-X"), ("AA", f"BA-{file}-2")
        ]  # fmt: skip
        assert reply["BTS-1"] == "3"
        assert shown(engine, f"BA-{file}-2") == "Huamán^Nélida"


def test_a_batch_of_nothing_and_one_of_too_much_are_refused(engine: Engine) -> None:
    many = batch(*["MSH|^~\\&|x"] * 101)
    for sent in (batch(), many, batch("PID|||1")):
        reply = Reply(engine.exchange(sent))
        assert (reply["MSA-1"], reply["ERR-3-1"]) == ("AR", "100")
    quiet = engine.message("ADT^A28^ADT_A05", EVN, pid("QU-1", "HOSP-A"), accept="NE", apply="ER", control="QU-1")
    loud = feed(engine, "QU-2", "QU-2")
    assert [one[2] for one in Reply(engine.exchange(batch(quiet, loud))).all("MSA")] == ["QU-2"]


@pytest.mark.parametrize("asked", ["@PID.3^X-1^^^HOSP-B", "@PID.3^X-1&&&HOSP-B", "@PID.5^HUAMAN&ROSA~@PID.7^19910723"])
def test_a_field_asked_for_in_parts_at_once_is_refused_not_read_in_part(engine: Engine, asked: str) -> None:
    reply = engine.send("QBP^Q22^QBP_Q21", f"QPD|IHE PDQ Query|Q1|{asked}", "RCP|I")
    assert (reply["MSA-1"], reply["ERR-3-1"], reply["QAK-2"]) == ("AE", "102", "AE")
