"""`/api/v1/access-requests`: a professional asks through the record system they work with."""

from typing import Any
from uuid import UUID

from flask.views import MethodView
from flask_smorest import Blueprint

from consent_broker.consents.access_requests import Asking, current_status, get_access_request, request_access
from consent_broker.consents.models import AccessRequest
from consent_broker.consents.schemas import AccessRequestSchema, NewAccessRequestSchema
from registry.access import caller, require_scope
from registry.api import StrictParser
from registry.database import now, session
from registry.directory.service import get_professional_by_registration

SCOPE = "access-request"


blueprint = Blueprint("access-requests", __name__, description="A professional asks a patient for access")
blueprint.ARGUMENTS_PARSER = StrictParser()


def _shown(request: AccessRequest) -> dict[str, Any]:
    names = ("id", "person_id", "purpose", "categories", "labels", "ends_at", "created_at", "decided_at")
    return {name: getattr(request, name) for name in names} | {"status": current_status(request, now())}


@blueprint.route("/api/v1/access-requests")
class AccessRequests(MethodView):
    """Requests of the caller's establishment."""

    @blueprint.arguments(NewAccessRequestSchema)  # type: ignore[untyped-decorator]  # no types shipped
    @blueprint.response(201, AccessRequestSchema)  # type: ignore[untyped-decorator]
    @blueprint.alt_response(200, schema=AccessRequestSchema)  # type: ignore[untyped-decorator]
    def post(self, wanted: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Ask a patient for access; the `id` is the `launch` of the authorization request.

        The same request while it waits for its answer: 200 and the one there is.
        """
        require_scope(caller(), SCOPE)
        professional = get_professional_by_registration(session(), **wanted["professional"])
        asking = Asking(
            establishment_id=caller().establishment_id,
            professional_id=professional.id,
            person_id=wanted["person"],
            purpose=wanted["purpose"],
            categories=frozenset(wanted["categories"]),
            labels=frozenset(wanted["labels"]),
            ends_at=wanted["until"],
            client_id=caller().client_id,
        )
        asked = request_access(session(), asking)
        return _shown(asked.request), 201 if asked.made else 200


@blueprint.route("/api/v1/access-requests/<uuid:request_id>")
class AccessRequestItem(MethodView):
    """One request of the caller's establishment."""

    @blueprint.response(200, AccessRequestSchema)  # type: ignore[untyped-decorator]
    def get(self, request_id: UUID) -> dict[str, Any]:
        """How a request stands; another establishment's looks like an unknown one."""
        require_scope(caller(), SCOPE)
        return _shown(get_access_request(session(), request_id, caller().establishment_id))
