"""`/api/v1/access-requests/{id}/…`: the roads a record system takes with a patient in front of it."""

from uuid import UUID

from flask.views import MethodView
from flask_smorest import Blueprint

from consent_broker.consents.access_requests import get_access_request
from consent_broker.consents.routes import SCOPE
from consent_broker.consents.service import ConsentState
from consent_broker.desk.schemas import GrantedSchema, ReadCodeSchema, SentCodeSchema
from consent_broker.desk.sms_codes import SentCode, answer_code, send_code
from registry.access import caller, require_scope
from registry.api import StrictParser
from registry.app import parts
from registry.database import session
from registry.errors import NotFound, Unavailable

blueprint = Blueprint("desk", __name__, description="A patient answers at an establishment")
blueprint.ARGUMENTS_PARSER = StrictParser()


@blueprint.route("/api/v1/access-requests/<uuid:request_id>/sms-code")
class SmsCodes(MethodView):
    """A code by SMS, for people with a simple telephone."""

    @blueprint.response(202, SentCodeSchema)  # type: ignore[untyped-decorator]  # no types shipped
    def post(self, request_id: UUID) -> SentCode:
        """Send the patient a code that says who asks for what; they read it out if they permit it."""
        _require_own(request_id)
        if parts().settings.sms_url is None:
            raise Unavailable("No SMS gateway is configured.", code="no-gateway", hint="Use another road.")
        return send_code(session(), parts().sealer, request_id)


@blueprint.route("/api/v1/access-requests/<uuid:request_id>/sms-code/answer")
class SmsCodeAnswers(MethodView):
    """The code, read out."""

    @blueprint.arguments(ReadCodeSchema)  # type: ignore[untyped-decorator]
    @blueprint.response(200, GrantedSchema)  # type: ignore[untyped-decorator]
    def post(self, read: dict[str, str], request_id: UUID) -> ConsentState:
        """The patient's answer: granted, for a week at most. 422 `wrong-code`, three times, then send another."""
        _require_own(request_id)
        return answer_code(session(), parts().sealer, request_id, read["code"])


def _require_own(request_id: UUID) -> None:
    """The caller's own request; another client's looks like an unknown one."""
    require_scope(caller(), SCOPE)
    if get_access_request(session(), request_id, caller().establishment_id).client_id != caller().client_id:
        raise NotFound("There is no such access request.", code="unknown-access-request")
