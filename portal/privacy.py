"""The privacy officer's pages: the queue of emergencies, one case, its judgement, and who is suspended."""

from datetime import timedelta
from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from consent_broker.emergency.cases import get_case
from consent_broker.emergency.review import (
    Officer,
    count_of_that_day,
    judge,
    lift_suspension,
    list_queue,
    list_suspended,
    read_text,
    statistics,
)
from consent_broker.emergency.vocabulary import Outcome
from portal import layout
from portal.emergency_cases import OUTCOMES, cases
from portal.errors import BadForm
from portal.guard import require, signed_in
from portal.hats import PRIVACY_OFFICER
from portal.present import directory
from registry.app import parts
from registry.database import now, session
from registry.errors import NotFound, Unprocessable

privacy = Blueprint("portal-privacy", __name__, url_prefix="/privacidad")
FIGURES_OVER = timedelta(days=90)


def policy() -> None:
    """Only staff with the role of privacy officer, by two factors."""
    require(PRIVACY_OFFICER)


@privacy.get("")
def queue() -> Response:
    """What waits for a judgement, figures by establishment, and who is suspended."""
    figures = statistics(session(), now() - FIGURES_OVER)
    suspended = list_suspended(session())
    known = directory(
        session(),
        parts().sealer,
        establishments=[row.establishment_id for row in figures],
        professionals=[row.professional_id for row in suspended],
    )
    return layout.page(
        "privacy_queue.html",
        queue=cases(session(), parts().sealer, list_queue(session())),
        figures=[{**_numbers(row), "establishment": known.establishment(row.establishment_id)} for row in figures],
        suspended=[
            {"id": row.professional_id, "professional": known.professional(row.professional_id), "since": row.since}
            for row in suspended
        ],
    )


@privacy.get("/<uuid:emergency_id>")
def case(emergency_id: UUID) -> Response:
    """One case with the professional's own words (read under audit)."""
    return _page(emergency_id)


@privacy.post("/<uuid:emergency_id>")
def decide(emergency_id: UUID) -> Answer:
    """Judge it; misuse ends it and suspends the professional."""
    outcome, note = request.form.get("resultado", ""), request.form.get("nota", "")
    if outcome not in OUTCOMES:
        return _page(emergency_id, "Elija si fue una emergencia.", 422)
    found = get_case(session(), emergency_id)
    try:
        judge(session(), parts().sealer, found, _me(), Outcome(outcome), note)
    except Unprocessable:
        return _page(emergency_id, "Escriba por qué, con diez letras o más.", 422)
    return redirect("/privacidad", 303)


@privacy.post("/suspendidos/<uuid:professional_id>/levantar")
def lift(professional_id: UUID) -> Answer:
    """Let a professional declare emergencies again."""
    because = " ".join(request.form.get("porque", "").split())
    if not 5 <= len(because) <= 300:
        raise BadForm("Escriba por qué se levanta la suspensión.")
    lift_suspension(session(), professional_id, _me(), because)
    return redirect("/privacidad", 303)


def _page(emergency_id: UUID, problem: str | None = None, status: int = 200) -> Response:
    found = get_case(session(), emergency_id)
    if found.declared_at is None:
        raise NotFound("There is no such emergency access.")
    return layout.page(
        "privacy_case.html",
        status,
        case=cases(session(), parts().sealer, [found])[0],
        that_day=count_of_that_day(session(), found),
        text=read_text(session(), parts().sealer, found, _me()),
        outcomes=OUTCOMES,
        problem=problem,
        typed=request.form.get("nota", "") if problem else "",
    )


def _me() -> Officer:
    return Officer(signed_in().handle)


def _numbers(row: object) -> dict[str, int]:
    return {name: getattr(row, name) for name in ("declared", "disputed", "justified", "misuse", "overdue")}
