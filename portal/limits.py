"""Limits: what a person objects to, by whom, what, from where and when; what it would change; and hidden links."""

from dataclasses import replace
from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from consent_broker.consents.deciding import find_directives
from consent_broker.consents.directives import Kind, Terms
from consent_broker.consents.preview import preview
from consent_broker.consents.service import ConsentState, list_consents, record_objection, revoke_consent
from consent_broker.consents.vocabulary import BREAK_THE_GLASS, Status
from portal import layout, limit_texts
from portal.acting import withheld_from
from portal.errors import AlreadyDecided
from portal.guard import require_fresh, signed_in
from portal.hats import DECISION_ACR
from portal.limit_forms import ANYONE, LEVELS, LimitForm, as_form, everything, read_limit
from portal.limit_offers import offer_for
from portal.patient import me, policy
from portal.people import person_and_replaced
from portal.permissions import evidence
from registry.app import parts
from registry.database import now, session
from registry.errors import NotFound

limits = Blueprint("portal-limits", __name__, url_prefix="/mi-historia/limites")
__all__ = ["limits", "policy"]
HOME = "/mi-historia/limites"
EVERYTHING = LimitForm(typed={"quien": ANYONE})


@limits.get("")
def list_limits() -> Response:
    """The limits in force and those taken back."""
    shown = limit_texts.limits(session(), parts().sealer, _states())
    return layout.page(
        "limits.html",
        current=[one for one in shown if one.state == "active"],
        past=[one for one in shown if one.state != "active"],
    )


@limits.get("/nuevo")
def new_limit() -> Response:
    """An empty form; nothing is ticked beforehand."""
    return _form_page(LimitForm(typed={}), f"{HOME}/nuevo")


@limits.get("/todo")
def object_to_all() -> Response:
    """What objecting to everything would change."""
    form = replace(EVERYTHING, terms=everything(me()))
    return _preview_page(form, f"{HOME}/nuevo")


@limits.post("/nuevo")
def make_limit() -> Answer:
    """Show what the limit would change; put it when that was seen."""
    return _make(f"{HOME}/nuevo", None)


@limits.get("/<uuid:consent_id>")
def receipt(consent_id: UUID) -> Response:
    """One limit as a receipt."""
    state = _mine(consent_id)
    return layout.page("limit_receipt.html", limit=limit_texts.limits(session(), parts().sealer, [state])[0])


@limits.get("/<uuid:consent_id>/cambiar")
def change_form(consent_id: UUID) -> Response:
    """The limit in its form."""
    return _form_page(as_form(_changeable(consent_id).terms), f"{HOME}/{consent_id}/cambiar")


@limits.post("/<uuid:consent_id>/cambiar")
def change(consent_id: UUID) -> Answer:
    """Put the new limit and take the old one back, at once."""
    return _make(f"{HOME}/{consent_id}/cambiar", _changeable(consent_id))


@limits.post("/<uuid:consent_id>/quitar")
def take_back(consent_id: UUID) -> Answer:
    """Take a limit back at once; the receipt offers to put it again."""
    require_fresh(DECISION_ACR, came_from=HOME)
    state = _mine(consent_id)
    if state.status is not Status.ACTIVE:
        raise AlreadyDecided("Este límite ya no estaba puesto.")
    _revoke(state)
    return redirect(f"{HOME}/{consent_id}", 303)


@limits.post("/<uuid:consent_id>/reponer")
def put_again(consent_id: UUID) -> Answer:
    """Put a limit again that was taken back."""
    require_fresh(DECISION_ACR, came_from=f"{HOME}/{consent_id}")
    state = _mine(consent_id)
    if state.status is not Status.REVOKED:
        raise AlreadyDecided("Este límite no se puede volver a poner.")
    return _put(replace(state.terms, person_id=me()))


@limits.post("/ocultar/<uuid:establishment_id>")
def hide(establishment_id: UUID) -> Answer:
    """Hide that an establishment holds records of me."""
    require_fresh(DECISION_ACR, came_from="/mi-historia")
    if str(establishment_id) not in offer_for(session(), parts().sealer, me()).holders:
        raise NotFound("There is no such establishment.")
    return _put(replace(everything(me()), sources=frozenset({establishment_id}), hides=True))


def _make(action: str, replaced: ConsentState | None) -> Answer:
    require_fresh(DECISION_ACR, came_from=HOME)
    form = read_limit(request.form, offer_for(session(), parts().sealer, me()), me())
    if form.terms is None or request.form.get("paso") == "corregir":
        return _form_page(form, action, 422 if form.problems else 200)
    if request.form.get("paso") != "poner":
        return _preview_page(form, action)
    if replaced is not None:
        _revoke(replaced)
    return _put(form.terms)


def _put(terms: Terms) -> Answer:
    words = limit_texts.text(session(), parts().sealer, terms)
    state = record_objection(session(), terms, evidence(f"Poner límite. {words}"))
    return redirect(f"{HOME}/{state.id}", 303)


def _revoke(state: ConsentState) -> None:
    words = limit_texts.text(session(), parts().sealer, state.terms)
    revoke_consent(session(), state.id, evidence(f"Quitar límite. {words}", state.terms.person_id))


def _form_page(form: LimitForm, action: str, status: int = 200) -> Response:
    offer = offer_for(session(), parts().sealer, me())
    return layout.page("limit_form.html", status, form=form, offer=offer, levels=LEVELS, action=action)


def _preview_page(form: LimitForm, action: str) -> Response:
    terms = form.terms or everything(me())
    readings = preview(find_directives(session(), me()), terms, now())
    return layout.page(
        "limit_preview.html",
        form=form,
        action=action,
        limit=limit_texts.proposed(session(), parts().sealer, terms),
        readings=limit_texts.readings(session(), parts().sealer, readings),
    )


def _states() -> list[ConsentState]:
    withheld = withheld_from(session(), signed_in().acting)
    held = list_consents(session(), person_and_replaced(session(), me()))
    return [one for one in held if _is_limit(one) and withheld.shows(one)]


def _is_limit(state: ConsentState) -> bool:
    """Objections, but those to emergencies: they have a page of their own."""
    known = state.status in {Status.ACTIVE, Status.REVOKED}
    return known and state.terms.kind is Kind.OBJECTION and state.terms.purposes != frozenset({BREAK_THE_GLASS})


def _mine(consent_id: UUID) -> ConsentState:
    found = next((one for one in _states() if one.id == consent_id), None)
    if found is None:
        raise NotFound("There is no such limit.")
    return found


def _changeable(consent_id: UUID) -> ConsentState:
    state = _mine(consent_id)
    if state.status is not Status.ACTIVE or state.terms.hides:
        raise AlreadyDecided("Este límite no se puede cambiar.")
    return state
