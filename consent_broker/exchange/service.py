"""Fetching a person's records from whoever holds them: decide, audit, mint, ask, audit what came.

`fetch` gives the whole answer; `arriving.Arrivals` each holder's as it comes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.consents.decision import Decision
from consent_broker.consents.residual import as_claim, residual
from consent_broker.consents.vocabulary import ALL_CATEGORIES, CATEGORIES, FHIR_TYPES
from consent_broker.exchange.asking import Fault
from consent_broker.exchange.gateway import Answer, ask_holders
from consent_broker.oauth.grants import decide_reading, decision_event
from consent_broker.oauth.holder_tokens import Access, Holder, Permitted, Ticket, find_holders, issue_tickets
from consent_broker.oauth.readers import find_party
from consent_broker.resource_server.residual import release
from registry.audit.event import Event
from registry.audit.service import record_now
from registry.errors import Forbidden, InvalidInput
from registry.questions import await_no_disk

READ = "exchange:records:read"


@dataclass(frozen=True, slots=True)
class Record:
    """One FHIR resource and where it came from."""

    holder: Holder
    resource_type: str
    resource: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that did not arrive, and why; `holder` None when the patient restricts the type."""

    resource_type: str
    holder: Holder | None
    fault: str


@dataclass(frozen=True, slots=True)
class ExchangeResult:
    """What arrived and what did not."""

    records: Sequence[Record]
    missing: Sequence[Missing]


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading that was permitted: on what, whom to ask by which token, and what can't be had from the start."""

    access: Access
    decision: Decision
    tickets: Sequence[Ticket]
    missing: Sequence[Missing]


def open_reading(session: Session, broker: Broker, access: Access, types: Sequence[str]) -> Reading:
    """Decide and mint, and commit: decision and tokens are in the log before any token leaves this process.

    So a holder that introspects at once finds its token. They are there for good with the commit that must come before
    anything is released: of a holder's answer, which waits for the disk. Raises Forbidden (audited, with the reason)
    when nothing is permitted, InvalidInput for a type nobody may ask for.
    """
    unknown = set(types) - set(CATEGORIES)
    if unknown or not types:
        raise InvalidInput(f"Records are read as {', '.join(sorted(CATEGORIES))}.", code="unknown-type")
    permitted = _decide(session, access, types)
    decision = permitted.decision
    found = find_holders(session, access.person_id)
    holders = [one for one in found if decision.categories_at(one.establishment_id)]
    faults = {holder: fault_of(holder) for holder in holders}
    connected = [holder for holder in holders if faults[holder] is None]
    tickets = issue_tickets(session, broker, access, permitted, connected)
    if tickets:
        await_no_disk(session)
    session.commit()
    restricted = [Missing(one, None, "suppressed") for one in sorted(types) if is_restricted(decision, CATEGORIES[one])]
    return Reading(access, decision, tickets, [*restricted, *_unasked(decision, faults)])


def fetch(session: Session, broker: Broker, access: Access, types: Sequence[str]) -> ExchangeResult:
    """Read a person's records of those FHIR types from every establishment that holds some.

    Commits twice, by design: see `open_reading`, which says what it raises; what each holder gave is recorded in the
    second transaction, before anything is released to the reader. What the person took back, or hid, while holders were
    waited for is not released. Raises Unavailable when too many are being served.
    """
    reading = open_reading(session, broker, access, types)
    with broker.slots.hold(access.client_id):
        gathered = {ticket.holder: answers for ticket, answers in ask_holders(broker, reading.tickets)}
    decision = decide_reading(session, access.reader, access.person_id, {CATEGORIES[one] for one in types})
    if decision.directives != reading.decision.directives:
        gathered = {holder: _permitted(answers, decision) for holder, answers in gathered.items()}
    record_now(session, *(read_event(reading, ticket, gathered[ticket.holder]) for ticket in reading.tickets))
    answers = [one for ticket in reading.tickets for one in gathered[ticket.holder]]
    return result_of(answers, reading.missing)


