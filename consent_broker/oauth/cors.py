"""Cross-origin reads (SMART App Launch 2.2 §2.0.8): documents for everyone, tokens and records for an app's pages.

The authorization endpoint is never among them (FAPI 2.0 §5.3.2.2): a browser goes there, no script reads it.
"""

from flask import Blueprint, Response, request

from consent_broker.oauth.clients import Client, is_app_origin
from consent_broker.oauth.profiles import TOKEN_PATH
from registry.database import now, session

_PERMITTED = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type",
    "Access-Control-Max-Age": "600",
}
blueprint = Blueprint("cross-origin", __name__)


@blueprint.route(TOKEN_PATH, methods=["OPTIONS"], provide_automatic_options=False)
@blueprint.route(
    "/exchange/fhir/<path:_rest>", methods=["OPTIONS"], endpoint="exchange", provide_automatic_options=False
)
def preflight(_rest: str = "") -> Response:
    """Whether pages of this origin may call; a preflight names no client, so it may be any app's."""
    response = Response(status=204)
    origin = request.headers.get("Origin", "")
    response.vary.add("Origin")
    if is_app_origin(session(), origin, now()):
        response.headers.update(_PERMITTED)
        response.access_control_allow_origin = origin
    return response


def readable_by_anyone(response: Response) -> Response:
    """A public document."""
    response.access_control_allow_origin = "*"
    return response


def readable_by_app(response: Response, client: Client | None) -> Response:
    """An answer to an app, for its own pages only; a record system is no web page and is shown to none."""
    origin = request.headers.get("Origin")
    if origin is not None:
        response.vary.add("Origin")
        if client is not None and client.may_call_from(origin):
            response.access_control_allow_origin = origin
    return response
