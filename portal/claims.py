""" "Este registro no es mío": the patient's records one by one, a claim about one of them, and what came of it."""

from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from portal import layout
from portal.acting import withheld_from
from portal.guard import require_fresh, signed_in
from portal.hats import DECISION_ACR
from portal.patient import me, policy
from portal.people import person_and_replaced
from portal.steward.words import CLAIM_STATES, CLAIMS
from portal.views import ClaimView, OwnRecord
from registry.database import session
from registry.directory.representatives import Power
from registry.directory.service import list_establishments
from registry.errors import Forbidden, NotFound
from registry.identity.stewardship import Claim, Claimant, contest, list_contests, withdraw
from registry.locator.service import locate

claims = Blueprint("portal-claims", __name__, url_prefix="/mi-historia/registros")
__all__ = ["claims", "policy"]


@claims.get("")
def records() -> Response:
    """My records, where they are, and what I said of them; never what another's record says."""
    mine = [
        ClaimView(
            id=one.id,
            record_id=one.source_record_id,
            reason=CLAIMS[one.reason],
            state=one.status,
            said=CLAIM_STATES[one.status],
            opened_at=one.opened_at,
            closed_at=one.closed_at,
        )
        for one in list_contests(session(), person_and_replaced(session(), me()))
    ]
    waiting = {one.record_id: one for one in mine if one.state == "open"}
    return layout.page(
        "patient_records.html", records=my_records(), waiting=waiting, past=[one for one in mine if one.state != "open"]
    )


@claims.get("/<uuid:record_id>/aviso")
def ask(record_id: UUID) -> Response:
    """Why the record is not mine."""
    require_fresh(DECISION_ACR, came_from=request.path)
    return _claim_page(record_id)


@claims.post("/<uuid:record_id>/aviso")
def claim(record_id: UUID) -> Answer:
    """Say that a record is not mine: from now on nobody reads it, and a steward looks."""
    require_fresh(DECISION_ACR, came_from=request.path)
    reason = request.form.get("motivo", "")
    if reason not in CLAIMS:
        return _claim_page(record_id, "Elija por qué no es suyo.", 422)
    contest(session(), Claim(claimant=_claimant(), source_record_id=my_record(record_id).id, reason=reason))
    return redirect("/mi-historia/registros", 303)


@claims.post("/avisos/<uuid:contest_id>/retirar")
def take_back(contest_id: UUID) -> Answer:
    """Take a claim back: the record is mine after all."""
    require_fresh(DECISION_ACR, came_from="/mi-historia/registros")
    withdraw(session(), contest_id, _claimant())
    return redirect("/mi-historia/registros", 303)


def _claimant() -> Claimant:
    """Who claims; raises Forbidden for a representative whose mandate does not reach to rights."""
    who = signed_in()
    if who.acting is not None and not who.acting.mandate.permits(Power.RIGHTS):
        raise Forbidden("The representation does not reach this far.", code="not-in-mandate")
    return Claimant(
        person_id=me(),
        subject_token=who.subject,
        session_id=who.session_id,
        actor_person_id=who.person_id,
        representation_id=who.acting.mandate.id if who.acting else None,
    )


def _claim_page(record_id: UUID, problem: str | None = None, status: int = 200) -> Response:
    record = my_record(record_id)
    return layout.page("patient_claim.html", status, record=record, reasons=CLAIMS, problem=problem)


def my_record(record_id: UUID) -> OwnRecord:
    """One of the person's records; raises NotFound."""
    record = next((one for one in my_records() if one.id == record_id), None)
    if record is None:
        raise NotFound("There is no such record of yours.")
    return record


def my_records() -> list[OwnRecord]:
    """Where each record is, the latest first; what it says may be somebody else's and is not shown."""
    withheld = withheld_from(session(), signed_in().acting)
    found = [one for one in locate(session(), me()) if one.establishment_id not in withheld.places]
    places = {place.id: place for place in list_establishments(session(), {one.establishment_id for one in found})}
    records = [
        OwnRecord(
            id=one.source_record_id,
            establishment_id=one.establishment_id,
            establishment=places[one.establishment_id].name,
            place=places[one.establishment_id].region.title(),
            last=one.last_received,
        )
        for one in found
    ]
    return sorted(records, key=lambda record: record.last, reverse=True)
