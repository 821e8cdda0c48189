"""Emergency accesses as the person and the privacy officer read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.emergency.cases import is_open
from consent_broker.emergency.models import EmergencyAccess
from consent_broker.emergency.vocabulary import REASONS, Outcome
from portal.present import directory
from registry.database import now
from registry.sealing import Sealer

OUTCOMES = {Outcome.JUSTIFIED.value: "Sí, estuvo justificada", Outcome.MISUSE.value: "No, fue mal uso"}
_JUDGED = {Outcome.JUSTIFIED.value: ("Revisada: justificada", "good"), Outcome.MISUSE.value: ("Mal uso", "bad")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case: who, where, why, when, and how it stands."""

    id: UUID
    professional: str
    establishment: str
    reason: str
    declared_at: datetime
    ends_at: datetime
    review_due_at: datetime
    state: str
    tone: str
    disputable: bool


def cases(session: Session, sealer: Sealer, rows: Sequence[EmergencyAccess]) -> list[Case]:
    """Declared cases, in the order given."""
    known = directory(
        session,
        sealer,
        establishments=[row.establishment_id for row in rows],
        professionals=[row.professional_id for row in rows],
    )
    moment = now()
    return [
        Case(
            id=row.id,
            professional=f"{known.professional(row.professional_id)} · {known.credential(row.professional_id)}",
            establishment=known.establishment(row.establishment_id),
            reason=REASONS.get(row.reason or "", "No consta"),
            declared_at=row.declared_at or row.asked_at,
            ends_at=row.ends_at or row.asked_at,
            review_due_at=row.review_due_at or row.asked_at,
            state=state,
            tone=tone,
            disputable=row.disputed_at is None and row.reviewed_at is None,
        )
        for row in rows
        for state, tone in [_state(row, moment)]
    ]


def _state(row: EmergencyAccess, moment: datetime) -> tuple[str, str]:
    if row.outcome:
        return _JUDGED[row.outcome]
    if row.disputed_at:
        return "La persona no lo reconoce", "bad"
    if is_open(row, moment):
        return "Abierta ahora", "warn"
    late = row.review_due_at is not None and row.review_due_at < moment
    return ("Revisión atrasada", "bad") if late else ("En revisión", "quiet")
