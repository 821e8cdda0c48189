"""ADT events: what the registry keeps of them, and how it answers."""

from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.identity.models import PossibleMatch
from registry.identity.records import OwnRecord, find_own_id, find_own_record
from tests.functional.hl7v2.conftest import Engine

EVN = "EVN||20261126"
PV1 = "PV1||O"


def pid(number: str, domain: str, name: str = "Huamán^Nélida^Rosaura^^^^L", **more: str) -> str:
    fields = {3: f"{number}^^^{domain}^PI", 5: name, 6: "Ccori^^^^^^L", 7: "19910723", 8: "F"}
    fields |= {int(key.removeprefix("f")): value for key, value in more.items()}
    return "|".join(["PID", *(fields.get(position, "") for position in range(1, 31))])


@pytest.fixture
def kept(renhice: Renhice) -> Callable[[Engine, str], OwnRecord | None]:
    def find(engine: Engine, number: str) -> OwnRecord | None:
        with renhice.database.unit_of_work() as session:
            record = find_own_id(session, renhice.sealer, engine.establishment_id, number)
            return find_own_record(session, renhice.sealer, engine.establishment_id, record) if record else None

    return find


Kept = Callable[[Engine, str], OwnRecord | None]


@pytest.mark.parametrize(
    ("event", "structure"),
    [("A01", "A01"), ("A04", "A01"), ("A05", "A05"), ("A08", "A01"), ("A28", "A05"), ("A31", "A05")],
)
def test_each_event_writes_a_source_record(engine: Engine, kept: Kept, event: str, structure: str) -> None:
    number = f"E-{event}"
    address = "Jr. Puno 123^^Cusco^^^PER^H^^080101"
    documents = f"{number}^^^HOSP-A^PI~40718{event[1:]}1^^^RENIEC^NNPER~AB123456^^^CHL^PPN"
    segment = pid(number, "HOSP-A", f3=documents, f11=address, f13="^PRN^CP^^^^984112233", f21="40718290^^^^NNPER")
    reply = engine.send(f"ADT^{event}^ADT_{structure}", EVN, segment, PV1, control=f"C-{event}")
    assert (reply["MSH-9-1"], reply["MSH-9-2"], reply["MSH-9-3"]) == ("ACK", event, "ACK")
    assert (reply["MSA-1"], reply["MSA-2"]) == ("AA", f"C-{event}")
    assert (reply["MSH-5"], reply["MSH-6"], reply["MSH-3"]) == ("SIHCE-A", "TEST", "RENHICE")
    found = kept(engine, number)
    assert found is not None
    facts = found.member.content.demographics
    assert (facts.paternal_surname, facts.maternal_surname, facts.given_names) == ("Huamán", "Ccori", "Nélida Rosaura")
    assert (facts.sex, str(facts.birth_date), facts.ubigeo) == ("F", "1991-07-23", "080101")
    assert (facts.phone, facts.address) == ("984112233", "Jr. Puno 123")
    assert [(one.type.value, one.number, one.country) for one in facts.documents] == [
        ("DNI", f"40718{event[1:]}1", "PER"),
        ("PASSPORT", "AB123456", "CHL"),
    ]
    assert facts.mother_document is not None
    assert facts.mother_document.number == "40718290"
    assert found.member.content.local_system == "urn:oid:2.16.840.1.113883.3.72.5.9.2"


