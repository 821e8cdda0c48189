"""An establishment's administrator: how its files of patients and its exports fare, and calling them off."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, redirect
from werkzeug.wrappers import Response as Answer

from portal import layout, transfers
from portal.guard import require, signed_in
from portal.hats import ESTABLISHMENT_ADMINISTRATOR
from registry.audit.event import Event
from registry.audit.service import record
from registry.bulk import service as imports
from registry.bulk.export import service as exports
from registry.database import now, session
from registry.directory.models import Establishment
from registry.directory.staff import administered

establishment = Blueprint("portal-establishment", __name__, url_prefix="/establecimiento")
SHOWN_REFUSALS = 200


def policy() -> None:
    """Only who administers an establishment now, by two factors."""
    require(ESTABLISHMENT_ADMINISTRATOR)


@establishment.get("")
def list_transfers() -> Response:
    """Files and exports of the establishments one administers, newest first."""
    return layout.page("transfers.html", **_listed())


@establishment.get("/estado")
def listed_now() -> Response:
    """The same lists alone, for the page that looks by itself."""
    return layout.page("transfers_state.html", **_listed())


@establishment.get("/archivos/<uuid:import_id>")
def one_file(import_id: UUID) -> Response:
    """One file: how far it is, what came of its lines, and which were refused."""
    found = imports.get_import(session(), _ids(), import_id)
    return layout.page(
        "transfer.html",
        one=transfers.of_import(found),
        counts=transfers.counts_of(found),
        refused=[transfers.refusal(line) for line in imports.list_refusals(session(), found)[:SHOWN_REFUSALS]],
        refusals=imports.count_refusals(found),
        path=f"/establecimiento/archivos/{import_id}",
    )


@establishment.get("/archivos/<uuid:import_id>/estado")
def file_now(import_id: UUID) -> Response:
    """How far a file is, alone."""
    found = imports.get_import(session(), _ids(), import_id)
    return layout.page(
        "transfer_state.html",
        one=transfers.of_import(found),
        counts=transfers.counts_of(found),
        path=f"/establecimiento/archivos/{import_id}",
    )


@establishment.post("/archivos/<uuid:import_id>/cancelar")
def call_file_off(import_id: UUID) -> Answer:
    """What is registered stays; the rest of the file is deleted."""
    found = imports.get_import(session(), _ids(), import_id, hold=True)
    if imports.call_off(session(), found):
        _note("bulk:import:cancelled", found.establishment_id, "import", found.id)
    return redirect(f"/establecimiento/archivos/{import_id}", 303)


@establishment.post("/exportaciones/<uuid:export_id>/cancelar")
def call_export_off(export_id: UUID) -> Answer:
    """Stop it, or delete its files."""
    found = exports.get_export(session(), _ids(), export_id, hold=True)
    if exports.call_off(session(), found):
        _note("bulk:export:cancelled", found.establishment_id, "requested", found.id)
    return redirect("/establecimiento", 303)


def _listed() -> dict[str, Any]:
    places = _places()
    files = [transfers.of_import(one) for place in places for one in imports.list_imports(session(), place.id)]
    fetched = [transfers.of_export(one) for place in places for one in exports.list_exports(session(), place.id)]
    return {
        "places": [place.name for place in places],
        "files": files,
        "exports": fetched,
        "waiting": any(one.waiting for one in (*files, *fetched)),
    }


def _places() -> Sequence[Establishment]:
    return administered(session(), bytes.fromhex(signed_in().handle), now())


def _ids() -> list[UUID]:
    return [place.id for place in _places()]


def _note(action: str, establishment_id: UUID, name: str, key: UUID) -> None:
    detail = {name: str(key), "staff": signed_in().handle}
    role = ESTABLISHMENT_ADMINISTRATOR.role
    record(session(), Event(action=action, establishment_id=establishment_id, actor_role=role, detail=detail))
