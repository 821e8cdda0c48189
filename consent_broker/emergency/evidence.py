"""What a declared emergency leaves in place of the person's own act: who declared it, how surely known, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from consent_broker.emergency.vocabulary import ACR, FRESH
from registry.audit.event import Detail
from registry.errors import Forbidden

CHANNEL = "emergency"
LEEWAY_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """The professional's declaration (Ley 30024: the person could not authorise). A `Proof` by law, not by will.

    `decides_for` is the person, `acr` and `auth_time` those of the professional's sign-in, `text` the words of the
    declaration they accepted; its SHA-256 is kept. What they wrote themselves is sealed elsewhere.
    """

    decides_for: UUID
    emergency_id: UUID
    establishment_id: UUID
    professional_id: UUID
    reason: str
    acr: int
    auth_time: datetime
    text: str
    session_id: UUID | None = None

    @property
    def actor_person_id(self) -> None:
        """Nobody signed in as the person."""

    @property
    def actor_role(self) -> str:
        """The professional acts."""
        return "professional"

    @property
    def withheld(self) -> frozenset[str]:
        """No representative acts."""
        return frozenset()

    def as_record(self) -> dict[str, Any]:
        """The JSON kept with the version; carries no demographics."""
        return {
            **self._facts(),
            "establishment_id": str(self.establishment_id),
            "professional_id": str(self.professional_id),
            "auth_time": self.auth_time.astimezone(UTC).isoformat(),
            "text_sha256": sha256(self.text.encode()).hexdigest(),
        }

    def as_detail(self) -> dict[str, Detail]:
        """What the audit event of the act says of it."""
        return dict(self._facts())

    def _facts(self) -> Mapping[str, str | int | None]:
        return {
            "channel": CHANNEL,
            "emergency": str(self.emergency_id),
            "reason": self.reason,
            "acr": self.acr,
            "session_id": str(self.session_id) if self.session_id else None,
        }

    def require_strong(self, person_id: UUID, now: datetime) -> None:
        """Raise Forbidden unless it is about that person, and the professional proved who they are just now."""
        if self.decides_for != person_id:
            raise Forbidden("The declaration is about another person.", code="another-patient")
        age = (now - self.auth_time).total_seconds()
        if self.acr < ACR or not -LEEWAY_SECONDS <= age <= FRESH.total_seconds():
            raise Forbidden("An emergency needs the strongest sign-in, made just now.", code="step-up-required")
