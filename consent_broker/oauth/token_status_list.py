"""Status lists: which tokens were revoked, to pull instead of asking about each (IETF OAuth Token Status List).

A list is a signed token with one bit for each of LIST_SIZE tokens, in the order they were issued. It says only what has
been *recorded* as revoked; introspection alone decides anew.
"""

import base64
import zlib
from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.oauth.models import AccessToken
from registry.database import now
from registry.errors import NotFound

TYPE = "statuslist+jwt"
LIST_SIZE = 2**16
TTL = 5
"""Seconds a holder may keep a list: the longest a pulled revocation takes to be seen."""


def status_claim(broker: Broker, index: int) -> dict[str, Any]:
    """The `status` claim of a token: where its bit is (§6.1)."""
    return {"status_list": {"idx": index % LIST_SIZE, "uri": status_list_uri(broker, index // LIST_SIZE)}}


def status_list_uri(broker: Broker, number: int) -> str:
    """The address of a list; also its `sub` (§5.1)."""
    return f"{broker.issuer}/oauth/status/{number}"


def status_list_token(session: Session, broker: Broker, number: int) -> str:
    """The signed list of that number; raises NotFound for one no token stands in yet."""
    if number > (session.scalar(select(func.max(AccessToken.status_index))) or 0) // LIST_SIZE:
        raise NotFound("There is no such status list.", code="unknown-status-list")
    first = number * LIST_SIZE
    revoked = session.scalars(
        select(AccessToken.status_index).where(
            AccessToken.status_index.between(first, first + LIST_SIZE - 1), AccessToken.revoked_at.is_not(None)
        )
    )
    issued_at = int(now().timestamp())
    claims = {
        "sub": status_list_uri(broker, number),
        "iss": broker.issuer,
        "iat": issued_at,
        "exp": issued_at + 2 * TTL,
        "ttl": TTL,
        "status_list": {"bits": 1, "lst": compress(index - first for index in revoked)},
    }
    return broker.keys.sign(claims, TYPE)


def compress(indices: Iterable[int]) -> str:
    """The bits, least significant first in each byte, as DEFLATE in the zlib format and base64url (§4.1)."""
    bits = bytearray(LIST_SIZE // 8)
    for index in indices:
        bits[index // 8] |= 1 << index % 8
    return base64.urlsafe_b64encode(zlib.compress(bytes(bits), 9)).rstrip(b"=").decode()
