"""Asking holders: all at once, only at their registered addresses, and what they send beyond that ends here."""

from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from queue import SimpleQueue
from threading import Event
from typing import Any

from prometheus_client import Counter

from consent_broker.broker import Broker
from consent_broker.exchange.asking import Course, Fault, HolderError, HolderRequest, ask
from consent_broker.oauth.holder_tokens import Holder, Ticket
from consent_broker.resource_server.reading import MAX_VALUES, TooMuch, Unreadable, read_json
from consent_broker.resource_server.residual import Entry, release
from registry.fhir.systems import SOURCE_RECORD
from registry.fhir.wire import is_sound
from registry.telemetry import logger

MAX_BYTES = 4 * 1024 * 1024
MAX_TOGETHER = 2 * MAX_BYTES
"""How much one holder may send for one reading: looking through it takes this process's time, and so everybody's."""

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
MAX_RESOURCES = 500
MAX_THREADS = 16
A_MOMENT = 0.01
"""Seconds a question may take to be sent before the next is begun all the same."""

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
    halted, answers = Event(), defaultdict[int, list[_Found]](list)
    try:
        for ticket, found in _ask_each(broker, questions, halted):
            gathered = answers[id(ticket)]
            gathered.append(found)
            if len(gathered) == len(ticket.types):
                yield ticket, _released(ticket, sorted(gathered, key=lambda one: one.resource_type))
    finally:
        halted.set()


def _ask_each(
    broker: Broker, questions: Sequence[tuple[Ticket, str]], halted: Event
) -> Iterator[tuple[Ticket, "_Found"]]:
    """What each question found, as it comes; MAX_THREADS are asked at once.

    Each is begun when the one before waits for its holder, so that the first is not sent as late as the last.
    """
    later, arrived = iter(questions[MAX_THREADS:]), SimpleQueue[tuple[Ticket, Future[_Found]]]()

    def begin(ticket: Ticket, kind: str) -> Course:
        course = Course(halted)
        broker.askers.submit(_ask, broker, ticket, kind, course).add_done_callback(partial(end, ticket, course))
        return course

    def end(ticket: Ticket, course: Course, asked: "Future[_Found]") -> None:
        course.waits.set()
        arrived.put((ticket, asked))
        for question in islice(later, 1):
            begin(*question)

    for question in questions[:MAX_THREADS]:
        begin(*question).waits.wait(A_MOMENT)
    for _ in questions:
        ticket, asked = arrived.get()
        yield ticket, asked.result()


@dataclass(frozen=True, slots=True)
class _Found:
    """What a holder sent of one FHIR type, before anything is withheld."""

    resource_type: str
    entries: Sequence[Entry] = ()
    fault: Fault | None = None
    unasked: int = 0
    size: int = 0
    """How many bytes that was."""


def _ask(broker: Broker, ticket: Ticket, resource_type: str, course: Course) -> _Found:
    endpoint = ticket.holder.endpoint or ""
    if course.halted.is_set() or not broker.breakers.allows(endpoint):
        return _Found(resource_type, fault=Fault.UNREACHABLE)
    try:
        size, bundle = _search(broker, ticket, resource_type, course)
        found = _wanted(bundle, size, resource_type, ticket)
    except HolderError as error:
        broker.breakers.report(endpoint, success=error.fault is Fault.REFUSED)
        return _Found(resource_type, fault=error.fault)
    broker.breakers.report(endpoint, success=True)
    return found


def _released(ticket: Ticket, found: Sequence[_Found]) -> list[Answer]:
    """What may be released of it, all types looked at together: what is withheld of one is named in others.

    Where that would take too long nothing is: of a part nobody knows what the rest withholds.
    """
    if sum(one.size for one in found) > MAX_TOGETHER:
        return [Answer(ticket.holder, one.resource_type, fault=Fault.TOO_LARGE) for one in found]
    kept = {id(one) for one in release([entry for one in found for entry in one.entries], ticket.residual)}
    answers = [_answer(ticket, one, [entry["resource"] for entry in one.entries if id(entry) in kept]) for one in found]
    for answer in answers:
        _tell(answer)
    return answers


def _answer(ticket: Ticket, found: _Found, released: Sequence[dict[str, Any]]) -> Answer:
    withheld = len(found.entries) - len(released)
    return Answer(ticket.holder, found.resource_type, released, found.fault, withheld, found.unasked)


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
        body = ask(broker, ticket, HolderRequest(url, {}, content_type, MAX_DOCUMENT_BYTES), Course())
    except HolderError as error:
        broker.breakers.report(endpoint, success=error.fault is Fault.REFUSED)
        raise
    broker.breakers.report(endpoint, success=True)
    return body


def _search(broker: Broker, ticket: Ticket, resource_type: str, course: Course) -> tuple[int, Any]:
    parameters = {
        "patient.identifier": f"{SOURCE_RECORD}|{ticket.holder.source_record_id}",
        "_count": str(MAX_RESOURCES),
    }
    url = f"{ticket.holder.endpoint or ''}/{resource_type}"
    body = ask(broker, ticket, HolderRequest(url, parameters, "application/fhir+json", MAX_BYTES), course)
    return len(body), read(body)


def read(body: bytes) -> Any:
    """What a holder's JSON says, as its guard reads it; raises HolderError."""
    try:
        return read_json(body, MAX_VALUES)
    except TooMuch:
        raise HolderError(Fault.TOO_LARGE) from None
    except Unreadable:
        raise HolderError(Fault.UNREADABLE) from None


def _wanted(bundle: Any, size: int, resource_type: str, ticket: Ticket) -> _Found:
    """What was asked for, how many there are of what was not, and what is wrong: there was more, or one is unsound.

    One that could not be shown or sent on is left out, so that it takes no other with it.
    """
    entries = bundle.get("entry", []) if isinstance(bundle, dict) else None
    if not isinstance(entries, list) or bundle.get("resourceType") != "Bundle":
        raise HolderError(Fault.UNREADABLE)
    found = [one for one in entries if isinstance(one, dict) and isinstance(one.get("resource"), dict)]
    records = [one for one in found if one["resource"].get("resourceType") != "OperationOutcome"]
    wanted = [one for one in records if _is_wanted(one["resource"], resource_type, ticket)]
    sound = [one for one in wanted[:MAX_RESOURCES] if is_sound(one["resource"])]
    fault = Fault.UNREADABLE if len(sound) < min(len(wanted), MAX_RESOURCES) else None
    cut = _has_more(bundle) or len(wanted) > MAX_RESOURCES
    return _Found(resource_type, sound, Fault.TOO_LARGE if cut else fault, len(records) - len(wanted), size)


def _has_more(bundle: dict[str, Any]) -> bool:
    links = bundle.get("link") or []
    return isinstance(links, list) and any(isinstance(one, dict) and one.get("relation") == "next" for one in links)


def _is_wanted(resource: dict[str, Any], resource_type: str, ticket: Ticket) -> bool:
    return resource.get("resourceType") == resource_type and not _is_anothers(resource, ticket)


def _is_anothers(resource: dict[str, Any], ticket: Ticket) -> bool:
    """Whether a resource says, by the identifier the registry and the holder share, that it is another patient's."""
    for element in ("patient", "subject"):
        reference = resource.get(element)
        identifier = reference.get("identifier") if isinstance(reference, dict) else None
        if isinstance(identifier, dict) and identifier.get("system") == SOURCE_RECORD:
            return identifier.get("value") != str(ticket.holder.source_record_id)
    return False
