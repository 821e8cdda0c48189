"""`/api/v1/access-requests/{id}/…`, `/api/v1/attendances`: a record system with a patient in front of it."""

from typing import Any
from uuid import UUID

from flask.views import MethodView
from flask_smorest import Blueprint

from consent_broker.consents.access_requests import get_access_request
from consent_broker.consents.routes import SCOPE
from consent_broker.consents.service import ConsentState, get_consent
from consent_broker.desk.attendance import Stating, end_attendance, state_attendance
from consent_broker.desk.models import Attendance
from consent_broker.desk.schemas import (
    AttendanceSchema,
    GrantedSchema,
    NewAttendanceSchema,
    ReadCodeSchema,
    SentCodeSchema,
)
from consent_broker.desk.sms_codes import SentCode, answer_code, send_code
from registry.access import caller, require_scope
from registry.api import StrictParser
from registry.app import parts
from registry.database import session
from registry.directory.service import get_professional_by_registration
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


@blueprint.route("/api/v1/attendances")
class Attendances(MethodView):
    """Patients who are being attended now."""

    @blueprint.arguments(NewAttendanceSchema)  # type: ignore[untyped-decorator]
    @blueprint.response(201, AttendanceSchema)  # type: ignore[untyped-decorator]
    @blueprint.alt_response(200, schema=AttendanceSchema)  # type: ignore[untyped-decorator]
    def post(self, wanted: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """State that a patient is attended here now; where they permitted it before, a consent of hours comes of it.

        403 `no-standing-permission` otherwise. Its token comes by exchange (RFC 8693).
        """
        require_scope(caller(), SCOPE)
        professional = get_professional_by_registration(session(), **wanted["professional"])
        stating = Stating(
            client_id=caller().client_id,
            establishment_id=caller().establishment_id,
            professional_id=professional.id,
            person_id=wanted["person"],
            encounter=wanted["encounter"],
            identified_by=wanted["identified_by"],
            categories=frozenset(wanted["categories"]),
            hours=wanted["hours"],
        )
        stated = state_attendance(session(), parts().sealer, parts().settings, stating)
        return _attendance(stated.attendance), 201 if stated.made else 200


@blueprint.route("/api/v1/attendances/<uuid:attendance_id>")
class AttendanceItem(MethodView):
    """One attendance of the caller."""

    @blueprint.response(204)  # type: ignore[untyped-decorator]
    def delete(self, attendance_id: UUID) -> None:
        """The attendance is over; what it permitted ends at once."""
        require_scope(caller(), SCOPE)
        end_attendance(session(), attendance_id, caller().client_id)


def _attendance(row: Attendance) -> dict[str, Any]:
    terms = get_consent(session(), row.consent_id).terms
    return {
        "id": row.id,
        "consent": row.consent_id,
        "categories": sorted(terms.categories or ()),
        "until": row.ends_at,
    }
