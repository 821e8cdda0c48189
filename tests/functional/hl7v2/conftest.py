"""The HL7 v2 port in this process, and interface engines that come to it over TLS."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from registry.access import Caller, Presented
from registry.app import Renhice
from registry.database import new_id, now, session
from registry.directory.models import ClientCertificate, Establishment, RecordSystem
from registry.directory.service import get_record_system
from registry.hl7v2.server import Server
from registry.settings import Settings
from sandbox.certificates import Holder, load, make_authority, make_client, make_server, save
from tests.functional.hl7v2.terser import Reply
from wsgi import create_app

START, END = b"\x0b", b"\x1c\r"


@dataclass(frozen=True)
class Engine:
    """An interface engine: a connection of its own for each message."""

    port: int
    context: ssl.SSLContext
    application: str
    facility: str
    namespace: str
    establishment_id: UUID
    client_id: str

    def connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        return self.context.wrap_socket(plain, server_hostname="127.0.0.1")

    def exchange(self, frame: bytes) -> bytes:
        """Send bytes as a frame and read the answer's."""
        with self.connect() as connection:
            connection.sendall(START + frame + END)
            return read_frame(connection)

    def send(self, kind: str, *segments: str, control: str | None = None, **more: str) -> Reply:
        """Send a message of this engine's, with a header made for it."""
        return Reply(self.exchange(self.message(kind, *segments, control=control, **more).encode()))

    def message(self, kind: str, *segments: str, control: str | None = None, **more: str) -> str:
        control = control or new_id().hex[:20]
        fields = ["MSH", "^~\\&", self.application, self.facility, "RENHICE", "MINSA", "20261126120000", "", kind]
        fields += [control, "P", more.get("version", "2.5"), "", "", more.get("accept", ""), more.get("apply", ""), ""]
        return "\r".join(["|".join([*fields, more.get("charset", "UNICODE UTF-8")]), *segments]) + "\r"


def read_frame(connection: ssl.SSLSocket) -> bytes:
    """The bytes of one frame; what is there at the end of the connection where it ends."""
    found = b""
    while not found.endswith(END):
        part = connection.recv(65536)
        if not part:
            break
        found += part
    return found.removeprefix(START).removesuffix(END)


@dataclass
class Port:
    """The running server, and how engines come to it."""

    server: Server
    authority: Holder
    folder: Path
    renhice: Renhice

    def engine(self, name: str, namespace: str, system: str, application: str, facility: str = "TEST") -> Engine:
        """Register an establishment with a record system and a certificate, and return its engine."""
        establishment_id, system_id, client_id = new_id(), new_id(), f"sihce-{name}"
        holder = make_client(self.authority, name)
        with self.renhice.database.unit_of_work() as work:
            work.add(make_establishment(establishment_id, name, namespace, system))
            work.flush()
            work.add(make_system(system_id, client_id, establishment_id))
            work.flush()
            work.add(
                ClientCertificate(
                    record_system_id=system_id,
                    sha256=bytes.fromhex(holder.sha256),
                    application=application,
                    facility=facility,
                    ended_at=None,
                )
            )
        return Engine(
            self.server.port,
            self.context(holder, name),
            application,
            facility,
            namespace,
            establishment_id,
            client_id,
        )

    def context(self, holder: Holder | None, name: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "authority.pem"))
        if holder is not None:
            key, certificate = self.folder / f"{name}.key", self.folder / f"{name}.pem"
            save(holder, key, certificate)
            context.load_cert_chain(certificate, key)
        return context


def make_establishment(key: UUID, name: str, namespace: str, system: str) -> Establishment:
    return Establishment(
        id=key,
        renipress=f"{key.int % 10**8:08}",
        name=f"Hospital {name}",
        category="III-1",
        sector="MINSA",
        region="Cusco",
        ubigeo="080101",
        fhir_endpoint=None,
        event_endpoint=None,
        identifier_system=system,
        hl7_namespace=namespace,
        active=True,
    )


def make_system(key: UUID, client_id: str, establishment_id: UUID) -> RecordSystem:
    return RecordSystem(
        id=key,
        client_id=client_id,
        establishment_id=establishment_id,
        name=client_id,
        version="1",
        authority="MINSA",
        accredited_from=now().replace(year=2020),
        accredited_until=now().replace(year=2090),
        suspended_at=None,
        suspension_reason=None,
        profile="fapi2",
        jwks=None,
        jwks_uri="https://sihce.example.pe/jwks",
        redirect_uris=[],
        scopes=["system/Patient.cu", "system/Patient.rs"],
    )


@pytest.fixture(scope="module")
def settings(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("tls")
    authority = make_authority("Autoridad de prueba")
    save(authority, folder / "authority.key", folder / "authority.pem")
    save(make_server(authority, "127.0.0.1"), folder / "server.key", folder / "server.pem")
    return settings.model_copy(
        update={
            "mllp_certificate": folder / "server.pem",
            "mllp_key": folder / "server.key",
            "mllp_client_ca": folder / "authority.pem",
            "mllp_frame_seconds": 1.0,
            "mllp_idle_seconds": 2.0,
            "mllp_connections": 30,
            "mllp_connections_per_client": 20,
        }
    )


def authenticate(presented: Presented, audience: str) -> Caller:
    """Tokens of the FHIR surface that need no broker: the client id alone."""
    system = get_record_system(session(), (presented.authorization or "").removeprefix("Bearer "))
    return Caller(
        client_id=system.client_id,
        establishment_id=system.establishment_id,
        scopes=frozenset(system.scopes),
        token_id="token",
        audience=audience,
    )


@pytest.fixture(scope="module")
def app(settings: Settings) -> Iterator[Flask]:
    application = create_app(settings, authenticate)
    yield application
    parts: Renhice = application.extensions["renhice"]
    parts.database.engine.dispose()


@pytest.fixture(scope="module")
def port(app: Flask, renhice: Renhice, settings: Settings) -> Iterator[Port]:
    """The server on a port of its own, in a thread."""
    assert settings.mllp_key is not None
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = Server(app, settings)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    folder = settings.mllp_key.parent
    yield Port(server, load(folder / "authority.key", folder / "authority.pem"), folder, renhice)
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture(scope="module")
def engine(port: Port) -> Engine:
    """The engine of a hospital."""
    return port.engine("a", "HOSP-A", "urn:oid:2.16.840.1.113883.3.72.5.9.2", "SIHCE-A")


@pytest.fixture(scope="module")
def other(port: Port) -> Engine:
    """The engine of another hospital."""
    return port.engine("b", "HOSP-B", "https://hospital-b.example.pe/historia", "SIHCE-B")


@pytest.fixture(scope="module")
def port_c(port: Port) -> Engine:
    """The engine of a hospital that knows nobody."""
    return port.engine("c", "HOSP-C", "https://hospital-c.example.pe/historia", "SIHCE-C")


@pytest.fixture(scope="module")
def clear(database_url: str) -> Iterator[Callable[[], None]]:
    """Forget all patients and messages; this module's database lets its owner forget history too."""
    owner = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with owner.connect() as connection:
        tables = connection.scalars(text("SELECT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"))
        for table in set(tables):
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))

    def run() -> None:
        with owner.connect() as connection:
            connection.execute(text("TRUNCATE answered_messages, source_records, persons CASCADE"))

    yield run
    owner.dispose()
