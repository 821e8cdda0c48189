"""Attack 12: an address a client registered leads into our network, elsewhere a moment later, or nowhere in time."""

import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import repeat
from typing import Any

import pytest
from authlib.oauth2.rfc6749.errors import InvalidClientError
from joserfc.jwk import ECKey, OctKey
from sqlalchemy import update
from sqlalchemy.orm import Session
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from consent_broker import guarded_fetch
from consent_broker.guarded_fetch import FetchRefused, GuardedFetcher, is_public
from consent_broker.oauth.clients import find_client
from consent_broker.oauth.rfc7517_client_keys import MAX_AGE, MIN_REFRESH, ClientKeys
from consent_broker.oauth.rfc7523_client_auth import PrivateKeyJwt, peek
from registry.database import now
from registry.directory.models import RecordSystem
from tests.functional.oauth.world import ASSERTION_TYPE, World

CREDENTIALS = {"grant_type": "client_credentials", "scope": "access-request"}
Answer = Callable[[Request], Response]


class Publisher:
    """A client's own server, which says what a test wants it to say."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "published"})
        self.answer: Answer = self.keys
        self.asked = 0
        self.url = ""

    def keys(self, _request: Request | None = None, **headers: str) -> Response:
        return Response(json.dumps(self.jwks()), mimetype="application/json", headers=headers)

    def jwks(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False)]}

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self.asked += 1
        return self.answer(Request(environ))(environ, start_response)


@contextmanager
def served(application: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, application, threaded=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def server() -> Iterator[Publisher]:
    publisher = Publisher()
    with served(publisher) as url:
        publisher.url = f"{url}/jwks.json"
        yield publisher


@pytest.fixture
def publisher(server: Publisher) -> Publisher:
    server.answer, server.asked = server.keys, 0
    return server


@pytest.fixture
def fetcher() -> GuardedFetcher:
    """As in the sandbox: loopback is permitted, since the servers of these tests are there."""
    return GuardedFetcher(loopback=True)


INSIDE = [
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.8", "172.16.4.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1%eth0", "2001::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_never_asked(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "200.48.225.130"])
def test_an_address_outside_may_be(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "169.254.169.254", "0x7f.1", "2130706433", "0177.0.0.1", "[::ffff:127.0.0.1]", "localhost",
     "127.1", "[::ffff:7f00:1]", "[fe80::1]"],
)  # fmt: skip
def test_no_spelling_of_an_inside_address_is_connected_to(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_a, **_k: pytest.fail("connected"))
    with pytest.raises(FetchRefused):
        GuardedFetcher(loopback=False).get(f"https://{host}/jwks")


@pytest.mark.parametrize(
    "url",
    ["http://example.org/jwks", "file:///etc/passwd", "gopher://127.0.0.1/", "ftp://example.org/", "//x/", "", "x"],
)
def test_only_https_is_spoken(fetcher: GuardedFetcher, url: str) -> None:
    with pytest.raises(FetchRefused, match="https"):
        fetcher.get(url)
    with pytest.raises(FetchRefused, match="https"):
        GuardedFetcher(loopback=False).get("http://127.0.0.1/jwks")


def test_a_name_that_rebinds_leads_where_it_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Public when looked at, inside a moment later: it is looked at once, and that address connected to."""
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    connected: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: [(2, 1, 6, "", (one, 443)) for one in next(answers)])

    def connect(address: tuple[str, int], *_a: Any, **_k: Any) -> socket.socket:
        connected.append(address[0])
        raise OSError

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(FetchRefused):
        GuardedFetcher(loopback=False).get("https://rebinding.example/jwks")
    assert connected == ["93.184.215.14"]


