"""Consent with help, for people without a telephone or a way to sign in: written down by one, confirmed by another.

What the person said or signed is put on record by the professional who asks and confirmed, in a session of their own,
by another of the establishment who was there. Where nobody else works, a signed form alone will do, for a day.
"""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from consent_broker.consents.access_requests import find_pending_request, grant_request
from consent_broker.consents.evidence import CounterEvidence
from consent_broker.consents.models import AccessRequest
from consent_broker.consents.narrowing import Narrowing
from consent_broker.consents.service import ConsentState
from consent_broker.consents.vocabulary import end_of_day
from consent_broker.desk.models import AssistedConsent
from consent_broker.desk.notices import tell_later
from matching.records import DocumentType
from registry.audit.event import Event
from registry.audit.service import record
from registry.calendar import LIMA
from registry.database import new_id, now
from registry.directory.service import colleagues, unable_to_act
from registry.errors import Conflict, Forbidden, NotFound, TooManyRequests, Unprocessable
from registry.identity.service import load_person
from registry.sealing import Sealer

CHANNEL = "assisted"
FORMS = frozenset({"signed-form", "fingerprint-form"})
SPOKEN = "spoken"
KNOWN = "known"
DOCUMENTS = {kind.value for kind in (DocumentType.DNI, DocumentType.CE, DocumentType.PASSPORT, DocumentType.PTP)}
LONGEST, LONGEST_ALONE = timedelta(days=7), timedelta(days=1)
CONFIRM_WITHIN = timedelta(hours=1)
MAX_A_DAY, MAX_ALONE_A_DAY = 20, 5
RECORDED, CONFIRMED, DECLINED = "consent:assisted:recorded", "consent:assisted:confirmed", "consent:assisted:declined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a professional states: how the person said it, which document they showed, what they permit until when."""

    evidence: str
    form_sha256: str | None
    document_type: str
    document_number: str | None
    categories: frozenset[str]
    ends_at: datetime
    data_from: date | None = None
    data_until: date | None = None


def narrowing_of(row: AssistedConsent) -> Narrowing:
    """What a statement on record permits of what was asked."""
    return Narrowing(
        categories=frozenset(row.categories), data_from=row.data_from, data_until=row.data_until, ends_at=row.ends_at
    )


def record_statement(session: Session, sealer: Sealer, request_id: UUID, statement: Statement) -> AssistedConsent:
    """Put a statement on record; it permits nothing until `confirm`, by another or, where there is none, by the same.

    Raises Conflict unless the request is pending, Forbidden when the professional may not act now, Unprocessable for a
    statement that lacks its evidence, names another's document or asks for too much, TooManyRequests.
    """
    request = find_pending_request(session, request_id)
    moment = now()
    _require_able(session, request.professional_id, request, moment)
    alone = not colleagues(session, request.establishment_id, request.professional_id, moment)
    _check_statement(statement, alone=alone)
    _check_document(session, sealer, request, statement)
    _check_extent(request, statement, moment, short=alone or statement.document_type == KNOWN)
    _require_restraint(session, request, moment, alone=alone)
    _withdraw_earlier(session, request, moment)
    row = AssistedConsent(
        id=new_id(),
        access_request_id=request.id,
        establishment_id=request.establishment_id,
        recorded_by=request.professional_id,
        evidence=statement.evidence,
        form_sha256=statement.form_sha256,
        document_type=statement.document_type,
        document_token=_token(sealer, statement),
        categories=sorted(statement.categories),
        ends_at=statement.ends_at,
        data_from=statement.data_from,
        data_until=statement.data_until,
        recorded_at=moment,
        expires_at=min(moment + CONFIRM_WITHIN, request.ends_at),
        status="open",
    )
    session.add(row)
    session.flush()
    record(session, _event(RECORDED, request, row, row.recorded_by))
    return row


