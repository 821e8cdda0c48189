"""A decision: what it was, how it stands, a second pair of eyes, and taking it back."""

from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from portal import layout
from portal.steward import effects, present, words
from portal.steward.access import me, policy, prove_again
from portal.steward.forms import read_grounds
from registry.app import parts
from registry.audit.service import record
from registry.database import session
from registry.identity.service import engine_of
from registry.identity.stewards import require_steward
from registry.identity.stewardship import (
    Decision,
    Grounds,
    Judgement,
    confirm,
    get_decision,
    preview,
    read_note,
    refuse,
    undo,
)

decisions = Blueprint("portal-steward-decisions", __name__, url_prefix="/gestion/decisiones")
__all__ = ["decisions", "policy"]


@decisions.get("/<uuid:decision_id>")
def show(decision_id: UUID) -> Response:
    """A decision as it stands."""
    return _page(decision_id, {})


@decisions.post("/<uuid:decision_id>/confirmar")
def second(decision_id: UUID) -> Answer:
    """A second steward agrees: it takes effect."""
    prove_again(f"/gestion/decisiones/{decision_id}")
    confirm(session(), engine_of(parts()), me(), decision_id)
    return redirect(f"/gestion/decisiones/{decision_id}", 303)


@decisions.post("/<uuid:decision_id>/rechazar")
def decline(decision_id: UUID) -> Answer:
    """A second steward disagrees, or the first withdraws: nothing happens."""
    prove_again(f"/gestion/decisiones/{decision_id}")
    refuse(session(), me(), decision_id)
    return redirect(f"/gestion/decisiones/{decision_id}", 303)


@decisions.post("/<uuid:decision_id>/deshacer")
def take_back(decision_id: UUID) -> Answer:
    """Put everything back as it was before the decision."""
    prove_again(f"/gestion/decisiones/{decision_id}")
    problems: dict[str, str] = {}
    grounds = read_grounds(request.form, problems)
    if grounds is None:
        return _page(decision_id, problems, status=422)
    made = undo(session(), engine_of(parts()), me(), decision_id, grounds)
    return redirect(f"/gestion/decisiones/{made.id}", 303)


def _page(decision_id: UUID, problems: dict[str, str], status: int = 200) -> Response:
    require_steward(session(), me())
    found = get_decision(session(), decision_id)
    record(session(), me().event("identity:decision:read", found.person_id, decision=str(found.id)))
    names = present.names_for(session(), me().handle, [])
    return layout.page(
        "steward_decision.html",
        status,
        decision=present.decision(names, found, read_note(session(), parts().sealer, decision_id)),
        state=words.DECISION_STATES[found.state],
        effect=_effect(found) if found.state == "pending" else None,
        grounds=words.GROUNDS,
        typed=request.form if problems else {},
        problems=problems,
    )


def _effect(found: Decision) -> object:
    """What confirming a verdict on a case would do; a decision without a case was described when it was made."""
    if found.possible_match_id is None or found.verdict == "undo":
        return None
    other = found.others[0] if len(found.others) == 1 else None
    judgement = Judgement(
        verdict=found.verdict,  # type: ignore[arg-type]  # stored as it was given
        grounds=Grounds(reason=found.reason),
        other=other,
        whole=found.whole,
    )
    shown = preview(session(), engine_of(parts()), me(), found.possible_match_id, judgement)
    return effects.describe(session(), me().handle, shown)
