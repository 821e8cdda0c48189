"""What the registry said was revoked: by pushed events (RFC 8417, RFC 8935) and by status lists.

Only for guards that keep introspection answers for a while; one that asks each time learns it there.
"""

import base64
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import httpx
from joserfc import jws, jwt
from joserfc.errors import JoseError

from consent_broker.resource_server.jwks import IssuerKeys

ALGORITHMS = ["ES256"]
EVENT = "https://www.gob.pe/minsa/RENHICE/fhir/events/tokens-revoked"
MAX_EVENT = 65_536
MAX_LIST = 262_144
LIST_BYTES = 8_192
MAX_TTL = 60
MAX_REMEMBERED = 50_000
OLDEST_EVENT = 7_200
TOKEN_LIFE = 300


class UnusableStatement(Exception):
    """A statement that is not the issuer's, not for us, or not readable; the message holds no data."""


class RevokedTokens:
    """The `jti` of tokens known to be revoked, for as long as they could be presented."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._until: OrderedDict[str, float] = OrderedDict()

    def add(self, token_ids: list[str]) -> None:
        """Remember them; the oldest go first when there are too many."""
        with self._lock:
            for token_id in token_ids:
                self._until[token_id] = self._clock() + TOKEN_LIFE
            while len(self._until) > MAX_REMEMBERED:
                self._until.popitem(last=False)

    def __contains__(self, token_id: str) -> bool:
        with self._lock:
            return self._until.get(token_id, 0.0) > self._clock()


def read_event(keys: IssuerKeys, issuer: str, audience: str, event: str) -> list[str]:
    """The tokens a pushed event revokes, none when it is of another kind; raises UnusableStatement, KeysUnavailable.

    A repeated event changes nothing, so its `jti` need not be remembered.
    """
    claims = _verified(keys, event, "secevent+jwt", MAX_EVENT)
    if claims.get("iss") != issuer or claims.get("aud") != audience:
        raise UnusableStatement("the event is not for this server")
    issued, events = claims.get("iat"), claims.get("events")
    if type(issued) is not int or abs(time.time() - issued) > OLDEST_EVENT or not isinstance(events, dict):
        raise UnusableStatement("the event is too old, or none")
    content = events.get(EVENT)
    tokens = content.get("tokens") if isinstance(content, dict) else []
    if not isinstance(tokens, list) or not all(isinstance(one, str) and len(one) <= 100 for one in tokens):
        raise UnusableStatement("the event can't be read")
    return tokens


class StatusLists:
    """The issuer's status lists, each kept for as long as it says, at most MAX_TTL seconds."""

    def __init__(
        self, http: httpx.Client, keys: IssuerKeys, issuer: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._http, self._keys, self._prefix, self._clock = http, keys, f"{issuer}/oauth/status/", clock
        self._lists: dict[str, tuple[float, bytes]] = {}
        self._lock = threading.Lock()

    def revoked(self, claims: Mapping[str, Any]) -> bool:
        """Whether the list of the token says so; raises UnusableStatement where there is no list to be had."""
        entry = (claims.get("status") or {}).get("status_list") or {}
        index, uri = entry.get("idx"), entry.get("uri")
        if type(index) is not int or not isinstance(uri, str) or not uri.startswith(self._prefix):
            raise UnusableStatement("the token names no status list of its issuer")
        bits = self._bits(uri)
        if not 0 <= index < len(bits) * 8:
            raise UnusableStatement("the status list is too short")
        return bool(bits[index // 8] >> index % 8 & 1)

    def _bits(self, uri: str) -> bytes:
        with self._lock:
            kept = self._lists.get(uri)
            if kept is None or kept[0] <= self._clock():
                kept = self._fetch(uri)
                self._lists = {name: one for name, one in self._lists.items() if one[0] > self._clock()} | {uri: kept}
        return kept[1]

    def _fetch(self, uri: str) -> tuple[float, bytes]:
        asked_at = self._clock()
        try:
            response = self._http.get(uri, headers={"Accept": "application/statuslist+jwt"})
            response.raise_for_status()
        except httpx.HTTPError as error:
            raise UnusableStatement("the status list can't be fetched") from error
        claims = _verified(self._keys, response.text, "statuslist+jwt", MAX_LIST)
        ttl, content = claims.get("ttl"), claims.get("status_list")
        expires = claims.get("exp")
        timely = type(ttl) is int and type(expires) is int and expires > time.time()
        if claims.get("sub") != uri or not timely or not isinstance(content, dict) or content.get("bits") != 1:
            raise UnusableStatement("the status list is not the one asked for")
        return asked_at + min(max(int(ttl or 0), 0), MAX_TTL), _inflate(str(content.get("lst")))


def _inflate(text: str) -> bytes:
    """The bits; never more than LIST_BYTES, whatever was compressed."""
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return zlib.decompressobj().decompress(packed, LIST_BYTES)
    except (ValueError, zlib.error) as error:
        raise UnusableStatement("the status list can't be unpacked") from error


def _verified(keys: IssuerKeys, statement: str, typ: str, largest: int) -> dict[str, Any]:
    """The claims of a statement the issuer signed as that type."""
    if len(statement) > largest:
        raise UnusableStatement("the statement is too large")
    try:
        header = jws.extract_compact(statement.strip().encode()).headers()
        kid = header.get("kid")
        if header.get("typ") != typ or header.keys() - {"typ", "alg", "kid"} or not isinstance(kid, str):
            raise UnusableStatement("the statement is of another type")
        key = keys.find(kid)
        if key is None:
            raise UnusableStatement("the statement is signed by nobody known")
        claims: dict[str, Any] = jwt.decode(statement.strip(), key, algorithms=ALGORITHMS).claims
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise UnusableStatement("the statement can't be verified") from error
    return claims
