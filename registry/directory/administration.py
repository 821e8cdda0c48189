"""Changes to the directory by an operator: accreditation, suspension and staff roles, each with its audit event."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from matching.records import Document
from registry.audit.event import Detail, Event
from registry.audit.service import record
from registry.database import Base, new_id, now
from registry.directory.canonical import dump
from registry.directory.client_keys import UnusableKeys, check_keys
from registry.directory.conformance import SignedReport, attach_report
from registry.directory.documents import document_token
from registry.directory.models import RecordSystem, StaffRole
from registry.directory.service import STAFF_CONTEXT, get_record_system
from registry.errors import NotFound, Unprocessable
from registry.outbox import publish
from registry.sealing import Sealer

STANDING_LOST = "directory:standing:lost"
"""Topic: a role of staff was ended (`staff_role_id`), or a professional may practise no more (`professional_id`)."""

_LOCK = 0x44495245  # "DIRE"


@dataclass(frozen=True, slots=True)
class Desk:
    """Who changes the directory, and with what; `operator` is the account of the operating system."""

    session: Session
    sealer: Sealer
    operator: str

    def audit(self, event: Event) -> None:
        """Write the event with the operator's name, in the same transaction as the change."""
        detail = dict(event.detail) | {"operator": self.operator}
        record(self.session, replace(event, actor_role="operator", detail=detail))


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What a client signs with: its keys or where it publishes them, and its profile (None: as it is)."""

    jwks: dict[str, Any] | None = None
    jwks_uri: str | None = None
    profile: str | None = None


def take_turn(session: Session) -> None:
    """Wait until no other change of the directory is under way; released at the end of the transaction."""
    session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def assign(row: Base, values: Mapping[str, Any]) -> list[str]:
    """Set what differs and return the names of the fields that did."""
    changed = [name for name, value in values.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, values[name])
    return changed


def suspend(desk: Desk, client_id: str, reason: str) -> RecordSystem:
    """Stop serving a record system at once, until `reinstate`; raises NotFound. An import never lifts it."""
    take_turn(desk.session)
    system = get_record_system(desk.session, client_id)
    if system.suspended_at is None:
        system.suspended_at = now()
    system.suspension_reason = reason
    desk.audit(_system_event("directory:record-system:suspended", system, reason))
    return system


def reinstate(desk: Desk, client_id: str, reason: str) -> RecordSystem:
    """Serve a suspended record system again; raises NotFound, or Unprocessable when it is not suspended."""
    take_turn(desk.session)
    system = get_record_system(desk.session, client_id)
    if system.suspended_at is None:
        raise Unprocessable(f"{client_id} is not suspended.", code="not-suspended")
    system.suspended_at = system.suspension_reason = None
    desk.audit(_system_event("directory:record-system:reinstated", system, reason))
    return system


def accredit(
    desk: Desk, client_id: str, until: datetime, authority: str | None = None, report: SignedReport | None = None
) -> RecordSystem:
    """Renew an accreditation until a future moment, on a conformance report where one is given; a suspension stays.

    Raises NotFound, or Unprocessable for a moment that is past and for a report that does not hold.
    """
    take_turn(desk.session)
    system = get_record_system(desk.session, client_id)
    if until <= max(now(), system.accredited_from):
        raise Unprocessable("The accreditation must end in the future; to stop serving it, suspend it.")
    system.accredited_until = until
    system.authority = authority or system.authority
    reason = f"until {until.isoformat()}"
    if report is not None:
        attached = attach_report(desk.session, system, report)
        reason += f", report {attached.sha256} of {attached.finished_at.isoformat()}, signed by {attached.signer}"
    desk.audit(_system_event("directory:record-system:accredited", system, reason))
    return system


def register_keys(desk: Desk, client_id: str, keys: Keys) -> RecordSystem:
    """Give a record system or app other keys, or its profile; raises NotFound, or Unprocessable for unusable keys.

    With inline keys, give the old and the new ones together for as long as both sign.
    """
    take_turn(desk.session)
    system = get_record_system(desk.session, client_id)
    try:
        check_keys(keys.jwks, keys.jwks_uri, keys.profile or system.profile)
    except UnusableKeys as error:
        raise Unprocessable(f"The keys can't be registered: {error}.", code="unusable-keys") from None
    system.profile, system.jwks, system.jwks_uri = keys.profile or system.profile, keys.jwks, keys.jwks_uri
    source = keys.jwks_uri or "inline"
    desk.audit(_system_event("directory:record-system:keys-registered", system, f"{system.profile}, {source}"))
    return system


def grant_role(
    desk: Desk, document: Document, role: str, until: datetime, establishment_id: UUID | None = None
) -> bool:
    """Give a staff role until a moment, or move its end; False when it stood so already. Raises Unprocessable."""
    take_turn(desk.session)
    if until <= now():
        raise Unprocessable("The role must end in the future.", code="already-past")
    current = _current(desk, document, role, establishment_id)
    if current is not None and current.valid_until <= now():
        current.ended_at, current.end_reason = current.valid_until, "expired"
        desk.session.flush()
        current = None
    if current is None:
        current = _new_role(desk, document, role, until)
        current.establishment_id = establishment_id
    elif current.valid_until == until:
        return False
    current.valid_until = until
    desk.audit(_role_event("directory:role:granted", current, until.isoformat()))
    return True


def end_role(desk: Desk, document: Document, role: str, reason: str, establishment_id: UUID | None = None) -> None:
    """End a staff role now; raises NotFound when the person does not hold it."""
    take_turn(desk.session)
    current = _current(desk, document, role, establishment_id)
    if current is None or current.valid_until <= now():
        raise NotFound(f"That person does not hold the role {role}.", code="role-not-held")
    current.ended_at, current.end_reason = now(), reason
    desk.audit(_role_event("directory:role:ended", current, reason))
    publish(desk.session, STANDING_LOST, str(current.id), {"staff_role_id": str(current.id)})


def _current(desk: Desk, document: Document, role: str, establishment_id: UUID | None) -> StaffRole | None:
    query = select(StaffRole).where(
        StaffRole.document_token == document_token(desk.sealer, document),
        StaffRole.role == role,
        StaffRole.establishment_id.is_not_distinct_from(establishment_id),
        StaffRole.ended_at.is_(None),
    )
    return desk.session.scalar(query)


def _new_role(desk: Desk, document: Document, role: str, until: datetime) -> StaffRole:
    identity = new_id()
    plaintext = dump({"type": document.type, "number": document.number, "country": document.country})
    row = StaffRole(
        id=identity,
        document_token=document_token(desk.sealer, document),
        sealed=desk.sealer.seal(desk.session, identity, plaintext, STAFF_CONTEXT),
        role=role,
        granted_at=now(),
        valid_until=until,
    )
    desk.session.add(row)
    return row


def _system_event(action: str, system: RecordSystem, reason: str) -> Event:
    return Event(
        action=action, client_id=system.client_id, establishment_id=system.establishment_id, detail={"reason": reason}
    )


def _role_event(action: str, row: StaffRole, reason: str) -> Event:
    detail: dict[str, Detail] = {"role": row.role, "staff_role": str(row.id), "reason": reason}
    return Event(action=action, establishment_id=row.establishment_id, detail=detail)
