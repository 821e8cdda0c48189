"""A person reads what one establishment says of them (Ley 29733 art. 19).

No consent is asked for: it is theirs to give. What they hide or limit is for others, so nothing is withheld from them.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.consents.evidence import Proof
from consent_broker.consents.vocabulary import ALL_CATEGORIES, CATEGORIES, PATIENT_REQUEST
from consent_broker.exchange.gateway import Answer, ask_holders
from consent_broker.exchange.service import ExchangeResult, Missing, fault_of, result_of
from consent_broker.oauth.holder_tokens import Ticket, find_holders, issue_own_ticket
from registry.audit.event import Event
from registry.audit.service import record_now
from registry.database import now
from registry.errors import NotFound

READ = "exchange:own:read"


def read_own(session: Session, broker: Broker, proof: Proof, record_id: UUID) -> ExchangeResult:
    """What the holder of one source record of the person says of them, of every category.

    `proof` says whose it is and who reads. Commits the token before it is shown, and the log before anything is
    released. Raises Forbidden for a proof too weak, NotFound for a record that is not the person's, Unavailable when
    too many are being served.
    """
    person_id = proof.decides_for
    proof.require_strong(person_id, now())
    holder = next((one for one in find_holders(session, person_id) if one.source_record_id == record_id), None)
    if holder is None:
        raise NotFound("There is no such record of yours.")
    fault = fault_of(holder)
    if fault is not None:
        return ExchangeResult([], [Missing(kind, holder, fault) for kind in CATEGORIES])
    ticket = issue_own_ticket(session, broker, person_id, holder)
    session.commit()
    with broker.slots.hold(None, person_id):
        answers = [one for _, gathered in ask_holders(broker, [ticket]) for one in gathered]
    record_now(session, _event(proof, ticket, answers))
    return result_of(answers)


def _event(proof: Proof, ticket: Ticket, answers: Sequence[Answer]) -> Event:
    """What was read, counted: never what it says."""
    faults = [f"{one.resource_type}: {one.fault}" for one in answers if one.fault]
    return Event(
        action=READ,
        outcome="failure" if len(faults) == len(answers) else "success",
        reason=faults[0] if faults else None,
        person_id=proof.decides_for,
        source_record_id=ticket.holder.source_record_id,
        holder_id=ticket.holder.establishment_id,
        actor_person_id=proof.actor_person_id,
        actor_role=proof.actor_role,
        purpose=PATIENT_REQUEST,
        token_id=str(ticket.token.id),
        detail={
            "categories": sorted(ALL_CATEGORIES),
            "counts": [f"{one.resource_type}: {len(one.resources)}" for one in answers],
            "faults": faults,
            **proof.as_detail(),
        },
    )
