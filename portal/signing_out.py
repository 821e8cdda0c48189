"""`/ingresar/salida`: where identity providers tell that they have signed somebody out."""

from flask import Blueprint, Response, jsonify, request

from portal.back_channel import LogoutRefused, read_logout_token, sign_out
from portal.errors import SignInUnavailable
from portal.public import provider_of
from registry.app import parts
from registry.database import session
from registry.telemetry import logger

signing_out = Blueprint("portal-signing-out", __name__, url_prefix="/ingresar/salida")
_log = logger(__name__)


@signing_out.post("")
def by_citizens_provider() -> Response:
    """ID Perú signed somebody out."""
    return _take(staff=False)


@signing_out.post("/personal")
def by_staffs_provider() -> Response:
    """The staff's provider signed somebody out."""
    return _take(staff=True)


def _take(*, staff: bool) -> Response:
    """200 once what the token says is done, 400 for any other token, 503 where the provider's keys can't be had."""
    tokens = request.form.getlist("logout_token")
    if len(tokens) != 1 or request.query_string:
        return _answer(400, "invalid_request")
    try:
        sign_out(session(), parts().sealer, read_logout_token(provider_of(staff=staff), tokens[0]))
    except LogoutRefused as error:
        _log.warning("logout-token-refused", staff=staff, reason=str(error))
        return _answer(400, "invalid_request")
    except SignInUnavailable:
        return _answer(503, "temporarily_unavailable")
    return _answer(200)


def _answer(status: int, error: str | None = None) -> Response:
    """As §2.8 has it, never to be kept."""
    response = jsonify(error=error) if error else Response()
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
