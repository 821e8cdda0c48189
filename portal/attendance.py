"""What I permit beforehand to whoever is attending me: nothing, until I say so."""

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from consent_broker.desk.attendance import LONGEST
from consent_broker.desk.attendance_policy import set_policy, standing_policy
from portal import layout, present, texts
from portal.errors import BadForm
from portal.guard import require_fresh
from portal.hats import DECISION_ACR
from portal.patient import me, policy
from portal.permissions import evidence
from portal.wording import attendance_text
from registry.app import parts
from registry.database import session

attendance = Blueprint("portal-attendance", __name__, url_prefix="/mi-historia/atencion")
__all__ = ["attendance", "policy"]


@attendance.get("")
def show() -> Response:
    """What counts now, and the form to change it."""
    standing = standing_policy(session(), parts().settings, me())
    return layout.page(
        "attendance.html",
        categories=present.in_order(standing.categories),
        said=standing.policy_id is not None,
        choices=texts.CATEGORIES,
        hours=LONGEST,
    )


@attendance.post("")
def choose() -> Answer:
    """Permit what is ticked; with nothing ticked, ask me each time."""
    require_fresh(DECISION_ACR, came_from=request.path)
    ticked = frozenset(request.form.getlist("categoria"))
    decision = request.form.get("decision")
    if decision not in {"permitir", "preguntarme"}:
        raise BadForm("Elija una de las dos respuestas.")
    categories = ticked if decision == "permitir" else frozenset()
    if decision == "permitir" and (not ticked or not ticked <= texts.CATEGORIES.keys()):
        raise BadForm("Marque al menos una parte de su historia.", hint="Vuelva atrás y marque lo que permite.")
    set_policy(session(), me(), categories, evidence(attendance_text(present.in_order(categories), LONGEST)))
    return redirect("/mi-historia/atencion", 303)
