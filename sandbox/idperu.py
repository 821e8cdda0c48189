"""ID Perú, the State's OpenID provider, in the shape of its version 2: pages in Spanish, no JavaScript."""

import hmac
import time
from base64 import b64decode
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import click
import httpx
from flask import Flask, Response, jsonify, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from joserfc.jwk import ECKey
from werkzeug.exceptions import HTTPException

from sandbox.citizens import Citizen, Citizens, Directory, Workers
from sandbox.files import read_json
from sandbox.openid import (
    Attempt,
    AuthenticationRequest,
    Party,
    ProtocolError,
    Provider,
    Session,
    check_return_address,
    only,
    read_request,
    usable,
)
from sandbox.serving import out_option, read_summary, serve
from sandbox.story import WORKERS

COOKIE = "idperu_session"
NAMES = {"idperu": "ID Perú", "staff": "Acceso del personal de salud"}
MAX_BODY = 16_384
MAX_FAILURES = 5
POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"


class IdPeru:
    """The provider's endpoints over its citizens."""

    def __init__(self, provider: Provider, citizens: Directory, cookie: str = COOKIE) -> None:
        self._provider, self._citizens, self._cookie = provider, citizens, cookie

    def metadata(self) -> ResponseReturnValue:
        """OpenID Connect Discovery §3."""
        issuer = self._provider.issuer
        return jsonify(
            issuer=issuer,
            authorization_endpoint=f"{issuer}/service/auth",
            token_endpoint=f"{issuer}/service/token",
            userinfo_endpoint=f"{issuer}/service/userinfo",
            jwks_uri=f"{issuer}/service/jwks",
            response_types_supported=["code"],
            grant_types_supported=["authorization_code"],
            subject_types_supported=["pairwise"],
            id_token_signing_alg_values_supported=["ES256"],
            token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
            code_challenge_methods_supported=["S256"],
            scopes_supported=["openid", "profile"],
            claims_supported=["sub", "doc", "first_name", "acr", "amr", "auth_time"],
            acr_values_supported=["0", "1", "2", "3"],
            prompt_values_supported=["none", "login", "consent"],
            authorization_response_iss_parameter_supported=True,
            backchannel_logout_supported=True,
            backchannel_logout_session_supported=True,
        )

    def jwks(self) -> ResponseReturnValue:
        """The public signing key."""
        return jsonify(keys=[ECKey.import_key(self._provider.signing_jwk).as_dict(private=False)])

    def authenticate(self) -> ResponseReturnValue:
        """Start a sign-in, or go straight back when the session is strong and fresh enough."""
        parameters = request.values
        return_address = check_return_address(parameters, self._provider.party)
        try:
            asked = read_request(parameters, return_address)
        except ProtocolError as error:
            return self._send_back_error(parameters.get("state", ""), return_address, error)
        session = usable(self._provider.sessions.find(request.cookies.get(self._cookie, "")), asked, time.time())
        if session:
            return redirect(self._provider.grant(asked, session), HTTPStatus.SEE_OTHER)
        if "none" in asked.prompt:
            return redirect(
                self._provider.answer(return_address, asked.state, error="login_required"), HTTPStatus.SEE_OTHER
            )
        hint = asked.login_hint if asked.login_hint.isdecimal() else ""
        return _page("login.html", transaction=self._provider.attempts.put(Attempt(asked)), dni=hint[:8])

    def login(self) -> ResponseReturnValue:
        """Check DNI and password; ask for the second factor where the request demands one."""
        transaction, attempt = self._attempt()
        dni, password = only(request.form, "dni"), only(request.form, "password")
        citizen = self._citizens.find(dni) if dni.isdecimal() else None
        expected = citizen.password if citizen else ""
        if not citizen or not expected or not hmac.compare_digest(password.encode(), expected.encode()):
            message = "El DNI o la contraseña no son correctos."
            return self._failed(transaction, attempt, "login.html", message=message, dni=dni[:8])
        attempt.citizen = citizen
        if attempt.request.acr < 2:
            return self._finish(transaction, attempt.request, citizen, 1)
        return _page("factor.html", transaction=transaction, citizen=citizen, acr=attempt.request.acr)

    def factor(self) -> ResponseReturnValue:
        """Check the code by SMS (acr 2) or the DNIe PIN (acr 3)."""
        transaction, attempt = self._attempt()
        citizen = attempt.citizen
        if citizen is None:
            raise ProtocolError("invalid_request", "Ingrese primero su DNI y contraseña", HTTPStatus.BAD_REQUEST)
        acr = attempt.request.acr
        expected = citizen.pin if acr == 3 else citizen.otp
        if not hmac.compare_digest(only(request.form, "code").encode(), expected.encode()):
            return self._failed(transaction, attempt, "factor.html", message="El código no es correcto.")
        return self._finish(transaction, attempt.request, citizen, acr)

    def token(self) -> ResponseReturnValue:
        """Redeem a code (§3.1.3), client authenticated by secret, in the header or in the form."""
        try:
            self._check_client()
            answer = jsonify(self._provider.redeem(request.form))
        except ProtocolError as error:
            answer = jsonify(error=error.code, error_description=error.description)
            answer.status_code = error.status
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def userinfo(self) -> ResponseReturnValue:
        """Claims about the token's owner (§5.3)."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        session = self._provider.tokens.find(token) if scheme.lower() == "bearer" else None
        if session is None:
            return jsonify(error="invalid_token"), 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        return jsonify(self._provider.claims(session))

    def logout(self) -> ResponseReturnValue:
        """End the session here, and tell the relying party behind the browser's back."""
        session = self._provider.sessions.take(request.cookies.get(self._cookie, ""))
        if session and self._provider.party.logout_uri:
            self._tell(self._provider.party.logout_uri, self._provider.logout_token(session))
        response = make_response(_page("closed.html"))
        response.delete_cookie(self._cookie, httponly=True, samesite="Lax")
        return response

    def _tell(self, address: str, token: str) -> None:
        try:
            httpx.post(address, data={"logout_token": token}, timeout=5)
        except httpx.HTTPError as error:
            click.echo(f"{address}: {error}", err=True)

    def _attempt(self) -> tuple[str, Attempt]:
        transaction = only(request.form, "transaction")
        attempt = self._provider.attempts.find(transaction)
        if attempt is None:
            raise ProtocolError("invalid_request", "Este ingreso venció. Vuelva a empezar desde la página anterior.")
        return transaction, attempt

    def _failed(self, transaction: str, attempt: Attempt, page: str, **shown: str) -> ResponseReturnValue:
        attempt.failures += 1
        if attempt.failures >= MAX_FAILURES:
            self._provider.attempts.take(transaction)
            raise ProtocolError("access_denied", "Demasiados intentos. Vuelva a empezar.", HTTPStatus.FORBIDDEN)
        context: dict[str, Any] = {"citizen": attempt.citizen, "acr": attempt.request.acr}
        return _page(page, HTTPStatus.UNAUTHORIZED, transaction=transaction, **context, **shown)

    def _finish(
        self, transaction: str, asked: AuthenticationRequest, citizen: Citizen, acr: int
    ) -> ResponseReturnValue:
        self._provider.attempts.take(transaction)
        session = Session(citizen, acr, int(time.time()))
        response = redirect(self._provider.grant(asked, session), HTTPStatus.SEE_OTHER)
        secure = self._provider.issuer.startswith("https:")
        key = self._provider.sessions.put(session)
        response.set_cookie(self._cookie, key, httponly=True, samesite="Lax", secure=secure, path="/service")
        return response

    def _check_client(self) -> None:
        party = self._provider.party
        identity = _basic_credentials() or (only(request.form, "client_id"), only(request.form, "client_secret"))
        given = ":".join(identity).encode()
        if not hmac.compare_digest(given, f"{party.client_id}:{party.client_secret}".encode()):
            raise ProtocolError("invalid_client", "La aplicación no se identificó", HTTPStatus.UNAUTHORIZED)

    def _send_back_error(self, state: str, address: str, error: ProtocolError) -> ResponseReturnValue:
        answer = self._provider.answer(address, state, error=error.code, error_description=error.description)
        return redirect(answer, HTTPStatus.SEE_OTHER)