def test_a_newborns_mother_is_named_by_her_number(engine: Engine, kept: Kept) -> None:
    mother = pid("MO-1", "HOSP-A", name="Ttito^Justina", f3="MO-1^^^HOSP-A^PI~40718211^^^RENIEC^NNPER")
    assert engine.send("ADT^A28^ADT_A05", EVN, mother)["MSA-1"] == "AA"
    for number, said in (
        ("BA-1", "MO-1^^^HOSP-A^MR"),
        ("BA-2", "MO-1"),
        ("BA-3", "MO-1^^^NOBODY"),
        ("BA-4", "7^^^^SS"),
    ):
        child = pid(number, "HOSP-A", name="", f6="Ttito", f7="20260102", f21=said)
        assert engine.send("ADT^A28^ADT_A05", EVN, child)["MSA-1"] == "AA"
        found = kept(engine, number)
        assert found
        facts = found.member.content.demographics
        known = number in {"BA-1", "BA-2"}
        assert found.member.content.mother_number == ("MO-1" if known else None)
        assert (facts.mother_document and facts.mother_document.number) == ("40718211" if known else None)
        assert facts.maternal_surname == "Ttito"
    asked = "@PID.6.1^TTITO~@PID.6.2^JUST*~@PID.21.1^MO-1~@PID.21.4.1^HOSP-A"
    reply = engine.send("QBP^Q22^QBP_Q21", f"QPD|IHE PDQ Query|Q1|{asked}", "RCP|I")
    assert reply["MSA-1"] == "AE"
    reply = engine.send("QBP^Q22^QBP_Q21", f"QPD|IHE PDQ Query|Q1|{asked.replace('JUST*', 'JUSTINA')}", "RCP|I")
    assert {one[3].split("^")[0] for one in reply.all("PID")} == {"BA-1", "BA-2"}
    assert {one[6] for one in reply.all("PID")} == {"Ttito^Justina^^^^^L"}
    assert {one[21] for one in reply.all("PID")} == {
        "MO-1^^^HOSP-A&2.16.840.1.113883.3.72.5.9.2&ISO^PI~40718211^^^RENIEC&2.16.840.1.113883.4.904&ISO^NNPER"
    }


def test_a_mother_among_the_next_of_kin_counts_where_pid_says_nothing_of_her(engine: Engine, kept: Kept) -> None:
    kin = "NK1|1|Ttito Cruz^Justina^Eva|MTH^Madre" + "|" * 30 + "MO-7^^^HOSP-A^PI~40718299^^^RENIEC^NNPER"
    father = kin.replace("MTH^Madre", "FTH^Padre").replace("40718299", "40718200")
    for number, pid_21, expected in (("KI-1", "", "40718299"), ("KI-2", "40718211^^^RENIEC^NNPER", "40718211")):
        child = pid(number, "HOSP-A", name="", f6="", f7="20260102", f21=pid_21)
        assert engine.send("ADT^A28^ADT_A05", EVN, child, father, kin)["MSA-1"] == "AA"
        found = kept(engine, number)
        assert found
        content = found.member.content
        assert content.demographics.mother_document
        assert content.demographics.mother_document.number == expected
        assert content.mother_number == ("MO-7" if not pid_21 else None)
        assert (content.aside.mother_given_names, content.demographics.maternal_surname) == ("Justina Eva", None)


def test_numbers_of_visits_and_accounts_are_not_the_patients(engine: Engine, kept: Kept) -> None:
    visit, account = "V-9^^^HOSP-A^VN", "C-9^^^HOSP-A^AN"
    for number, others in (
        ("SN-1^^^HOSP-A^PI", [visit]),
        ("SN-2^^^HOSP-A", [visit, account]),
        ("SN-3^^^HOSP-A^MR", ["X-9^^^HOSP-A^PI"]),
    ):
        sent = engine.send("ADT^A28^ADT_A05", EVN, pid("", "HOSP-A", f3="~".join([*others, number])))
        assert sent["MSA-1"] == "AA"
        assert kept(engine, number.partition("^")[0])
    assert not any(kept(engine, number) for number in ("V-9", "C-9", "X-9"))
    for alone in (visit, account, "Y-1^^^HOSP-A^PI~Y-2^^^HOSP-A^PI", "Y-1^^^HOSP-A^MR~Y-2^^^HOSP-A^MR"):
        refused = engine.send("ADT^A28^ADT_A05", EVN, pid("", "HOSP-A", f3=alone))
        assert (refused["MSA-1"], refused["ERR-2-1"], refused["ERR-2-3"]) == ("AE", "PID", "3")


