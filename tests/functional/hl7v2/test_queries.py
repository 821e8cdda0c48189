"""PIX and PDQ queries: who is told what, page by page, and what is refused."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.directory.models import RecordSystem
from registry.locator.hiding import hide_links
from tests.functional.hl7v2.conftest import Engine
from tests.functional.hl7v2.terser import Reply

FOUND = "QUERY_RESPONSE/.PID"


def register(engine: Engine, number: str, *fields: str, document: str = "") -> None:
    identifiers = f"{number}^^^{engine.namespace}^PI" + (f"~{document}^^^RENIEC^NNPER" if document else "")
    segment = "|".join(["PID", "", "", identifiers, "", *fields])
    assert engine.send("ADT^A28^ADT_A05", "EVN||20261126", segment)["MSA-1"] == "AA"


def pdq(engine: Engine, *stated: str, domains: str = "", page: str = "10", pointer: str = "") -> Reply:
    segments = [f"QPD|IHE PDQ Query|T-1|{'~'.join(stated)}|||||{domains}", f"RCP|I|{page}^RD"]
    return engine.send("QBP^Q22^QBP_Q21", *segments, *([f"DSC|{pointer}|I"] if pointer else []))


def pix(engine: Engine, identifier: str, domains: str = "") -> Reply:
    return engine.send("QBP^Q23^QBP_Q21", f"QPD|IHE PIX Query|T-2|{identifier}|{domains}", "RCP|I")


@pytest.fixture(scope="module")
def rosa(engine: Engine, other: Engine) -> None:
    """One person, known in two hospitals."""
    facts = ("Ccahuana^Rosa^Elvira^^^^L", "Ñahui^^^^^^L", "19840719", "F")
    register(engine, "A-77", *facts, document="40718293")
    register(other, "B-12", *facts, document="40718293")


@pytest.mark.usefixtures("rosa")
def test_pix_tells_ones_own_and_others_numbers_of_a_shared_patient(engine: Engine) -> None:
    reply = pix(engine, "A-77^^^HOSP-A^PI")
    assert [reply[path] for path in ("MSH-9-1", "MSH-9-2", "MSH-9-3", "MSA-1", "QAK-1", "QAK-2")] == [
        "RSP", "K23", "RSP_K23", "AA", "T-2", "OK",
    ]  # fmt: skip
    identifiers = reply[f"{FOUND}"].split("|")[3].split("~")
    assert identifiers[0] == "A-77^^^HOSP-A&2.16.840.1.113883.3.72.5.9.2&ISO^PI"
    assert "B-12^^^HOSP-B&https://hospital-b.example.pe/historia&URI^PI" in identifiers
    assert sum("RENHICE-PERSONA" in one for one in identifiers) == 1
    assert [segment[0] for segment in reply.segments] == ["MSH", "MSA", "QAK", "QPD", "PID"]
    assert reply["QPD-3"] == "A-77"


@pytest.mark.usefixtures("rosa")
def test_pix_of_one_domain_and_of_a_hidden_link(engine: Engine, other: Engine, renhice: Renhice) -> None:
    only = pix(engine, "A-77^^^&2.16.840.1.113883.3.72.5.9.2&ISO", "^^^HOSP-B")
    assert only[FOUND].split("|")[3] == "B-12^^^HOSP-B&https://hospital-b.example.pe/historia&URI^PI"
    person = UUID(pix(engine, "A-77^^^HOSP-A", "^^^RENHICE-PERSONA")[f"{FOUND}-3-1"])
    with renhice.database.unit_of_work() as session:
        hide_links(session, person, [other.establishment_id])
    hidden = pix(engine, "A-77^^^HOSP-A", "^^^HOSP-B")
    assert (hidden["QAK-2"], hidden.all("PID")) == ("NF", [])
    with renhice.database.unit_of_work() as session:
        hide_links(session, person, [])
        told = (AuditEvent.action == "identity:person:matched", AuditEvent.person_id == person)
        assert session.scalar(select(func.count()).where(*told)) == 4


@pytest.mark.parametrize(
    ("identifier", "domains", "place"),
    [
        ("NONE^^^HOSP-A", "", "QPD^1^3^1^1"),
        ("B-12^^^HOSP-B", "", "QPD^1^3^1^1"),
        ("A-77^^^NOBODY", "", "QPD^1^3^1^4"),
        ("40718293^^^RENIEC", "", "QPD^1^3^1^4"),
        ("A-77^^^HOSP-A", "^^^HOSP-A~^^^NOBODY", "QPD^1^4^2^4"),
        ("", "", "QPD^1^3^1^1"),
    ],
)
@pytest.mark.usefixtures("rosa")
def test_pix_errors(engine: Engine, identifier: str, domains: str, place: str) -> None:
    reply = pix(engine, identifier, domains)
    assert (reply["MSA-1"], reply["QAK-1"], reply["QAK-2"]) == ("AE", "T-2", "AE")
    assert reply.all("ERR")[0][2] == place
    assert not reply.all("PID")


@pytest.mark.usefixtures("rosa")
def test_pdq_shows_ones_own_in_full_and_others_as_far_as_recognising_needs(engine: Engine, port_c: Engine) -> None:
    own = pdq(engine, "@PID.5.1^Ccahuana", "@PID.5.2^Rosa", "@PID.6.1^Nahui", "@PID.7^1984")
    assert (own["MSA-1"], own["QAK-2"], own["QAK-4"], own["QAK-6"]) == ("AA", "OK", "1", "0")
    assert own[f"{FOUND}-3-1"] == "A-77"
    assert "40718293^^^RENIEC&2.16.840.1.113883.4.904&ISO^NNPER" in own[FOUND]
    assert [own[f"{FOUND}-{path}"] for path in ("5-1", "5-2", "5-3", "6-1", "7", "8")] == [
        "Ccahuana", "Rosa", "Elvira", "Ñahui", "19840719", "F",
    ]  # fmt: skip
    strange = pdq(port_c, "@PID.5.1^Ccahuana", "@PID.5.2^Rosa", "@PID.7^19840719", "@PID.8^F")
    assert strange["QAK-2"] == "OK"
    assert strange[f"{FOUND}-3-4-1"] == "RENHICE-PERSONA"
    assert not {"40718293", "A-77", "B-12"} & set(strange.frame.decode().replace("^", "|").split("|"))
    told = pdq(port_c, "@PID.3.1^40718293", "@PID.3.4.1^RENIEC", "@PID.5.1^Ccahuana")
    assert "40718293^^^RENIEC" in told[FOUND]
    assert pdq(port_c, "@PID.3.1^40718293", "@PID.3.4.1^RENIEC")["QAK-2"] == "NF"
    assert pdq(port_c, "@PID.3.1^A-77", "@PID.3.4.1^HOSP-A")["QAK-2"] == "NF"


@pytest.mark.parametrize(
    "stated",
    [
        ("@PID.3.1^A-77",),
        ("@PID.3.1^A-77", "@PID.3.4.2^2.16.840.1.113883.3.72.5.9.2", "@PID.3.4.3^ISO"),
        ("@PID.5.1^Qqawana", "@PID.5.2^Rosa", "@PID.6.1^Nahui"),
        ("@PID.5.1^CCA*", "@PID.5.2^Rosa", "@PID.7^19840719"),
    ],
)
@pytest.mark.usefixtures("rosa")
def test_pdq_finds(engine: Engine, stated: tuple[str, ...]) -> None:
    reply = pdq(engine, *stated)
    assert (reply["QAK-2"], reply[f"{FOUND}-3-1"]) == ("OK", "A-77")


@pytest.mark.parametrize(
    "stated",
    [
        ("@PID.3.1^A-78",),
        ("@PID.5.1^HUANA*", "@PID.5.2^Rosa", "@PID.7^19840719"),
        ("@PID.3.1^40718293", "@PID.3.4.1^RENIEC", "@PID.5.1^C*"),
        ("@PID.3.1^A-77", "@PID.8^M"),
        ("@PID.5.1^Ccahuana", "@PID.5.2^Rosa", "@PID.6.1^Nahui", "@PID.7^1985"),
        ("@PID.5.1^Ccahuana", "@PID.5.2^Rosa", "@PID.6.1^Nahui", "@PID.8^M"),
        ("@PID.5.1^Ccahuana", "@PID.5.2^Berta", "@PID.6.1^Nahui"),
    ],
)
@pytest.mark.usefixtures("rosa")
def test_pdq_does_not_find(engine: Engine, stated: tuple[str, ...]) -> None:
    reply = pdq(engine, *stated)
    assert (reply["MSA-1"], reply["QAK-2"], reply.all("PID")) == ("AA", "NF", [])


@pytest.mark.parametrize(
    ("stated", "place"),
    [
        (("@PID.5.1^A", "@PID.18^1"), "QPD^1^3^2"),
        (("@PID.5.1^JO*", "@PID.5.2^JEN*"), ""),
        (("@PID.5.1^*", "@PID.7^19840719"), "QPD^1^3^1"),
        (("@PID.5.1^J*O", "@PID.7^19840719"), "QPD^1^3^1"),
        (("@PID.5.2^Rosa", "@PID.7^198407*"), "QPD^1^3^2"),
        (("@PID.8^X", "@PID.5.1^A"), "QPD^1^3^1"),
        (("@PID.7^19841399", "@PID.5.1^A"), "QPD^1^3^1"),
        (("@PID.7^84", "@PID.5.1^A"), "QPD^1^3^1"),
        (("@PID.8^F", "@PID.8^M"), "QPD^1^3^2"),
        (("@PID.7^1984",), ""),
        (("@PID.5.1^",), "QPD^1^3"),
    ],
)
def test_pdq_errors(engine: Engine, stated: tuple[str, ...], place: str) -> None:
    reply = pdq(engine, *stated)
    assert (reply["MSA-1"], reply["QAK-2"], reply.all("ERR")[0][2]) == ("AE", "AE", place)


def test_pdq_goes_on_page_by_page(engine: Engine, other: Engine) -> None:
    for number in range(5):
        register(engine, f"G-{number}", "Zuñiga^Hilaria^^^^^L", "Poma", f"19{50 + number}0203", "F")
    stated = ("@PID.5.1^Zuñiga", "@PID.5.2^Hilaria", "@PID.6.1^Poma")
    seen: list[str] = []
    pointer = ""
    for left in ("3", "1", "0"):
        reply = pdq(engine, *stated, page="2", pointer=pointer)
        assert (reply["QAK-4"], reply["QAK-6"]) == ("5", left)
        seen += [one[3].split("^")[0] for one in reply.all("PID")]
        pointer = reply["DSC-1"]
    assert pointer == ""
    assert sorted(seen) == [f"G-{number}" for number in range(5)]
    pointer = pdq(engine, *stated, page="2")["DSC-1"]
    for stranger in (
        pdq(engine, *stated, "@PID.8^F", page="2", pointer=pointer),
        pdq(other, *stated, page="2", pointer=pointer),
        pdq(engine, *stated, page="2", pointer="2.abc"),
    ):
        assert (stranger["MSA-1"], stranger["ERR-2-1"]) == ("AE", "DSC")
    assert engine.send("QCN^J01^QCN_J01", "QID|T-1|IHE PDQ Query")["MSA-1"] == "AA"


def test_pdq_of_domains(engine: Engine) -> None:
    register(engine, "O-1", "Apaza^Teodora^^^^^L", "Sirena", "19610304", "F")
    stated = ("@PID.5.1^Apaza", "@PID.5.2^Teodora", "@PID.6.1^Sirena")
    own = pdq(engine, *stated, domains="^^^HOSP-A")
    assert own[FOUND].split("|")[3] == "O-1^^^HOSP-A&2.16.840.1.113883.3.72.5.9.2&ISO^PI"
    assert pdq(engine, *stated, domains="^^^HOSP-B")["QAK-2"] == "NF"
    wrong = pdq(engine, *stated, domains="^^^NOBODY")
    assert (wrong["MSA-1"], wrong["QAK-2"], wrong.all("ERR")[0][2]) == ("AE", "AE", "QPD^1^8^1^4")


def test_a_query_needs_its_scope(port_c: Engine, renhice: Renhice) -> None:
    for scopes, ack in (["system/Patient.cu"], "AR"), (["system/Patient.cu", "system/Patient.rs"], "AE"):
        with renhice.database.unit_of_work() as session:
            system = session.scalars(select(RecordSystem).where(RecordSystem.client_id == port_c.client_id)).one()
            system.scopes = scopes
        reply = pix(port_c, f"{uuid4()}^^^HOSP-C")
        assert (reply["MSA-1"], reply["MSH-9-2"], reply["QAK-2"]) == (ack, "K23", ack)