def test_a_name_with_one_address_inside_is_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = [(2, 1, 6, "", (one, 443)) for one in ("93.184.215.14", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: mixed)
    monkeypatch.setattr(socket, "create_connection", lambda *_a, **_k: pytest.fail("connected"))
    with pytest.raises(FetchRefused, match="not public"):
        GuardedFetcher(loopback=False).get("https://mixed.example/jwks")


def test_a_name_that_does_not_resolve_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    monkeypatch.setattr(guarded_fetch, "TOTAL_SECONDS", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: never.wait(30))
    started = time.monotonic()
    with pytest.raises(FetchRefused, match="too long"):
        GuardedFetcher(loopback=False).get("https://slow.example/jwks")
    assert time.monotonic() - started < 15
    never.set()


def drip(_request: Request) -> Response:
    def body() -> Iterator[bytes]:
        for _ in range(800):
            yield b" "
            time.sleep(0.05)

    return Response(body(), mimetype="application/json")


def says(body: bytes, status: int = 200, mimetype: str = "application/json", **headers: str) -> Answer:
    return lambda _request: Response(body, status, mimetype=mimetype, headers=headers)


BOMB = gzip.compress(b" " * 20_000_000)
BAD: dict[str, Answer] = {
    "redirect inside": says(b"", 302, Location="http://169.254.169.254/latest/meta-data/"),
    "redirect to itself": says(b"", 307, Location="/jwks.json"),
    "error": says(b"{}", 500),
    "empty": says(b"", 204),
    "gzip bomb": says(BOMB, **{"Content-Encoding": "gzip"}),
    "too large": says(b" " * 300_000),
    "html": says(b"{}", mimetype="text/html"),
    "no JSON": says(b"<html>"),
    "a list": says(b"[]"),
    "deep": says(b"[" * 100_000),
}


@pytest.mark.parametrize("name", BAD)
def test_an_answer_that_is_not_a_small_plain_document_is_not_believed(
    publisher: Publisher, fetcher: GuardedFetcher, name: str
) -> None:
    publisher.answer = BAD[name]
    with pytest.raises(FetchRefused):
        fetcher.get(publisher.url)
    assert publisher.asked == 1


def test_a_slow_drip_ends_in_time(
    publisher: Publisher, fetcher: GuardedFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_fetch, "TOTAL_SECONDS", 0.3)
    publisher.answer, started = drip, time.monotonic()
    with pytest.raises(FetchRefused, match="too long"):
        fetcher.get(publisher.url)
    assert time.monotonic() - started < 20


def test_a_head_that_drips_keeps_no_worker(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    def dripping(request: Request) -> Response:
        raw = request.environ["werkzeug.socket"]
        with suppress(OSError):
            for byte in (b"HTTP/1.1 200 OK\r\nX-Slow: ", *repeat(b"x", 1200)):
                raw.sendall(byte)
                time.sleep(0.05)
        raise ConnectionAbortedError

    fetcher, answer = GuardedFetcher(loopback=True, workers=1), publisher.answer
    monkeypatch.setattr(guarded_fetch, "TOTAL_SECONDS", 1.0)
    publisher.answer = dripping
    with pytest.raises(FetchRefused):
        fetcher.get(publisher.url)
    publisher.answer = answer
    monkeypatch.setattr(guarded_fetch, "TOTAL_SECONDS", 30)
    assert fetcher.get(publisher.url).body


def test_a_certificate_of_another_name_is_not_trusted(fetcher: GuardedFetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    seen: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _socket, name, _context: seen.append(name)
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_a, **_k: [(2, 1, 6, "", ("127.0.0.1", listener.getsockname()[1]))]
    )

    def accept() -> None:
        connection, _ = listener.accept()
        with connection, pytest.raises((OSError, ssl.SSLError)):
            context.wrap_socket(connection, server_side=True)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    with pytest.raises(FetchRefused):
        fetcher.get(f"https://keys.example:{listener.getsockname()[1]}/jwks")
    thread.join(5)
    listener.close()
    assert seen == ["keys.example"], "the name, not the pinned address, is what TLS is about"


@pytest.fixture
def publishing(world: World, publisher: Publisher) -> Iterator[World]:
    """The asking record system publishes its keys instead of registering them."""
    mine = update(RecordSystem).where(RecordSystem.client_id == world.asking.client_id)
    world.transact(lambda session: session.execute(mine.values(jwks=None, jwks_uri=publisher.url)))
    keys, registered = world.broker.client_keys, world.asking.key
    keys._kept.clear()
    world.asking.key = publisher.key
    yield world
    world.asking.key = registered
    usual = mine.values(jwks={"keys": [registered.as_dict(private=False)]}, jwks_uri=None)
    world.transact(lambda session: session.execute(usual))
    publisher.key = ECKey.generate_key("P-256", {"kid": "published"})


def later(keys: ClientKeys, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    moment = time.monotonic() + seconds
    monkeypatch.setattr(keys, "_clock", lambda: moment)


def test_published_keys_authenticate_and_are_kept(publishing: World, publisher: Publisher) -> None:
    for _ in range(3):
        assert publishing.asking.post("/oauth/token", CREDENTIALS).status_code == 200
    assert publisher.asked == 1


def test_a_stream_of_unknown_key_ids_costs_one_fetch(publishing: World, publisher: Publisher) -> None:
    for number in range(20):
        forged = publishing.asking.credentials(header={"kid": f"flood-{number}"})
        assert publishing.asking.post("/oauth/token", CREDENTIALS | forged).status_code == 401
    assert publisher.asked == 1
    assert publishing.asking.post("/oauth/token", CREDENTIALS).status_code == 200


def test_a_new_key_is_found_and_a_withdrawn_one_ends(
    publishing: World, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, old = publishing.broker.client_keys, publisher.key
    assert publishing.asking.post("/oauth/token", CREDENTIALS).status_code == 200
    publisher.key = publishing.asking.key = ECKey.generate_key("P-256", {"kid": "next"})
    assert publishing.asking.post("/oauth/token", CREDENTIALS).status_code == 401, "asked a moment ago"
    later(keys, monkeypatch, MIN_REFRESH + 1)
    assert publishing.asking.post("/oauth/token", CREDENTIALS).status_code == 200
    publishing.asking.key = old
    assert publishing.asking.post("/oauth/token", CREDENTIALS).status_code == 401


@pytest.mark.parametrize(
    ("said", "kept"),
    [({}, 299), ({"Cache-Control": "max-age=60"}, 59), ({"Cache-Control": "public, max-age=99999999"}, MAX_AGE - 1),
     ({"Cache-Control": "no-store"}, MIN_REFRESH - 1)],
    ids=str,
)  # fmt: skip
def test_keys_are_kept_as_long_as_their_server_says(
    publishing: World, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, said: dict[str, str], kept: int
) -> None:
    keys = publishing.broker.client_keys
    publisher.answer = lambda request: publisher.keys(request, **said)
    assert publishing.asking.post("/oauth/token", CREDENTIALS).status_code == 200
    for seconds, asked in ((kept, 1), (kept + 2, 2)):
        later(keys, monkeypatch, seconds)
        assert publishing.asking.post("/oauth/token", CREDENTIALS).status_code == 200
        assert publisher.asked == asked


def test_when_the_keys_can_not_be_had_nobody_is_believed_and_the_address_rests(
    publishing: World, publisher: Publisher
) -> None:
    publisher.answer = BAD["error"]
    for _ in range(5):
        answer = publishing.asking.post("/oauth/token", CREDENTIALS)
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert publisher.asked == 1


@pytest.mark.parametrize(
    "jwks",
    [
        {"keys": [OctKey.generate_key(256, {"kid": "published"}).as_dict(private=True)]},
        {"keys": [{"kty": "EC", "kid": "published", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}]},
        {"keys": []},
        {"keys": [{"kty": "RSA", "kid": "published", "e": "AQAB", "n": "s" * 171}]},
        {"keys": "published"},
        {"keys": [7]},
        {},
    ],
)
def test_a_published_set_is_checked_like_a_registered_one(
    publishing: World, publisher: Publisher, jwks: dict[str, Any]
) -> None:
    publisher.answer = says(json.dumps(jwks).encode())
    assert publishing.asking.post("/oauth/token", CREDENTIALS).status_code == 401


def test_waiting_for_keys_brings_back_nothing_that_was_used(
    publishing: World, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second signature of one request needs a fetch: what the first used up stays used, though the request fails."""
    asking, broker = publishing.asking, publishing.broker
    first, second = asking.assertion(), asking.assertion(header={"kid": "unknown"})
    verifier = PrivateKeyJwt(Session(), broker.issuer, broker.client_keys, broker.failures)
    with publishing.app.app_context(), publishing.renhice.database.unit_of_work() as session:
        verifier = replace(verifier, session=session)
        client = find_client(session, asking.client_id, now())
        assert client is not None
        verifier.verify(peek(first), client)
        later(broker.client_keys, monkeypatch, MIN_REFRESH + 1)
        with pytest.raises(InvalidClientError):
            verifier.verify(peek(second), client)
        session.rollback()
    assert publisher.asked == 2
    form = CREDENTIALS | {"client_assertion_type": ASSERTION_TYPE, "client_assertion": first}
    assert asking.post("/oauth/token", form).status_code == 401


def test_keys_for_other_purposes_do_not_disturb(publishing: World, publisher: Publisher) -> None:
    other = ECKey.generate_key("P-256", {"kid": "published", "use": "enc"}).as_dict(private=False)
    publisher.answer = says(json.dumps({"keys": [other, *publisher.jwks()["keys"]]}).encode())
    assert publishing.asking.post("/oauth/token", CREDENTIALS).status_code == 200


def test_jku_is_taken_when_it_says_what_is_registered_and_fetched_never(
    publishing: World, publisher: Publisher
) -> None:
    named = publishing.asking.credentials(header={"jku": publisher.url})
    assert publishing.asking.post("/oauth/token", CREDENTIALS | named).status_code == 200
    for jku in (f"{publisher.url}?x", "https://evil.example/jwks", ["x"], ""):
        other = publishing.asking.credentials(header={"jku": jku})
        assert publishing.asking.post("/oauth/token", CREDENTIALS | other).status_code == 401
    assert publisher.asked == 1
