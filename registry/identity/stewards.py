"""Who settles possible matches: Minsa staff with the role steward, known by the blind token of their document."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.orm import Session

from matching.records import Document
from registry.audit.event import Detail, Event
from registry.database import now
from registry.directory.documents import document_token
from registry.directory.staff import staff_member_holds
from registry.errors import Forbidden
from registry.identity.candidates import LoadedPerson
from registry.sealing import Sealer

ROLE = "steward"
_HANDLE = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Steward:
    """The human who acts. `handle` is the directory's blind token of their document, in hex: one human, one handle,
    whatever their role was renewed or through whichever client they work.
    """

    handle: str
    client_id: str | None = None
    token_id: str | None = None

    def event(self, action: str, person_id: UUID | None, reason: str | None = None, **detail: Detail) -> Event:
        """An audit event of what the steward did about a person."""
        return Event(
            action=action,
            reason=reason,
            person_id=person_id,
            client_id=self.client_id,
            token_id=self.token_id,
            actor_role=ROLE,
            detail=detail | {"steward": self.handle},
        )

    def refusal(self, reason: str) -> Event:
        """The audit event of an act that was refused."""
        return replace(self.event("identity:case:decided", None, reason), outcome="refused")


def handle_of(sealer: Sealer, document: Document) -> str:
    """The handle of whoever holds that document."""
    return document_token(sealer, document).hex()


def is_steward(session: Session, handle: str) -> bool:
    """Whether the human of that handle holds the role now."""
    well_formed = _HANDLE.fullmatch(handle) is not None
    return well_formed and staff_member_holds(session, bytes.fromhex(handle), ROLE, now())


def require_steward(session: Session, steward: Steward) -> None:
    """Raise Forbidden (audited) unless the role is in force at this moment."""
    if not is_steward(session, steward.handle):
        refusal = steward.refusal("not-a-steward")
        raise Forbidden("Only a steward may do this.", code="not-a-steward", audit=refusal)


def require_stranger(sealer: Sealer, steward: Steward, persons: Iterable[LoadedPerson]) -> None:
    """Raise Forbidden (audited) where a steward would decide about records that carry their own document."""
    documents = {document for person in persons for one in person.members for document in one.normalised.documents}
    if any(handle_of(sealer, document) == steward.handle for document in documents):
        raise Forbidden("Nobody decides about their own records.", code="own-case", audit=steward.refusal("own-case"))
