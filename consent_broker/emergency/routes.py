"""`/api/v1/emergency-accesses`: a record system asks; the professional declares in the portal, and nowhere else."""

from typing import Any
from uuid import UUID

from flask.views import MethodView
from flask_smorest import Blueprint

from consent_broker.broker import current_broker
from consent_broker.emergency.cases import get_case, is_open
from consent_broker.emergency.models import EmergencyAccess
from consent_broker.emergency.schemas import EmergencySchema, NewEmergencySchema
from consent_broker.emergency.service import Asking, ask_emergency
from registry.access import caller, require_scope
from registry.api import StrictParser
from registry.database import now, session
from registry.directory.service import get_professional_by_registration

SCOPE = "emergency"
DECLARE_AT = "/profesional/emergencia"

blueprint = Blueprint("emergency-accesses", __name__, description="Emergency access to basic information")
blueprint.ARGUMENTS_PARSER = StrictParser()


def _shown(case: EmergencyAccess) -> dict[str, Any]:
    names = ("id", "person_id", "declare_until", "ends_at")
    address = f"{current_broker().issuer}{DECLARE_AT}/{case.id}"
    return {name: getattr(case, name) for name in names} | {"status": status_of(case), "declare_at": address}


def status_of(case: EmergencyAccess) -> str:
    """asked, open, ended, or lapsed (never declared in time)."""
    if case.declared_at is None:
        return "asked" if now() < case.declare_until else "lapsed"
    return "open" if is_open(case, now()) else "ended"


@blueprint.route("/api/v1/emergency-accesses")
class EmergencyAccesses(MethodView):
    """Cases of the caller's establishment."""

    @blueprint.arguments(NewEmergencySchema)  # type: ignore[untyped-decorator]  # no types shipped
    @blueprint.response(201, EmergencySchema)  # type: ignore[untyped-decorator]
    def post(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Begin a case: send the professional's browser to `declare_at`, then ask for a token with its `id`."""
        require_scope(caller(), SCOPE)
        professional = get_professional_by_registration(session(), **wanted["professional"])
        asking = Asking(
            person_id=wanted["person"],
            establishment_id=caller().establishment_id,
            professional_id=professional.id,
            client_id=caller().client_id,
        )
        return _shown(ask_emergency(session(), asking))


@blueprint.route("/api/v1/emergency-accesses/<uuid:emergency_id>")
class EmergencyAccessItem(MethodView):
    """One case of the caller's establishment."""

    @blueprint.response(200, EmergencySchema)  # type: ignore[untyped-decorator]
    def get(self, emergency_id: UUID) -> dict[str, Any]:
        """How a case stands; another establishment's looks like an unknown one."""
        require_scope(caller(), SCOPE)
        return _shown(get_case(session(), emergency_id, establishment_id=caller().establishment_id))
