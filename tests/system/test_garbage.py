"""Garbage on the wire of a running system is refused, whether it becomes a request or not; it goes on serving."""

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from flask import Flask

from registry.settings import Settings
from tests.functional.faces import check_face, surface_of
from tests.functional.test_garbage import BODIES, address
from tests.system.conftest import System
from wsgi import create_app

HOST = b"Host: 127.0.0.1\r\n"
POST = b"POST /oauth/token HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"
WIRE = {
    "no request": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no method": b" / HTTP/1.1\r\n" + HOST + b"\r\n",
    "no version": b"GET /\r\n\r\n",
    "another version": b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    "a line without end": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a header without end": b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 20_000 + b"\r\n\r\n",
    "a thousand headers": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 1000 + b"\r\n",
    "a header without name": b"GET / HTTP/1.1\r\n" + HOST + b": a\r\n\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\na=b",
    "a negative length": POST + b"Content-Length: -3\r\n\r\na=b",
    "a length that is none": POST + b"Content-Length: 0x10\r\n\r\na=b",
    "length and chunks": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks that are none": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\na=b\r\n0\r\n\r\n",
    "a truncated body": POST + b"Content-Length: 100\r\n\r\na=b",
    "a truncated chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n64\r\na=b",
    "an unknown coding": POST + b"Transfer-Encoding: gzip\r\n\r\na=b",
    "bytes in the path": b"GET /\xff\xfe\x80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "an address of elsewhere": b"GET http://evil.example/ingresar HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tunnel": b"CONNECT 10.0.0.1:22 HTTP/1.1\r\n" + HOST + b"\r\n",
    "another host": b"GET /ingresar HTTP/1.1\r\nHost: evil.example\r\n\r\n",
}


def say(system: System, raw: bytes) -> bytes:
    """Send bytes, say no more, and return all that is answered."""
    with socket.create_connection(("127.0.0.1", system.port), timeout=20) as wire:
        wire.sendall(raw)
        wire.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while piece := wire.recv(65536):
                answer += piece
        except ConnectionError:
            pass
    return answer


@pytest.mark.parametrize("what", WIRE)
def test_bytes_that_are_no_request(system: System, what: str) -> None:
    answer = say(system, WIRE[what])
    status = int(answer.split(b" ", 2)[1]) if answer else 0
    assert status < 500
    assert status >= 400 or what in {"an address of elsewhere", "another host"} or answer == b""
    assert b"evil.example" not in answer
    assert b"Traceback" not in answer
    assert httpx.get(f"{system.base_url}/health/live").status_code == 200


@pytest.fixture(scope="module")
def app(broker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The same product, for its addresses alone: it connects to nothing."""
    nowhere = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    keys: Path = tmp_path_factory.mktemp("keys")
    application = create_app(Settings(environment="test", database_url=nowhere, broker_url=broker_url, keys_dir=keys))
    yield application
    application.extensions["renhice"].database.engine.dispose()


def chunks(size: int) -> Iterator[bytes]:
    """A body whose length is told nobody beforehand."""
    yield b"a="
    for _ in range(size // 10_000):
        yield b" " * 10_000


def test_every_address_refuses_garbage_and_endless_bodies_with_its_face(system: System, app: Flask) -> None:
    dice, wrong = random.Random(20261126), []
    with httpx.Client(base_url=system.base_url, timeout=30, headers={"Connection": "close"}) as http:
        for rule in app.url_map.iter_rules():
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                path = address(rule, dice)
                for kind, body in [*dice.sample(BODIES, 3), ("application/x-www-form-urlencoded", chunks(2_000_000))]:
                    answer = http.request(method, path, content=body, headers={"Content-Type": kind or "text/plain"})
                    wrong += complaint(app, answer, method)
    assert wrong == []


TRUNCATED = {
    "told by length": b"Content-Length: 100\r\n\r\ntema=oscuro&volver=/acces",
    "in chunks": b"Transfer-Encoding: chunked\r\n\r\n64\r\ntema=oscuro&volver=/acces",
    "with a bad chunk": b"Transfer-Encoding: chunked\r\n\r\nb\r\ntema=oscuro\r\nzz\r\n",
}


@pytest.mark.parametrize("how", TRUNCATED)
def test_nothing_acts_on_a_part_of_a_form(system: System, how: str) -> None:
    """The form would be good as far as it goes."""
    head = b"POST /apariencia HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"
    answer = say(system, head + TRUNCATED[how])
    assert answer.split(b" ", 2)[1] in {b"400", b"413"}
    assert b"Set-Cookie" not in answer


def complaint(app: Flask, answer: httpx.Response, method: str) -> list[str]:
    path = answer.request.url.path
    try:
        if answer.status_code >= 400:
            json = answer.json() if "json" in answer.headers["Content-Type"] else None
            check_face(answer, surface_of(app, path, method), json)
    except (AssertionError, ValueError, KeyError) as error:
        return [f"{method} {path:.80} {answer.status_code} {error!r:.200}"]
    return []
