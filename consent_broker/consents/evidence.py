"""The evidence a person leaves with each consent act: who, how surely known, where, and what they were shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Protocol
from uuid import UUID

from consent_broker.consents.mandates import Mandate
from registry.audit.event import Detail
from registry.directory.representatives import Power
from registry.errors import Forbidden

MIN_ACR = 2
"""ID Perú level a consent act needs: two factors."""

MAX_AGE = timedelta(hours=12)
LEEWAY = timedelta(minutes=1)


class Proof(Protocol):
    """What any road to a consent act leaves: whose consent it is, who acted, and how that is known."""

    @property
    def decides_for(self) -> UUID:
        """The person whose consent it is."""

    @property
    def actor_person_id(self) -> UUID | None:
        """The human who signed in and acted, where it was a person of the index."""

    @property
    def actor_role(self) -> str:
        """What they acted as, for the audit event."""

    @property
    def withheld(self) -> frozenset[str]:
        """The labels of care that is confidential from whoever acted."""

    def as_record(self) -> dict[str, Any]:
        """The JSON kept with the version; carries no demographics."""

    def as_detail(self) -> dict[str, Detail]:
        """What the audit event of the act says of it."""

    def require_strong(self, person_id: UUID, now: datetime) -> None:
        """Raise Forbidden unless this proves that person's will at that moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAct:
    """What every act of a signed-in human leaves: how surely they were known, where, and what they were shown."""

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

    @property
    def withheld(self) -> frozenset[str]:
        """Nothing is confidential from the person."""
        return frozenset()

    def _as_record(self, actor: UUID | None) -> dict[str, Any]:
        return {
            "actor_person_id": str(actor) if actor else None,
            "acr": self.acr,
            "auth_time": self.auth_time.astimezone(UTC).isoformat(),
            "channel": self.channel,
            "text_sha256": sha256(self.text.encode()).hexdigest(),
            "subject_token": self.subject_token,
            "session_id": self._session(),
        }

    def _as_detail(self) -> dict[str, Detail]:
        return {
            "channel": self.channel,
            "acr": self.acr,
            "subject_token": self.subject_token,
            "session_id": self._session(),
        }

    def _session(self) -> str | None:
        return str(self.session_id) if self.session_id else None

    def _require_recent(self, now: datetime) -> None:
        if self.acr < MIN_ACR or not now - MAX_AGE <= self.auth_time <= now + LEEWAY:
            raise Forbidden("Deciding about a consent needs a stronger, recent sign-in.", code="step-up-required")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(SignedAct):
    """What is kept with the version of a consent (Ley 29733: consent is prior, express, informed and provable)."""

    actor_person_id: UUID

    @property
    def decides_for(self) -> UUID:
        """The person whose consent it is."""
        return self.actor_person_id

    @property
    def actor_role(self) -> str:
        """They act as the patient."""
        return "patient"

    def as_record(self) -> dict[str, Any]:
        """The JSON kept with the version; carries no demographics."""
        return self._as_record(self.actor_person_id)

    def as_detail(self) -> dict[str, Detail]:
        """What the audit event of the act says of it."""
        return self._as_detail()

    def require_strong(self, person_id: UUID, now: datetime) -> None:
        """Raise Forbidden unless the person themselves acted, recently and surely enough authenticated."""
        if self.actor_person_id != person_id:
            raise Forbidden("Only the person concerned may decide about this consent.", code="not-your-consent")
        self._require_recent(now)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepresentativeEvidence(SignedAct):
    """The same of somebody who acts in the person's name: each version says who, and by which representation."""

    mandate: Mandate
    """What they may do now, found at this request."""

    actor_person_id: UUID | None
    """The representative, where they are a person of the index."""

    @property
    def decides_for(self) -> UUID:
        """The person whose consent it is."""
        return self.mandate.person_id

    @property
    def actor_role(self) -> str:
        """They act for the patient."""
        return "representative"

    @property
    def withheld(self) -> frozenset[str]:
        """What of an adolescent's care is confidential from a parent or guardian."""
        return self.mandate.withheld

    def as_record(self) -> dict[str, Any]:
        """The JSON kept with the version; carries no demographics."""
        return self._as_record(self.actor_person_id) | self._by()

    def as_detail(self) -> dict[str, Detail]:
        """What the audit event of the act says of it."""
        return self._as_detail() | self._by()

    def require_strong(self, person_id: UUID, now: datetime) -> None:
        """Raise Forbidden unless the mandate is to decide for that person and has not ended, by a recent sign-in."""
        ended = self.mandate.ends_at is not None and now >= self.mandate.ends_at
        if self.mandate.person_id != person_id or ended or not self.mandate.permits(Power.DECIDE):
            raise Forbidden("The representation does not reach this far.", code="not-in-mandate")
        self._require_recent(now)

    def _by(self) -> dict[str, Detail]:
        return {"representation": str(self.mandate.id), "basis": self.mandate.basis.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterEvidence:
    """The evidence of an act at an establishment for somebody who did not sign in: the road vouches for their will.

    `facts` are what that road proved, such as which code was read back or the hash of the signed form; ids and hashes
    only, never a name, a number or a telephone.
    """

    decides_for: UUID
    channel: str
    text: str
    """The words the person was told, or signed; their SHA-256 is kept."""

    establishment_id: UUID
    professional_id: UUID
    """Who was in front of the person."""

    facts: Mapping[str, Detail] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def actor_person_id(self) -> None:
        """Nobody signed in as the person."""

    @property
    def actor_role(self) -> str:
        """A professional put the person's will on record."""
        return "professional"

    @property
    def withheld(self) -> frozenset[str]:
        """Nothing is confidential from the person."""
        return frozenset()

    def as_record(self) -> dict[str, Any]:
        """The JSON kept with the version; carries no demographics."""
        return {
            "channel": self.channel,
            "establishment_id": str(self.establishment_id),
            "professional_id": str(self.professional_id),
            "text_sha256": sha256(self.text.encode()).hexdigest(),
            **self.facts,
        }

    def as_detail(self) -> dict[str, Detail]:
        """What the audit event of the act says of it."""
        return {"channel": self.channel, "assisted_at": str(self.establishment_id), **self.facts}

    def require_strong(self, person_id: UUID, now: datetime) -> None:  # noqa: ARG002  # what the road proved, it checked
        """Raise Forbidden unless it is about that person."""
        if self.decides_for != person_id:
            raise Forbidden("Only the person concerned may decide about this consent.", code="not-your-consent")
