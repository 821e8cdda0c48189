"""Asking at an address that somebody else chose, so that it leads nowhere but where it says (SSRF).

The name is resolved once, every address it has must be public, and the connection goes to one of them: what the name
says a moment later (rebinding) does not count. No redirect is followed, nothing compressed is taken, and neither size
nor time is the other side's to choose.
"""

import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpcore
from httpcore import SyncBackend

from consent_broker.deadlines import Bounded, until
from consent_broker.resource_server.reading import Unreadable, read_json

TOTAL_SECONDS = 5.0
STEP_SECONDS = 3.0
MAX_BYTES = 256 * 1024
WORKERS = 8
TYPES = frozenset({"application/json", "application/jwk-set+json"})
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_FAILURES = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, ValueError, OSError)
T = TypeVar("T")
_TRANSLATING = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))
"""IPv6 that stands for an IPv4 address: where it leads is not what it says."""


class FetchRefused(Exception):
    """The document was not fetched, or not believed; the message is for the log."""


class AddressRefused(FetchRefused):
    """Nothing is ever sent there: not https, or not public."""


@cache
def _trust() -> ssl.SSLContext:
    """The machine's trust store, read once a process: reading it takes longer than most requests."""
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Fetched:
    """A JSON object and for how many seconds its server says it may be kept (Cache-Control); None: it does not say."""

    body: dict[str, Any]
    max_age: int | None


class GuardedFetcher:
    """Fetches over https; plain http, and loopback, only where `loopback` permits them (sandbox and tests)."""

    def __init__(self, *, loopback: bool, workers: int = WORKERS) -> None:
        self._loopback = loopback
        self._pool = httpcore.ConnectionPool(
            ssl_context=_trust(),
            max_connections=workers,
            max_keepalive_connections=0,
            network_backend=Bounded(_Pinned(loopback=loopback)),
        )
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="guarded-fetch")

    def get(self, url: str) -> Fetched:
        """The document at that address, within five seconds all told; raises FetchRefused."""
        return self._within(lambda: self._fetch(url), url)

    def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> int:
        """Post to that address and return the status of the answer, nothing of which is read; raises FetchRefused."""
        return self._within(lambda: self._post(url, content, headers), url)

    def refuses(self, url: str) -> str | None:
        """Why nothing is ever sent to such an address, whatever its name leads to; None where it may be."""
        parts = urlsplit(url)
        plain = self._loopback and parts.scheme == "http" and parts.hostname in LOOPBACK
        if parts.scheme != "https" and not plain:
            return "not https"
        try:
            public = is_public(parts.hostname or "", loopback=self._loopback)
        except ValueError:
            public = self._loopback or parts.hostname not in LOOPBACK
        return None if public else "leads to an address that is not public"

    def _within(self, ask: Callable[[], T], url: str) -> T:
        why = self.refuses(url)
        if why is not None:
            raise AddressRefused(why)
        deadline = time.monotonic() + TOTAL_SECONDS

        def ask_until() -> T:
            with until(deadline):
                return ask()

        try:
            return self._workers.submit(ask_until).result(TOTAL_SECONDS)
        except FutureTimeout:
            raise FetchRefused("took too long") from None

    def _post(self, url: str, content: bytes, headers: Mapping[str, str]) -> int:
        sent = [*headers.items(), ("Content-Length", str(len(content)))]
        try:
            with self._pool.stream("POST", url, headers=sent, content=content, extensions=_steps()) as response:
                return response.status
        except _FAILURES as error:
            raise _refusal(error) from None

    def _fetch(self, url: str) -> Fetched:
        deadline = time.monotonic() + TOTAL_SECONDS
        headers = [("Accept", ", ".join(sorted(TYPES))), ("Accept-Encoding", "identity")]
        try:
            with self._pool.stream("GET", url, headers=headers, extensions=_steps()) as response:
                sent = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                _check_head(response.status, sent)
                body = _read(response.iter_stream(), deadline)
        except _FAILURES as error:
            raise _refusal(error) from None
        return Fetched(_parse(body), _max_age(sent.get("cache-control", "")))


def _refusal(error: Exception) -> FetchRefused:
    late = isinstance(error, httpcore.TimeoutException)
    return FetchRefused("took too long" if late else type(error).__name__)


class _Pinned(SyncBackend):
    """Connects to the very address that was looked at."""

    def __init__(self, *, loopback: bool) -> None:
        self._loopback = loopback

    def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        if not addresses or not all(is_public(address, loopback=self._loopback) for address in addresses):
            raise AddressRefused("leads to an address that is not public")
        return super().connect_tcp(addresses[0], port, *args, **kwargs)


def is_public(address: str, *, loopback: bool = False) -> bool:
    """Whether an IP address is one anybody on the Internet could be asked at."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped), loopback=loopback)
        if any(ip in network for network in _TRANSLATING):
            return False
    return (ip.is_global and not ip.is_multicast) or (loopback and ip.is_loopback)


def _steps() -> dict[str, Any]:
    return {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), STEP_SECONDS)}


def _check_head(status: int, headers: dict[str, str]) -> None:
    if status != 200:
        raise FetchRefused(f"status {status}")
    if headers.get("content-encoding", "identity") != "identity":
        raise FetchRefused("compressed")
    if headers.get("content-type", "").split(";")[0].strip().lower() not in TYPES:
        raise FetchRefused("not JSON by its type")


def _read(chunks: Iterable[bytes], deadline: float) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_BYTES:
            raise FetchRefused("too large")
        if time.monotonic() > deadline:
            raise FetchRefused("took too long")
    return bytes(body)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        found = read_json(body)
    except Unreadable:
        raise FetchRefused("not JSON") from None
    if not isinstance(found, dict):
        raise FetchRefused("not a JSON object")
    return found


def _max_age(cache_control: str) -> int | None:
    directives = cache_control.lower()
    if "no-store" in directives or "no-cache" in directives:
        return 0
    found = re.search(r"\bmax-age=(\d{1,9})", directives)
    return int(found[1]) if found else None
