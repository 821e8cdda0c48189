"""A code by SMS for people with a simple telephone: they read it to the professional, and that is their answer.

It goes to a number the asking establishment could not have written itself, says who asks for what, is good once, for
five minutes and three tries, and permits no more than a week. Codes that one establishment has open for one person or
one telephone share their tries; those of another establishment are nothing to it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import NoReturn
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from consent_broker.consents.access_requests import find_pending_request, grant_request
from consent_broker.consents.evidence import CounterEvidence
from consent_broker.consents.models import AccessRequest
from consent_broker.consents.narrowing import Narrowing
from consent_broker.consents.service import ConsentState
from consent_broker.consents.vocabulary import BASIC, end_of_day
from consent_broker.desk.models import SmsCode
from consent_broker.desk.sms_words import HIDDEN, Codes, code_message
from registry.audit.event import Event
from registry.audit.service import record
from registry.calendar import LIMA
from registry.database import new_id, now, take_turns
from registry.directory.service import display_name, get_establishment, get_professional, unable_to_act
from registry.errors import Conflict, Forbidden, TooManyRequests, Unprocessable
from registry.messages.phones import find_mobile
from registry.messages.port import Letter
from registry.messages.service import composer, find_outcome, queue_text
from registry.sealing import Sealer

KIND = "consent-code"
SENT, ANSWERED = "consent:code:sent", "consent:code:answered"
LIFETIME = timedelta(minutes=5)
LONGEST_CONSENT = timedelta(days=7)
MAX_TRIES = 3
MAX_OF_REQUEST = 3
MAX_OF_PERSON = 6
"""Codes to one person in a day, whoever asks."""

MAX_OF_PERSON_THERE = 4
"""Of these, codes of one establishment: what it sends must not keep all others from asking the same person."""

MAX_OF_ESTABLISHMENT = 60
"""Codes of one establishment in an hour."""


@dataclass(frozen=True, slots=True)
class SentCode:
    """A code on its way: the last two digits of the telephone, and whether the gateway took it (None: not yet)."""

    expires_at: datetime
    ending: str
    outcome: str | None
    tries_left: int


def send_code(session: Session, sealer: Sealer, request_id: UUID) -> SentCode:
    """Send the patient of a pending request a code; the one before it ends.

    Raises Conflict unless the request is pending, Forbidden when the professional may not act now, Unprocessable where
    no telephone may be used, TooManyRequests beyond what a person or an establishment may be sent.
    """
    request = find_pending_request(session, request_id)
    moment = now()
    _require_able(session, request, moment)
    _take_turns(session, request)
    _require_restraint(session, request, moment)
    number = find_mobile(session, sealer, request.person_id, besides=request.establishment_id)
    if number is None:
        raise Unprocessable(
            "No telephone of the patient can be used.",
            code="no-telephone",
            hint="Only a mobile that another establishment has on record counts. Use another road.",
            audit=_refused(request, SENT, "no-telephone"),
        )
    code = _make(session, request, number_token(sealer, number), moment)
    queue_text(session, KIND, code.id, code.expires_at)
    record(session, _event(request, SENT))
    return SentCode(code.expires_at, number[-2:], None, MAX_TRIES)


def _make(session: Session, request: AccessRequest, number: bytes, moment: datetime) -> SmsCode:
    """A code for the telephone with that token; the one before it ends."""
    earlier = (SmsCode.access_request_id == request.id) & SmsCode.used_at.is_(None) & (SmsCode.expires_at > moment)
    session.execute(update(SmsCode).where(earlier).values(expires_at=moment))
    code = SmsCode(
        id=new_id(),
        access_request_id=request.id,
        person_id=request.person_id,
        establishment_id=request.establishment_id,
        number_token=number,
        created_at=moment,
        expires_at=min(moment + LIFETIME, request.ends_at),
        tries=0,
    )
    session.add(code)
    session.flush()
    return code


def answer_code(session: Session, sealer: Sealer, request_id: UUID, typed: str) -> ConsentState:
    """The patient read a code out: the request is granted, all or the basic of it as that code says, a week at most.

    A wrong one is counted and committed, before the next is looked at.

    Raises Conflict unless the request is pending and a code of it lives, Unprocessable for a wrong code.
    """
    request = find_pending_request(session, request_id)
    code = _newest_in_turn(session, request)
    if code is None:
        raise _no_code()
    categories = _said(sealer, code, request, typed)
    if categories is None:
        _count_wrong(session, code, request)
    if not _use_up(session, code.id):
        raise _no_code()
    evidence = CounterEvidence(
        decides_for=request.person_id,
        channel="sms",
        text=_words(session, sealer, request, Codes(HIDDEN, HIDDEN if basic_of(request) else None)),
        establishment_id=request.establishment_id,
        professional_id=request.professional_id,
        facts={
            "sms_code": str(code.id),
            "number_token": code.number_token.hex(),
            "basic_only": categories != frozenset(request.categories),
        },
    )
    permitted = Narrowing(categories=categories, ends_at=ends_at(request))
    return grant_request(session, request.id, evidence, permitted)[1]


def _no_code() -> Conflict:
    return Conflict("No code of this request is valid now.", code="no-code", hint="Send another one.")


def basic_of(request: AccessRequest) -> frozenset[str] | None:
    """The basic part of what is asked, which a code of its own permits; None where that is all of it, or nothing."""
    basic = BASIC & frozenset(request.categories)
    return basic if basic and basic != frozenset(request.categories) else None


def _said(sealer: Sealer, code: SmsCode, request: AccessRequest, typed: str) -> frozenset[str] | None:
    """What the code as typed permits; None for a wrong one. Should the two ever be the same, it is the less."""
    basic = basic_of(request)
    if basic and compare_digest(typed.encode(), basic_code(sealer, code.id).encode()):
        return basic
    right = compare_digest(typed.encode(), secret_code(sealer, code.id).encode())
    return frozenset(request.categories) if right else None


def find_sent(session: Session, sealer: Sealer, request: AccessRequest) -> SentCode | None:
    """The living code of a request; None when there is none."""
    code = _newest(session, request.id)
    number = find_mobile(session, sealer, request.person_id, besides=request.establishment_id) if code else None
    if code is None or number is None:
        return None
    return SentCode(code.expires_at, number[-2:], find_outcome(session, KIND, code.id), MAX_TRIES - code.tries)


def ends_at(request: AccessRequest) -> datetime:
    """When what is permitted by a code ends: as asked, and within a week."""
    last_day = (now() + LONGEST_CONSENT).astimezone(LIMA).date()
    return min(request.ends_at, end_of_day(last_day))


@composer(KIND)
def write_code(session: Session, sealer: Sealer, code_id: UUID) -> Letter | None:
    """The message, when it leaves; None when the code has ended or the telephone is no longer the person's."""
    code = session.get(SmsCode, code_id, populate_existing=True)
    if code is None or code.used_at is not None or code.expires_at <= now():
        return None
    number = find_mobile(session, sealer, code.person_id, besides=code.establishment_id)
    if number is None or number_token(sealer, number) != code.number_token:
        return None
    request = session.get_one(AccessRequest, code.access_request_id)
    less = basic_code(sealer, code.id) if basic_of(request) else None
    return Letter(number, _words(session, sealer, request, Codes(secret_code(sealer, code.id), less)))


