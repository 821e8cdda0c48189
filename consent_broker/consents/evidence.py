"""The evidence a person leaves with each consent act: who, how surely known, where, and what they were shown."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from registry.audit.event import Detail
from registry.errors import Forbidden

MIN_ACR = 2
"""ID Perú level a consent act needs: two factors."""

MAX_AGE = timedelta(hours=12)
LEEWAY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is kept with the version of a consent (Ley 29733: consent is prior, express, informed and provable)."""

    actor_person_id: UUID
    acr: int
    auth_time: datetime
    channel: str
    text: str
    """The words the person saw when they decided; its SHA-256 is kept."""

    subject_token: str | None = None
    """Who signed in: the blind token of their document, in hex. A person id says whose consent; a link between records
    may prove wrong later, this does not."""

    session_id: UUID | None = None
    """The sign-in session the act was done in: its row's id, never its cookie."""

    def as_record(self) -> dict[str, Any]:
        """The JSON kept with the version; carries no demographics."""
        return {
            "actor_person_id": str(self.actor_person_id),
            "acr": self.acr,
            "auth_time": self.auth_time.astimezone(UTC).isoformat(),
            "channel": self.channel,
            "text_sha256": sha256(self.text.encode()).hexdigest(),
            "subject_token": self.subject_token,
            "session_id": self._session(),
        }

    def as_detail(self) -> dict[str, Detail]:
        """What the audit event of the act says of it."""
        return {
            "channel": self.channel,
            "acr": self.acr,
            "subject_token": self.subject_token,
            "session_id": self._session(),
        }

    def _session(self) -> str | None:
        return str(self.session_id) if self.session_id else None

    def require_strong(self, person_id: UUID, now: datetime) -> None:
        """Raise Forbidden unless the person themselves acted, recently and surely enough authenticated."""
        if self.actor_person_id != person_id:
            raise Forbidden("Only the person concerned may decide about this consent.", code="not-your-consent")
        if self.acr < MIN_ACR or not now - MAX_AGE <= self.auth_time <= now + LEEWAY:
            raise Forbidden("Deciding about a consent needs a stronger, recent sign-in.", code="step-up-required")
