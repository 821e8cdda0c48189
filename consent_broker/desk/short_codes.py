"""The short code on a professional's screen (RFC 8628 §6.1): it leads the patient's phone to what is asked of them.

A code carries no authority. It finds a request about whoever signed in, nobody else's, and the request is answered as
any other: by two factors, on a page built from stored rows.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from consent_broker.consents.access_requests import current_status, find_pending_request
from consent_broker.consents.models import AccessRequest
from consent_broker.desk.models import ShortCode, WrongCode
from registry.database import new_id, now, take_turns
from registry.errors import Conflict, TooManyRequests
from registry.sealing import Sealer

ALPHABET = "BCDFGHJKLMNPQRSTXZ"
"""No vowels, so that no code is a word; no V, which in Spanish is said like B, and no W."""

LENGTH = 8
LIFETIME = timedelta(minutes=10)
MAX_WRONG = 5
WRONG_WITHIN = timedelta(minutes=15)
_DOMAIN = "short-code"
_HEARD = str.maketrans({"V": "B"})


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code as it is shown, and until when it leads anywhere."""

    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Typist:
    """Who typed a code: the human by the blind token of their document, and the persons that human is in the index."""

    subject: bytes
    person_ids: Collection[UUID]


def issue_short_code(session: Session, sealer: Sealer, request_id: UUID, seed: str | None = None) -> IssuedCode:
    """A new code for a pending request; with a `seed` the one the seed derives, so that its page can be shown again.

    Raises NotFound or Conflict unless the request is pending, Conflict when the seed's code is taken.
    """
    request = find_pending_request(session, request_id)
    moment = now()
    expires_at = min(moment + LIFETIME, request.ends_at)
    for code in [derive_code(seed)] if seed else (random_code() for _ in range(5)):
        row = {"code_token": _token(sealer, code), "access_request_id": request_id, "created_at": moment}
        statement = insert(ShortCode).values(**row, expires_at=expires_at).on_conflict_do_nothing()
        if session.scalar(statement.returning(ShortCode.code_token)) is not None:
            return IssuedCode(spell(code), expires_at)
    raise Conflict("No code is free.", code="no-code-free")


def open_short_code(session: Session, sealer: Sealer, typed: str, typist: Typist) -> AccessRequest | None:
    """The pending request a code leads its patient to; None, and counted, for every other.

    Wrong, ended, answered and somebody else's look the same. Raises TooManyRequests after five wrong ones in a quarter
    of an hour, before the code is looked at.
    """
    _take_turns(session, typist.subject)
    moment = now()
    _require_patience(session, typist.subject, moment)
    token = _token(sealer, read_code(typed) or "")
    request = _find(session, token, moment)
    if request is None or request.person_id not in typist.person_ids or current_status(request, moment) != "pending":
        session.add(WrongCode(id=new_id(), subject=typist.subject, at=moment))
        return None
    this = (ShortCode.code_token == token) & ShortCode.opened_at.is_(None)
    session.execute(update(ShortCode).where(this).values(opened_at=moment))
    return request


def find_shown_code(session: Session, sealer: Sealer, request_id: UUID, seed: str) -> IssuedCode | None:
    """The code a seed derives, while it leads to that request."""
    code = derive_code(seed)
    row = session.get(ShortCode, _token(sealer, code), populate_existing=True)
    alive = row is not None and row.access_request_id == request_id and row.expires_at > now()
    return IssuedCode(spell(code), row.expires_at) if row is not None and alive else None


def was_opened(session: Session, request_id: UUID) -> bool:
    """Whether the patient has come to the request by any of its codes."""
    query = select(func.count()).where(ShortCode.access_request_id == request_id, ShortCode.opened_at.is_not(None))
    return bool(session.scalar(query))


def count_codes(session: Session, request_id: UUID) -> int:
    """How many codes a request has had."""
    return session.scalar(select(func.count()).where(ShortCode.access_request_id == request_id)) or 0


def purge_codes(session: Session) -> None:
    """Delete codes an hour after their end, and what was counted too long ago to count."""
    session.execute(delete(ShortCode).where(ShortCode.expires_at < now() - timedelta(hours=1)))
    session.execute(delete(WrongCode).where(WrongCode.at < now() - WRONG_WITHIN))


def random_code() -> str:
    """33 bits by chance."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def derive_code(seed: str) -> str:
    """The code of a secret seed of 256 bits: the same each time, and as good as chance to whoever lacks the seed."""
    value = int.from_bytes(sha256(seed.encode()).digest())
    letters = []
    for _ in range(LENGTH):
        value, letter = divmod(value, len(ALPHABET))
        letters.append(ALPHABET[letter])
    return "".join(letters)


def spell(code: str) -> str:
    """`BCDF-GHJK`, in two halves to be read out."""
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"


def read_code(typed: str) -> str | None:
    """A code as typed, in any case, with or without its hyphen; None when it can't be one."""
    letters = "".join(typed[:40].upper().replace("-", " ").split()).translate(_HEARD)
    return letters if len(letters) == LENGTH and set(letters) <= set(ALPHABET) else None


def _find(session: Session, token: bytes, moment: datetime) -> AccessRequest | None:
    query = (
        select(AccessRequest)
        .join(ShortCode, ShortCode.access_request_id == AccessRequest.id)
        .where(ShortCode.code_token == token, ShortCode.expires_at > moment)
    )
    return session.scalar(query.execution_options(populate_existing=True))


def _token(sealer: Sealer, code: str) -> bytes:
    return sealer.blind(_DOMAIN, code)


def _take_turns(session: Session, subject: bytes) -> None:
    """One at a time for one human, so that guesses made at once are counted one after the other."""
    take_turns(session, b"wrong-code" + subject)


def _require_patience(session: Session, subject: bytes, moment: datetime) -> None:
    query = select(func.count()).where(WrongCode.subject == subject, WrongCode.at > moment - WRONG_WITHIN)
    if (session.scalar(query) or 0) >= MAX_WRONG:
        raise TooManyRequests("Too many wrong codes.", code="too-many-codes", hint="Wait a quarter of an hour.")
