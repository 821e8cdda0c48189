"""Emergency access: the professional declares, reads the basic information while it lasts, and ends it."""

from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from consent_broker.consents.vocabulary import BASIC
from consent_broker.emergency.cases import find_open, get_case
from consent_broker.emergency.models import EmergencyAccess
from consent_broker.emergency.routes import DECLARE_AT, status_of
from consent_broker.emergency.service import Asking, Declared, ask_emergency, declare_emergency, end_emergency
from consent_broker.emergency.vocabulary import ACR, FRESH, PURPOSE, REASONS, TEXT_LENGTHS
from consent_broker.oauth.holder_tokens import Access
from portal import layout, people, present
from portal.arriving import records_page
from portal.errors import BadForm
from portal.guard import require_fresh, signed_in
from portal.practice import me, my_workplaces, policy
from portal.wording import EMERGENCY_DECLARATION
from registry.app import parts
from registry.database import session
from registry.errors import NotFound, Unprocessable

emergency = Blueprint("portal-emergency", __name__, url_prefix=DECLARE_AT)
__all__ = ["emergency", "policy"]


@emergency.post("")
def begin() -> Answer:
    """Begin a case about the person whose page is open, or go on with the one that is open."""
    person_id = _uuid(request.form.get("persona", ""))
    places = {place.id for place in my_workplaces()}
    establishment_id = _uuid(request.form.get("establecimiento", ""))
    if person_id is None or establishment_id not in places or establishment_id is None:
        raise BadForm("Elija desde qué establecimiento.")
    person_id = people.current_id(session(), person_id)
    case = find_open(session(), me(), person_id) or ask_emergency(
        session(), Asking(person_id=person_id, establishment_id=establishment_id, professional_id=me())
    )
    return redirect(f"{DECLARE_AT}/{case.id}", 303)


@emergency.get("/<uuid:emergency_id>")
def show(emergency_id: UUID) -> Response:
    """The declaration while it is asked for, the records while it is open, and a plain word afterwards."""
    case = _mine(emergency_id)
    status = status_of(case)
    if status == "asked":
        require_fresh(ACR, came_from=request.path, within=FRESH)
        return _form(case)
    if status == "open" and find_open(session(), me(), case.person_id):
        return _records(case)
    return layout.page("emergency_over.html", banner=_banner(case), case=case)


@emergency.post("/<uuid:emergency_id>")
def declare(emergency_id: UUID) -> Answer:
    """Declare: the records open at once, the person and the privacy officer are told."""
    require_fresh(ACR, came_from=request.path, within=FRESH)
    case = _mine(emergency_id)
    problems = _problems()
    if problems:
        return _form(case, problems, 422)
    who = signed_in()
    declared = Declared(
        reason=request.form["motivo"],
        text=request.form["texto"],
        wording=EMERGENCY_DECLARATION,
        acr=who.acr,
        auth_time=who.auth_time,
        session_id=who.session_id,
    )
    try:
        declare_emergency(session(), parts().sealer, parts().settings, case, declared)
    except Unprocessable as error:
        return _form(case, {"texto": error.message}, 422)
    return redirect(f"{DECLARE_AT}/{case.id}", 303)


@emergency.post("/<uuid:emergency_id>/terminar")
def end(emergency_id: UUID) -> Answer:
    """End it before its time."""
    end_emergency(session(), _mine(emergency_id), "ended-by-professional")
    return redirect(f"{DECLARE_AT}/{emergency_id}", 303)


def _mine(emergency_id: UUID) -> EmergencyAccess:
    case = get_case(session(), emergency_id)
    if case.professional_id != me():
        raise NotFound("There is no such emergency access.")
    return case


def _banner(case: EmergencyAccess) -> object:
    return people.banner(session(), parts(), case.person_id)


def _problems() -> dict[str, str]:
    least, most = TEXT_LENGTHS
    found = {}
    if request.form.get("motivo") not in REASONS:
        found["motivo"] = "Elija el motivo de la emergencia."
    if not least <= len(request.form.get("texto", "").strip()) <= most:
        found["texto"] = f"Cuente qué pasa, entre {least} y {most} letras."
    if request.form.get("declaro") != "si":
        found["declaro"] = "Marque la declaración para continuar."
    return found


def _form(case: EmergencyAccess, problems: dict[str, str] | None = None, status: int = 200) -> Response:
    return layout.page(
        "emergency_declare.html",
        status,
        banner=_banner(case),
        case=case,
        reasons=REASONS,
        most=TEXT_LENGTHS[1],
        typed=request.form if problems else {},
        problems=problems or {},
        declaration=EMERGENCY_DECLARATION,
        minutes=parts().settings.emergency_minutes,
    )


def _records(case: EmergencyAccess) -> Response:
    access = Access(
        establishment_id=case.establishment_id, professional_id=me(), person_id=case.person_id, purpose=PURPOSE
    )
    return records_page("emergency_open.html", access, present.in_order(BASIC), banner=_banner(case), case=case)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
