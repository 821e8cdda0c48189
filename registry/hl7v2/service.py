"""What becomes of one message: who sent it, what it asks, its effects once, its answer, and the audit of it all."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType

from prometheus_client import Counter
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from registry.access import Caller, require_scope
from registry.app import parts
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import UnitOfWork, new_id, now, session
from registry.directory.models import ClientCertificate
from registry.directory.service import find_certificate
from registry.errors import DomainError, Forbidden
from registry.hl7v2 import demographics_query, pix_query
from registry.hl7v2.answers import Answer, wanted, write, write_rejection
from registry.hl7v2.batches import join, split
from registry.hl7v2.demographics_query import query_demographics
from registry.hl7v2.faults import EVENT_CODE, INTERNAL, MESSAGE_TYPE, PROCESSING_ID, VERSION, Fault, Rejected, to_fault
from registry.hl7v2.feed import EVENTS
from registry.hl7v2.models import AnsweredMessage
from registry.hl7v2.parsing import Message, control_id, parse, require, trimmed
from registry.hl7v2.pix_query import query_identifiers
from registry.hl7v2.responses import refuse
from registry.telemetry import bind_request, logger

RECEIVED = "hl7v2:message:received"
FEED, READ = "system/Patient.cu", "system/Patient.rs"
VERSIONS = frozenset({"2.3.1", "2.4", "2.5", "2.5.1", "2.6"})
REMEMBERED = timedelta(days=7)
PURGE_EVERY = timedelta(hours=1)
PURGE_BATCH = 1000

Query = Callable[[Caller, Message], Answer]
QUERIES: Mapping[str, tuple[Query, str]] = MappingProxyType({
    "Q22": (query_demographics, demographics_query.KIND),
    "Q23": (query_identifiers, pix_query.KIND),
})  # fmt: skip
KNOWN = frozenset({*(f"ADT^{event}" for event in EVENTS), *(f"QBP^{event}" for event in QUERIES), "QCN^J01"})

MESSAGES = Counter("renhice_hl7v2_messages_total", "HL7 v2 messages answered", ["kind", "answer"])
_log = logger(__name__)


def answer(certificate: bytes, frame: bytes) -> bytes | None:
    """The answer to a frame from the holder of a TLS client certificate (its SHA-256); None where none is wanted.

    Needs an application context. What the message does, the record of it, and the audit are one transaction; without
    the audit there is no effect and nothing is told. The messages of a batch are served one after another.
    """
    sent = trimmed(frame)
    try:
        messages = split(sent)
    except Rejected as fault:
        return write_rejection(fault)
    if messages is None:
        return _answer(certificate, sent)
    return join([_answer(certificate, one) for one in messages])


def _answer(certificate: bytes, frame: bytes) -> bytes | None:
    bind_request(new_id().hex)
    work = parts().database.begin()
    try:
        return _answered(work, certificate, frame)
    except Exception as error:  # noqa: BLE001  # whatever breaks, the sender learns that it must send again
        _log.error("a message could not be served", exc_info=error)
        fault = Rejected("The service can't answer now; send it again.", number=INTERNAL)
        return write_rejection(fault, control_id(frame))
    finally:
        work.close()


def _answered(work: UnitOfWork, certificate: bytes, frame: bytes) -> bytes | None:
    message: Message | None = None
    caller: Caller | None = None
    try:
        known = authenticate(certificate)
        caller = _caller(known)
        message = parse(frame)
        _check_header(known, message)
        said = _serve(caller, message, frame)
        _account(caller, message, said)
        work.commit()
    except DomainError as error:
        work.rollback()
        fault = to_fault(error)
        said = _refusal(message, fault)
        _account(caller, message, said, error)
        work.commit()
        _log.info("refused", code=error.error_code, client_id=caller.client_id if caller else None)
    MESSAGES.labels(_kind(message), said.ack).inc()
    if message is None:
        return write_rejection(said.faults[0], control_id(frame))
    return write(message, said) if wanted(message, said) else None


def is_served(certificate: bytes) -> bool:
    """Whether the holder of a certificate may open a connection; a refusal is audited."""
    bind_request(new_id().hex)
    with parts().database.unit_of_work():
        try:
            authenticate(certificate)
        except Forbidden as error:
            if error.audit is not None:
                record(session(), error.audit)
            return False
    return True


def authenticate(certificate: bytes) -> ClientCertificate:
    """The registration of a certificate, if its record system may be served now; raises Forbidden."""
    found = find_certificate(session(), certificate)
    reason = "unknown-certificate" if found is None else found.record_system.unusable(now())
    if found is not None and reason is None:
        return found
    refusal = Event(
        action="hl7v2:client:authenticated",
        outcome="refused",
        reason=reason,
        client_id=found.record_system.client_id if found else None,
        establishment_id=found.record_system.establishment_id if found else None,
        actor_role="record-system",
        detail={"certificate": certificate.hex()},
    )
    raise Forbidden("This record system is not served now.", code=reason, audit=refusal)


def _caller(found: ClientCertificate) -> Caller:
    system = found.record_system
    return Caller(
        client_id=system.client_id,
        establishment_id=system.establishment_id,
        scopes=frozenset(system.scopes),
        token_id=str(found.id),
        audience="/hl7v2",
        scheme="TLS",
    )


def _serve(caller: Caller, message: Message, frame: bytes) -> Answer:
    code, event = message.header.text(9, 1), message.header.text(9, 2)
    if code == "ADT":
        require_scope(caller, FEED)
        if _is_first(caller, message, frame):
            EVENTS[event](caller, message)
        return Answer()
    if code == "QCN":
        return Answer()
    require_scope(caller, READ)
    return QUERIES[event][0](caller, message)


def _check_header(known: ClientCertificate, message: Message) -> None:
    """MSH, field by field; a certificate speaks for one application of one facility. Raises Fault."""
    header = message.header
    if (header.text(3), header.text(4)) != (known.application, known.facility):
        raise Rejected("MSH-3 and MSH-4 are not those of this certificate.", number=INTERNAL, place="MSH^1^3")
    require(header.text(10), "MSH-10", "MSH^1^10")
    code, event = header.text(9, 1), header.text(9, 2)
    if f"{code}^{event}" not in KNOWN:
        known_code = any(kind.startswith(f"{code}^") for kind in KNOWN)
        number, place = (EVENT_CODE, "MSH^1^9^1^2") if known_code else (MESSAGE_TYPE, "MSH^1^9^1^1")
        raise Rejected("This message is not taken here.", number=number, place=place)
    if header.text(9, 3) and not header.text(9, 3).startswith(f"{code}_"):
        raise Rejected("MSH-9.3 is no structure of this message.", number=MESSAGE_TYPE, place="MSH^1^9^1^3")
    if header.text(12) not in VERSIONS:
        raise Rejected("This version is not spoken here.", number=VERSION, place="MSH^1^12")
    if parts().settings.environment == "production" and header.text(11) != "P":
        raise Rejected("Only production messages are taken here.", number=PROCESSING_ID, place="MSH^1^11")


def _is_first(caller: Caller, message: Message, frame: bytes) -> bool:
    """Whether the message is new; the same one at the same moment waits until the first is done."""
    said = b"\x00".join([caller.client_id.encode(), message.header.text(10).encode(), frame]).hex()
    token = parts().sealer.blind("hl7v2:message", said)
    row = insert(AnsweredMessage).values(token=token, received_at=now()).on_conflict_do_nothing()
    return session().scalar(row.returning(AnsweredMessage.token)) is not None


def _refusal(message: Message | None, fault: Fault) -> Answer:
    """AE or AR; a query's is a query response."""
    if message is not None and message.header.text(9, 1) == "QBP" and message.all("QPD"):
        query = QUERIES.get(message.header.text(9, 2))
        if query is not None:
            return refuse(query[1], message.one("QPD"), fault)
    return Answer(fault.ack, (fault,))


def _account(caller: Caller | None, message: Message | None, said: Answer, error: DomainError | None = None) -> None:
    """What the log says of every message, beside what its effects say of themselves."""
    if error is not None and error.audit is not None:
        record(session(), error.audit)
    event = Event(
        action=RECEIVED,
        outcome="success" if error is None else "refused",
        reason=error.error_code if error else None,
        client_id=caller.client_id if caller else None,
        establishment_id=caller.establishment_id if caller else None,
        token_id=caller.token_id if caller else None,
        actor_role="record-system",
        detail={"kind": _kind(message), "answer": said.ack},
    )
    record(session(), event)


def _kind(message: Message | None) -> str:
    """The message's kind as a label: one of those known, or `other`."""
    return message.kind if message is not None and message.kind in KNOWN else "other"


def purge_messages() -> None:
    """Forget the messages of more than a week ago, a transaction a batch."""
    old = select(AnsweredMessage.token).where(AnsweredMessage.received_at < now() - REMEMBERED).limit(PURGE_BATCH)
    statement = delete(AnsweredMessage).where(AnsweredMessage.token.in_(old)).returning(AnsweredMessage.token)
    while len(session().scalars(statement).all()) == PURGE_BATCH:
        session().commit()
