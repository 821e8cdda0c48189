"""The patient's pages: where the records are, who read them, and where the account is open."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response, g, redirect, request
from werkzeug.wrappers import Response as Answer

from consent_broker.consents.access_requests import list_pending_requests
from portal import layout, present, texts
from portal.dates import next_day, parse_day
from portal.guard import require, signed_in
from portal.hats import PATIENT
from portal.people import current_id, holders_of, person_and_replaced
from portal.session import end_session, list_sessions
from portal.views import Access, OpenSession
from registry.app import parts
from registry.audit.service import list_for_person
from registry.database import session
from registry.errors import NotFound

patient = Blueprint("portal-patient", __name__, url_prefix="/mi-historia")
DECIDED = "consent:access:decided"
SHOWN = ("exchange:records:read", DECIDED, *texts.ACTIONS)
"""The audited actions that are an access to the person's records or identity; of decisions only the refusals."""

FEW, MANY = 5, 500
_BOM = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Filters:
    """What the person narrowed the list of accesses to, as typed."""

    since: str = ""
    until: str = ""
    establishment: str = ""


def policy() -> None:
    """Only a signed-in human who is a person of the registry."""
    require(PATIENT)


def me() -> UUID:
    """The person whose pages these are, by the id of today (a merge may have replaced it); raises NotFound."""
    found = signed_in().person_id
    if found is None:
        raise NotFound("There is no such person.")
    return current_id(session(), found)


@patient.get("")
def home() -> Response:
    """Where my records are, what waits for me, and the last accesses."""
    ids = person_and_replaced(session(), me())
    pending = present.pending_requests(session(), parts().sealer, list_pending_requests(session(), ids))
    return layout.page(
        "patient_home.html", holders=holders_of(session(), me()), pending=pending, accesses=_accesses(Filters(), FEW)
    )


@patient.get("/accesos")
def accesses() -> Response:
    """Who read my records, permitted or refused (Ley 30024)."""
    filters = _filters()
    everything = _accesses(Filters(filters.since, filters.until), MANY)
    return layout.page(
        "accesses.html",
        accesses=_of_establishment(everything, filters.establishment),
        filters=filters,
        establishments={place: place for place in sorted({_place(access) for access in everything})},
        csv_query=request.query_string.decode("ascii", "ignore"),
        empty="No hay accesos con ese filtro." if filters != Filters() else None,
    )


@patient.get("/accesos.csv")
def accesses_csv() -> Response:
    """The same list as a file a spreadsheet opens."""
    filters = _filters()
    found = _of_establishment(_accesses(Filters(filters.since, filters.until), MANY), filters.establishment)
    response = Response(write_csv(found), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="accesos.csv"'
    return response


@patient.get("/sesiones")
def sessions() -> Response:
    """Where my account is open."""
    mine = signed_in().session_id
    found = [
        OpenSession(
            id=row.id,
            device=row.device,
            started_at=row.started_at,
            last_seen_at=row.last_seen_at,
            current=row.id == mine,
        )
        for row in list_sessions(session(), mine)
    ]
    return layout.page("sessions.html", sessions=found)


@patient.post("/sesiones/<uuid:session_id>/cerrar")
def close_session(session_id: UUID) -> Answer:
    """End one of my sessions; another's looks like none."""
    if not end_session(session(), session_id, owned_by=g.sign_in.session_id):
        raise NotFound("There is no such session.")
    return redirect("/mi-historia/sesiones", 303)


def write_csv(found: Sequence[Access]) -> str:
    """Accesses as CSV with a byte-order mark (Excel), no cell of which a spreadsheet runs as a formula."""
    out = io.StringIO()
    out.write(_BOM)
    writer = csv.writer(out)
    writer.writerow(
        ["Cuándo", "Quién", "Colegiatura", "Establecimiento", "Qué", "Por qué", "Resultado", "Motivo del rechazo"]
    )
    for access in found:
        cells = (access.at.isoformat(timespec="seconds"), access.who, access.profession, _place(access), access.what,
                 access.why, texts.OUTCOMES[access.permitted], access.refusal)  # fmt: skip
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells])
    return out.getvalue()


def _filters() -> Filters:
    values = (request.args.get(name, "")[:200] for name in ("desde", "hasta", "establecimiento"))
    return Filters(*values)


def _accesses(filters: Filters, limit: int) -> list[Access]:
    since, until = parse_day(filters.since), parse_day(filters.until)
    events = list_for_person(
        session(),
        person_and_replaced(session(), me()),
        actions=SHOWN,
        since=since,
        until=next_day(until) if until else None,
        limit=limit * 3,
    )
    told = [event for event in events if event.action != DECIDED or event.outcome != "success"]
    return present.accesses(session(), parts().sealer, told[:limit])


def _place(access: Access) -> str:
    return access.establishment or access.who


def _of_establishment(found: Sequence[Access], establishment: str) -> list[Access]:
    return [access for access in found if not establishment or _place(access) == establishment]
