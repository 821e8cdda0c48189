"""MLLP over TLS (HL7 v2 transport, release 1): frames in, answers out, whoever is at the other end.

The loop only moves bytes, so that a slow or silent peer costs nothing but its connection; messages are served by a few
threads. What is not a frame ends the connection: after bytes that can't be read nothing can be trusted to be in step.
"""

import asyncio
import hashlib
import signal
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from flask import Flask
from prometheus_client import Counter as Metric
from prometheus_client import Gauge
from sqlalchemy.exc import SQLAlchemyError

from registry.app import Renhice, make_app, make_parts
from registry.hl7v2.answers import write_rejection
from registry.hl7v2.faults import SEGMENT_SEQUENCE, Rejected
from registry.hl7v2.handshakes import Handshakes, Knock, place_of
from registry.hl7v2.service import answer, is_served
from registry.settings import Settings, SettingsError
from registry.telemetry import logger

START, END = b"\x0b", b"\x1c\x0d"
LINE_ENDS, MOST_LINE_ENDS = b"\r\n", 8
HANDSHAKE_SECONDS = 10
STOP_SECONDS = 20

CONNECTIONS = Gauge("renhice_mllp_connections", "Open HL7 v2 connections", multiprocess_mode="livesum")
DROPPED = Metric("renhice_mllp_dropped_total", "HL7 v2 connections ended by the registry", ["reason"])
_log = logger(__name__)
T = TypeVar("T")


class Dropped(Exception):
    """The connection ends, and why; with `last_words` the peer is told."""

    def __init__(self, reason: str, last_words: bytes | None = None) -> None:
        super().__init__(reason)
        self.reason, self.last_words = reason, last_words


class Server:
    """The listening side of one process; raises ssl.SSLError or OSError for unusable files."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._threads = ThreadPoolExecutor(settings.database_pool_size, thread_name_prefix="mllp")
        self._open: Counter[bytes] = Counter()
        self._handshakes = Handshakes(settings.mllp_handshakes, settings.mllp_handshakes_per_address)
        self._context = make_context(settings)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            raise RuntimeError("the server is not started")
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def start(self) -> None:
        """Listen; raises OSError where the port is taken."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Knock(self._greet), self._settings.mllp_host, self._settings.mllp_port or 0
        )

    async def stop(self) -> None:
        """Take no more, let what is being served end, and close."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        self._threads.shutdown()

    def _greet(self, connection: asyncio.Transport) -> None:
        """Go on to TLS, unless too many from there or in all have not got through it yet."""
        place = place_of(connection)
        if self._handshakes.begin(place):
            self._begin(self._secure(connection, place))
            return
        DROPPED.labels("too-many-handshakes").inc()
        connection.abort()

    async def _secure(self, connection: asyncio.Transport, place: str) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=self._settings.mllp_max_bytes, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, self._accept, loop=loop)
        try:
            secured = await loop.start_tls(
                connection,
                protocol,
                self._context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=HANDSHAKE_SECONDS,
            )
            if secured is None:  # what Python before 3.11.4 answers where the peer ended it first
                raise ConnectionResetError
        except OSError:
            DROPPED.labels("no-handshake").inc()
            connection.abort()
        else:
            protocol.connection_made(secured)
        finally:
            self._handshakes.end(place)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._begin(self._converse(reader, writer))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certificate = _fingerprint(writer)
        self._open[certificate] += 1
        CONNECTIONS.inc()
        try:
            await self._admit(certificate)
            while True:
                frame = await self._read(reader)
                said = await self._in_thread(answer, certificate, frame)
                if said is not None:
                    await self._write(writer, said)
        except Dropped as dropped:
            await self._drop(writer, dropped)
        except (asyncio.CancelledError, asyncio.IncompleteReadError, OSError):
            pass
        finally:
            CONNECTIONS.dec()
            self._open[certificate] -= 1
            if not self._open[certificate]:
                del self._open[certificate]
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _admit(self, certificate: bytes) -> None:
        """Raise Dropped for more connections than are kept, and for certificates that nobody registered."""
        if self._open.total() > self._settings.mllp_connections:
            raise Dropped("too-many")
        if self._open[certificate] > self._settings.mllp_connections_per_client:
            raise Dropped("too-many-of-one")
        try:
            known = await self._in_thread(is_served, certificate)
        except SQLAlchemyError:
            raise Dropped("unavailable") from None
        if not known:
            raise Dropped("not-registered")

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        """The bytes of the next frame: however long the pause before it, it arrives soon once it has begun.

        An end of line between two frames is passed over: some engines send one more than they should.
        """
        for _ in range(MOST_LINE_ENDS):
            first = await self._timely(reader.readexactly(1), self._settings.mllp_idle_seconds, "idle")
            if first not in LINE_ENDS:
                break
        if first != START:
            raise Dropped("no-frame", write_rejection(Rejected("This is no MLLP frame.", number=SEGMENT_SEQUENCE)))
        try:
            frame = await self._timely(reader.readuntil(END), self._settings.mllp_frame_seconds, "slow")
        except asyncio.LimitOverrunError:
            words = f"A message has at most {self._settings.mllp_max_bytes} bytes."
            raise Dropped("too-long", write_rejection(Rejected(words, number=SEGMENT_SEQUENCE))) from None
        return frame.removesuffix(END)

    async def _write(self, writer: asyncio.StreamWriter, said: bytes) -> None:
        writer.write(START + said + END)
        await self._timely(writer.drain(), self._settings.mllp_frame_seconds, "not-reading")

    async def _drop(self, writer: asyncio.StreamWriter, dropped: Dropped) -> None:
        DROPPED.labels(dropped.reason).inc()
        _log.info("connection dropped", code=dropped.reason)
        if dropped.last_words is not None:
            with suppress(Dropped, OSError):
                await self._write(writer, dropped.last_words)

    async def _timely(self, waiting: Awaitable[T], seconds: float, reason: str) -> T:
        try:
            return await asyncio.wait_for(waiting, seconds)
        except TimeoutError:
            raise Dropped(reason) from None

    async def _in_thread(self, call: Callable[..., T], *arguments: bytes) -> T:
        """Run a call of the service in an application context; one that was begun is never cut off."""
        running = asyncio.get_running_loop().run_in_executor(self._threads, self._within, call, arguments)
        return await asyncio.shield(running)

    def _within(self, call: Callable[..., T], arguments: tuple[bytes, ...]) -> T:
        with self._app.app_context():
            return call(*arguments)


def make_context(settings: Settings) -> ssl.SSLContext:
    """TLS 1.2 or newer, with a client certificate of an authority we trust; which one says who is calling."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(str(settings.mllp_certificate), str(settings.mllp_key))
    context.load_verify_locations(str(settings.mllp_client_ca))
    return context


def _fingerprint(writer: asyncio.StreamWriter) -> bytes:
    connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
    return hashlib.sha256(connection.getpeercert(binary_form=True) or b"").digest()


def serve(settings: Settings) -> None:
    """Serve until told to stop; raises SettingsError where the port or its files can't be used."""
    if settings.mllp_port is None:
        raise SettingsError("RENHICE_MLLP_PORT: is not set, so there is no HL7 v2 port to serve.")
    parts = make_parts(settings)
    try:
        asyncio.run(_serve(make_app(parts), parts))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"The HL7 v2 port can't be served: {error}") from None
    finally:
        parts.database.engine.dispose()


async def _serve(app: Flask, parts: Renhice) -> None:
    server, ending = Server(app, parts.settings), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    await server.start()
    _log.info("listening", component="hl7v2")
    await ending.wait()
    await server.stop()