def confirm(session: Session, assisted_id: UUID, professional_id: UUID, text: str) -> ConsentState:
    """The second professional confirms: the request is granted on the terms of the statement, and the person is told.

    `text` is what was read to the person or stands in the form. Raises NotFound for another establishment's, Forbidden
    for the one who recorded it where there are others, Conflict when it was answered or an hour has passed.
    """
    row, request = find_open(session, assisted_id, professional_id)
    if row.recorded_by == professional_id and not may_confirm_alone(session, row):
        raise Forbidden("Another professional has to confirm it.", code="same-professional", audit=_same(request, row))
    _decide(session, row, professional_id, "confirmed")
    record(session, _event(CONFIRMED, request, row, professional_id))
    evidence = CounterEvidence(
        decides_for=request.person_id,
        channel=CHANNEL,
        text=text,
        establishment_id=row.establishment_id,
        professional_id=row.recorded_by,
        facts={
            "assisted": str(row.id),
            "evidence": row.evidence,
            "form_sha256": row.form_sha256,
            "document_type": row.document_type,
            "document_token": row.document_token.hex() if row.document_token else None,
            "confirmed_by": str(professional_id),
        },
    )
    granted = grant_request(session, request.id, evidence, narrowing_of(row))[1]
    tell_later(session, granted.id)
    return granted


def decline(session: Session, assisted_id: UUID, professional_id: UUID) -> None:
    """The second professional was not there, or saw something else; raises as `confirm`. The request stays open."""
    row, request = find_open(session, assisted_id, professional_id)
    _decide(session, row, professional_id, "declined")
    record(session, _event(DECLINED, request, row, professional_id))


def find_open(session: Session, assisted_id: UUID, professional_id: UUID) -> tuple[AssistedConsent, AccessRequest]:
    """A statement of an establishment where the professional may act now; raises NotFound, Conflict when it is over."""
    row = session.get(AssistedConsent, assisted_id, populate_existing=True)
    moment = now()
    if row is None or unable_to_act(session, professional_id, row.establishment_id, moment):
        raise NotFound("There is no such statement.", code="unknown-statement")
    if row.status != "open" or row.expires_at <= moment:
        raise Conflict("This statement has been answered, or an hour has passed.", code="statement-over")
    return row, find_pending_request(session, row.access_request_id)


def list_open(session: Session, establishment_ids: list[UUID], besides: UUID) -> list[AssistedConsent]:
    """What waits for a second professional of those establishments, not the one who recorded it; oldest first."""
    request = AccessRequest.id == AssistedConsent.access_request_id
    query = select(AssistedConsent).join(AccessRequest, request & (AccessRequest.status == "pending"))
    query = query.where(
        AssistedConsent.establishment_id.in_(establishment_ids),
        AssistedConsent.recorded_by != besides,
        AssistedConsent.status == "open",
        AssistedConsent.expires_at > now(),
    )
    return list(session.scalars(query.order_by(AssistedConsent.recorded_at)))


def find_statement(session: Session, request_id: UUID) -> AssistedConsent | None:
    """The statement of a request that waits for its confirmation."""
    query = select(AssistedConsent).where(
        AssistedConsent.access_request_id == request_id,
        AssistedConsent.status == "open",
        AssistedConsent.expires_at > now(),
    )
    return session.scalar(query.order_by(AssistedConsent.recorded_at.desc()).limit(1))


def may_confirm_alone(session: Session, row: AssistedConsent) -> bool:
    """Whether a form may stand for a second person: nobody else may act there now."""
    return row.evidence in FORMS and not colleagues(session, row.establishment_id, row.recorded_by, now())


def _check_statement(statement: Statement, *, alone: bool) -> None:
    if statement.evidence not in FORMS | {SPOKEN}:
        raise Unprocessable("The evidence is a signed form, a fingerprint on it, or words.", code="unknown-evidence")
    if statement.evidence in FORMS and statement.form_sha256 is None:
        raise Unprocessable("A form comes with its scan.", code="form-missing")
    if statement.evidence == SPOKEN and alone:
        raise Unprocessable("Words need a second professional; nobody else works here.", code="nobody-to-confirm")
    if statement.document_type not in DOCUMENTS | {KNOWN}:
        raise Unprocessable("The document is a DNI, CE, PTP or passport.", code="unknown-document")


