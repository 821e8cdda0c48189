"""Acting in another's name: whom one represents, who represents one, and what was done so."""

from uuid import UUID

from flask import Blueprint, Response, redirect
from werkzeug.wrappers import Response as Answer

from consent_broker.consents.representatives import Recorder, dismiss, mandate_of
from portal import layout, present
from portal.acting import Acting, mandates_of, withheld_from
from portal.errors import AlreadyDecided
from portal.guard import require_fresh, signed_in
from portal.hats import DECISION_ACR
from portal.patient import me, policy
from portal.people import person_and_replaced
from portal.session import act_by, identity_of
from portal.views import ActInName, Represented, RepresentedBy
from registry.app import parts
from registry.audit.event import Detail, Event
from registry.audit.service import Selection, list_for_person, record
from registry.database import now, session
from registry.directory.models import Representation
from registry.directory.representatives import OF_MINORS, list_of_person, open_representative
from registry.errors import NotFound

representing = Blueprint("portal-representing", __name__, url_prefix="/mi-historia/representados")
__all__ = ["policy", "representing"]
USED = "consent:representation:used"
MOST_ACTS = 100


@representing.get("")
def list_represented() -> Response:
    """In whose name I may act, and who may act in mine."""
    who = signed_in()
    own = who.person_id if who.acting is None else None
    return layout.page(
        "represented.html",
        represented=[_shown(one) for one in _mandates()],
        representatives=_representatives(own) if own else [],
        lapsed=who.lapsed,
    )


@representing.post("/<uuid:representation_id>/actuar")
def act_for(representation_id: UUID) -> Answer:
    """Act in that person's name from now on; they see that I did."""
    found = next((one for one in _mandates() if one.mandate.id == representation_id), None)
    if found is None:
        raise NotFound("There is no such representation.")
    record(
        session(),
        Event(
            action=USED,
            person_id=found.mandate.person_id,
            actor_person_id=signed_in().person_id,
            actor_role="representative",
            detail={"representation": str(representation_id), "basis": found.mandate.basis.value},
        ),
    )
    act_by(session(), signed_in().session_id, representation_id)
    return redirect("/mi-historia", 303)


@representing.post("/volver")
def stop() -> Answer:
    """Back to my own account."""
    act_by(session(), signed_in().session_id, None)
    return redirect("/mi-historia" if signed_in().person_id else "/mi-historia/representados", 303)


@representing.get("/en-mi-nombre")
def done_in_my_name() -> Response:
    """All that was done in my name, newest first."""
    withheld = withheld_from(session(), signed_in().acting)
    selection = Selection(
        person_ids=_ids(), actor_role="representative", without_consents=withheld.consents,
        without_places=withheld.places,
    )  # fmt: skip
    events = list_for_person(session(), selection, limit=MOST_ACTS)
    names = {str(row.id): open_representative(session(), parts().sealer, row).name for row in _rows()}
    acts = [
        ActInName(at=event.recorded_at, who=names.get(event.detail.get("representation", ""), ""), action=event.action)
        for event in events
    ]
    return layout.page("done_in_name.html", acts=acts)


@representing.post("/representantes/<uuid:representation_id>/terminar")
def end(representation_id: UUID) -> Answer:
    """Take back a power I gave; a parent's or guardian's is ended with a paper, not here."""
    require_fresh(DECISION_ACR, came_from="/mi-historia/representados")
    who = signed_in()
    row = next((one for one in _rows() if one.id == representation_id), None)
    if who.acting is not None or row is None:
        raise NotFound("There is no such representation.")
    if row.basis in OF_MINORS or row.ended_at is not None:
        raise AlreadyDecided("Esta representación no se termina aquí.")
    detail: dict[str, Detail] = {"channel": "portal", "acr": who.acr, "subject_token": who.subject}
    detail["session_id"] = str(who.session_id)
    dismiss(session(), row.id, "taken-back", Recorder(role="patient", detail=detail, actor_person_id=who.person_id))
    return redirect("/mi-historia/representados", 303)


def _mandates() -> list[Acting]:
    document = identity_of(session(), parts().sealer, signed_in().session_id).document
    return mandates_of(session(), parts(), document)


def _ids() -> list[UUID]:
    return person_and_replaced(session(), me())


def _rows() -> list[Representation]:
    return list(list_of_person(session(), _ids()))


def _shown(one: Acting) -> Represented:
    acting = signed_in().acting
    return Represented(
        id=one.mandate.id,
        name=one.name,
        basis=one.mandate.basis.value,
        powers=present.powers_in_order(one.mandate.powers),
        until=one.mandate.ends_at,
        current=acting is not None and acting.mandate.id == one.mandate.id,
    )


def _representatives(person_id: UUID) -> list[RepresentedBy]:
    moment, sealer = now(), parts().sealer
    age = parts().settings.adolescent_from_age
    found = []
    for row in list_of_person(session(), person_and_replaced(session(), person_id)):
        mandate = mandate_of(session(), sealer, row, moment, age)
        found.append(
            RepresentedBy(
                id=row.id,
                name=open_representative(session(), sealer, row).name,
                basis=row.basis,
                powers=present.powers_in_order(row.powers),
                paper=row.evidence.get("paper", ""),
                since=row.valid_from,
                until=row.ended_at or (mandate.ends_at if mandate else row.valid_until),
                in_force=mandate is not None,
                mine_to_end=mandate is not None and row.basis not in OF_MINORS,
            )
        )
    return found
