"""Who works with the registry no more: their sessions of work end and their passkeys are gone, for good.

What they may do ends by itself, since roles are found anew at each request. This ends what could open it again: a role
given back later begins with a sign-in at the identity provider.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from portal.models import Passkey, PortalSession
from portal.passkeys import remove_all
from portal.session import end_work
from registry.audit.event import Detail, Event
from registry.audit.service import record
from registry.database import now
from registry.directory.administration import STANDING_LOST
from registry.directory.models import Professional, StaffRole
from registry.directory.staff import gone_of, worked_throughout, works_here
from registry.outbox import Payloads, subscriber


@subscriber(STANDING_LOST)
def hear_of_leaving(session: Session, payloads: Payloads) -> None:
    """The directory took roles, or the ability to practise: whoever has nothing left leaves."""
    for payload in payloads:
        member = _member_of(session, payload)
        if not works_here(session, member, now()):
            send_away(session, member)


def _member_of(session: Session, payload: Mapping[str, Any]) -> bytes:
    if "staff_role_id" in payload:
        return session.get_one(StaffRole, UUID(payload["staff_role_id"])).document_token
    return session.get_one(Professional, UUID(payload["professional_id"])).document_token


def send_away_whoever_left(session: Session, moment: datetime) -> int:
    """Send away all who had something open, or a passkey, and hold no role any more; returns how many."""
    members = union(select(PortalSession.member).where(PortalSession.ended_at.is_(None)), select(Passkey.member))
    gone = gone_of(session, members, moment)
    for member in gone:
        send_away(session, member)
    return len(gone)


def forget_after_a_break(session: Session, member: bytes, since: datetime | None) -> bool:
    """Send away who held no role for a while since then, though they hold one now; whether that was so.

    A passkey ends with the last role on its last day, also where nobody looked while there was none.
    """
    if since is None or worked_throughout(session, member, since, now()):
        return False
    send_away(session, member)
    return True


def send_away(session: Session, member: bytes) -> None:
    """End the sessions of work of who has no role left, and take their passkeys away; audited where there were any."""
    sessions, passkeys = end_work(session, member), remove_all(session, member)
    if sessions or passkeys:
        detail: dict[str, Detail] = {"staff": member.hex(), "sessions": sessions, "passkeys": passkeys}
        record(session, Event(action="portal:work:ended", reason="no-role-left", detail=detail))
