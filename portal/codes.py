"""The short code a professional shows: typed on the patient's phone, or carried there by a QR."""

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from consent_broker.desk.short_codes import Typist, open_short_code
from portal import layout
from portal.guard import require, signed_in
from portal.hats import DECIDING
from portal.patient import me
from portal.people import person_and_replaced
from registry.app import parts
from registry.database import session

codes = Blueprint("portal-codes", __name__, url_prefix="/codigo")
UNKNOWN = "Ese código no es de un pedido para usted, o ya venció. Revise las letras o pida un código nuevo."


def policy() -> None:
    """Only the patient, by two factors: a code leads nobody else anywhere."""
    require(DECIDING)


@codes.get("")
def type_code() -> Response:
    """Where the code is typed."""
    return layout.page("code.html", typed="", problem=None)


@codes.post("")
def read_code() -> Answer:
    """From a code as typed to the request it is about."""
    return _open(request.form.get("codigo", ""))


@codes.get("/<code>")
def follow_code(code: str) -> Answer:
    """The same from a QR."""
    return _open(code)


def _open(typed: str) -> Answer:
    """A wrong code is answered, not raised, so that it is counted."""
    typist = Typist(subject=bytes.fromhex(signed_in().subject), person_ids=person_and_replaced(session(), me()))
    found = open_short_code(session(), parts().sealer, typed, typist)
    if found is None:
        return layout.page("code.html", 422, typed=typed[:20], problem=UNKNOWN)
    return redirect(f"/mi-historia/pedidos/{found.id}", 303)
