"""Who may open a page: the session, the hat, the level of ID Perú, and the form token."""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from flask import abort, current_app, g, redirect, request

from portal.acting import Acting, find_acting
from portal.errors import FormExpired, RoleMissing
from portal.hats import PATIENT, Hat
from portal.leaving import send_away
from portal.people import hats_for
from portal.session import Session, find_session
from registry.app import parts
from registry.database import now, session


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Who sits at this request: the session, and what its human may act as now, derived anew each time.

    So an ended role, a lost licence or a corrected identity takes effect at the next click (Ley 29733: accuracy).
    """

    session_id: UUID
    subject: str
    handle: str
    name: str
    roles: frozenset[str]
    person_id: UUID | None
    professional_id: UUID | None
    acr: int
    auth_time: datetime
    expires_at: datetime
    csrf: str
    seed: str
    staff: bool
    """Whether they signed in at the staff's provider, or with a passkey."""
    passkey_id: UUID | None = None

    acting: Acting | None = None
    lapsed: bool = False
    """Whether the session acted in another's name and may no longer."""

    @property
    def subject_id(self) -> UUID | None:
        """The person whose pages they are: the one acted for, or the human's own."""
        return self.acting.mandate.person_id if self.acting else self.person_id

    def fresh(self, within: timedelta) -> bool:
        """Whether the human proved who they are less than `within` ago."""
        return now() - self.auth_time < within


CHOOSING = frozenset(f"portal-representing.{view}" for view in ("list_represented", "act_for", "stop"))
"""Where it is chosen in whose name one acts."""

FRESH = timedelta(minutes=15)
"""How recent the proof of identity must be to give or take a permission."""


def cookie_name() -> str:
    """The session's cookie; over TLS its prefix binds it to this host."""
    return "__Host-renhice_session" if parts().settings.secure else "renhice_session"


def load_session() -> None:
    """Every page's policy: find who is signed in, if anyone, and refuse forms that other sites send."""
    found = find_session(session(), parts().sealer, request.cookies.get(cookie_name()))
    g.sign_in = _sit_down(found) if found else None
    if g.sign_in and g.sign_in.staff and not g.sign_in.roles:
        send_away(session(), bytes.fromhex(g.sign_in.handle))
        session().commit()  # whatever this page answers, there is no next one
    if request.method == "POST":
        _refuse_foreign_form()


def _sit_down(found: Session) -> SignedIn:
    identity = found.identity
    hats = hats_for(session(), parts(), identity)
    acting = find_acting(session(), parts(), identity.document, found.acting_by)
    return SignedIn(
        session_id=found.session_id,
        subject=found.subject,
        handle=hats.handle,
        name=identity.name,
        roles=hats.roles,
        person_id=hats.person_id,
        professional_id=hats.professional_id,
        acr=identity.acr,
        auth_time=identity.auth_time,
        expires_at=found.expires_at,
        csrf=found.csrf,
        seed=found.seed,
        staff=identity.staff,
        passkey_id=found.passkey_id,
        acting=acting,
        lapsed=found.acting_by is not None and acting is None,
    )


def require(hat: Hat) -> None:
    """The policy of a hat's pages: load the session, send who is not signed in (or not surely enough) to ID Perú."""
    load_session()
    who: SignedIn | None = g.sign_in
    if who is None or who.acr < hat.acr:
        go_and_sign_in(hat.acr, came_from=_page_of_request(hat), staff=hat.staff)
    if hat.role not in signed_in().roles:
        raise RoleMissing(hat.label.lower())
    g.hat = hat
    if hat.role == PATIENT.role and request.endpoint not in CHOOSING:
        _require_subject()


def _require_subject() -> None:
    """Whose pages they are is certain: nobody goes on in another's name after the mandate, and lands in their own."""
    who = signed_in()
    if who.lapsed or who.subject_id is None:
        abort(redirect("/mi-historia/representados", 303))


def require_fresh(acr: int, came_from: str, within: timedelta = FRESH) -> None:
    """Step up (RFC 9470 in spirit): the person proves again who they are unless they just did."""
    who = signed_in()
    if who.acr < acr or not who.fresh(within):
        go_and_sign_in(acr, came_from=came_from, max_age=int(within.total_seconds()), staff=who.staff)


def go_and_sign_in(
    acr: int, came_from: str, max_age: int | None = None, *, staff: bool = False, by_provider: bool = False
) -> None:
    """Leave for the sign-in, to come back to that page (303, so that a form is never sent twice)."""
    said = {"reciente": max_age is not None, "personal": staff, "proveedor": by_provider}
    query = {"nivel": str(acr), "volver": came_from} | {name: "1" for name, true in said.items() if true}
    abort(redirect(f"/ingresar?{urlencode(query)}", 303))


def signed_in() -> SignedIn:
    """The session of the current request; only where a policy made sure there is one."""
    found: SignedIn = g.sign_in
    return found


def safe_return(path: str | None) -> str:
    """A path of this site to come back to, never another site (open redirect)."""
    parsed = urlsplit(path or "/")
    plain = parsed.path.startswith("/") and not parsed.path.startswith("//") and "\\" not in parsed.path
    plain = plain and parsed.path.isprintable()
    return parsed.path if plain and not parsed.netloc and not parsed.scheme and len(parsed.path) < 500 else "/"


def _page_of_request(hat: Hat) -> str:
    """The page to come back to: a form's own page, or the hat's first where its address can't be opened."""
    opens = current_app.url_map.bind("").test(request.path, "GET")
    return request.path if opens else hat.home


def _refuse_foreign_form() -> None:
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise FormExpired
    who: SignedIn | None = g.sign_in
    token = request.form.get("csrf", "")
    if who and not hmac.compare_digest(token.encode(), who.csrf.encode()):
        raise FormExpired
