"""The patient decides: answers requests, reads permissions in force and ended, withdraws one and takes it back."""

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from consent_broker.consents.access_requests import current_status, deny_request, find_request_for, grant_request
from consent_broker.consents.directives import Kind
from consent_broker.consents.evidence import Evidence, Proof, RepresentativeEvidence
from consent_broker.consents.regrouping import is_suspended
from consent_broker.consents.service import (
    ConsentState,
    Terms,
    get_consent,
    grant_consent,
    list_consents,
    propose_consent,
    revoke_consent,
)
from consent_broker.consents.vocabulary import Status
from portal import layout, present, texts
from portal.acting import withheld_from
from portal.errors import AlreadyDecided
from portal.foreseen import foreseen_lines
from portal.guard import require_fresh, signed_in
from portal.hats import DECISION_ACR
from portal.narrowing import Choice, Typed, ends, narrowed, read_choice, typed_in
from portal.patient import me, policy
from portal.people import person_and_replaced
from portal.views import ConsentQuestion, Permission
from portal.wording import consent_text, revocation_text
from registry.app import parts
from registry.audit.service import Selection, last_under
from registry.database import now, session
from registry.errors import NotFound

permissions = Blueprint("portal-permissions", __name__, url_prefix="/mi-historia")
__all__ = ["permissions", "policy"]
CURRENT = frozenset({"active", "suspended"})
"""States of a permission that the person may withdraw."""


@permissions.get("/permisos")
def list_permissions() -> Response:
    """Permissions in force, and those that ended or rest because the person that gave them was merged into me."""
    withheld = withheld_from(session(), signed_in().acting)
    held = [state for state in list_consents(session(), _my_ids()) if state.status is not Status.PROPOSED]
    states = [state for state in held if state.terms.kind is Kind.PERMISSION and withheld.shows(state)]
    resting = {state.id for state in states if is_suspended(state, me())}
    shown = [
        replace(one, state="suspended") if one.state == "active" and one.id in resting else one
        for one in present.permissions(session(), parts().sealer, states)
    ]
    current = [permission for permission in shown if permission.state in CURRENT]
    readings = Selection(person_ids=_my_ids(), actions=(*texts.READINGS,))
    read_at = last_under(session(), readings, [one.id for one in current])
    current = [replace(one, last_read_at=read_at.get(one.id)) for one in current]
    return layout.page("permissions.html", current=current, past=[one for one in shown if one.state not in CURRENT])


@permissions.get("/permisos/<uuid:consent_id>")
def receipt(consent_id: UUID) -> Response:
    """One permission as a receipt; a withdrawn one can be taken back until its end."""
    state = _mine(consent_id)
    return layout.page("receipt.html", permission=_shown(state), can_undo=_restorable(state))


@permissions.post("/permisos/<uuid:consent_id>/retirar")
def withdraw(consent_id: UUID) -> Answer:
    """Withdraw at once, without a page of doubt; the receipt offers to undo (Ley 29733 art. 13)."""
    require_fresh(DECISION_ACR, came_from="/mi-historia/permisos")
    state = _mine(consent_id)
    permission = _shown(state)
    if permission.state != "active":
        raise AlreadyDecided("Este permiso ya había terminado.")
    revoke_consent(session(), consent_id, evidence(revocation_text(permission), state.terms.person_id))
    return redirect(f"/mi-historia/permisos/{consent_id}", 303)


@permissions.post("/permisos/<uuid:consent_id>/reponer")
def take_back(consent_id: UUID) -> Answer:
    """Permit again what was withdrawn, on the same terms and to the same end, as a new consent."""
    require_fresh(DECISION_ACR, came_from=f"/mi-historia/permisos/{consent_id}")
    state = _mine(consent_id)
    if not _restorable(state):
        raise AlreadyDecided("Este permiso ya no se puede reponer.")
    proof = evidence(f"Volver a permitir: {revocation_text(_shown(state))}")
    again = propose_consent(session(), replace(state.terms, person_id=me()), proof.as_record())
    grant_consent(session(), again, proof)
    return redirect(f"/mi-historia/permisos/{again}", 303)


