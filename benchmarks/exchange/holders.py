"""Holders of records for the benchmarks: FHIR servers that answer after a set delay and say how long they took."""

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RECORDS = 20
EVENTS = "/events"


@dataclass
class Holder:
    """One FHIR server; it trusts everybody, so that its time is its own."""

    delay: float
    port: int = 0
    took: list[float] = field(default_factory=list)
    """Seconds each answer took, from the request's arrival to its last byte."""
    connections: int = 0
    events: "queue.Queue[tuple[float, str]]" = field(default_factory=queue.Queue)
    """When a security event arrived, and the event."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}/fhir"

    @property
    def event_endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}{EVENTS}"


@contextmanager
def served(holder: Holder) -> Iterator[Holder]:
    """Serve it on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(holder))
    server.daemon_threads = True
    holder.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield holder
    finally:
        server.shutdown()
        server.server_close()


def _handler(holder: Holder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def setup(self) -> None:
            super().setup()
            holder.connections += 1

        def do_GET(self) -> None:
            started = time.perf_counter()
            kind = self.path.partition("?")[0].rpartition("/")[2]
            time.sleep(holder.delay)
            self._answer(200, _bundle(kind))
            holder.took.append(time.perf_counter() - started)

        def do_POST(self) -> None:
            arrived = time.perf_counter()
            body = self.rfile.read(int(self.headers["Content-Length"]))
            holder.events.put((arrived, body.decode()))
            self._answer(202, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/fhir+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _bundle(kind: str) -> bytes:
    one = {"resourceType": kind, "recordedDate": "2026-03-05", "code": {"text": "x" * 200}}
    entries = [{"resource": one | {"id": str(number)}} for number in range(RECORDS)]
    return json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": entries}).encode()
