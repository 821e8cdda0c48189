"""The person's view of emergencies: who entered, "I don't recognise this", and whether they are permitted at all."""

from uuid import UUID

from flask import Blueprint, Response, redirect
from werkzeug.wrappers import Response as Answer

from consent_broker.consents.directives import Kind, Terms
from consent_broker.consents.service import ConsentState, list_consents, record_objection, revoke_consent
from consent_broker.emergency.cases import get_case, list_cases_about
from consent_broker.emergency.service import dispute
from consent_broker.emergency.vocabulary import PURPOSE
from portal import layout
from portal.emergency_cases import cases
from portal.guard import require_fresh
from portal.hats import DECISION_ACR
from portal.patient import me, policy
from portal.people import person_and_replaced
from portal.permissions import evidence
from portal.wording import EMERGENCY_REFUSAL
from registry.app import parts
from registry.database import now, session
from registry.errors import NotFound

my_emergencies = Blueprint("portal-my-emergencies", __name__, url_prefix="/mi-historia/emergencias")
HOME = "/mi-historia/emergencias"
__all__ = ["my_emergencies", "policy"]


@my_emergencies.get("")
def show() -> Response:
    """Every case, newest first, and the person's own choice."""
    found = cases(session(), parts().sealer, list_cases_about(session(), me()))
    return layout.page("my_emergencies.html", cases=found, refused=bool(_refusals()))


@my_emergencies.post("/<uuid:emergency_id>/desconocer")
def disown(emergency_id: UUID) -> Answer:
    """Say that an access is not recognised: it ends at once and is reviewed first."""
    case = get_case(session(), emergency_id)
    if case.person_id not in person_and_replaced(session(), me()) or case.declared_at is None:
        raise NotFound("There is no such emergency access.")
    dispute(session(), case)
    return redirect(HOME, 303)


@my_emergencies.post("/no-permitir")
def refuse() -> Answer:
    """Object to emergency access as such, until taken back."""
    require_fresh(DECISION_ACR, came_from=HOME)
    if not _refusals():
        terms = Terms(
            person_id=me(),
            establishment_id=None,
            categories=None,
            purposes=frozenset({PURPOSE}),
            ends_at=None,
            kind=Kind.OBJECTION,
        )
        record_objection(session(), terms, evidence(EMERGENCY_REFUSAL))
    return redirect(HOME, 303)


@my_emergencies.post("/permitir")
def permit() -> Answer:
    """Take the objection back."""
    require_fresh(DECISION_ACR, came_from=HOME)
    for state in _refusals():
        proof = evidence(f"Volver a permitir: {EMERGENCY_REFUSAL}", state.terms.person_id)
        revoke_consent(session(), state.id, proof)
    return redirect(HOME, 303)


def _refusals() -> list[ConsentState]:
    moment = now()
    return [
        state
        for state in list_consents(session(), person_and_replaced(session(), me()))
        if state.terms.kind is Kind.OBJECTION
        and state.terms.purposes == frozenset({PURPOSE})
        and state.in_force(moment)
    ]
