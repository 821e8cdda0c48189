"""Asking holders: all at once, only at their registered addresses, and what they send beyond that ends here."""

import json
from collections import defaultdict
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from prometheus_client import Counter

from consent_broker.broker import Broker
from consent_broker.exchange.asking import Fault, HolderError, HolderRequest, ask
from consent_broker.oauth.holder_tokens import Holder, Ticket
from consent_broker.resource_server.residual import flows
from registry.fhir.systems import SOURCE_RECORD
from registry.fhir.wire import is_sound
from registry.telemetry import logger

MAX_BYTES = 4 * 1024 * 1024
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
MAX_RESOURCES = 500
MAX_THREADS = 16
DROPPED = Counter("renhice_dropped_resources_total", "Resources establishments should not have sent", ["why"])
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one holder said about one FHIR type: resources, or a fault, or both when it was cut short."""

    holder: Holder
    resource_type: str
    resources: Sequence[dict[str, Any]] = field(default_factory=list)
    fault: Fault | None = None
    withheld: int = 0
    """Resources the holder should have withheld and sent; they end here."""
    unasked: int = 0
    """Resources of another type, or of another patient, that nobody asked for; they end here."""


def ask_holders(broker: Broker, tickets: Sequence[Ticket]) -> Generator[tuple[Ticket, Sequence[Answer]]]:
    """Ask each ticket's holder for each of its types, in parallel; each holder's answers as soon as it gave them all.

    Closed early, it asks nobody who has not been asked yet and waits for nobody.
    """
    questions = [(ticket, resource_type) for ticket in tickets for resource_type in ticket.types]
    if not questions:
        return
    halted, answers = Event(), defaultdict[int, list[Answer]](list)
    pool = ThreadPoolExecutor(min(MAX_THREADS, len(questions)), thread_name_prefix="holder")
    try:
        asked = {pool.submit(_ask, broker, ticket, kind, halted): ticket for ticket, kind in questions}
        for done in as_completed(asked):
            ticket = asked[done]
            gathered = answers[id(ticket)]
            gathered.append(done.result())
            if len(gathered) == len(ticket.types):
                yield ticket, sorted(gathered, key=lambda one: one.resource_type)
    finally:
        halted.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _ask(broker: Broker, ticket: Ticket, resource_type: str, halted: Event) -> Answer:
    holder = ticket.holder
    endpoint = holder.endpoint or ""
    if halted.is_set() or not broker.breakers.allows(endpoint):
        return Answer(holder, resource_type, fault=Fault.UNREACHABLE)
    try:
        bundle = _search(broker, ticket, resource_type, halted)
        found = _resources(bundle, resource_type, ticket)
    except HolderError as error:
        broker.breakers.report(endpoint, success=error.fault is Fault.REFUSED)
        return Answer(holder, resource_type, fault=error.fault)
    broker.breakers.report(endpoint, success=True)
    released = [one for one in found.resources if flows(one, ticket.residual)]
    fault = Fault.TOO_LARGE if found.cut else Fault.UNREADABLE if found.unsound else None
    answer = Answer(holder, resource_type, released, fault, len(found.resources) - len(released), found.unasked)
    _tell(answer)
    return answer


def _tell(answer: Answer) -> None:
    """Let the operator know of a holder that sends what it should not."""
    if answer.withheld or answer.unasked:
        DROPPED.labels("withheld").inc(answer.withheld)
        DROPPED.labels("unasked").inc(answer.unasked)
        place = str(answer.holder.establishment_id)
        _log.warning("holder-sends-too-much", holder_id=place, withheld=answer.withheld, unasked=answer.unasked)


def fetch_document(broker: Broker, ticket: Ticket, url: str, content_type: str) -> bytes:
    """A document by its address at the holder, as it is; raises HolderError. The holder's circuit learns of it."""
    endpoint = ticket.holder.endpoint or ""
    if not broker.breakers.allows(endpoint):
        raise HolderError(Fault.UNREACHABLE)
    try:
        body = ask(broker, ticket, HolderRequest(url, {}, content_type, MAX_DOCUMENT_BYTES), Event())
    except HolderError as error:
        broker.breakers.report(endpoint, success=error.fault is Fault.REFUSED)
        raise
    broker.breakers.report(endpoint, success=True)
    return body


def _search(broker: Broker, ticket: Ticket, resource_type: str, halted: Event) -> Any:
    parameters = {
        "patient.identifier": f"{SOURCE_RECORD}|{ticket.holder.source_record_id}",
        "_count": str(MAX_RESOURCES),
    }
    url = f"{ticket.holder.endpoint or ''}/{resource_type}"
    body = ask(broker, ticket, HolderRequest(url, parameters, "application/fhir+json", MAX_BYTES), halted)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise HolderError(Fault.UNREADABLE) from None


@dataclass(frozen=True, slots=True)
class _Found:
    resources: Sequence[dict[str, Any]]
    cut: bool
    unasked: int
    unsound: bool


def _resources(bundle: Any, resource_type: str, ticket: Ticket) -> _Found:
    """The resources that were asked for, whether there were more, how many there are of what was not asked for.

    One that could not be shown or sent on is left out, so that it takes no other with it.
    """
    entries = bundle.get("entry", []) if isinstance(bundle, dict) else None
    if not isinstance(entries, list) or bundle.get("resourceType") != "Bundle":
        raise HolderError(Fault.UNREADABLE)
    found = [entry.get("resource") for entry in entries if isinstance(entry, dict)]
    records = [one for one in found if isinstance(one, dict) and one.get("resourceType") != "OperationOutcome"]
    wanted = [one for one in records if one.get("resourceType") == resource_type and not _is_anothers(one, ticket)]
    links = bundle.get("link") or []
    more = isinstance(links, list) and any(isinstance(link, dict) and link.get("relation") == "next" for link in links)
    cut = more or len(wanted) > MAX_RESOURCES
    sound = [one for one in wanted[:MAX_RESOURCES] if is_sound(one)]
    return _Found(sound, cut, len(records) - len(wanted), unsound=len(sound) < min(len(wanted), MAX_RESOURCES))


def _is_anothers(resource: dict[str, Any], ticket: Ticket) -> bool:
    """Whether a resource says, by the identifier the registry and the holder share, that it is another patient's."""
    for element in ("patient", "subject"):
        reference = resource.get(element)
        identifier = reference.get("identifier") if isinstance(reference, dict) else None
        if isinstance(identifier, dict) and identifier.get("system") == SOURCE_RECORD:
            return identifier.get("value") != str(ticket.holder.source_record_id)
    return False
