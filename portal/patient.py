"""The patient's pages: where the records are, and who read them."""

from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, Response, request

from consent_broker.consents.access_requests import list_pending_requests
from consent_broker.oauth.rfc8628_device import waits_for
from portal import accesses as log
from portal import layout, present
from portal.acting import withheld_from
from portal.dates import next_day, parse_day
from portal.guard import require, signed_in
from portal.hats import PATIENT
from portal.people import current_id, holders_of, person_and_replaced
from registry.app import parts
from registry.audit.service import Selection, establishments_of
from registry.database import session
from registry.directory.service import get_establishment, list_establishments
from registry.errors import NotFound

patient = Blueprint("portal-patient", __name__, url_prefix="/mi-historia")
FEW = 5


@dataclass(frozen=True, slots=True)
class Filters:
    """What the person narrowed the list of accesses to, as typed; an establishment by its RENIPRESS code."""

    desde: str = ""
    hasta: str = ""
    establecimiento: str = ""

    def query(self, **more: Any) -> str:
        """The same in an address; empty where nothing was typed."""
        filled = {name: value for name, value in (asdict(self) | more).items() if value}
        return f"?{urlencode(filled)}" if filled else ""


def policy() -> None:
    """Only a signed-in human who is a person of the registry."""
    require(PATIENT)


def me() -> UUID:
    """The person whose pages these are, by the id of today (a merge may have replaced it); raises NotFound.

    Whoever acts in another's name sees that person's pages.
    """
    found = signed_in().subject_id
    if found is None:
        raise NotFound("There is no such person.")
    return current_id(session(), found)


@patient.get("")
def home() -> Response:
    """Where my records are, what waits for me, and the last accesses."""
    withheld = withheld_from(session(), signed_in().acting)
    asked = [one for one in list_pending_requests(session(), [me()]) if one.consent_id not in withheld.consents]
    waited_for = waits_for(session(), [one.id for one in asked])
    pending = present.pending_requests(session(), parts().sealer, asked, waited_for)
    latest = log.newest(session(), parts().sealer, _selection(Filters()), FEW)
    return layout.page(
        "patient_home.html",
        holders=[one for one in holders_of(session(), me()) if one.id not in withheld.places],
        pending=pending,
        accesses=latest.accesses,
    )


@patient.get("/accesos")
def accesses() -> Response:
    """Who read my records, permitted or refused (Ley 30024), page by page."""
    filters = _filters()
    found = _page(_selection(filters))
    anywhere = _selection(replace(filters, establecimiento=""))
    places = list_establishments(session(), establishments_of(session(), anywhere))
    return layout.page(
        "accesses.html",
        accesses=found.accesses,
        filters=filters,
        establishments={place.renipress: place.name for place in places},
        csv_query=filters.query(),
        older=filters.query(antes=found.older) if found.older else None,
        newer=filters.query(despues=found.newer) if found.newer else None,
        empty="No hay accesos con ese filtro." if filters != Filters() else None,
    )


@patient.get("/accesos.csv")
def accesses_csv() -> Response:
    """The same list, whole, as a file a spreadsheet opens."""
    response = Response(log.csv_of(parts(), _selection(_filters())), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="accesos.csv"'
    return response


def _filters() -> Filters:
    names = ("desde", "hasta", "establecimiento")
    return Filters(**{name: request.args.get(name, "")[:200] for name in names})


def _selection(filters: Filters) -> Selection:
    """What the filters leave; raises NotFound for the code of no establishment."""
    place = get_establishment(session(), filters.establecimiento) if filters.establecimiento else None
    since, until = parse_day(filters.desde), parse_day(filters.hasta)
    withheld = withheld_from(session(), signed_in().acting)
    return Selection(
        person_ids=person_and_replaced(session(), me()),
        actions=log.SHOWN,
        refusals_of=log.REFUSALS_OF,
        since=since,
        until=next_day(until) if until else None,
        establishment_id=place.id if place else None,
        without_consents=withheld.consents,
        without_places=withheld.places,
    )


def _page(selection: Selection) -> log.Page:
    """The page the address names by the event it begins at; the first for anything else."""
    older, newer = (request.args.get(name, type=UUID) for name in ("antes", "despues"))
    if older:
        return log.older_than(session(), parts().sealer, selection, older)
    if newer:
        return log.newer_than(session(), parts().sealer, selection, newer)
    return log.newest(session(), parts().sealer, selection)
