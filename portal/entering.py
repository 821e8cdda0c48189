"""Opening a session in this browser, whoever proved who its human is; and the cookies that go with it."""

from uuid import UUID

from flask import g, request
from werkzeug.wrappers import Response as Answer

from portal.guard import cookie_name, load_session
from portal.hats import PATIENT
from portal.leaving import forget_after_a_break
from portal.passkeys import confirm_passkeys, oldest_confirmation
from portal.people import hats_for
from portal.session import Identity, end_session, life_of, member_of, open_session
from registry.app import parts
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import session


def enter(response: Answer, identity: Identity, passkey_id: UUID | None = None) -> None:
    """Open a session and give its cookie to the browser; the session it had ends."""
    load_session()
    if g.sign_in:
        end_session(session(), g.sign_in.session_id, owned_by=g.sign_in.session_id)
    hats = hats_for(session(), parts(), identity)
    if passkey_id is None and hats.roles - {PATIENT.role}:
        _confirm(identity)
    record(
        session(),
        Event(
            action="portal:session:opened",
            actor_person_id=hats.person_id,
            professional_id=hats.professional_id,
            actor_role=",".join(sorted(hats.roles)) or None,
            detail={
                "acr": identity.acr,
                "names_confirmed": identity.state_names is not None,
                "passkey": str(passkey_id) if passkey_id else None,
            },
        ),
    )
    agent = request.headers.get("User-Agent", "")
    life = life_of(parts().settings, staff=identity.staff)
    secret = open_session(session(), parts().sealer, identity, agent, life, passkey_id)
    set_cookie(response, cookie_name(), secret, int(life.longest.total_seconds()))


def _confirm(identity: Identity) -> None:
    """The provider has just said who it is: their passkeys count anew, but for those of an earlier time here."""
    member = member_of(parts().sealer, identity)
    forget_after_a_break(session(), member, oldest_confirmation(session(), member))
    confirm_passkeys(session(), parts().sealer, identity)


def set_cookie(response: Answer, name: str, value: str, max_age: int, path: str = "/") -> None:
    """A cookie no script reads and no other site's form sends."""
    secure = parts().settings.secure
    response.set_cookie(name, value, max_age=max_age, path=path, secure=secure, httponly=True, samesite="Lax")
