"""Records checked against a simulated RENIEC over real HTTP: whatever it answers, nobody is turned away or moved."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from matching.records import Demographics, Document, DocumentType
from registry.app import Renhice
from registry.breaker import Breakers
from registry.database import new_id, now
from registry.identity.models import Membership, PossibleMatch, SourceRecord, Verification
from registry.identity.service import Content, Engine, Registration, engine_of, register_source_record
from registry.identity.verification import list_due, verify_due
from registry.pide.reniec import ReniecOverPide, make_identity_registry
from sandbox.citizens import Citizens
from tests.functional.pide.test_reniec import settings as pide_settings
from tests.functional.pide.test_reniec import switch

Check = Callable[[Demographics], str]
BROKEN = {
    "99999902": "a page of maintenance",
    "99999903": "500",
    "99999905": "no person's data",
    "99999906": "too slow",
    "99999907": "no JSON",
}


@pytest.fixture
def engine(renhice: Renhice) -> Engine:
    return engine_of(renhice)


@pytest.fixture
def reniec(url: str) -> Iterator[ReniecOverPide]:
    adapter = make_identity_registry(pide_settings(url))
    assert isinstance(adapter, ReniecOverPide)
    adapter.breakers = Breakers(threshold=1000)
    yield adapter
    adapter.http.close()


def facts(number: str, **more: str) -> Demographics:
    names = {"paternal_surname": "Huamán", "maternal_surname": "Ccahuana", "given_names": "Rosa Elvira"} | more
    return Demographics(documents=(Document(DocumentType.DNI, number),), **names)  # type: ignore[arg-type]


def two_records(session: Session, engine: Engine, said: Demographics) -> list[SourceRecord]:
    """Two records of one person, by two establishments."""
    made = []
    for _ in range(2):
        content = Content("urn:hc", "1", said)
        registration = Registration(establishment_id=new_id(), client_id="sihce", content=content)
        made.append(register_source_record(session, engine, registration).source_record_id)
    return [session.get_one(SourceRecord, one) for one in made]


def statuses(session: Session) -> set[str]:
    session.flush()
    return set(session.scalars(select(Verification.status)))


def assert_nothing_happened(session: Session, records: list[SourceRecord]) -> None:
    """Still one person, no case, nothing verified, and asked again later."""
    homes = {session.get_one(Membership, one.id, populate_existing=True).person_id for one in records}
    assert len(homes) == 1
    assert session.scalars(select(PossibleMatch)).all() == []
    for one in records:
        session.refresh(one)
        assert one.verified is False
        assert one.next_check_at is not None
        assert one.next_check_at > now()


@pytest.mark.parametrize("number", BROKEN, ids=BROKEN.get)
def test_broken_answer_leaves_the_record_unverified_where_it_is(
    session: Session, engine: Engine, url: str, reniec: ReniecOverPide, number: str
) -> None:
    switch(url, "normal", seconds=1.5)
    records = two_records(session, engine, facts(number))
    assert verify_due(session, engine.sealer, reniec) == 2
    assert statuses(session) == {"unverified"}
    assert_nothing_happened(session, records)
    assert list_due(session) == []


@pytest.mark.parametrize("mode", ["error", "maintenance", "not-json", "no-data"])
def test_service_that_breaks_and_mends_raises_trust_in_the_end(
    session: Session, engine: Engine, url: str, reniec: ReniecOverPide, citizen: tuple[Citizens, str], mode: str
) -> None:
    known = citizen[0].find(citizen[1])
    said = facts(
        citizen[1],
        paternal_surname=known.paternal_surname,
        maternal_surname=known.maternal_surname,
        given_names=known.given_names,
    )
    records = two_records(session, engine, said)
    switch(url, mode)
    try:
        verify_due(session, engine.sealer, reniec)
        assert_nothing_happened(session, records)
    finally:
        switch(url, "normal")
    session.execute(update(SourceRecord).values(next_check_at=now()))
    verify_due(session, engine.sealer, reniec)
    for one in records:
        session.refresh(one)
        assert (one.verified, one.next_check_at) == (True, None)


def test_relative_with_the_citizens_number_loses_trust(
    session: Session, engine: Engine, reniec: ReniecOverPide, citizen: tuple[Citizens, str]
) -> None:
    [record, _] = two_records(session, engine, facts(citizen[1], paternal_surname="Zubiaurre", given_names="Anacleto"))
    verify_due(session, engine.sealer, reniec)
    assert statuses(session) == {"names-differ"}
    session.refresh(record)
    assert (record.verified, record.next_check_at) == (False, None)


def test_number_of_another_form_is_not_asked_about_for_ever(
    session: Session, engine: Engine, reniec: ReniecOverPide
) -> None:
    [record, _] = two_records(session, engine, facts("4071829X"))
    session.execute(update(SourceRecord).values(next_check_at=now()))
    verify_due(session, engine.sealer, reniec)
    session.refresh(record)
    assert record.next_check_at is None


def answer(**more: object) -> bytes:
    """A whole answer whose person says something odd."""
    data = {"apPrimer": "HUAMAN", "apSegundo": "CCAHUANA", "prenombres": "ROSA ELVIRA"} | more
    result = {"coResultado": "0000", "deResultado": "ok", "datosPersona": data}
    return json.dumps({"consultarResponse": {"return": result}}).encode()


ODD: dict[str, tuple[bytes, dict[str, str]]] = {
    "empty": (b"", {}),
    "a list": (b"[]", {}),
    "null": (b"null", {}),
    "nested without end": (b"[" * 100_000, {}),
    "another shape": (b'{"consultarResponse": {"return": []}}', {}),
    "two answers": (answer() + answer(), {}),
    "no UTF-8": (b"\xff\xfe" + answer(), {}),
    "names as numbers": (answer(prenombres=7, apPrimer=[1]), {}),
    "names without end": (answer(prenombres="A" * 5000), {}),
    "names of nobody": (answer(prenombres="---", apPrimer="...", apSegundo="***"), {}),
    "no surname": (answer(apPrimer=" ", apSegundo=" "), {}),
    "no gzip": (answer(), {"Content-Encoding": "gzip"}),
    "a gzip bomb": (gzip.compress(b" " * 30_000_000), {"Content-Encoding": "gzip"}),
    "more than it says": (answer(), {"Content-Length": "10"}),
    "less than it says": (answer()[:20], {"Content-Length": "500"}),
    "a length that is none": (answer(), {"Content-Length": "-1"}),
}


class Odd(BaseHTTPRequestHandler):
    """Answers whatever is asked with the body and headers of the moment."""

    body, extra = b"", dict[str, str]()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(self.body))} | self.extra
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_args: object) -> None:
        """Quietly."""


@pytest.fixture(scope="module")
def odd_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("odd", ODD)
def test_answer_of_a_wrong_shape_confirms_and_refutes_nothing(
    session: Session, engine: Engine, odd_url: str, odd: str
) -> None:
    Odd.body, Odd.extra = ODD[odd]
    adapter = make_identity_registry(pide_settings(odd_url))
    assert isinstance(adapter, ReniecOverPide)
    with adapter.http:
        records = two_records(session, engine, facts("40718293"))
        verify_due(session, engine.sealer, adapter)
    assert statuses(session) == {"unverified"}
    assert_nothing_happened(session, records)
