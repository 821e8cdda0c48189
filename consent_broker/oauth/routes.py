"""The addresses of the authorization server: thin, each one reads strictly and hands over."""

from authlib.oauth2.rfc6749.errors import InvalidRequestError, OAuth2Error
from flask import Blueprint, Response, jsonify, request

from consent_broker.broker import current_broker
from consent_broker.oauth.cors import readable_by_anyone, readable_by_app
from consent_broker.oauth.profiles import TOKEN_PATH
from consent_broker.oauth.rfc6749_authorize import UnsafeAuthorization, authorize
from consent_broker.oauth.rfc6749_parameters import read_authorization_parameters
from consent_broker.oauth.rfc6749_server import Server
from consent_broker.oauth.rfc7009_revocation import revoke
from consent_broker.oauth.rfc7517_keys import JWKS_MAX_AGE
from consent_broker.oauth.rfc7662_introspection import introspect
from consent_broker.oauth.rfc8414_metadata import metadata, smart_configuration
from consent_broker.oauth.rfc8628_device import authorize_device
from consent_broker.oauth.rfc9126_par import PATH as PAR_PATH
from consent_broker.oauth.rfc9126_par import push
from consent_broker.oauth.token_status_list import TTL, TYPE, status_list_token
from registry.app import parts
from registry.database import commit_each, session

blueprint = Blueprint("oauth", __name__)
authorization = Blueprint("authorization", __name__)
"""Apart, because its errors are read by a person in a browser."""


def _server() -> Server:
    return Server(current_broker(), session())


@blueprint.post(TOKEN_PATH, provide_automatic_options=False)
def token() -> Response:
    """RFC 6749 §3.2."""
    server = _server()
    response = server.token(request)
    return readable_by_app(response, server.requester.client if server.requester else None)


@authorization.route("/oauth/authorize", methods=["GET", "POST"])
def start_authorization() -> Response:
    """RFC 6749 §3.1."""
    try:
        parameters = read_authorization_parameters(request)
    except InvalidRequestError as error:
        raise UnsafeAuthorization(str(error.description)) from None
    return authorize(session(), current_broker(), parameters)


@blueprint.post(PAR_PATH, provide_automatic_options=False)
def pushed_authorization_request() -> Response:
    """RFC 9126 §2."""
    server = _server()
    try:
        requester, form = server.authenticated(request)
        reference = push(session(), current_broker(), requester, form)
    except OAuth2Error as error:
        return server.error(error)
    return server.handle_response(201, reference, [("Cache-Control", "no-store")])


@blueprint.post("/oauth/introspect")
def introspection() -> Response:
    """RFC 7662 §2."""
    commit_each(session())
    server = Server(current_broker(), session(), only_looks=True)
    try:
        requester, form = server.authenticated(request)
    except OAuth2Error as error:
        return server.error(error)
    if "token" not in form:
        return server.error(InvalidRequestError("Missing 'token' in request."))
    return jsonify(introspect(session(), current_broker(), requester.client, form["token"]))


@blueprint.post("/oauth/revoke")
def revocation() -> Response:
    """RFC 7009 §2."""
    server = _server()
    try:
        requester, form = server.authenticated(request)
    except OAuth2Error as error:
        return server.error(error)
    if "token" not in form:
        return server.error(InvalidRequestError("Missing 'token' in request."))
    revoke(session(), current_broker(), requester.client, form["token"])
    return jsonify({})


@blueprint.post("/oauth/device_authorization")
def device_authorization() -> Response:
    """RFC 8628 §3.1."""
    server = _server()
    try:
        requester, form = server.authenticated(request)
        return jsonify(authorize_device(session(), current_broker(), parts().sealer, requester, form))
    except OAuth2Error as error:
        return server.error(error)


@blueprint.get("/oauth/jwks")
def jwks() -> Response:
    """RFC 7517 §5."""
    return _cacheable(jsonify(current_broker().keys.public_jwks()))


@blueprint.get("/oauth/status/<int:number>")
def status_list(number: int) -> Response:
    """OAuth Token Status List §8.1."""
    response = Response(status_list_token(session(), current_broker(), number), mimetype=f"application/{TYPE}")
    response.headers["Cache-Control"] = f"public, max-age={TTL}"
    return response


@blueprint.get("/.well-known/oauth-authorization-server")
@blueprint.get("/.well-known/openid-configuration", endpoint="openid_configuration")
def authorization_server_metadata() -> Response:
    """RFC 8414 §3, and the same where OAuth clients of OpenID descent look (§5): there is no OpenID Provider here."""
    return _cacheable(jsonify(metadata(current_broker())))


@blueprint.get("/fhir/.well-known/smart-configuration")
@blueprint.get("/exchange/fhir/.well-known/smart-configuration", endpoint="exchange_smart_configuration")
def fhir_smart_configuration() -> Response:
    """SMART App Launch 2.2 §9."""
    return _cacheable(jsonify(smart_configuration(current_broker())))


def _cacheable(response: Response) -> Response:
    response.headers["Cache-Control"] = f"public, max-age={JWKS_MAX_AGE}"
    return readable_by_anyone(response)