def create_app(provider: Provider, citizens: Directory, realm: str = "idperu") -> Flask:
    """Return ID Perú, or the staff's provider, as an application; each has a cookie of its own."""
    app = Flask("sandbox", template_folder="templates", static_folder="static")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    views = IdPeru(provider, citizens, f"{realm}_session")
    app.jinja_env.globals["provider_name"] = NAMES[realm]
    app.add_url_rule("/.well-known/openid-configuration", view_func=views.metadata)
    app.add_url_rule("/service/auth", view_func=views.authenticate, methods=["GET", "POST"])
    app.add_url_rule("/service/login", view_func=views.login, methods=["POST"])
    app.add_url_rule("/service/factor", view_func=views.factor, methods=["POST"])
    app.add_url_rule("/service/token", view_func=views.token, methods=["POST"])
    app.add_url_rule("/service/userinfo", view_func=views.userinfo, methods=["GET", "POST"])
    app.add_url_rule("/service/jwks", view_func=views.jwks)
    app.add_url_rule("/service/logout", view_func=views.logout)
    app.register_error_handler(ProtocolError, _refuse)
    app.register_error_handler(HTTPException, _refuse_http)
    app.after_request(_protect)
    return app


def _basic_credentials() -> tuple[str, str] | None:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        raise ProtocolError("invalid_client", "La cabecera Authorization no es válida", 401) from None
    return unquote(client_id), unquote(secret)


def _page(name: str, status: int = HTTPStatus.OK, **context: Any) -> Response:
    return make_response(render_template(name, **context), status)


def _refuse(error: ProtocolError) -> Response:
    return _page("refused.html", error.status, message=error.description)


def _refuse_http(error: HTTPException) -> Response:
    return _page("refused.html", error.code or 500, message="La página no existe o la solicitud no es válida.")


def _protect(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.mimetype == "text/html":
        response.headers["Cache-Control"] = "no-store"
    return response


@click.command()
@click.argument("realm", type=click.Choice(sorted(NAMES)), default="idperu")
@out_option
def main(realm: str, out: Path) -> None:
    """Run ID Perú, or the provider where health staff signs in."""
    layout, summary = read_summary(out)
    keys, citizens = read_json(layout.keys), Citizens(layout.citizens)
    staff = realm == "staff"
    known = summary["staff_provider" if staff else "id_peru"]
    secret = keys["staff_secret" if staff else "portal_secret"]
    party = Party(known["client_id"], secret, tuple(known["redirect_uris"]), known.get("logout_uri", ""))
    workers = Workers(citizens, frozenset(w.person.document.number for w in WORKERS if w.person.document))
    provider = Provider(known["issuer"], party, keys[realm])
    serve(create_app(provider, workers if staff else citizens, realm), known["port"])


if __name__ == "__main__":
    main()
