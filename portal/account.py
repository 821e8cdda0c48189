"""`/cuenta`: where one's account is open, for everybody; and the passkeys of those who work with the registry."""

from uuid import UUID

from flask import Blueprint, Response, g, redirect, request
from werkzeug.wrappers import Response as Answer

from portal import layout
from portal.errors import BadForm, RoleMissing
from portal.guard import FRESH, go_and_sign_in, load_session, signed_in
from portal.hats import ACCOUNT, PATIENT
from portal.key_sign_in import remember_key
from portal.passkeys import (
    MOST,
    NAME_LENGTH,
    add_passkey,
    list_passkeys,
    offer_to_add,
    owner_of,
    remove_passkey,
    rename_passkey,
)
from portal.session import Identity, end_others, end_session, identity_of, life_of, list_sessions
from portal.views import OpenSession, PasskeyView
from registry.app import parts
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import session
from registry.errors import NotFound

account = Blueprint("portal-account", __name__, url_prefix="/cuenta")
SESSIONS, KEYS = "/cuenta/sesiones", "/cuenta/llaves"


def policy() -> None:
    """Whoever is signed in, as anything; who is not signs in and comes back to the list."""
    load_session()
    if g.sign_in is None:
        keys = request.path.startswith(KEYS)
        go_and_sign_in(ACCOUNT.acr if keys else PATIENT.acr, came_from=KEYS if keys else SESSIONS, staff=keys)
    g.hat = ACCOUNT if _works_here() else PATIENT


@account.get("/sesiones")
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
            by_key=row.passkey_id is not None,
        )
        for row in list_sessions(session(), mine)
    ]
    return layout.page("sessions.html", sessions=found, life=life_of(parts().settings, staff=signed_in().staff))


@account.post("/sesiones/<uuid:session_id>/cerrar")
def close_session(session_id: UUID) -> Answer:
    """End one of my sessions; another's looks like none."""
    if not end_session(session(), session_id, owned_by=signed_in().session_id):
        raise NotFound("There is no such session.")
    return redirect(SESSIONS, 303)


@account.post("/sesiones/cerrar-otras")
def close_others() -> Answer:
    """End all my sessions but this."""
    end_others(session(), signed_in().session_id)
    return redirect(SESSIONS, 303)


@account.get("/llaves")
def keys() -> Response:
    """My passkeys, and the way to one more."""
    found = [
        PasskeyView(
            id=one.id,
            name=one.name,
            added_at=one.added_at,
            last_used_at=one.last_used_at,
            strongest=one.acr >= 3,
            copied=one.copied,
            blocked=one.blocked_at is not None,
        )
        for one in list_passkeys(session(), _owner())
    ]
    return layout.page("keys.html", keys=found, most=MOST)


@account.get("/llaves/nueva")
def new_key() -> Response:
    """Ask the browser for a new passkey; who can add one must have just signed in at the provider."""
    identity = _just_identified()
    options = offer_to_add(session(), parts(), identity, signed_in().seed)
    return layout.page("key_new.html", options=options)


@account.post("/llaves")
def add_key() -> Answer:
    """Keep the passkey the browser made."""
    _just_identified()
    who = signed_in()
    answer = request.form.get("respuesta", "")
    added = add_passkey(session(), parts(), who.session_id, who.seed, _name(), answer)
    _note("portal:passkey:added", added.id)
    response = redirect(KEYS, 303)
    remember_key(response)
    return response


@account.post("/llaves/<uuid:passkey_id>/nombre")
def rename_key(passkey_id: UUID) -> Answer:
    """Call one of my passkeys otherwise."""
    if not rename_passkey(session(), _owner(), passkey_id, _name()):
        raise NotFound("There is no such passkey.")
    return redirect(KEYS, 303)


@account.post("/llaves/<uuid:passkey_id>/quitar")
def remove_key(passkey_id: UUID) -> Answer:
    """Take one of my passkeys away, with the sessions it opened; this one too, if it did."""
    if not remove_passkey(session(), _owner(), passkey_id):
        raise NotFound("There is no such passkey.")
    _note("portal:passkey:removed", passkey_id)
    return redirect(KEYS, 303)


def _works_here() -> bool:
    return bool(signed_in().roles - {PATIENT.role})


def _identity() -> Identity:
    """Who is signed in, of those who work with the registry; raises RoleMissing."""
    if not _works_here():
        raise RoleMissing("personal que trabaja con el registro")
    return identity_of(session(), parts().sealer, signed_in().session_id)


def _owner() -> bytes:
    return owner_of(parts().sealer, _identity())


def _just_identified() -> Identity:
    """Passkeys do not beget passkeys: the provider has just said who it is, by two factors at least."""
    identity, who = _identity(), signed_in()
    acr = max(who.acr, ACCOUNT.acr)
    if who.passkey_id or who.acr < acr or not who.fresh(FRESH):
        go_and_sign_in(acr, came_from=f"{KEYS}/nueva", max_age=0, staff=True, by_provider=True)
    return identity


def _name() -> str:
    name = " ".join(request.form.get("nombre", "").split())
    if not 1 <= len(name) <= NAME_LENGTH or not name.isprintable():
        raise BadForm(f"Escriba un nombre de 1 a {NAME_LENGTH} letras, como «Celular» o «Laptop del consultorio».")
    return name


def _note(action: str, passkey_id: UUID) -> None:
    who = signed_in()
    detail = {"passkey": str(passkey_id), "handle": who.handle}
    role = ",".join(sorted(who.roles - {PATIENT.role}))
    record(session(), Event(action=action, professional_id=who.professional_id, actor_role=role, detail=detail))
