"""Access tokens (RFC 9068): audited, recorded, then signed; verified with everything the RFC asks of a server."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key
from sqlalchemy import insert
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.consents.vocabulary import PATIENT_REQUEST
from consent_broker.oauth.models import AccessToken
from consent_broker.oauth.rfc7517_keys import ALGORITHM, SigningKeys
from consent_broker.oauth.token_status_list import status_claim
from registry.audit.event import Event
from registry.audit.service import record_now
from registry.database import new_id, now, table_of
from registry.questions import Question

TYPE = "at+jwt"
MAX_TOKEN = 8_192
KEPT = 1_024
"""Tokens of which a process remembers that it verified them: some 5 MB."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_HEADER = {"typ", "alg", "kid"}
_COLUMNS = ("kind", "client_id", "establishment_id", "audience", "scopes", "grant_id", "person_id", "professional_id",
            "purpose", "patient", "residual", "categories", "staff")  # fmt: skip
_RECORD = Question(
    insert(table_of(AccessToken)).returning(AccessToken.status_index), ["id", "issued_at", "expires_at", *_COLUMNS]
)
_ACTORS = {"client": "record-system", "staff": "steward"}


class InvalidToken(Exception):
    """Not a live token of ours for that audience; the message is for the log alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSpec:
    """What a token is for. `kind` is `client`, `grant`, `holder` or `staff`; `claims` are added to the registered ones.

    `jkt` is the thumbprint of the key it is bound to (RFC 9449 §6.1); None makes a bearer token, and must be said.
    """

    kind: str
    client_id: str
    establishment_id: UUID
    audience: str
    scopes: frozenset[str]
    subject: str
    jkt: str | None
    grant_id: UUID | None = None
    person_id: UUID | None = None
    professional_id: UUID | None = None
    purpose: str | None = None
    patient: str | None = None
    holder_id: UUID | None = None
    consent_id: UUID | None = None
    source_record_id: UUID | None = None
    residual: Sequence[Any] | None = None
    categories: frozenset[str] | None = None
    staff: str | None = None
    claims: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A signed token and its name in the books."""

    id: UUID
    value: str
    expires_in: int
    type: str
    """`DPoP` or `Bearer`, as `token_type` and the Authorization header say it."""


def issue_token(session: Session, broker: Broker, spec: TokenSpec) -> IssuedToken:
    """Audit the issue, record the token, then sign it: no audit row, no token (BALP, ITI-71)."""
    return issue_tokens(session, broker, [spec])[0]


def issue_tokens(
    session: Session, broker: Broker, specs: Sequence[TokenSpec], besides: Sequence[Event] = ()
) -> list[IssuedToken]:
    """`issue_token` of each, in their order, with as many statements as one takes; audits `besides` in the same one."""
    issued_at = now().replace(microsecond=0)
    rows = [_row(broker, spec, issued_at) for spec in specs]
    record_now(session, *besides, *(_event(spec, row["id"]) for spec, row in zip(specs, rows, strict=True)))
    kept = _RECORD.ask_each(session, rows)
    return [_sign(broker, spec, row, int(index)) for spec, row, (index,) in zip(specs, rows, kept, strict=True)]


def _row(broker: Broker, spec: TokenSpec, issued_at: datetime) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in _COLUMNS} | {
        "id": new_id(),
        "scopes": sorted(spec.scopes),
        "issued_at": issued_at,
        "expires_at": issued_at + timedelta(seconds=broker.settings.access_token_seconds),
        "categories": sorted(spec.categories) if spec.categories is not None else None,
    }


def _sign(broker: Broker, spec: TokenSpec, row: Mapping[str, Any], status_index: int) -> IssuedToken:
    claims = dict(spec.claims) | {
        "iss": broker.issuer,
        "aud": spec.audience,
        "sub": spec.subject,
        "client_id": spec.client_id,
        "scope": " ".join(sorted(spec.scopes)),
        "iat": int(row["issued_at"].timestamp()),
        "exp": int(row["expires_at"].timestamp()),
        "jti": str(row["id"]),
    }
    if spec.kind == "holder":
        claims["status"] = status_claim(broker, status_index)
    if spec.jkt:
        claims["cnf"] = {"jkt": spec.jkt}
    value = broker.keys.sign(claims, TYPE)
    return IssuedToken(row["id"], value, broker.settings.access_token_seconds, token_type(claims))


def read_token(broker: Broker, token: str) -> Mapping[str, Any]:
    """The claims of a token we signed, whatever its audience and age; raises InvalidToken."""
    if len(token) > MAX_TOKEN or not _COMPACT.fullmatch(token):
        raise InvalidToken("not a compact JWT")
    key_id, claims = _verified(broker.keys, token)
    if broker.keys.find(key_id) is None:
        raise InvalidToken("unknown key")
    if claims.get("iss") != broker.issuer:
        raise InvalidToken("another issuer")
    return claims


@lru_cache(maxsize=KEPT)
def _verified(keys: SigningKeys, token: str) -> tuple[str, Mapping[str, Any]]:
    """The id of the key that signed a token, and its claims; raises InvalidToken, which is not kept.

    Kept because a token is shown many times in its five minutes, and what was signed once stays so: whether it still
    counts is asked of the keys and the database each time.
    """
    try:
        read = jwt.decode(token, lambda signed: _key_of(keys, signed.headers()), algorithms=[ALGORITHM])
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise InvalidToken(type(error).__name__) from None
    return str(read.header["kid"]), MappingProxyType(read.claims)


def _key_of(keys: SigningKeys, header: Mapping[str, Any]) -> Key:
    """The key of ours that a token with such a header is verified with; raises InvalidToken."""
    if header.get("typ") != TYPE or header.get("alg") != ALGORITHM or header.keys() - _HEADER:
        raise InvalidToken("not an access token of ours")
    key = keys.find(str(header.get("kid")))
    if key is None:
        raise InvalidToken("unknown key")
    return key


def bound_key(claims: Mapping[str, Any]) -> str | None:
    """The thumbprint of the key a verified token is bound to (RFC 9449 §6.1); None for a bearer token."""
    return (claims.get("cnf") or {}).get("jkt")


def token_type(claims: Mapping[str, Any]) -> str:
    """How a verified token is presented: `DPoP` or `Bearer`."""
    return "DPoP" if bound_key(claims) else "Bearer"


def find_token(session: Session, claims: Mapping[str, Any]) -> AccessToken | None:
    """The record of a verified token, read anew; None when we hold none or it was revoked or has ended."""
    row = session.get(AccessToken, UUID(str(claims["jti"])), populate_existing=True)
    if row is None or row.revoked_at is not None or row.expires_at <= now():
        return None
    return row if row.audience == claims["aud"] else None


def _event(spec: TokenSpec, token_id: UUID) -> Event:
    return Event(
        action="oauth:token:issued",
        person_id=spec.person_id,
        source_record_id=spec.source_record_id,
        establishment_id=spec.establishment_id,
        holder_id=spec.holder_id,
        client_id=spec.client_id,
        professional_id=spec.professional_id,
        actor_role="patient" if spec.purpose == PATIENT_REQUEST else _ACTORS.get(spec.kind, "professional"),
        purpose=spec.purpose,
        consent_id=spec.consent_id,
        token_id=str(token_id),
        detail={"kind": spec.kind, "scopes": sorted(spec.scopes), "audience": spec.audience},
    )
