"""The guard: every request to an establishment's FHIR server is checked here before any record is touched."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx

from consent_broker.resource_server.answers import Grant, Refusal
from consent_broker.resource_server.interaction import Interaction, names_only, permits, read_interaction
from consent_broker.resource_server.introspection import Credentials, IntrospectionUnavailable, Introspector
from consent_broker.resource_server.jwks import IssuerKeys, KeysUnavailable
from consent_broker.resource_server.possession import ProofVerifier
from consent_broker.resource_server.revocations import RevokedTokens, StatusLists, UnusableStatement, read_event
from consent_broker.resource_server.tokens import TokenVerifier

FORM_TYPE = "application/x-www-form-urlencoded"
_BOUND = ("jti", "client_id", "aud", "patient", "scope", "cnf")


class Guard:
    """Checks a request against the token it carries.

    `issuer` is the registry's base URL, `audience` this server's FHIR base exactly as registered, `client_id` and
    `private_jwk` the record system's own credentials. With `cache_seconds` 0, the default, a revocation is seen by
    the very next request. A positive value trades that for fewer calls: an answer is then used again only while the
    issuer's status list (a few seconds old at most) and the events received say nothing against the token.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        client_id: str,
        private_jwk: dict[str, Any],
        *,
        cache_seconds: float = 0,
        http: httpx.Client | None = None,
    ) -> None:
        client = http or httpx.Client(timeout=5, follow_redirects=False)
        self.audience = audience
        self._issuer = issuer
        self._keys = IssuerKeys(client, f"{issuer}/oauth/jwks")
        self._tokens = TokenVerifier(issuer, audience, self._keys)
        self._proofs = ProofVerifier(audience, private_jwk)
        self._revoked, self._lists = RevokedTokens(), StatusLists(client, self._keys, issuer)
        self._introspector = Introspector(
            client,
            issuer=issuer,
            url=f"{issuer}/oauth/introspect",
            credentials=Credentials(client_id, private_jwk),
            cache_seconds=cache_seconds,
        )

    def check(self, method: str, path: str, query: str, headers: Mapping[str, str], form: str = "") -> Grant | Refusal:
        """Decide about one request. `path` is relative to the FHIR base (`/AllergyIntolerance`), `form` the body of
        a `_search`.

        The order is fixed: form, token, proof, revocation, scope, patient. A read by id is granted for the type; the
        server must answer 404 when the resource is not about `grant.patient`.
        """
        if method == "POST" and _header(headers, "content-type").split(";")[0].strip() != FORM_TYPE:
            return Refusal(400, "invalid_request", f"Send the search as {FORM_TYPE}")
        verified = self._tokens.verify(_header(headers, "authorization"))
        if isinstance(verified, Refusal):
            return verified
        token, claims = verified
        unproved = self._proofs.refuse(_header(headers, "dpop"), method, path, token, claims)
        if unproved:
            return unproved
        inactive = self._inactive(token, claims)
        if inactive:
            return inactive
        interaction = read_interaction(method, path, query, form)
        answer = interaction if isinstance(interaction, Refusal) else _authorise(interaction, claims)
        return replace(answer, nonce=self._proofs.nonce)

    def _inactive(self, token: str, claims: dict[str, Any]) -> Refusal | None:
        try:
            answer = self._kept(token, claims) or self._introspector.introspect(token)
        except IntrospectionUnavailable:
            return Refusal(503, "temporarily_unavailable", "The token's revocation can not be checked now")
        if answer.get("active") is not True or any(answer.get(name) != claims[name] for name in _BOUND):
            return Refusal(401, "invalid_token", "The token is not active")
        return None

    def _kept(self, token: str, claims: dict[str, Any]) -> dict[str, Any] | None:
        """An earlier answer, unless the token was revoked since, or nobody can say so now."""
        kept = self._introspector.kept(token)
        if kept is None or claims["jti"] in self._revoked:
            return None
        try:
            return None if self._lists.revoked(claims) else kept
        except (UnusableStatement, KeysUnavailable):
            return None

    def receive(self, event: str) -> None:
        """Take a security event the registry pushed (RFC 8935); raises UnusableStatement, KeysUnavailable."""
        self._revoked.add(read_event(self._keys, self._issuer, self.audience, event))


def _header(headers: Mapping[str, str], wanted: str) -> str:
    return next((value for name, value in headers.items() if name.lower() == wanted), "")


def _authorise(interaction: Interaction, claims: dict[str, Any]) -> Grant | Refusal:
    scopes = frozenset(claims["scope"].split())
    search = interaction.resource_id is None
    if not permits(scopes, interaction.resource_type, search=search):
        return Refusal(403, "insufficient_scope", f"The token does not cover {interaction.resource_type}")
    if search and not interaction.patients:
        return Refusal(403, "insufficient_scope", "Name the patient of the search")
    if not names_only(interaction.patients, claims["patient"]):
        return Refusal(403, "insufficient_scope", "The token is for another patient")
    grant = Grant(
        token_id=claims["jti"],
        client_id=claims["client_id"],
        patient=claims["patient"],
        scopes=scopes,
        expires_at=claims["exp"],
        claims=claims,
    )
    if grant.residual and interaction.partial:
        return Refusal(400, "invalid_request", "Whole resources only: parts of them do not say how sensitive they are")
    return grant
