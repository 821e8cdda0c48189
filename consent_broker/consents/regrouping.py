"""What a merge does to consents: nothing is written, since the decision reads them by the persons of the moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.decision import Kind
from consent_broker.consents.service import ConsentState, list_consents
from registry.database import now

Effect = Literal["suspended", "extended"]


@dataclass(frozen=True, slots=True)
class ConsentEffect:
    """A directive a merge would change.

    `suspended`: a permission of the replaced person, which nobody gave about the records that are added; it counts
    again after a split. `extended`: an objection, which from then on holds for the records of both.
    """

    consent_id: UUID
    person_id: UUID
    establishment_id: UUID | None
    professional_id: UUID | None
    effect: Effect


def list_effects(session: Session, survivor: UUID | None, replaced: UUID | None) -> Sequence[ConsentEffect]:
    """The directives in force that would change if `replaced` were merged into `survivor`; none for a split.

    Records that leave a person for one of their own are under no permission from then on, and those that stay are under
    what they were.
    """
    if survivor is None or replaced is None:
        return []
    moment = now()
    held = [state for state in list_consents(session, [survivor, replaced]) if state.in_force(moment)]
    return [
        _effect(state, "suspended" if state.terms.kind is Kind.PERMISSION else "extended")
        for state in held
        if state.terms.kind is Kind.OBJECTION or state.terms.person_id == replaced
    ]


def is_suspended(state: ConsentState, current: UUID) -> bool:
    """Whether a permission rests because the person that gave it was merged into `current`."""
    return state.terms.kind is Kind.PERMISSION and state.terms.person_id != current


def _effect(state: ConsentState, effect: Effect) -> ConsentEffect:
    terms = state.terms
    return ConsentEffect(state.id, terms.person_id, terms.establishment_id, terms.professional_id, effect)
