"""The audit event as a value: what every access and every change says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from uuid import UUID

Outcome = Literal["success", "refused", "failure"]
Detail = str | int | bool | None | list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One auditable fact (FHIR AuditEvent, IHE BALP); ids only, never a name, a document number or a token.

    `action` is `source:subject:verb`, such as `identity:person:linked` or `exchange:records:read`.
    """

    action: str
    outcome: Outcome = "success"
    reason: str | None = None
    person_id: UUID | None = None
    source_record_id: UUID | None = None
    establishment_id: UUID | None = None
    holder_id: UUID | None = None
    client_id: str | None = None
    professional_id: UUID | None = None
    actor_person_id: UUID | None = None
    actor_role: str | None = None
    purpose: str | None = None
    consent_id: UUID | None = None
    token_id: str | None = None
    detail: Mapping[str, Detail] = field(default_factory=lambda: MappingProxyType({}))