def purge_sms_codes(session: Session) -> None:
    """Delete codes that no longer count towards what a person may be sent."""
    session.execute(delete(SmsCode).where(SmsCode.created_at < now() - timedelta(days=2)))


def secret_code(sealer: Sealer, code_id: UUID) -> str:
    """The six digits of a code: from its id and the blind key, so that no row and no queue holds them."""
    return _digits(sealer.blind("sms-code", str(code_id)))


def basic_code(sealer: Sealer, code_id: UUID) -> str:
    """The six digits beside them that permit the basic part alone."""
    return _digits(sealer.blind("sms-code-basic", str(code_id)))


def _digits(token: bytes) -> str:
    return f"{int.from_bytes(token) % 1_000_000:06d}"


def number_token(sealer: Sealer, number: str) -> bytes:
    """A telephone as a blind token."""
    return sealer.blind("telephone", number)


def _words(session: Session, sealer: Sealer, request: AccessRequest, codes: Codes) -> str:
    professional = get_professional(session, request.professional_id)
    who = f"{display_name(session, sealer, professional)} ({professional.college} {professional.number})"
    place = get_establishment(session, request.establishment_id).name
    return code_message(codes, who, place, request.purpose, ends_at(request), int(LIFETIME.total_seconds() // 60))


def _newest(session: Session, request_id: UUID) -> SmsCode | None:
    living = SmsCode.used_at.is_(None), SmsCode.expires_at > now(), SmsCode.tries < MAX_TRIES
    query = select(SmsCode).where(SmsCode.access_request_id == request_id, *living)
    return session.scalar(query.order_by(SmsCode.created_at.desc()).limit(1))


def _newest_in_turn(session: Session, request: AccessRequest) -> SmsCode | None:
    """The living code of a request, once every try at another of that person or telephone has been counted."""
    take_turns(session, b"sms-person" + request.person_id.bytes)
    code = _newest(session, request.id)
    if code is None:
        return None
    take_turns(session, b"sms-number" + code.number_token)
    session.expire(code)
    return _newest(session, request.id)


def _use_up(session: Session, code_id: UUID) -> bool:
    """In one statement, which also demands that tries are left: of two right answers one counts."""
    living = SmsCode.used_at.is_(None), SmsCode.expires_at > now(), SmsCode.tries < MAX_TRIES
    statement = update(SmsCode).where(SmsCode.id == code_id, *living).values(used_at=now()).returning(SmsCode.id)
    return session.scalar(statement) is not None


def _count_wrong(session: Session, code: SmsCode, request: AccessRequest) -> NoReturn:
    """Count a try and commit: it is spent whatever becomes of the request.

    It counts against every code that the same establishment has open for the person or the telephone: each code more
    would else be three tries more. Never against another's, or whoever may ask a person could end what they are reading
    out elsewhere; how many tries that makes in a day is bounded by how many codes a person may be sent.
    """
    left = MAX_TRIES - code.tries - 1
    alike = (SmsCode.person_id == code.person_id) | (SmsCode.number_token == code.number_token)
    living = SmsCode.used_at.is_(None) & (SmsCode.expires_at > now())
    there = SmsCode.establishment_id == code.establishment_id
    session.execute(update(SmsCode).where(alike, there, living).values(tries=SmsCode.tries + 1))
    session.commit()
    hint = f"{left} tries are left." if left > 0 else "Send another code."
    raise Unprocessable(
        "That is not the code.",
        code="wrong-code",
        hint=hint,
        audit=_refused(request, "consent:code:answered", "wrong-code"),
    )


def _take_turns(session: Session, request: AccessRequest) -> None:
    """One at a time for an establishment and for a person, always in that order."""
    take_turns(session, b"sms-place" + request.establishment_id.bytes, b"sms-person" + request.person_id.bytes)


def _require_restraint(session: Session, request: AccessRequest, moment: datetime) -> None:
    day, hour = moment - timedelta(days=1), moment - timedelta(hours=1)
    of_person = (SmsCode.person_id == request.person_id) & (SmsCode.created_at > day)
    there = SmsCode.establishment_id == request.establishment_id
    limits = (
        (SmsCode.access_request_id == request.id, MAX_OF_REQUEST),
        (of_person & there, MAX_OF_PERSON_THERE),
        (of_person, MAX_OF_PERSON),
        (there & (SmsCode.created_at > hour), MAX_OF_ESTABLISHMENT),
    )
    for which, limit in limits:
        if (session.scalar(select(func.count()).select_from(SmsCode).where(which)) or 0) >= limit:
            raise TooManyRequests(
                "Too many codes have been sent.",
                code="too-many-messages",
                hint="Use another road, or try again later.",
                audit=_refused(request, SENT, "too-many-messages"),
            )


def _require_able(session: Session, request: AccessRequest, moment: datetime) -> None:
    fault = unable_to_act(session, request.professional_id, request.establishment_id, moment)
    if fault:
        raise Forbidden("The professional may not act now.", code=fault, audit=_refused(request, SENT, fault))


def _refused(request: AccessRequest, action: str, reason: str) -> Event:
    return replace(_event(request, action), outcome="refused", reason=reason)


def _event(request: AccessRequest, action: str) -> Event:
    return Event(
        action=action,
        person_id=request.person_id,
        establishment_id=request.establishment_id,
        client_id=request.client_id,
        professional_id=request.professional_id,
        actor_role="professional",
        purpose=request.purpose,
        consent_id=request.consent_id,
        detail={"access_request": str(request.id), "channel": "sms"},
    )
