"""Rows turned into what pages show: names looked up once per page, codes into Spanish."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent_broker.consents.models import AccessRequest
from consent_broker.consents.service import ConsentState
from consent_broker.consents.states import channels_of
from consent_broker.consents.vocabulary import Status
from portal import texts
from portal.views import Access, ConsentQuestion, PendingRequest, Permission
from registry.audit.models import AuditEvent
from registry.database import now
from registry.directory.models import Establishment, Professional
from registry.directory.service import display_names, list_establishments
from registry.sealing import Sealer

UNKNOWN = "No consta"


class Asked(Protocol):
    """Who asks for what, however the question arrived."""

    @property
    def establishment_id(self) -> UUID: ...
    @property
    def professional_id(self) -> UUID | None: ...
    @property
    def purpose(self) -> str: ...
    @property
    def categories(self) -> Collection[str]: ...
    @property
    def labels(self) -> Collection[str]: ...
    @property
    def ends_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Directory:
    """The establishments and professionals a page names."""

    establishments: dict[UUID, Establishment]
    names: dict[UUID, str]
    credentials: dict[UUID, str]

    def establishment(self, key: UUID | None) -> str:
        """The establishment's name."""
        found = self.establishments.get(key) if key else None
        return found.name if found else UNKNOWN

    def place(self, key: UUID | None) -> str:
        """Where the establishment is, and of which category."""
        found = self.establishments.get(key) if key else None
        return f"{found.region.title()} · categoría {found.category}" if found else ""

    def professional(self, key: UUID | None) -> str:
        """The professional's name; empty where none is named."""
        return self.names.get(key, UNKNOWN) if key else ""

    def credential(self, key: UUID | None) -> str:
        """College and registration number."""
        return self.credentials.get(key, "") if key else ""


def directory(
    session: Session, sealer: Sealer, *, establishments: Iterable[UUID | None], professionals: Iterable[UUID | None]
) -> Directory:
    """Look the names of a page up in three statements, whatever its length."""
    places = _known(establishments)
    people = _known(professionals)
    rows = session.execute(
        select(Professional.id, Professional.college, Professional.number).where(Professional.id.in_(people))
    )
    return Directory(
        establishments={place.id: place for place in list_establishments(session, places)},
        names=display_names(session, sealer, people),
        credentials={row.id: f"{row.college} {row.number}" for row in rows},
    )


def permissions(session: Session, sealer: Sealer, states: Sequence[ConsentState]) -> list[Permission]:
    """Consents as their owner reads them."""
    known = directory(
        session,
        sealer,
        establishments=[state.terms.establishment_id for state in states],
        professionals=[state.terms.professional_id for state in states],
    )
    channels = channels_of(session, [state.id for state in states])
    return [replace(_permission(state, known), road=texts.road(channels.get(state.id))) for state in states]


def pending_requests(
    session: Session, sealer: Sealer, requests: Sequence[AccessRequest], waited_for: Collection[UUID]
) -> list[PendingRequest]:
    """Questions that wait for the person; of those in `waited_for` the answer is waited for wherever it is given."""
    known = directory(
        session,
        sealer,
        establishments=[request.establishment_id for request in requests],
        professionals=[request.professional_id for request in requests],
    )
    return [
        PendingRequest(
            id=request.id,
            professional=known.professional(request.professional_id),
            establishment=known.establishment(request.establishment_id),
            purpose=request.purpose,
            categories=in_order(request.categories),
            asked_at=request.created_at,
            until=request.ends_at,
            decided_here=request.client_id is None or request.id in waited_for,
        )
        for request in requests
    ]


def question(session: Session, sealer: Sealer, request: Asked, action: str) -> ConsentQuestion:
    """The consent page of an access request or of an authorization."""
    known = directory(
        session, sealer, establishments=[request.establishment_id], professionals=[request.professional_id]
    )
    return ConsentQuestion(
        action=action,
        establishment=known.establishment(request.establishment_id),
        place=known.place(request.establishment_id),
        professional=known.professional(request.professional_id),
        credential=known.credential(request.professional_id),
        purpose=request.purpose,
        categories=in_order(request.categories),
        labels=labels_in_order(request.labels),
        until=request.ends_at,
    )


def names_of(session: Session, establishments: Collection[UUID] | None) -> list[str]:
    """The names of establishments, in order; none where any is meant."""
    return [place.name for place in list_establishments(session, establishments)] if establishments else []


def accesses(session: Session, sealer: Sealer, events: Sequence[AuditEvent]) -> list[Access]:
    """Audit events as the person they are about reads them: the human and the establishment, never the intermediary."""
    known = directory(
        session,
        sealer,
        establishments=[key for event in events for key in (event.establishment_id, event.holder_id)],
        professionals=[event.professional_id for event in events],
    )
    return [_access(event, known) for event in events]


def labels_in_order(labels: Iterable[str] | None) -> list[str]:
    """What is sensitive, as it is listed to people; the ordinary is not."""
    wanted = set(labels or ())
    return [code for code in texts.LABELS if code in wanted]


def powers_in_order(powers: Iterable[str]) -> list[str]:
    """Powers from the least to the most."""
    wanted = set(map(str, powers))
    return [code for code in texts.POWERS if code in wanted]


def in_order(categories: Iterable[str] | None) -> list[str]:
    """Categories in clinical order; None is all of them."""
    wanted = set(texts.CATEGORIES if categories is None else categories)
    return [code for code in texts.CATEGORIES if code in wanted]


def _permission(state: ConsentState, known: Directory) -> Permission:
    terms, moment = state.terms, now()
    expired = state.status is Status.ACTIVE and not state.in_force(moment)
    return Permission(
        id=state.id,
        establishment=known.establishment(terms.establishment_id),
        professional=known.professional(terms.professional_id),
        categories=in_order(terms.categories),
        labels=labels_in_order(terms.labels),
        days=(terms.data_from, terms.data_until),
        purpose=min(terms.purposes or {""}),
        since=state.starts_at,
        until=terms.ends_at or moment,
        state="expired" if expired else state.status.value,
        ended_at=None if state.status is Status.ACTIVE else state.recorded_at,
    )


def _access(event: AuditEvent, known: Directory) -> Access:
    permitted = event.outcome != "refused"
    return Access(
        at=event.recorded_at,
        permitted=permitted,
        who=_who(event, known),
        profession=known.credential(event.professional_id),
        establishment=known.establishment(event.establishment_id) if event.professional_id else "",
        what=_what(event, known),
        why=texts.IDENTIFYING if event.action in texts.ACTIONS else texts.purpose(event.purpose),
        refusal=_note(event),
    )


def _who(event: AuditEvent, known: Directory) -> str:
    if event.actor_role in texts.READERS:
        return texts.READERS[event.actor_role]
    return known.professional(event.professional_id) or known.establishment(event.establishment_id)


def _what(event: AuditEvent, known: Directory) -> str:
    codes = event.detail.get("categories") or [line.split(":")[0] for line in event.detail.get("explanation", [])]
    named = ", ".join(texts.category(code) for code in in_order(codes)) or texts.action(event.action)
    return f"{named} de {known.establishment(event.holder_id)}" if event.holder_id in known.establishments else named


def _note(event: AuditEvent) -> str:
    if event.outcome == "refused":
        return texts.refusal(event.reason)
    return "No llegó nada: el establecimiento no respondió" if event.outcome == "failure" else ""


def _known(ids: Iterable[UUID | None]) -> Collection[UUID]:
    return {key for key in ids if key is not None}
