"""`/ingresar/llave`: signing in, or proving it again, with a passkey."""

from flask import Blueprint, g, redirect, request
from werkzeug.wrappers import Response as Answer

from portal import layout
from portal.entering import enter, set_cookie
from portal.errors import PasskeyRefused, RoleMissing
from portal.guard import FRESH, safe_return
from portal.hats import BY_WORD, PATIENT_ACR, hats_of
from portal.leaving import forget_after_a_break
from portal.passkey_challenges import Wanted
from portal.passkeys import Proved, offer_to_sign_in, prove
from portal.people import hats_for
from portal.session import member_of, new_secret, well_formed
from registry.app import parts
from registry.database import session

key_sign_in = Blueprint("portal-key-sign-in", __name__, url_prefix="/ingresar/llave")
COOKIE = "renhice_llave"
"""The browser's secret its challenges are bound to; while it lasts, staff is offered the passkey first."""
_YEAR_SECONDS = 31_536_000
_ANY_PAGE = "/"


@key_sign_in.get("")
def show() -> Answer:
    """Ask for a passkey, and offer the identity provider beside it."""
    holder = _holder() or new_secret()
    wanted = _wanted()
    options = offer_to_sign_in(session(), parts(), holder, wanted)
    other = f"/ingresar?{request.query_string.decode()}&proveedor=1" if request.args else "/ingresar"
    response = layout.page("key_sign_in.html", options=options, other=other, again=wanted.subject is not None)
    if _holder() is None:
        set_cookie(response, COOKIE, holder, int(FRESH.total_seconds()), path="/ingresar")
    return response


@key_sign_in.post("")
def take_answer() -> Answer:
    """Verify what the authenticator answered and open a session; a key too weak, or too old, leads to the provider."""
    proved = prove(session(), parts(), _holder() or "", request.form.get("respuesta", ""))
    _require_unbroken(proved)
    if proved.lapsed or proved.identity.acr < proved.wanted.acr:
        query = f"nivel={proved.wanted.acr}&volver={proved.wanted.return_to}&personal=1&proveedor=1"
        return redirect(f"/ingresar?{query}", 303)
    response = redirect(_where_to(proved), 303)
    enter(response, proved.identity, proved.passkey_id)
    remember_key(response, _holder() or new_secret())
    return response


def remember_key(response: Answer, holder: str | None = None) -> None:
    """Offer the passkey first in this browser from now on."""
    set_cookie(response, COOKIE, holder or new_secret(), _YEAR_SECONDS, path="/ingresar")


def offers_key() -> bool:
    """Whether this browser has used a passkey, and its human has not asked for the provider."""
    return _holder() is not None and "proveedor" not in request.args


def _holder() -> str | None:
    secret = request.cookies.get(COOKIE)
    return secret if well_formed(secret) else None


def _wanted() -> Wanted:
    """As at `/ingresar`: by the hat or by the level; whoever works here already must prove it is still them."""
    hat = BY_WORD.get(request.args.get("como", ""))
    level = request.args.get("nivel", "")
    acr = hat.acr if hat else int(level) if level in {"1", "2", "3"} else PATIENT_ACR
    return_to = safe_return(request.args.get("volver", hat.home if hat else _ANY_PAGE))
    mine = bytes.fromhex(g.sign_in.subject) if g.sign_in and g.sign_in.staff else None
    return Wanted(acr=acr, return_to=return_to, subject=mine)


def _require_unbroken(proved: Proved) -> None:
    """Raise PasskeyRefused, once and for all, where its owner's last role had ended since it was last confirmed."""
    if forget_after_a_break(session(), member_of(parts().sealer, proved.identity), proved.confirmed_at):
        session().commit()
        if not hats_for(session(), parts(), proved.identity).roles:
            raise RoleMissing("personal que trabaja con el registro")
        raise PasskeyRefused("its owner held no role for a while")


def _where_to(proved: Proved) -> str:
    """The page it was wanted for, or the first page of what its owner is."""
    roles = hats_for(session(), parts(), proved.identity).roles
    if proved.wanted.return_to != _ANY_PAGE:
        return proved.wanted.return_to
    return next((hat.home for hat in hats_of(roles) if hat.acr <= proved.identity.acr), _ANY_PAGE)
