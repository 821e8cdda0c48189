"""One request to one holder: proved, within its time and size, and asked again only as its budget allows."""

import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event
from urllib.parse import urlencode

import httpcore

from consent_broker.broker import Broker
from consent_broker.deadlines import until
from consent_broker.oauth.holder_tokens import Ticket
from registry.database import now
from registry.pide.exchange import over_pide
from registry.retrying import retry_after

MAX_RETRIES = 2
PAUSE_SECONDS = 0.15
"""The longest pause before a retry where the holder names none."""
PASSING = frozenset({502, 503, 504})
"""What a server says of a state that passes."""
WAITING = frozenset({"connection.connect_tcp.started", "http11.receive_response_headers.started"})


class Fault(StrEnum):
    """Why something of a holder's did not arrive, as a FHIR IssueType."""

    TIMEOUT = "timeout"
    UNREACHABLE = "transient"
    REFUSED = "security"
    UNREADABLE = "structure"
    TOO_LARGE = "too-costly"
    NOT_CONNECTED = "not-supported"
    CONTESTED = "conflict"


class HolderError(Exception):
    """A holder did not deliver."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


class _Passing(Exception):
    """The holder, or the way to it, is in a state that passes; `wait` is what it asks for in seconds."""

    def __init__(self, wait: float | None = None) -> None:
        super().__init__()
        self.wait = wait


@dataclass(frozen=True, slots=True)
class HolderRequest:
    """What is asked of a holder: an address, parameters, the media type wanted, and the most bytes to take."""

    url: str
    parameters: dict[str, str]
    accept: str
    limit: int


@dataclass(frozen=True, slots=True)
class Course:
    """The course of one question: nothing is begun once `halted` is set; `waits` is set when its holder's turn comes.

    Until then it keeps the interpreter busy: questions that do so at once are each sent as late as the last.
    """

    halted: Event = field(default_factory=Event)
    waits: Event = field(default_factory=Event)

    def trace(self, step: str, _details: object) -> None:
        """What httpcore tells of its steps."""
        if step in WAITING:
            self.waits.set()


def ask(broker: Broker, ticket: Ticket, request: HolderRequest, course: Course) -> bytes:
    """The body of a holder's answer (200); raises HolderError.

    A GET may be repeated: after a failure that passes (no connection, 502, 503, 504) it is, twice at most, within the
    holder's time and its budget of retries. Every attempt has a proof of its own.
    """
    endpoint = ticket.holder.endpoint or ""
    deadline = time.monotonic() + broker.settings.holder_timeout_seconds
    broker.retries.note_request(endpoint)
    for retries_left in range(MAX_RETRIES, -1, -1):
        try:
            return _attempt(broker, ticket, request, course, deadline)
        except _Passing as passing:
            pause = random.uniform(0, PAUSE_SECONDS) if passing.wait is None else passing.wait  # noqa: S311
        if not retries_left or time.monotonic() + pause >= deadline or not broker.retries.take(endpoint):
            break
        if course.halted.wait(pause):
            break
    raise HolderError(Fault.UNREACHABLE)


def _attempt(broker: Broker, ticket: Ticket, request: HolderRequest, course: Course, deadline: float) -> bytes:
    try:
        with until(deadline):
            body = _try(broker, ticket, request, course, deadline)
            body = _try(broker, ticket, request, course, deadline) if body is None else body
    except httpcore.TimeoutException:
        raise HolderError(Fault.TIMEOUT) from None
    except (httpcore.NetworkError, httpcore.RemoteProtocolError):
        raise _Passing from None
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol, ValueError):
        raise HolderError(Fault.UNREACHABLE) from None
    if body is None:
        raise HolderError(Fault.REFUSED)
    return body


def _try(broker: Broker, ticket: Ticket, request: HolderRequest, course: Course, deadline: float) -> bytes | None:
    """Ask with a proof of the key the token is bound to; None when the holder wants the nonce it has just named."""
    holder, token, url = ticket.holder.endpoint or "", ticket.token, request.url
    headers = [
        ("Authorization", f"{token.type} {token.value}"),
        ("DPoP", broker.prover.prove("GET", url, token.value, holder)),
        ("Accept", request.accept),
        ("Accept-Encoding", "identity"),
    ]
    address = over_pide(broker.settings.pide_url, ticket.holder.pide_service, holder, url)
    address = f"{address}?{urlencode(request.parameters)}" if request.parameters else address
    left = max(0.01, deadline - time.monotonic())
    steps = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), left), "trace": course.trace}
    with broker.holders.stream("GET", address, headers=headers, extensions=steps) as response:
        said = {name.lower(): value.decode("latin-1") for name, value in response.headers}
        broker.prover.learn(holder, said.get(b"dpop-nonce"))
        if response.status == 401 and "use_dpop_nonce" in said.get(b"www-authenticate", ""):
            return None
        _check_head(response.status, said)
        return _read(response.iter_stream(), request.limit, deadline)


def _check_head(status: int, said: Mapping[bytes, str]) -> None:
    """Compressed bodies are refused unread: a few kB could become gigabytes."""
    if status in {401, 403}:
        raise HolderError(Fault.REFUSED)
    if status in PASSING:
        raise _Passing(retry_after(said.get(b"retry-after"), now()))
    if status != 200:
        raise HolderError(Fault.UNREACHABLE)
    if said.get(b"content-encoding", "identity") != "identity":
        raise HolderError(Fault.UNREADABLE)


def _read(chunks: Iterable[bytes], limit: int, deadline: float) -> bytes:
    """The body within size and time."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise HolderError(Fault.TOO_LARGE)
        if time.monotonic() > deadline:
            raise HolderError(Fault.TIMEOUT)
    return bytes(body)
