"""Who may come to the port, and what slow, garbled and hostile peers get."""

import asyncio
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from prometheus_client import REGISTRY
from sqlalchemy import func, select

from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.database import now
from registry.directory.administration import Desk, reinstate, suspend
from registry.directory.certificates import end_certificate, register_certificate
from registry.directory.models import RecordSystem
from registry.directory.schemas import CertificateItem
from registry.hl7v2 import service
from registry.hl7v2.handshakes import Handshakes, place_of
from registry.identity.models import Membership, SourceRecord
from registry.identity.records import find_own_id
from registry.settings import Settings
from sandbox.certificates import make_authority, make_client
from tests.functional.hl7v2.conftest import END, START, Engine, Port, read_frame
from tests.functional.hl7v2.terser import Reply

EVN, PATIENT = "EVN||20261126", "PID|||{}^^^HOSP-A||Mamani^Eulalia^^^^^L|Challco|19700502|F"


def test_without_a_certificate_or_with_another_authoritys(port: Port, engine: Engine) -> None:
    stranger = make_client(make_authority("Otra"), "stranger")
    for context in (port.context(None, "nobody"), port.context(stranger, "stranger")):
        assert _is_refused(engine.port, context)


def test_a_certificate_that_nobody_registered(port: Port, engine: Engine, renhice: Renhice) -> None:
    unknown = make_client(port.authority, "unknown")
    assert _ask(engine.port, port.context(unknown, "unknown")) == b""
    with renhice.database.unit_of_work() as session:
        refusal = session.scalars(select(AuditEvent).where(AuditEvent.reason == "unknown-certificate")).one()
        assert refusal.detail["certificate"] == unknown.sha256


def _ask(number: int, context: ssl.SSLContext) -> bytes:
    plain = socket.create_connection(("127.0.0.1", number), timeout=10)
    with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        return connection.recv(100)


def _is_refused(number: int, context: ssl.SSLContext) -> bool:
    """Whether TLS does not come about; the alert may be lost behind the end of the connection."""
    try:
        return _ask(number, context) == b""
    except (ssl.SSLError, ConnectionError):
        return True


def test_old_tls_is_refused(port: Port, engine: Engine) -> None:
    context = port.context(make_client(port.authority, "old"), "old")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert _ask(engine.port, context) == b""
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _ask(engine.port, context)


def test_a_suspended_system_is_refused_from_the_next_message_on(engine: Engine, renhice: Renhice) -> None:
    frame = engine.message("ADT^A28^ADT_A05", EVN, PATIENT.format("S-1")).encode()
    with engine.connect() as connection:
        connection.sendall(START + frame + END)
        assert b"MSA|AA|" in read_frame(connection)
        with renhice.database.unit_of_work() as session:
            suspend(Desk(session, renhice.sealer, "test"), engine.client_id, "test")
        connection.sendall(START + frame + END)
        refused = read_frame(connection)
    with renhice.database.unit_of_work() as session:
        reinstate(Desk(session, renhice.sealer, "test"), engine.client_id, "test")
        query = select(func.count()).where(AuditEvent.reason == "suspended", AuditEvent.client_id == engine.client_id)
        assert session.scalar(query)
    assert b"MSA|AR|" in refused
    assert b"MSA|AA|" in engine.exchange(frame)


def test_an_accreditation_that_has_ended(port_c: Engine, renhice: Renhice) -> None:
    with renhice.database.unit_of_work() as session:
        system = session.scalars(select(RecordSystem).where(RecordSystem.client_id == port_c.client_id)).one()
        until, system.accredited_until = system.accredited_until, now() - timedelta(seconds=1)
    assert is_cut_off(port_c, b"anything")
    with renhice.database.unit_of_work() as session:
        system = session.scalars(select(RecordSystem).where(RecordSystem.client_id == port_c.client_id)).one()
        system.accredited_until = until


def is_cut_off(engine: Engine, frame: bytes) -> bool:
    """Whether the connection ends without an answer; what was sent may make that a reset."""
    try:
        return engine.exchange(frame) == b""
    except (ConnectionError, ssl.SSLError):
        return True


def dropped(reason: str) -> float:
    """How many connections were ended for that reason."""
    return REGISTRY.get_sample_value("renhice_mllp_dropped_total", {"reason": reason}) or 0


