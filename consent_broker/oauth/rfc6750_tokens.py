"""Access tokens at our own surfaces (RFC 6750, RFC 9449): the registry's Authenticator port.

A token is presented as it was issued: one bound to a key with a proof of that key, any other as a bearer token.
"""

import re
from collections.abc import Mapping
from typing import Any

from flask import g

from consent_broker.broker import Broker
from consent_broker.oauth.grants import Grant
from consent_broker.oauth.issued import Issued, Token, find_claimed
from consent_broker.oauth.rfc9068_tokens import MAX_TOKEN, InvalidToken, bound_key, read_token, token_type
from consent_broker.oauth.rfc9449_dpop import CHALLENGE, check_proof, use_proof_for_good
from consent_broker.resource_server.nonces import NonceNeeded
from consent_broker.resource_server.proofs import InvalidProof
from registry.access import Caller, Presented
from registry.audit.event import Event
from registry.database import commit_each, session
from registry.errors import Forbidden, Unauthenticated

_TOKEN = re.compile(r"(?P<scheme>bearer|dpop) +(?P<token>\S+)", re.IGNORECASE)


class AccessTokens:
    """Turns a presented token into a Caller: signature, issuer, audience, time, revocation, binding, accreditation."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def __call__(self, presented: Presented, audience: str) -> Caller:
        """The caller of a token for that surface (`/fhir`); `presented_grant` is then the grant it came from.

        Raises Unauthenticated for anything but a live token of ours for it, shown by who holds its key, and Forbidden
        when the client has lost its accreditation since.
        """
        scheme, token = _read_header(presented.authorization)
        claims = self._claims(token)
        commit_each(session())
        issued = self._issued(claims, audience)
        row = issued.token
        if scheme != token_type(claims).lower():
            raise _not_proved(row, "invalid_token", "The token is presented by another scheme than it was issued for.")
        if scheme == "dpop":
            self._require_proof(presented, token, claims, row)
        session().commit()
        _require_accreditation(row, issued.unusable)
        g.grant = issued.grant
        return Caller(
            client_id=row.client_id,
            establishment_id=row.establishment_id,
            scopes=frozenset(row.scopes),
            token_id=str(row.id),
            audience=audience,
            grant_id=row.grant_id,
            staff=row.staff,
            scheme=token_type(claims),
        )

    def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            return read_token(self._broker, token)
        except InvalidToken as error:
            raise Unauthenticated("The access token is not valid.", debug=str(error)) from None

    def _issued(self, claims: Mapping[str, Any], audience: str) -> Issued:
        issued = find_claimed(session(), claims) if claims.get("aud") == self._broker.audience(audience) else None
        if issued is None or issued.has_ended(session()):
            raise Unauthenticated("The access token is not valid here, has ended or was revoked.")
        return issued

    def _require_proof(self, presented: Presented, token: str, claims: Mapping[str, Any], row: Token) -> None:
        """RFC 9449 §7.1; a live token shown without its key is in the log: somebody may have stolen it."""
        url = f"{self._broker.issuer}{presented.path}"
        try:
            proof = check_proof(self._broker.nonces, presented.proof or "", presented.method, url, token)
            proof.require_key(bound_key(claims))
            use_proof_for_good(session(), proof)
        except NonceNeeded:
            challenge = f'{CHALLENGE}, error="use_dpop_nonce"'
            raise Unauthenticated("Use the nonce of the DPoP-Nonce header.", challenges=[challenge]) from None
        except InvalidProof as error:
            raise _not_proved(row, "invalid_dpop_proof", f"The proof of possession does not hold: {error}.") from None


def presented_grant() -> Grant | None:
    """The live grant of the token this request was made with; None for a token of no grant."""
    grant: Grant | None = g.get("grant")
    return grant


def _require_accreditation(row: Token, reason: str | None) -> None:
    if reason is None:
        return
    refusal = Event(
        action="oauth:client:authenticated",
        outcome="refused",
        reason=reason,
        client_id=row.client_id,
        establishment_id=row.establishment_id,
        token_id=str(row.id),
        actor_role="record-system",
    )
    raise Forbidden("The record system is not accredited now.", code=reason, audit=refusal)


def _read_header(authorization: str | None) -> tuple[str, str]:
    match = _TOKEN.fullmatch(authorization or "") if len(authorization or "") <= MAX_TOKEN else None
    if match is None:
        raise Unauthenticated(
            "This call needs an access token in the Authorization header.", challenges=["Bearer", CHALLENGE]
        )
    return match["scheme"].lower(), match["token"]


def _not_proved(row: Token, error: str, message: str) -> Unauthenticated:
    refusal = Event(
        action="oauth:token:presented",
        outcome="refused",
        reason="not-proved",
        client_id=row.client_id,
        establishment_id=row.establishment_id,
        token_id=str(row.id),
        actor_role="record-system",
    )
    return Unauthenticated(
        message, code="token-not-proved", audit=refusal, challenges=[f'{CHALLENGE}, error="{error}"']
    )