def _permitted(answers: Sequence[Answer], decision: Decision) -> list[Answer]:
    """As much of a holder's answers as a later decision still permits; the rest counts as withheld."""
    if not answers:
        return []
    source = answers[0].holder.establishment_id
    categories = decision.categories_at(source)
    closed = [{"type": "forbid", "class": [FHIR_TYPES[one] for one in sorted(ALL_CATEGORIES - categories)]}]
    entries = [{"resource": one} for answer in answers for one in answer.resources]
    kept = {
        id(one["resource"]) for one in release(entries, [*closed, *as_claim(residual(decision, source), categories)])
    }
    return [_left(answer, [one for one in answer.resources if id(one) in kept]) for answer in answers]


def _left(answer: Answer, resources: Sequence[dict[str, Any]]) -> Answer:
    return replace(answer, resources=resources, withheld=answer.withheld + len(answer.resources) - len(resources))


def is_restricted(decision: Decision, category: str) -> bool:
    """Whether the reader is told that the patient restricts a type: all of it, or something of it."""
    return category not in decision.categories or decision.restricts(category)


def _unasked(decision: Decision, faults: Mapping[Holder, Fault | None]) -> list[Missing]:
    """What can't be had of holders that aren't asked; a holder of which nothing is permitted is not named."""
    return [
        Missing(FHIR_TYPES[category], holder, fault)
        for holder, fault in faults.items()
        if fault
        for category in sorted(decision.categories_at(holder.establishment_id))
    ]


def fault_of(holder: Holder) -> Fault | None:
    """Why a holder isn't asked at all; None for one that is."""
    if holder.contested:
        return Fault.CONTESTED
    return None if holder.endpoint else Fault.NOT_CONNECTED


def decide_exchange(session: Session, access: Access, types: Sequence[str]) -> Decision:
    """The decision on reading these FHIR types now, audited; raises Forbidden (audited) when nothing is permitted."""
    permitted = _decide(session, access, types)
    record_now(session, *permitted.unrecorded)
    return permitted.decision


def _decide(session: Session, access: Access, types: Sequence[str]) -> Permitted:
    """`decide_exchange`, what it permits still to be audited in the same transaction."""
    party, fault = find_party(session, access.reader, access.person_id)
    decision = decide_reading(session, access.reader, access.person_id, {CATEGORIES[one] for one in types})
    event = decision_event(access.reader, access.person_id, decision)
    if fault:
        raise Forbidden(
            "The professional may not act at this establishment.", code=fault, audit=_refusal(access, fault)
        )
    if not decision.permit:
        hint = "Ask the patient for access." if decision.public_reason == "no-consent" else None
        raise Forbidden(
            "The patient's consents do not permit this.", code=decision.public_reason, hint=hint, audit=event
        )
    return Permitted(decision, party, [event])


def result_of(answers: Sequence[Answer], missing: Sequence[Missing] = ()) -> ExchangeResult:
    """What holders answered, and what did not arrive."""
    records = [Record(one.holder, one.resource_type, resource) for one in answers for resource in one.resources]
    faults = [Missing(one.resource_type, one.holder, one.fault) for one in answers if one.fault]
    return ExchangeResult(records, [*missing, *faults])


def read_event(reading: Reading, ticket: Ticket, answers: Sequence[Answer]) -> Event:
    """What a holder gave, counted: never what it says."""
    faults = [f"{one.resource_type}: {one.fault}" for one in answers if one.fault]
    counts = [f"{one.resource_type}: {len(one.resources)}" for one in answers]
    return replace(
        reader_event(reading.access, READ),
        outcome="failure" if answers and len(faults) == len(answers) else "success",
        reason=faults[0] if faults else None,
        source_record_id=ticket.holder.source_record_id,
        holder_id=ticket.holder.establishment_id,
        consent_id=reading.decision.consent_ids[0],
        token_id=str(ticket.token.id),
        detail={
            "categories": sorted(CATEGORIES[one] for one in ticket.types),
            "counts": counts,
            "faults": faults,
            "withheld": sum(one.withheld for one in answers),
            "unasked": sum(one.unasked for one in answers),
        },
    )


def reader_event(access: Access, action: str) -> Event:
    """What every event of an access says: who read, or would have, whom and for what."""
    return Event(
        action=action,
        person_id=access.person_id,
        establishment_id=access.establishment_id,
        client_id=access.client_id,
        professional_id=access.professional_id,
        actor_role="professional",
        purpose=access.purpose,
    )


def _refusal(access: Access, reason: str) -> Event:
    return replace(reader_event(access, "consent:access:decided"), outcome="refused", reason=reason)