def test_certificates_come_and_go(port: Port, engine: Engine, renhice: Renhice) -> None:
    holder = make_client(port.authority, "second")
    second = port.context(holder, "second")
    item = CertificateItem(sha256=holder.sha256, application="OTHER", facility="TEST")
    frame = engine.message("ADT^A28^ADT_A05", EVN, PATIENT.format("S-2"))
    with renhice.database.unit_of_work() as session:
        register_certificate(Desk(session, renhice.sealer, "test"), engine.client_id, item)
    newer = Engine(port.server.port, second, "OTHER", "TEST", "HOSP-A", engine.establishment_id, engine.client_id)
    foreign = Reply(newer.exchange(frame.encode()))
    assert (foreign["MSA-1"], foreign.all("ERR")[0][2]) == ("AR", "MSH^1^3")
    assert newer.send("ADT^A28^ADT_A05", EVN, PATIENT.format("S-2"))["MSA-1"] == "AA"
    with renhice.database.unit_of_work() as session:
        end_certificate(Desk(session, renhice.sealer, "test"), holder.sha256, "lost")
    assert is_cut_off(newer, frame.encode())


def test_a_frame_without_end_is_cut_off(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.sendall(START + b"MSH|^~\\&|A" + b"x" * 100_000)
        assert b"at most 65536 bytes" in read_frame(connection)
        with pytest.raises((ConnectionError, ssl.SSLError, TimeoutError)):
            _flood(connection)
    assert engine.send("ADT^A28^ADT_A05", EVN, PATIENT.format("S-5"))["MSA-1"] == "AA"


def _flood(connection: ssl.SSLSocket) -> None:
    for _ in range(500):
        connection.sendall(b"x" * 65536)


def test_slow_and_silent_peers_are_let_go_and_hold_nobody_up(engine: Engine) -> None:
    before = dropped("slow"), dropped("idle")
    with engine.connect() as slow, engine.connect() as silent:
        slow.sendall(START + b"MSH|")
        assert engine.send("ADT^A28^ADT_A05", EVN, PATIENT.format("S-6"))["MSA-1"] == "AA"
        assert slow.recv(10) == silent.recv(10) == b""
    assert dropped("slow") > before[0]
    assert dropped("idle") > before[1]


def test_more_connections_than_one_client_may_have(engine: Engine) -> None:
    before = dropped("too-many-of-one")
    held = [engine.connect() for _ in range(22)]
    try:
        until(lambda: dropped("too-many-of-one") >= before + 2)
    finally:
        for connection in held:
            connection.close()
    frame = engine.message("ADT^A28^ADT_A05", EVN, PATIENT.format("S-7")).encode()
    until(lambda: not is_cut_off(engine, frame))


def test_silent_connections_from_one_address_shut_out_nobody_else(engine: Engine, settings: Settings) -> None:
    before, most = dropped("too-many-handshakes"), settings.mllp_handshakes_per_address
    silent = [socket.create_connection(("127.0.0.1", engine.port), timeout=10) for _ in range(most)]
    try:
        with socket.create_connection(("127.0.0.1", engine.port), timeout=10) as refused:
            assert ended(refused)
        assert dropped("too-many-handshakes") == before + 1
        elsewhere = socket.create_connection(("127.0.0.1", engine.port), timeout=10, source_address=("127.0.0.2", 0))
        with engine.context.wrap_socket(elsewhere, server_hostname="127.0.0.1") as connection:
            connection.sendall(START + engine.message("ADT^A28^ADT_A05", EVN, PATIENT.format("S-11")).encode() + END)
            assert b"MSA|AA|" in read_frame(connection)
    finally:
        for one in silent:
            one.close()
    until(lambda: dropped("no-handshake") >= most)
    assert engine.send("ADT^A28^ADT_A05", EVN, PATIENT.format("S-11"))["MSA-1"] == "AA"


def ended(connection: socket.socket) -> bool:
    """Whether the other side closed it, gently or not."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_who_ends_the_connection_before_tls_is_counted_and_logs_no_fault(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A probe of the port: Python before 3.11.4 answers None for it, later versions raise."""

    async def ended_first(*_: object, **__: object) -> None:
        return

    before = dropped("no-handshake")
    with monkeypatch.context() as older:
        older.setattr(asyncio.BaseEventLoop, "start_tls", ended_first)
        with socket.create_connection(("127.0.0.1", engine.port), timeout=10) as probe:
            assert ended(probe)
    assert dropped("no-handshake") == before + 1


def test_handshakes_are_counted_in_all_and_by_network() -> None:
    under_way = Handshakes(3, 2)
    assert [under_way.begin(place) for place in "aaabc"] == [True, True, False, True, False]
    under_way.end("a")
    assert [under_way.begin(place) for place in "ca"] == [True, False]
    peers = {"10.0.0.1": "10.0.0.1", "::ffff:10.0.0.1": "10.0.0.1", "2001:db8::7:1%eth0": "2001:db8::/64"}
    for address, place in peers.items():
        assert place_of(asyncio.BaseTransport({"peername": (address, 1)})) == place
    assert place_of(asyncio.BaseTransport()) == "None"


def until(reached: Callable[[], bool]) -> None:
    """Wait until something is so, half a minute at most."""
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_same_message_many_times_at_once_has_one_effect(engine: Engine, renhice: Renhice) -> None:
    frame = engine.message("ADT^A28^ADT_A05", EVN, PATIENT.format("S-8"), control="AT-ONCE").encode()
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(engine.exchange, [frame] * 8))
    assert all(b"MSA|AA|AT-ONCE" in one for one in replies)
    with renhice.database.unit_of_work() as session:
        decisions = session.scalars(
            select(AuditEvent.detail["kind"].astext).where(AuditEvent.action == service.RECEIVED)
        ).all()
        assert "ADT^A28" in decisions
        versions = select(func.max(SourceRecord.version)).where(
            SourceRecord.establishment_id == engine.establishment_id
        )
        assert session.scalar(versions) == 1


