"""The played registry over HTTP: what a record system may call of the real one, and no more."""

import base64
import time
import zlib
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, jsonify, request
from joserfc import jwt
from joserfc.errors import JoseError
from werkzeug.exceptions import HTTPException

from conformance.registry.feed import Feed, outcome
from conformance.registry.keys import Unsigned, read_assertion, read_client_proof, sign
from conformance.registry.state import TTL, State

NONCE = "conformance-1"
LIST_BYTES = 8_192
MAX_BODY = 1_048_576
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def create_app(state: State) -> Flask:
    """The issuer and the feed on one state."""
    app = Flask("conformance")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    issuer, feed = _Issuer(state), Feed(state)
    app.add_url_rule("/.well-known/oauth-authorization-server", view_func=issuer.metadata)
    app.add_url_rule("/oauth/jwks", view_func=issuer.jwks)
    app.add_url_rule("/oauth/token", view_func=issuer.token, methods=["POST"])
    app.add_url_rule("/oauth/introspect", view_func=issuer.introspect, methods=["POST"])
    app.add_url_rule("/oauth/status/0", view_func=issuer.status_list)
    app.add_url_rule("/fhir/Patient", view_func=feed.put_by_number, methods=["PUT"])
    app.add_url_rule("/fhir/Patient/<record_id>", view_func=feed.put_by_id, methods=["PUT"])
    app.add_url_rule("/fhir/Patient/<record_id>", view_func=feed.get, methods=["GET"], endpoint="get")
    app.register_error_handler(HTTPException, _refuse)
    return app


def _refuse(error: HTTPException) -> Response:
    return outcome(error.code or 500, "not-supported", "El kit atiende sólo el registro de pacientes y los tokens.")


class _Issuer:
    """Tokens for the candidate's own calls, and what a resource server asks about those it is shown."""

    def __init__(self, state: State) -> None:
        self._state = state

    def metadata(self) -> Response:
        """RFC 8414."""
        url = self._state.url
        return jsonify(
            issuer=url,
            token_endpoint=f"{url}/oauth/token",
            jwks_uri=f"{url}/oauth/jwks",
            introspection_endpoint=f"{url}/oauth/introspect",
            grant_types_supported=["client_credentials"],
            token_endpoint_auth_methods_supported=["private_key_jwt"],
            dpop_signing_alg_values_supported=["ES256", "PS256", "EdDSA"],
        )

    def jwks(self) -> Response:
        """RFC 7517 §5."""
        return jsonify(keys=[self._state.key.as_dict(private=False)])

    def token(self) -> Response:
        """RFC 6749 §4.4 with RFC 7523 and RFC 9449; a proof without the nonce is sent back for one (§8)."""
        try:
            thumbprint, claims = read_client_proof(
                request.headers.get("DPoP", ""), "POST", f"{self._state.url}/oauth/token", None
            )
        except Unsigned as fault:
            self._state.blame(f"prueba DPoP en /oauth/token: {fault}")
            return _error("invalid_dpop_proof")
        if claims.get("nonce") != NONCE:
            return _error("use_dpop_nonce")
        if not self._authenticated() or request.form.get("grant_type") != "client_credentials":
            return _error("invalid_client", HTTPStatus.UNAUTHORIZED)
        with self._state.lock:
            self._state.proved += 1
        answer = {"token_type": "DPoP", "expires_in": 300, "scope": request.form.get("scope", "")}
        return jsonify(answer | {"access_token": self._state.give_client_token(thumbprint)})

    def introspect(self) -> Response:
        """RFC 7662: to the candidate alone, about tokens that are for it alone."""
        if self._state.down:
            return _error("temporarily_unavailable", HTTPStatus.SERVICE_UNAVAILABLE)
        if not self._authenticated():
            return _error("invalid_client", HTTPStatus.UNAUTHORIZED)
        try:
            claims = jwt.decode(request.form.get("token", ""), self._state.key, ["ES256"]).claims
        except (JoseError, ValueError, TypeError, RecursionError):
            return jsonify(active=False)
        return jsonify(claims | {"active": True} if self._state.active(claims) else {"active": False})

    def status_list(self) -> Response:
        """IETF OAuth Token Status List, one bit a token."""
        if self._state.down:
            return _error("temporarily_unavailable", HTTPStatus.SERVICE_UNAVAILABLE)
        bits = bytearray(LIST_BYTES)
        for index in self._state.revoked_indices():
            bits[index // 8] |= 1 << index % 8
        packed = base64.urlsafe_b64encode(zlib.compress(bytes(bits), 9)).rstrip(b"=").decode()
        now = int(time.time())
        claims: dict[str, Any] = {"sub": f"{self._state.url}/oauth/status/0", "iss": self._state.url, "iat": now}
        claims |= {"exp": now + 2 * TTL, "ttl": TTL, "status_list": {"bits": 1, "lst": packed}}
        return Response(sign(self._state.key, claims, "statuslist+jwt"), mimetype="application/statuslist+jwt")

    def _authenticated(self) -> bool:
        fault = self._fault()
        if fault:
            self._state.blame(f"aserción en {request.path}: {fault}")
            return False
        with self._state.lock:
            self._state.authenticated += 1
        return True

    def _fault(self) -> str | None:
        """What is wrong with the client's authentication."""
        state, form = self._state, request.form
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            return "falta client_assertion_type"
        try:
            claims = read_assertion(form.get("client_assertion", ""), state.client_keys, state.client_id, state.url)
        except Unsigned as fault:
            return str(fault)
        return None if state.use_once(f"assertion {claims['jti']}") else "la misma aserción se usó dos veces"


def _error(code: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> Response:
    answer = jsonify(error=code)
    answer.status_code = status
    answer.headers["DPoP-Nonce"] = NONCE
    answer.headers["Cache-Control"] = "no-store"
    return answer