def test_the_same_message_again_has_no_second_effect(engine: Engine, kept: Kept, renhice: Renhice) -> None:
    first = engine.message("ADT^A04^ADT_A01", EVN, pid("D-1", "HOSP-A"), PV1, control="D-1").encode()
    later = engine.message("ADT^A08^ADT_A01", EVN, pid("D-1", "HOSP-A", f13="984000111"), PV1, control="D-2").encode()
    answers = [engine.exchange(one) for one in (first, later, first)]
    assert all(b"MSA|AA|D-" in one for one in answers)
    found = kept(engine, "D-1")
    assert found is not None
    assert (found.member.version, found.member.content.demographics.phone) == (2, "984000111")
    with renhice.database.unit_of_work() as session:
        query = (
            select(func.count()).select_from(AuditEvent).where(AuditEvent.source_record_id == found.member.record_id)
        )
        assert session.scalar(query.where(AuditEvent.action == "identity:record:received")) == 2


def test_a40_merges_local_numbers(engine: Engine, kept: Kept) -> None:
    for number in ("M-1", "M-2"):
        assert engine.send("ADT^A28^ADT_A05", EVN, pid(number, "HOSP-A"))["MSA-1"] == "AA"
    merge = ("ADT^A40^ADT_A39", EVN, pid("M-1", "HOSP-A"), "MRG|M-2^^^HOSP-A^PI")
    assert [engine.send(*merge)["MSA-1"] for _ in range(2)] == ["AA", "AA"]
    survivor, former = kept(engine, "M-1"), kept(engine, "M-2")
    assert survivor is not None
    assert former is not None
    assert (former.member.active, former.member.replaced_by) == (False, survivor.member.record_id)
    assert former.person_id == survivor.person_id
    again = engine.send("ADT^A08^ADT_A01", EVN, pid("M-2", "HOSP-A", f13="999"), PV1)
    assert (again["MSA-1"], again["ERR-3-1"]) == ("AE", "207")


def test_a_merge_of_numbers_that_are_not_there_or_not_ones_own(engine: Engine, other: Engine) -> None:
    assert engine.send("ADT^A28^ADT_A05", EVN, pid("N-1", "HOSP-A"))["MSA-1"] == "AA"
    unknown = engine.send("ADT^A40^ADT_A39", EVN, pid("N-1", "HOSP-A"), "MRG|N-9^^^HOSP-A^PI")
    assert (unknown["MSA-1"], unknown["ERR-3-1"], unknown["ERR-2-1"]) == ("AE", "204", "MRG")
    theirs = other.send("ADT^A40^ADT_A39", EVN, pid("N-1", "HOSP-A"), "MRG|N-2^^^HOSP-A^PI")
    assert (theirs["MSA-1"], theirs["ERR-3-1"], theirs["ERR-2-5"]) == ("AE", "204", "4")
    bare = engine.send("ADT^A40^ADT_A39", EVN, pid("N-1", "HOSP-A"))
    assert (bare["MSA-1"], bare["ERR-3-1"]) == ("AE", "100")


def test_a24_links_what_does_not_contradict(engine: Engine, kept: Kept, renhice: Renhice) -> None:
    one = pid("L-1", "HOSP-A", name="Zárate^Ofelia", f6="Quispe", f7="", f8="F")
    same = pid("L-2", "HOSP-A", name="Zárate^Ofelia", f6="", f7="", f8="F")
    stranger = pid("L-3", "HOSP-A", name="Benítez^Marcos", f6="Rojas", f7="19550101", f8="M")
    for segment in (one, same, stranger):
        assert engine.send("ADT^A28^ADT_A05", EVN, segment)["MSA-1"] == "AA"
    before = kept(engine, "L-2")
    assert engine.send("ADT^A24^ADT_A24", EVN, one, same)["MSA-1"] == "AA"
    assert engine.send("ADT^A24^ADT_A24", EVN, one, stranger)["MSA-1"] == "AA"
    first, second, third = (kept(engine, number) for number in ("L-1", "L-2", "L-3"))
    assert first
    assert second
    assert third
    assert before
    assert before.person_id != first.person_id
    assert second.person_id == first.person_id
    assert second.member.active
    assert third.person_id != first.person_id
    with renhice.database.unit_of_work() as session:
        query = select(PossibleMatch).where(PossibleMatch.source_record_id == third.member.record_id)
        assert session.scalars(query).one().reason == "claimed-duplicate"