@pytest.mark.parametrize("round_", range(3))
def test_a_new_patient_over_mllp_and_fhir_at_once_is_one_person(
    engine: Engine, other: Engine, port_c: Engine, app: Flask, renhice: Renhice, round_: int
) -> None:
    barrier, number, document = threading.Barrier(3), f"R-{round_}", f"4848484{round_}"
    name = ("Quenallata", "Sutta", ("Epifanía", "Melchora", "Zenobia")[round_])
    facts = f"{name[0]}^{name[2]}|{name[1]}|1982091{round_}|F"

    def over_mllp(sender: Engine) -> None:
        pid = f"PID|||{number}^^^{sender.namespace}~{document}^^^RENIEC||{facts}"
        barrier.wait()
        assert sender.send("ADT^A28^ADT_A05", EVN, pid)["MSA-1"] == "AA"

    def over_fhir(sender: Engine) -> None:
        system = "https://hospital-c.example.pe/historia"
        mother = {"url": "http://hl7.org/fhir/StructureDefinition/humanname-mothers-family", "valueString": name[1]}
        patient = {
            "resourceType": "Patient",
            "identifier": [
                {"system": system, "value": number},
                {"system": "urn:oid:2.16.840.1.113883.4.904", "value": document},
            ],
            "name": [{"family": name[0], "_family": {"extension": [mother]}, "given": [name[2]]}],
            "gender": "female",
            "birthDate": f"1982-09-1{round_}",
        }
        headers = {"Authorization": f"Bearer {sender.client_id}"}
        barrier.wait()
        query = {"identifier": f"{system}|{number}"}
        reply = app.test_client().put("/fhir/Patient", query_string=query, json=patient, headers=headers)
        assert reply.status_code == 201, reply.text

    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(over_mllp, engine), pool.submit(over_mllp, other), pool.submit(over_fhir, port_c)]
        for one in calls:
            one.result()
    with renhice.database.unit_of_work() as session:
        found = {
            session.get_one(Membership, find_own_id(session, renhice.sealer, one.establishment_id, number)).person_id
            for one in (engine, other, port_c)
        }
    assert len(found) == 1


def test_nothing_of_a_patient_stands_in_the_log(
    engine: Engine, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        engine.send("ADT^A28^ADT_A05", EVN, r"PID|||T-1^^^HOSP-A||Marcavillaca\Zx\^Xiomara\X4\||19991399")
        engine.send("QBP^Q22^QBP_Q21", "QPD|Q22|T|@PID.5.1^Marcavillaca~@PID.99^Xiomara", "RCP|I")
    ours = capfd.readouterr().err
    assert ours
    assert not {"Marcavillaca", "Xiomara"} & {word for one in caplog.records for word in str(one.__dict__).split("'")}
    assert "Marcavillaca" not in caplog.text + ours


def test_without_audit_nothing_is_done(engine: Engine, renhice: Renhice, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the log is full")

    frame = engine.message("ADT^A28^ADT_A05", EVN, PATIENT.format("S-9")).encode()
    with monkeypatch.context() as broken:
        broken.setattr(service, "record", fail)
        assert b"MSA|AR|" in engine.exchange(frame)
    with renhice.database.unit_of_work() as session:
        count = select(func.count()).select_from(SourceRecord)
        before = session.scalar(count)
    assert b"MSA|AA|" in engine.exchange(frame)
    with renhice.database.unit_of_work() as session:
        assert session.scalar(count) == (before or 0) + 1
