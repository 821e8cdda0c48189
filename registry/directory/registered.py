"""Record systems as those they call need to know them: rows of a few columns, because every call asks for one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from registry.database import table_of
from registry.directory.models import Establishment, RecordSystem, why_unusable
from registry.questions import Question

SYSTEMS, PLACES = table_of(RecordSystem), table_of(Establishment)


class Registered(NamedTuple):
    """What is registered of a record system, and of its establishment (`fhir_endpoint`, `active`)."""

    client_id: str
    profile: str
    establishment_id: UUID
    jwks: dict[str, Any] | None
    jwks_uri: str | None
    redirect_uris: list[str]
    scopes: list[str]
    accredited_from: datetime
    accredited_until: datetime
    suspended_at: datetime | None
    fhir_endpoint: str | None
    active: bool

    def unusable(self, moment: datetime) -> str | None:
        """Why this system may not be served at that moment, None when it may (checked on every call)."""
        return why_unusable(self.active, self.suspended_at, self.accredited_from, self.accredited_until, moment)


REGISTERED = [(PLACES if name in {"fhir_endpoint", "active"} else SYSTEMS).c[name] for name in Registered._fields]
"""The columns of a `Registered`, of systems joined with their establishments."""

AT_PLACE = PLACES.c.id == SYSTEMS.c.establishment_id
_ALL = select(*REGISTERED).join_from(SYSTEMS, PLACES, AT_PLACE)
_ONE = Question(_ALL.where(SYSTEMS.c.client_id == bindparam("client_id")))


def find_registered(session: Session, client_id: str) -> Registered | None:
    """The record system of an OAuth client id, read anew: its standing is checked on every call."""
    row = _ONE.ask_one(session, client_id=client_id)
    return None if row is None else Registered(*row)


def list_registered(session: Session) -> Sequence[Registered]:
    """Every record system."""
    return [Registered(*row) for row in session.execute(_ALL)]