@permissions.get("/pedidos/<uuid:request_id>")
def question(request_id: UUID) -> Response:
    """A professional's request: who, what, until when, what for."""
    require_fresh(DECISION_ACR, came_from=request.path)
    return question_page(_question(request_id))


@permissions.post("/pedidos/<uuid:request_id>")
def answer(request_id: UUID) -> Answer:
    """Grant all or a part, or deny; the page that follows says how to withdraw."""
    require_fresh(DECISION_ACR, came_from=request.path)
    asked = _question(request_id)
    choice = choice_of(asked)
    if choice.problems:
        return question_page(asked, choice.problems)
    if choice.narrowing is None:
        deny_request(session(), request_id, evidence(consent_text(asked)))
        return redirect("/mi-historia", 303)
    proof = evidence(consent_text(narrowed(asked, choice.narrowing)))
    _, state = grant_request(session(), request_id, proof, choice.narrowing)
    return redirect(f"/mi-historia/permisos/{state.id}", 303)


def question_page(asked: ConsentQuestion, problems: Mapping[str, str] | None = None) -> Response:
    """The consent page; with all that was filled in, and what is missing or wrong, when a part was chosen badly."""
    return layout.page(
        "consent.html",
        422 if problems else 200,
        question=asked,
        ends=ends(asked.until, now()),
        problems=problems or {},
        typed=typed_in(request.form) if problems else Typed(),
    )


def with_limits(asked: ConsentQuestion, terms: Terms) -> ConsentQuestion:
    """The question with what a permission on those terms would leave unread, and the limits it would prevail over."""
    confidential = withheld_from(session(), signed_in().acting).consents
    said = foreseen_lines(session(), parts().sealer, terms, confidential)
    return replace(asked, withheld=said.withheld, outranked=said.outranked)


def choice_of(asked: ConsentQuestion) -> Choice:
    """What this form decides about a question; raises BadForm when nothing."""
    return read_choice(request.form, asked, now())


def evidence(text: str, acting_as: UUID | None = None) -> Proof:
    """What is kept of the act: who, how surely known, a hash of the words they saw, and by which representation if any.

    `acting_as` is an id the person went by when the consent was given, before a merge replaced it.
    """
    who = signed_in()
    if who.acting is None:
        return Evidence(
            actor_person_id=acting_as or me(),
            acr=who.acr,
            auth_time=who.auth_time,
            channel="portal",
            text=text,
            subject_token=who.subject,
            session_id=who.session_id,
        )
    return RepresentativeEvidence(
        mandate=replace(who.acting.mandate, person_id=acting_as or me()),
        actor_person_id=who.person_id,
        acr=who.acr,
        auth_time=who.auth_time,
        channel="portal",
        text=f"En nombre de {who.acting.name}. {text}",
        subject_token=who.subject,
        session_id=who.session_id,
    )


def _question(request_id: UUID) -> ConsentQuestion:
    asked = find_request_for(session(), request_id, me())
    if asked.consent_id in withheld_from(session(), signed_in().acting).consents:
        raise NotFound("There is no such access request.")
    if current_status(asked, now()) != "pending":
        raise AlreadyDecided("Este pedido ya fue respondido o venció.")
    question = present.question(session(), parts().sealer, asked, f"/mi-historia/pedidos/{request_id}")
    return with_limits(question, get_consent(session(), asked.consent_id).terms)


def _mine(consent_id: UUID) -> ConsentState:
    state = get_consent(session(), consent_id)
    shown = withheld_from(session(), signed_in().acting).shows(state)
    if state.terms.person_id not in _my_ids() or not shown:
        raise NotFound("There is no such consent.")
    return state


def _my_ids() -> list[UUID]:
    return person_and_replaced(session(), me())


def _shown(state: ConsentState) -> Permission:
    return present.permissions(session(), parts().sealer, [state])[0]


def _restorable(state: ConsentState) -> bool:
    ends_at = state.terms.ends_at
    return state.status is Status.REVOKED and (ends_at is None or ends_at > now())
