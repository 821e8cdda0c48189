"""What my records say, item by item; each may be hidden from everybody else, and shown again."""

from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from consent_broker.consents.vocabulary import CATEGORIES
from portal import hiding, layout, texts
from portal.acting import withheld_from
from portal.claims import my_record
from portal.errors import AlreadyDecided
from portal.guard import require_fresh, signed_in
from portal.hats import DECISION_ACR
from portal.own_items import Said, is_nameable, read_record
from portal.patient import me, policy
from portal.reading import missing_lines
from portal.views import OwnItem, OwnRecord
from registry.database import session
from registry.errors import NotFound, Unavailable

items = Blueprint("portal-items", __name__, url_prefix="/mi-historia/registros")
__all__ = ["items", "policy"]


@items.get("/<uuid:record_id>")
def show_record(record_id: UUID) -> Response:
    """All that one establishment says of me, as it says it now; nothing of it is kept here."""
    require_fresh(DECISION_ACR, came_from=request.path)
    record = my_record(record_id)
    said = read_record(record)
    return layout.page("record.html", record=record, said=said, missing=missing_lines(said.missing))


@items.get("/<uuid:record_id>/<kind>/<item_id>")
def show(record_id: UUID, kind: str, item_id: str) -> Response:
    """One item, and what hiding it means."""
    require_fresh(DECISION_ACR, came_from=request.path)
    record = my_record(record_id)
    return layout.page("item.html", record=record, item=_one(read_record(record), kind, item_id))


@items.post("/<uuid:record_id>/<kind>/<item_id>/ocultar")
def hide(record_id: UUID, kind: str, item_id: str) -> Answer:
    """From now on nobody but its establishment and me knows that there is this item; it must be there to be hidden."""
    address = _address(record_id, kind, item_id)
    require_fresh(DECISION_ACR, came_from=address)
    record = my_record(record_id)
    item = _one(read_record(record), kind, item_id)
    if item.hidden:
        raise AlreadyDecided("Este dato ya estaba oculto.")
    hiding.hide(session(), record.establishment_id, item.names, _words(record, kind, item_id))
    return _back(record)


@items.post("/<uuid:record_id>/<kind>/<item_id>/mostrar")
def show_again(record_id: UUID, kind: str, item_id: str) -> Answer:
    """Whoever has my permission finds it again; that needs no answer of its establishment."""
    address = _address(record_id, kind, item_id)
    require_fresh(DECISION_ACR, came_from=address)
    record = my_record(record_id)
    found = hiding.hiding_at(session(), me(), record.establishment_id)
    naming = [one for one in found if hiding.names_any(one, {f"{kind}/{item_id}"})]
    if withheld_from(session(), signed_in().acting).labels:
        raise NotFound("There is no such item of yours.")
    if not naming:
        raise AlreadyDecided("Este dato no estaba oculto.")
    hiding.show_again(session(), naming, _words(record, kind, item_id))
    return _back(record)


def _one(said: Said, kind: str, item_id: str) -> OwnItem:
    """The item as its holder states it now; raises Unavailable where the holder said nothing, else NotFound."""
    found = next((one for one in said.items if one.id and (one.kind, one.id) == (kind, item_id)), None)
    if found is not None:
        return found
    if said.missing and is_nameable(kind, item_id):
        raise Unavailable("The establishment does not answer.", code="holder-silent")
    raise NotFound("There is no such item of yours.")


def _back(record: OwnRecord) -> Answer:
    """To the record's page: it opens though its establishment should no longer answer."""
    return redirect(f"{items.url_prefix}/{record.id}", 303)


def _address(record_id: UUID, kind: str, item_id: str) -> str:
    if not is_nameable(kind, item_id):
        raise NotFound("There is no such item of yours.")
    return f"{items.url_prefix}/{record_id}/{kind}/{item_id}"


def _words(record: OwnRecord, kind: str, item_id: str) -> str:
    """The item without anything it says: these words are kept as a hash."""
    return f"{texts.category(CATEGORIES[kind])}, {kind}/{item_id}, de {record.establishment}."
