"""Asking holders: all at once, each within its time and size, only at its registered address. Nothing is kept."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import httpx

from consent_broker.broker import Broker
from consent_broker.oauth.holder_tokens import Holder, Ticket
from consent_broker.resource_server.residual import flows
from registry.fhir.systems import SOURCE_RECORD

MAX_BYTES = 4 * 1024 * 1024
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
MAX_RESOURCES = 500
MAX_THREADS = 16


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


@dataclass(frozen=True, slots=True)
class Answer:
    """What one holder said about one FHIR type: resources, or a fault, or both when it was cut short."""

    holder: Holder
    resource_type: str
    resources: Sequence[dict[str, Any]] = field(default_factory=list)
    fault: Fault | None = None
    withheld: int = 0
    """Resources the holder should have withheld and sent; they end here."""


def ask_holders(broker: Broker, tickets: Sequence[Ticket]) -> list[Answer]:
    """Ask each ticket's holder for each of its types, in parallel; always as many answers as questions."""
    questions = [(ticket, resource_type) for ticket in tickets for resource_type in ticket.types]
    if not questions:
        return []
    with ThreadPoolExecutor(min(MAX_THREADS, len(questions)), thread_name_prefix="holder") as pool:
        return list(pool.map(lambda question: _ask(broker, *question), questions))


def _ask(broker: Broker, ticket: Ticket, resource_type: str) -> Answer:
    holder = ticket.holder
    endpoint = holder.endpoint or ""
    if not broker.breakers.allows(endpoint):
        return Answer(holder, resource_type, fault=Fault.UNREACHABLE)
    try:
        bundle = _search(broker, ticket, resource_type)
        resources, cut = _resources(bundle, resource_type)
    except HolderError as error:
        broker.breakers.report(endpoint, success=error.fault is Fault.REFUSED)
        return Answer(holder, resource_type, fault=error.fault)
    broker.breakers.report(endpoint, success=True)
    released = [one for one in resources if flows(one, ticket.residual)]
    fault = Fault.TOO_LARGE if cut else None
    return Answer(holder, resource_type, released, fault, len(resources) - len(released))


def fetch_document(broker: Broker, ticket: Ticket, url: str, content_type: str) -> bytes:
    """A document by its address at the holder, as it is; raises HolderError. The holder's circuit learns of it."""
    endpoint = ticket.holder.endpoint or ""
    if not broker.breakers.allows(endpoint):
        raise HolderError(Fault.UNREACHABLE)
    try:
        body = _get(broker, ticket, _Question(url, {}, content_type, MAX_DOCUMENT_BYTES))
    except HolderError as error:
        broker.breakers.report(endpoint, success=error.fault is Fault.REFUSED)
        raise
    broker.breakers.report(endpoint, success=True)
    return body


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of a holder: an address, parameters, the media type wanted, and the most bytes to take."""

    url: str
    parameters: dict[str, str]
    accept: str
    limit: int


def _search(broker: Broker, ticket: Ticket, resource_type: str) -> Any:
    parameters = {
        "patient.identifier": f"{SOURCE_RECORD}|{ticket.holder.source_record_id}",
        "_count": str(MAX_RESOURCES),
    }
    url = f"{ticket.holder.endpoint or ''}/{resource_type}"
    body = _get(broker, ticket, _Question(url, parameters, "application/fhir+json", MAX_BYTES))
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise HolderError(Fault.UNREADABLE) from None


def _get(broker: Broker, ticket: Ticket, question: _Question) -> bytes:
    deadline = time.monotonic() + broker.settings.holder_timeout_seconds
    try:
        body = _try(broker, ticket, question, deadline)
        body = _try(broker, ticket, question, deadline) if body is None else body
    except httpx.TimeoutException:
        raise HolderError(Fault.TIMEOUT) from None
    except (httpx.HTTPError, httpx.InvalidURL):
        raise HolderError(Fault.UNREACHABLE) from None
    if body is None:
        raise HolderError(Fault.REFUSED)
    return body


def _try(broker: Broker, ticket: Ticket, question: _Question, deadline: float) -> bytes | None:
    """Ask with a proof of the key the token is bound to; None when the holder wants the nonce it has just named."""
    holder, token, url = ticket.holder.endpoint or "", ticket.token, question.url
    headers = {
        "Authorization": f"{token.type} {token.value}",
        "DPoP": broker.prover.prove("GET", url, token.value, holder),
        "Accept": question.accept,
        "Accept-Encoding": "identity",
    }
    left = max(0.01, deadline - time.monotonic())
    with broker.http.stream("GET", url, params=question.parameters, headers=headers, timeout=left) as response:
        broker.prover.learn(holder, response.headers.get("DPoP-Nonce"))
        if response.status_code == 401 and "use_dpop_nonce" in response.headers.get("WWW-Authenticate", ""):
            return None
        return _read(response, question.limit, deadline)


def _read(response: httpx.Response, limit: int, deadline: float) -> bytes:
    """The body within size and time; compressed ones are refused unread, a few kB could become gigabytes."""
    if response.status_code in {401, 403}:
        raise HolderError(Fault.REFUSED)
    if response.status_code != 200:
        raise HolderError(Fault.UNREACHABLE)
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise HolderError(Fault.UNREADABLE)
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > limit:
            raise HolderError(Fault.TOO_LARGE)
        if time.monotonic() > deadline:
            raise HolderError(Fault.TIMEOUT)
    return bytes(body)


def _resources(bundle: Any, resource_type: str) -> tuple[list[dict[str, Any]], bool]:
    """The resources of the asked type and whether there were more; what was not asked for is dropped, not shown."""
    entries = bundle.get("entry", []) if isinstance(bundle, dict) else None
    if not isinstance(entries, list) or bundle.get("resourceType") != "Bundle":
        raise HolderError(Fault.UNREADABLE)
    found = [entry.get("resource") for entry in entries if isinstance(entry, dict)]
    wanted = [one for one in found if isinstance(one, dict) and one.get("resourceType") == resource_type]
    links = bundle.get("link") or []
    more = isinstance(links, list) and any(isinstance(link, dict) and link.get("relation") == "next" for link in links)
    return wanted[:MAX_RESOURCES], more or len(wanted) > MAX_RESOURCES
