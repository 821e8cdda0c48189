"""The person's documents, wherever they are kept; each may be hidden from everybody else, and shown again."""

from uuid import UUID

from flask import Blueprint, Response, redirect
from werkzeug.wrappers import Response as Answer

from consent_broker.exchange.documents import all_names_of
from portal import hiding, layout
from portal.acting import withheld_from
from portal.errors import AlreadyDecided
from portal.guard import require_fresh, signed_in
from portal.hats import DECISION_ACR
from portal.own_documents import Kept, as_shown, kept_of
from portal.patient import me, policy
from registry.app import parts
from registry.database import session
from registry.errors import NotFound

documents = Blueprint("portal-documents", __name__, url_prefix="/mi-historia/documentos")
__all__ = ["documents", "policy"]
HOME = "/mi-historia/documentos"


@documents.get("")
def list_mine() -> Response:
    """What each establishment says it keeps of me; never what a document says."""
    return layout.page("documents.html", documents=as_shown(session(), _mine()))


@documents.get("/<uuid:reference_id>")
def show(reference_id: UUID) -> Response:
    """One document, and what hiding it means."""
    return layout.page("document.html", document=as_shown(session(), [_one(reference_id)])[0])


@documents.post("/<uuid:reference_id>/ocultar")
def hide(reference_id: UUID) -> Answer:
    """From now on nobody but its establishment and me knows that there is this document."""
    require_fresh(DECISION_ACR, came_from=f"{HOME}/{reference_id}")
    kept = _one(reference_id)
    if kept.hiding:
        raise AlreadyDecided("Este documento ya estaba oculto.")
    hiding.hide(session(), kept.document.establishment_id, all_names_of(kept.document), _words(kept))
    return redirect(f"{HOME}/{reference_id}", 303)


@documents.post("/<uuid:reference_id>/mostrar")
def show_again(reference_id: UUID) -> Answer:
    """Whoever has my permission finds it again."""
    require_fresh(DECISION_ACR, came_from=f"{HOME}/{reference_id}")
    kept = _one(reference_id)
    if not kept.hiding:
        raise AlreadyDecided("Este documento no estaba oculto.")
    hiding.show_again(session(), kept.hiding, _words(kept))
    return redirect(f"{HOME}/{reference_id}", 303)


def _mine() -> list[Kept]:
    return kept_of(session(), parts().sealer, me(), withheld_from(session(), signed_in().acting))


def _one(reference_id: UUID) -> Kept:
    found = next((one for one in _mine() if one.document.id == reference_id), None)
    if found is None:
        raise NotFound("There is no such document.")
    return found


def _words(kept: Kept) -> str:
    shown = as_shown(session(), [kept])[0]
    return f"Documento: {shown.title}, de {shown.establishment}, {shown.days}."
