"""The professional at this request: who, where they work, and the note of what they did."""

from typing import Any
from uuid import UUID

from portal.errors import NoWorkplace
from portal.guard import require, signed_in
from portal.hats import PROFESSIONAL
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import now, session
from registry.directory.models import Establishment
from registry.directory.service import get_professional, workplaces
from registry.errors import Forbidden


def policy() -> None:
    """Only an able professional, signed in with the electronic DNI (ID Perú level 3)."""
    require(PROFESSIONAL)


def me() -> UUID:
    """The professional whose session this is; raises Forbidden."""
    found = signed_in().professional_id
    if found is None:
        raise Forbidden("This session has no professional.")
    return found


def my_workplaces() -> list[Establishment]:
    """Where they may act now."""
    return workplaces(session(), get_professional(session(), me()), now())


def note(action: str, person_id: UUID | None = None, detail: dict[str, str | int] | None = None) -> None:
    """Audit what this professional did."""
    record(session(), event_of(action, person_id=person_id, detail=detail or {}))


def event_of(action: str, **more: Any) -> Event:
    """Something this professional did; the establishment is named where they work at one only."""
    places = my_workplaces()
    if not places:
        raise NoWorkplace
    return Event(
        action=action,
        professional_id=me(),
        establishment_id=places[0].id if len(places) == 1 else None,
        actor_role="professional",
        actor_person_id=signed_in().person_id,
        purpose="TREAT",
        **more,
    )
