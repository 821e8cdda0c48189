"""Recording audit events, and reading them for the person they are about (Ley 30024: the patient sees who accessed)."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.audit.event import Event
from registry.audit.models import AuditEvent
from registry.database import new_id
from registry.telemetry import current_request_id


def record(session: Session, event: Event) -> UUID:
    """Write the event in the caller's transaction and return its id: both commit or neither does."""
    values = {field.name: getattr(event, field.name) for field in fields(event)} | {"detail": dict(event.detail)}
    row = AuditEvent(id=new_id(), request_id=current_request_id(), **values)
    session.add(row)
    return row.id


def list_for_person(
    session: Session,
    person_ids: Sequence[UUID],
    *,
    actions: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 200,
) -> Sequence[AuditEvent]:
    """The person's events, newest first; `person_ids` are the person and those it replaced."""
    query = select(AuditEvent).where(AuditEvent.person_id.in_(person_ids))
    if actions:
        query = query.where(AuditEvent.action.in_(actions))
    if since:
        query = query.where(AuditEvent.recorded_at >= since)
    if until:
        query = query.where(AuditEvent.recorded_at < until)
    return session.scalars(query.order_by(AuditEvent.recorded_at.desc(), AuditEvent.id.desc()).limit(limit)).all()