def test_a37_asks_the_stewards(engine: Engine, kept: Kept, renhice: Renhice) -> None:
    for number in ("U-1", "U-2"):
        segment = pid(
            number, "HOSP-A", name="Yupanqui^Saturnina", f6="Ttito", f3=f"{number}^^^HOSP-A~45454545^^^RENIEC"
        )
        assert engine.send("ADT^A28^ADT_A05", EVN, segment)["MSA-1"] == "AA"
    assert engine.send("ADT^A24^ADT_A24", EVN, pid("U-1", "HOSP-A"), pid("U-2", "HOSP-A"))["MSA-1"] == "AA"
    assert engine.send("ADT^A37^ADT_A37", EVN, pid("U-1", "HOSP-A"), pid("U-2", "HOSP-A"))["MSA-1"] == "AA"
    found = kept(engine, "U-2")
    assert found is not None
    with renhice.database.unit_of_work() as session:
        case = session.scalars(
            select(PossibleMatch).where(PossibleMatch.source_record_id == found.member.record_id)
        ).one()
        assert (case.reason, case.rivals, case.status) == ("claimed-apart", [found.person_id], "open")
    missing = engine.send("ADT^A37^ADT_A37", EVN, pid("U-1", "HOSP-A"), pid("U-9", "HOSP-A"))
    assert (missing["MSA-1"], missing["ERR-3-1"]) == ("AE", "204")


@pytest.mark.parametrize(
    ("segment", "place", "number"),
    [
        ("PID|||1^^^||A^B", "PID^1^3^1^4", "101"),
        ("PID|||1^^^NOBODY||A^B", "PID^1^3^1^4", "204"),
        ("PID|||1^^^HOSP-B||A^B", "PID^1^3^1^4", "204"),
        ("PID|||1^^^HOSP-A~2^^^HOSP-A||A^B", "PID^1^3", "102"),
        ("PID|||||A^B", "PID^1^3", "101"),
        ("PID|||1^^^HOSP-A||A^B||19913", "PID^1^7", "102"),
        ("PID|||1^^^HOSP-A||A^B||19911399", "PID^1^7", "102"),
        ("PID|||1^^^HOSP-A||A^B||29910101", "PID^1^7", "102"),
        ("PID|||1^^^HOSP-A||A^B|||X", "PID^1^8", "103"),
        (f"PID|||1^^^HOSP-A||{'A' * 500}^B", "PID^1^5", "102"),
        (f"PID|||{'1' * 70}^^^HOSP-A||A^B", "PID^1^3", "102"),
        ("ZID|1", "PID^1", "100"),
    ],
    ids=lambda value: value[:24],
)
def test_what_is_wrong_with_a_patient(engine: Engine, other: Engine, segment: str, place: str, number: str) -> None:
    reply = engine.send("ADT^A04^ADT_A01", EVN, segment, PV1)
    assert reply["MSA-1"] == "AE"
    assert (reply.all("ERR")[0][2], reply["ERR-3-1"], reply["ERR-4"]) == (place, number, "E")
    assert "AAAA" not in reply.frame.decode()


def test_a_partial_date_and_a_patient_of_nothing_but_a_number(engine: Engine, kept: Kept) -> None:
    assert engine.send("ADT^A28^ADT_A05", EVN, "PID|||P-1^^^HOSP-A||||1970|U")["MSA-1"] == "AA"
    found = kept(engine, "P-1")
    assert found is not None
    assert str(found.member.content.demographics.birth_date) == "1970-01-01"
    died = "PID|||P-2^^^HOSP-A||A^B" + "|" * 24 + "20260102"
    assert engine.send("ADT^A28^ADT_A05", EVN, died)["MSA-1"] == "AA"
    found = kept(engine, "P-2")
    assert found is not None
    assert found.member.content.deceased == "2026-01-02"


def test_a_death_to_come_is_refused_at_its_field(engine: Engine, kept: Kept) -> None:
    refused = engine.send("ADT^A28^ADT_A05", EVN, pid("P-3", "HOSP-A", f29="99991231", f30="Y"))
    assert [refused[path] for path in ("MSA-1", "ERR-2-1", "ERR-2-3", "ERR-3-1")] == ["AE", "PID", "29", "102"]
    assert kept(engine, "P-3") is None


