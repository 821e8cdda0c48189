"""A record system that means well: it takes ended tokens and others' tokens, anybody's patient, and keeps no trace.

Everything else it does right, so that a test can say which lines it must fail, and that it fails no other.
"""

import time
from typing import Any

import httpx
from flask import Flask, Response, jsonify, request

from consent_broker.resource_server import Grant, Guard, GuardMiddleware, Refusal
from consent_broker.resource_server.interaction import Interaction, permits, read_interaction
from consent_broker.resource_server.jwks import IssuerKeys
from consent_broker.resource_server.revocations import StatusLists, UnusableStatement
from consent_broker.resource_server.tokens import TokenVerifier
from sandbox.clinical import TYPES
from sandbox.places import REGISTRO

Json = dict[str, Any]


class CarelessTokens(TokenVerifier):
    """Looks neither at the end of a token nor at whom it is for."""

    def _problem(self, claims: Json) -> str | None:
        now = int(time.time())
        return super()._problem(claims | {"aud": self._audience, "iat": now, "exp": now + 100})


class CarelessGuard(Guard):
    """Trusts the status list alone, and leaves the patient to the application."""

    def __init__(self, issuer: str, audience: str, client_id: str, private_jwk: Json) -> None:
        super().__init__(issuer, audience, client_id, private_jwk)
        http = httpx.Client()
        keys = IssuerKeys(http, f"{issuer}/oauth/jwks")
        self._tokens = CarelessTokens(issuer, audience, keys)
        self._lists = StatusLists(http, keys, issuer, clock=lambda: 100 * time.monotonic())

    def check(self, method: str, path: str, query: str, headers: Any, form: str = "") -> Grant | Refusal:
        verified = self._tokens.verify(headers["Authorization"])
        if isinstance(verified, Refusal):
            return verified
        token, claims = verified
        refusal = self._proofs.refuse(headers["DPoP"], method, path, token, claims) or self._revoked_now(claims)
        interaction = refusal or read_interaction(method, path, query, form)
        if not isinstance(interaction, Interaction):
            return interaction
        scopes = frozenset(claims["scope"].split())
        if not permits(scopes, interaction.resource_type, search=interaction.resource_id is None):
            return Refusal(403, "insufficient_scope", "The token does not cover it")
        return Grant(token_id=claims["jti"], client_id=claims["client_id"], patient=claims["patient"], scopes=scopes,
                     expires_at=claims["exp"], claims=claims, nonce=self._proofs.nonce)  # fmt: skip

    def _revoked_now(self, claims: Json) -> Refusal | None:
        try:
            return Refusal(401, "invalid_token", "Revoked") if self._lists.revoked(claims) else None
        except UnusableStatement:
            return Refusal(503, "temporarily_unavailable", "Nobody says")


def create_app(guard: Guard, records: dict[str, list[Json]]) -> Flask:
    """`records` are those of each patient, by the id shared with the registry."""
    app = Flask("careless")

    @app.get("/fhir/metadata")
    def metadata() -> Response:
        kinds = [{"type": kind, "interaction": [{"code": "search-type"}]} for kind in (*TYPES, "AuditEvent")]
        service = [{"coding": [{"code": "OAuth"}]}]
        return _json({
            "resourceType": "CapabilityStatement", "status": "active", "date": "2026-11-26", "kind": "instance",
            "implementation": {"description": "Careless"}, "fhirVersion": "4.0.1", "format": ["json"],
            "rest": [{"mode": "server", "security": {"service": service}, "resource": kinds}],
        })  # fmt: skip

    @app.route("/fhir/<kind>", methods=["GET"])
    @app.route("/fhir/<kind>/_search", methods=["POST"])
    def search(kind: str) -> Response:
        parameters = request.values.to_dict(flat=False)
        if any(not count.isdecimal() for count in parameters.get("_count", [])):
            return _outcome(400, "invalid")
        named = [
            one for name, values in parameters.items() if name.startswith(("patient", "subject")) for one in values
        ]
        patients = [one.rpartition("|")[2].removeprefix("Patient/") for one in named[-1:]] or list(records)
        found = [one for who in patients for one in records.get(who, []) if one["resourceType"] == kind]
        entries = [{"resource": one, "search": {"mode": "match"}} for one in found]
        return _json({"resourceType": "Bundle", "type": "searchset"} | ({"entry": entries} if entries else {}))

    @app.get("/fhir/<kind>/<name>")
    def read(kind: str, name: str) -> Response:
        every = [one for held in records.values() for one in held]
        found = next((one for one in every if (one["resourceType"], one["id"]) == (kind, name)), None)
        return _json(found) if found else _outcome(404, "not-found")

    @app.errorhandler(404)
    @app.errorhandler(405)
    def refuse(error: Any) -> Response:
        return _outcome(error.code, "not-supported")

    app.wsgi_app = GuardMiddleware(app.wsgi_app, guard, prefix="/fhir")  # type: ignore[method-assign]
    return app


def about(patient: str, resource: Json) -> Json:
    """The resource with its reference to the patient."""
    element = "patient" if resource["resourceType"] in {"AllergyIntolerance", "Immunization"} else "subject"
    return resource | {element: {"identifier": {"system": REGISTRO, "value": patient}}}


def _json(body: Json, status: int = 200) -> Response:
    response = jsonify(body)
    response.status_code, response.content_type = status, "application/fhir+json"
    response.headers["Cache-Control"] = "no-store"
    return response


def _outcome(status: int, code: str) -> Response:
    return _json({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}, status)
