"""Representatives: appointing and dismissing them, and what each may do now; every change audited with its evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.mandates import MAJORITY, Charge, Mandate, Represented, birthday, mandate_at, start_of
from matching.records import Document
from registry import outbox
from registry.audit.event import Detail, Event
from registry.audit.service import record
from registry.database import now
from registry.directory.models import Representation
from registry.directory.representatives import (
    OF_MINORS,
    PAPERS,
    Appointment,
    Basis,
    Paper,
    Power,
    add_representation,
    close_representation,
    get_representation,
    list_of_person,
    list_of_representative,
    open_representative,
)
from registry.errors import Conflict, Unprocessable
from registry.identity.service import find_person, is_deceased, load_person, preferred_of, resolve_replaced
from registry.sealing import Sealer

MOST_REPRESENTATIVES = 10
"""Of one person at once."""

LONGEST = {Basis.POWER: timedelta(days=731), Basis.SUPPORT: timedelta(days=5 * 366)}
_PAPERS = {
    Basis.PARENT: {"birth-record", "ruling"},
    Basis.GUARDIAN: {"ruling", "notarial-power"},
    Basis.POWER: {"notarial-power"},
    Basis.SUPPORT: {"support-deed", "ruling"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Who is to represent whom, in what, until when, and what it rests on."""

    person_id: UUID
    document: Document
    name: str
    basis: Basis
    powers: frozenset[Power]
    paper: Paper
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Who puts a representation on record or ends it: an operator, or a professional at an establishment."""

    role: str
    detail: Mapping[str, Detail]
    establishment_id: UUID | None = None
    professional_id: UUID | None = None
    client_id: str | None = None
    actor_person_id: UUID | None = None


def appoint(session: Session, sealer: Sealer, proposal: Proposal, recorder: Recorder) -> Representation:
    """Put a representation on record, in force from now.

    Raises NotFound for an unknown person, Conflict for one who has died or has too many representatives, Unprocessable
    where the paper does not carry the basis, the child is of age or of unknown age, or a power has no end.
    """
    moment, person_id = now(), resolve_replaced(session, proposal.person_id)
    if is_deceased(session, person_id):
        raise Conflict("The person has died.", code="patient-deceased")
    born = _check(session, sealer, person_id, proposal, moment)
    standing = [row for row in list_of_person(session, [person_id]) if row.ended_at is None]
    if len(standing) >= MOST_REPRESENTATIVES:
        raise Conflict("The person has too many representatives; end one first.", code="too-many-representatives")
    row = add_representation(
        session,
        sealer,
        Appointment(
            person_id=person_id,
            document=proposal.document,
            name=proposal.name,
            basis=proposal.basis,
            powers=proposal.powers,
            paper=proposal.paper,
            recorded_by=dict(recorder.detail),
            valid_from=moment,
            valid_until=proposal.until,
            ends_on=birthday(born, MAJORITY) if born and proposal.basis in OF_MINORS else None,
        ),
    )
    _account(session, row, "consent:representation:recorded", recorder)
    return row


def _check(session: Session, sealer: Sealer, person_id: UUID, proposal: Proposal, moment: datetime) -> date | None:
    """The birth date; raises Unprocessable for what the law does not carry."""
    if proposal.paper.kind not in _PAPERS[proposal.basis] & PAPERS:
        raise Unprocessable(f"A {proposal.basis} is proved by {sorted(_PAPERS[proposal.basis])}.", code="paper")
    if not proposal.powers or (proposal.powers != {Power.SEE} and Power.SEE not in proposal.powers):
        raise Unprocessable("A power to act includes the power to see.", code="powers")
    person = load_person(session, sealer, person_id)
    if person and any(proposal.document in one.normalised.documents for one in person.members):
        raise Unprocessable("Nobody represents themselves.", code="own-representative")
    born = preferred_of(person).birth_date if person else None
    if proposal.basis in OF_MINORS:
        if born is None or moment >= start_of(birthday(born, MAJORITY)):
            raise Unprocessable("The person is of age, or their birth date is not known.", code="not-a-minor")
    elif proposal.until is None or proposal.until - moment > LONGEST[proposal.basis]:
        raise Unprocessable("A power ends on a date, and not too far away.", code="power-without-end")
    if proposal.until is not None and proposal.until <= moment:
        raise Unprocessable("The end is in the past.", code="period-in-the-past")
    return born


def dismiss(session: Session, representation_id: UUID, reason: str, recorder: Recorder) -> Representation:
    """End a representation now; ending it twice changes nothing. Raises NotFound."""
    row = get_representation(session, representation_id)
    if row.ended_at is None:
        close_representation(session, row, reason)
        _account(session, row, "consent:representation:ended", recorder, reason)
    return row


def list_mandates(session: Session, sealer: Sealer, document: Document, adolescent_from: int) -> list[Mandate]:
    """What the holder of a document may do for others now, decided anew at each request."""
    moment = now()
    rows = list_of_representative(session, sealer, document)
    found = (mandate_of(session, sealer, row, moment, adolescent_from) for row in rows)
    return [mandate for mandate in found if mandate is not None]


def mandate_of(
    session: Session, sealer: Sealer, row: Representation, moment: datetime, adolescent_from: int
) -> Mandate | None:
    """The mandate a representation gives at that moment, None when it gives none."""
    charge = Charge(
        id=row.id,
        person_id=row.person_id,
        basis=Basis(row.basis),
        powers=frozenset(map(Power, row.powers)),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        ended_at=row.ended_at,
        ends_on=open_representative(session, sealer, row).ends_on,
    )
    return mandate_at(charge, _represented(session, sealer, row.person_id), moment, adolescent_from)


def _represented(session: Session, sealer: Sealer, person_id: UUID) -> Represented:
    current = find_person(session, person_id)
    loaded = load_person(session, sealer, person_id)
    return Represented(
        birth_date=preferred_of(loaded).birth_date if loaded else None,
        deceased=is_deceased(session, person_id),
        current=current is not None and current.id == person_id,
    )


def _account(session: Session, row: Representation, action: str, recorder: Recorder, reason: str | None = None) -> None:
    """In the represented person's log, and told to whoever follows."""
    event = Event(
        action=action,
        reason=reason,
        person_id=row.person_id,
        establishment_id=recorder.establishment_id,
        professional_id=recorder.professional_id,
        client_id=recorder.client_id,
        actor_person_id=recorder.actor_person_id,
        actor_role=recorder.role,
        detail={"representation": str(row.id), "basis": row.basis, "powers": list(row.powers), **recorder.detail},
    )
    record(session, event)
    key = f"{row.id}:{action}"
    outbox.publish(session, action, key, {"representation_id": str(row.id), "person_id": str(row.person_id)})
