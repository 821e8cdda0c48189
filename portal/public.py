"""Pages anyone may open: what this is, signing in and out, how pages look, static files."""

import hmac
from dataclasses import replace

from flask import Blueprint, Response, current_app, g, redirect, request
from werkzeug.wrappers import Response as Answer

from portal import layout
from portal.entering import enter, set_cookie
from portal.errors import SignInFailed, SignInUnavailable
from portal.guard import cookie_name, safe_return
from portal.hats import BY_WORD, HATS
from portal.key_sign_in import offers_key
from portal.oidc import IdPeru, Registration
from portal.people import confirm_names
from portal.session import SIGN_IN_TIME, derive, end_session, remember_sign_in, take_sign_in
from registry.app import parts
from registry.database import session
from registry.pide.port import IdentityRegistry
from registry.pide.reniec import make_identity_registry
from registry.settings import Settings

portal = Blueprint("portal", __name__)
static = Blueprint("portal-static", __name__)
static.add_url_rule("/static/<name>", view_func=layout.asset, endpoint="asset")
_SIGN_IN_COOKIE = "renhice_ingreso"
_RETURN = "/ingresar/retorno"
_STAFF_RETURN = "/ingresar/retorno/personal"
"""Each provider answers at an address of its own, so that one can't pass for the other (RFC 9700 §4.4)."""
_YEAR_SECONDS = 31_536_000


@portal.get("/")
def home() -> Response:
    """What this is, and the way in."""
    return layout.page("home.html")


@portal.get("/accesibilidad")
def accessibility() -> Response:
    """The accessibility statement."""
    return layout.page("accessibility.html")


@portal.get("/ingresar")
def sign_in() -> Answer:
    """Choose a hat, or leave for ID Perú when the page the person came from already tells which."""
    wanted = _wanted()
    if wanted is None:
        return layout.page("sign_in.html", links=_sign_in_links())
    acr, return_to, working = wanted
    if working and offers_key():
        return redirect(f"/ingresar/llave?{request.query_string.decode()}", 303)
    staff = working and parts().settings.staff_oidc_issuer is not None
    max_age = 0 if "reciente" in request.args else None
    secret = remember_sign_in(session(), acr=acr, max_age=max_age, return_to=return_to, staff=staff)
    response = redirect(provider_of(staff=staff).authorization_url(secret, acr, max_age), 303)
    set_cookie(response, _SIGN_IN_COOKIE, secret, int(SIGN_IN_TIME.total_seconds()), path="/ingresar")
    return response


@portal.get(_RETURN)
def sign_in_return() -> Answer:
    """Take ID Perú's answer."""
    return _take_answer(staff=False)


@portal.get(_STAFF_RETURN)
def staff_sign_in_return() -> Answer:
    """Take the answer of the staff's provider."""
    return _take_answer(staff=True)


def _take_answer(*, staff: bool) -> Answer:
    """Verify an answer, open a session (the old one ends), go where the person wanted."""
    secret = request.cookies.get(_SIGN_IN_COOKIE)
    trip = take_sign_in(session(), secret)
    session().commit()  # the trip is over whatever follows, and no connection waits for the provider
    if trip is None or secret is None or trip.staff is not staff:
        raise SignInFailed("no such sign-in under way in this browser")
    if not hmac.compare_digest(request.args.get("state", "").encode(), derive(secret, "state").encode()):
        raise SignInFailed("state is not this browser's")
    provider = provider_of(staff=staff)
    if request.args.get("iss", provider.registration.issuer) != provider.registration.issuer:
        raise SignInFailed("another issuer answered (RFC 9207)")
    if "code" not in request.args:
        raise SignInFailed(f"the provider answered {request.args.get('error', 'nothing')[:40]}")
    identity = replace(provider.identify(request.args["code"], secret, trip.acr, trip.max_age), staff=staff)
    identity = identity if staff else confirm_names(_identity_registry(), identity)
    response = redirect(trip.return_to, 303)
    enter(response, identity)
    response.delete_cookie(_SIGN_IN_COOKIE, path="/ingresar")
    return response


@portal.post("/salir")
def sign_out() -> Answer:
    """End this session."""
    if g.sign_in:
        end_session(session(), g.sign_in.session_id, owned_by=g.sign_in.session_id)
    response = redirect("/", 303)
    response.delete_cookie(cookie_name(), path="/", secure=parts().settings.secure)
    return response


@portal.post("/apariencia")
def change_look() -> Answer:
    """Keep the theme or the text size in a cookie."""
    response = redirect(safe_return(request.form.get("volver")), 303)
    if request.form.get("tema") in layout.THEMES:
        set_cookie(response, "renhice_tema", request.form["tema"], _YEAR_SECONDS)
    if request.form.get("texto") in layout.TEXT_SIZES:
        set_cookie(response, "renhice_texto", request.form["texto"], _YEAR_SECONDS)
    return response


def make_provider(settings: Settings, *, staff: bool = False) -> IdPeru | None:
    """ID Perú or the staff's provider by the settings; None where it is not configured (nobody can sign in there)."""
    prefix = "staff_oidc" if staff else "oidc"
    issuer, client_id, secret = (
        getattr(settings, f"{prefix}_{name}") for name in ("issuer", "client_id", "client_secret")
    )
    if not (issuer and client_id and secret):
        return None
    return IdPeru(
        Registration(
            issuer=issuer,
            client_id=client_id,
            client_secret=secret.get_secret_value(),
            redirect_uri=f"{settings.base_url}{_STAFF_RETURN if staff else _RETURN}",
        )
    )


def provider_of(*, staff: bool) -> IdPeru:
    """The provider where citizens, or staff, sign in; raises SignInUnavailable where none is set."""
    key = "renhice-staff-provider" if staff else "renhice-idperu"
    if key not in current_app.extensions:
        current_app.extensions[key] = make_provider(parts().settings, staff=staff)
    found: IdPeru | None = current_app.extensions[key]
    if found is None:
        raise SignInUnavailable(f"RENHICE_{'STAFF_' if staff else ''}OIDC_* is not set")
    return found


def _identity_registry() -> IdentityRegistry:
    if "renhice-identity-registry" not in current_app.extensions:
        current_app.extensions["renhice-identity-registry"] = make_identity_registry(parts().settings)
    found: IdentityRegistry = current_app.extensions["renhice-identity-registry"]
    return found


def _wanted() -> tuple[int, str, bool] | None:
    """The level, the page to come back to, and whether as staff; None when the person has still to choose."""
    hat = BY_WORD.get(request.args.get("como", ""))
    if hat:
        return hat.acr, safe_return(request.args.get("volver", hat.home)), hat.staff
    level = request.args.get("nivel", "")
    if level not in {"1", "2", "3"}:
        return None
    return int(level), safe_return(request.args.get("volver")), "personal" in request.args


def _sign_in_links() -> dict[str, str]:
    words = {hat.role: word for word, hat in BY_WORD.items()}
    return {role: f"/ingresar?como={words[role]}" for role in HATS}