def _check_document(session: Session, sealer: Sealer, request: AccessRequest, statement: Statement) -> None:
    """The document shown must be one the person's records carry: it is how the one present is known to be them."""
    if statement.document_type == KNOWN:
        return
    person = load_person(session, sealer, request.person_id)
    carried = {
        (one.type.value, _bare(one.number))
        for member in (person.members if person else ())
        for one in member.content.demographics.documents
    }
    if (statement.document_type, _bare(statement.document_number or "")) not in carried:
        refusal = replace(
            _event(RECORDED, request, None, request.professional_id), outcome="refused", reason="document"
        )
        raise Unprocessable(
            "The document is not one on record for this person.", code="document-differs", audit=refusal
        )


def _check_extent(request: AccessRequest, statement: Statement, moment: datetime, *, short: bool) -> None:
    days = LONGEST_ALONE if short else LONGEST
    latest = end_of_day((moment + days).astimezone(LIMA).date())
    if not moment < statement.ends_at <= min(latest, request.ends_at):
        raise Unprocessable(f"What is permitted with help ends within {days.days} days.", code="period-too-long")
    if not statement.categories or not statement.categories <= set(request.categories):
        raise Unprocessable("Name at least one of the categories asked for, and no other.", code="not-narrower")
    Narrowing(data_from=statement.data_from, data_until=statement.data_until).of_days(None, None)


def _require_restraint(session: Session, request: AccessRequest, moment: datetime, *, alone: bool) -> None:
    query = select(func.count()).where(
        AssistedConsent.recorded_by == request.professional_id, AssistedConsent.recorded_at > moment - timedelta(days=1)
    )
    if (session.scalar(query) or 0) >= (MAX_ALONE_A_DAY if alone else MAX_A_DAY):
        refusal = replace(
            _event(RECORDED, request, None, request.professional_id), outcome="refused", reason="too-many"
        )
        raise TooManyRequests("Too many statements in a day.", code="too-many-statements", audit=refusal)


def _require_able(session: Session, professional_id: UUID, request: AccessRequest, moment: datetime) -> None:
    fault = unable_to_act(session, professional_id, request.establishment_id, moment)
    if fault:
        raise Forbidden(
            "The professional may not act now.", code=fault, audit=_refused(request, professional_id, fault)
        )


def _withdraw_earlier(session: Session, request: AccessRequest, moment: datetime) -> None:
    """One statement of a request waits at a time: the newest."""
    earlier = (AssistedConsent.access_request_id == request.id) & (AssistedConsent.status == "open")
    values = {"status": "declined", "decided_by": request.professional_id, "decided_at": moment}
    session.execute(update(AssistedConsent).where(earlier).values(**values))


def _decide(session: Session, row: AssistedConsent, professional_id: UUID, status: str) -> None:
    """In one statement: of two who decide at once one gets Conflict."""
    moment = now()
    statement = (
        update(AssistedConsent)
        .where(AssistedConsent.id == row.id, AssistedConsent.status == "open", AssistedConsent.expires_at > moment)
        .values(status=status, decided_by=professional_id, decided_at=moment)
        .returning(AssistedConsent.id)
    )
    if session.scalar(statement) is None:
        raise Conflict("This statement has just been answered.", code="statement-over")


def _token(sealer: Sealer, statement: Statement) -> bytes | None:
    if statement.document_type == KNOWN:
        return None
    return sealer.blind("shown-document", f"{statement.document_type}:{_bare(statement.document_number or '')}")


def _bare(number: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", number.upper())


def _same(request: AccessRequest, row: AssistedConsent) -> Event:
    return replace(_event(CONFIRMED, request, row, row.recorded_by), outcome="refused", reason="same-professional")


def _refused(request: AccessRequest, professional_id: UUID, reason: str) -> Event:
    return replace(_event(RECORDED, request, None, professional_id), outcome="refused", reason=reason)


def _event(action: str, request: AccessRequest, row: AssistedConsent | None, professional_id: UUID) -> Event:
    return Event(
        action=action,
        person_id=request.person_id,
        establishment_id=request.establishment_id,
        professional_id=professional_id,
        actor_role="professional",
        purpose=request.purpose,
        consent_id=request.consent_id,
        detail={"access_request": str(request.id), "evidence": row.evidence if row else None, "channel": CHANNEL},
    )