def test_a_message_that_comes_late_replaces_nothing(engine: Engine, kept: Kept) -> None:
    """By when it was recorded, else by when it was sent; what is said again later counts as said then."""

    def said(moment: str, born: str, *, sent: str = "20260303") -> str:
        text = engine.message("ADT^A08^ADT_A01", f"EVN||{moment}", pid("L-9", "HOSP-A", f7=born), PV1)
        assert b"MSA|AA|" in engine.exchange(text.replace("|20261126120000|", f"|{sent}|").encode())
        found = kept(engine, "L-9")
        assert found is not None
        return str(found.member.content.demographics.birth_date)

    assert said("20260301120000", "19910701") == "1991-07-01"
    assert said("20260301115959", "19910702") == "1991-07-01"
    assert said("20260301130000", "19910701") == "1991-07-01"
    assert said("20260301123000", "19910703") == "1991-07-01"
    assert said("", "19910704", sent="20260301123000-0500") == "1991-07-01"
    assert said("20260301133000", "19910705") == "1991-07-05"
    assert said("20260301", "19910706") == "1991-07-06"
    assert said("20260302", "19910707") == "1991-07-07"


@pytest.mark.parametrize("moment", ["20261301", "9999", "99991231", "00010101000000+1400", "20260303+9999", "ayer"])
def test_a_moment_that_is_none_is_refused(engine: Engine, moment: str) -> None:
    refused = engine.send("ADT^A08^ADT_A01", f"EVN||{moment}", pid("L-8", "HOSP-A"), PV1)
    assert [refused[path] for path in ("MSA-1", "ERR-2-1", "ERR-2-3", "ERR-3-1")] == ["AE", "EVN", "2", "102"]
    assert engine.send("ADT^A08^ADT_A01", "EVN||20260303+1400", pid("L-8", "HOSP-A"), PV1)["MSA-1"] == "AA"


def test_character_sets_and_escapes(engine: Engine, kept: Kept) -> None:
    name = r"Ñahui \T\ Hijos^Mar\S\a\XC3A1\\.br\x"
    latin = engine.message("ADT^A28^ADT_A05", EVN, pid("X-1", "HOSP-A", name=name), charset="8859/1")
    reply = engine.exchange(latin.encode("iso-8859-1"))
    assert b"|AA|" in reply
    assert reply.split(b"\r")[0].endswith(b"|8859/1")
    found = kept(engine, "X-1")
    assert found is not None
    facts = found.member.content.demographics
    assert (facts.paternal_surname, facts.given_names) == ("Ñahui & Hijos", "Mar^aá x")
    wrong = engine.message("ADT^A28^ADT_A05", EVN, pid("X-2", "HOSP-A", name="Ñahui^X"), charset="")
    refused = engine.exchange(wrong.encode("iso-8859-1"))
    assert b"MSA|AR|" in refused
    assert b"MSH^1^18" in refused
    strange = engine.send("ADT^A28^ADT_A05", EVN, pid("X-2", "HOSP-A"), charset="ISO IR87")
    assert strange["MSA-1"] == "AR"


def test_other_delimiters(engine: Engine, kept: Kept) -> None:
    text = engine.message("ADT^A28^ADT_A05", EVN, pid("Y-1", "HOSP-A")).replace("MSH|^~\\&|", "MSH|^~\\&|")
    moved = text.translate(str.maketrans("|^~\\&", "#*+$!")).encode()
    reply = engine.exchange(moved)
    assert b"MSA|AA|" in reply
    found = kept(engine, "Y-1")
    assert found is not None
    assert found.member.content.demographics.given_names == "Nélida Rosaura"


@pytest.mark.parametrize("name", ["Hua\ufffeman", r"Hua\XEFBFBF\man"], ids=["as it is", "escaped"])
def test_a_name_that_no_answer_could_hold_is_refused(engine: Engine, kept: Kept, name: str) -> None:
    reply = engine.send("ADT^A28^ADT_A05", EVN, pid("FFFE-1", "HOSP-A", name=name))
    assert (reply["MSA-1"], reply.all("ERR")[0][2:4]) == ("AE", ["PID^1^5", "102^Data type error^HL70357"])
    assert kept(engine, "FFFE-1") is None
