"""What a person hides from everybody by its name at one holder (`Type/id`), and showing it again."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.service import ConsentState, list_consents, record_objection, revoke_consent
from consent_broker.consents.vocabulary import Status
from consent_broker.resource_server.residual import dependents
from portal.errors import TooManyHidden
from portal.limit_forms import everything
from portal.patient import me
from portal.people import person_and_replaced
from portal.permissions import evidence

MOST_HIDDEN = 30
"""How many items one holder may be told to withhold."""

MOST_CHARACTERS = 4_500
"""How long all their names may be together, as they travel in every token, which has a size."""


def hiding_at(session: Session, person_id: UUID, holder_id: UUID) -> list[ConsentState]:
    """The directives in force by which a person hides something of that holder by name."""
    states = list_consents(session, person_and_replaced(session, person_id))
    hiding = (one for one in states if one.status is Status.ACTIVE and one.terms.hides and one.terms.items)
    return [one for one in hiding if holder_id in (one.terms.sources or ())]


def names_any(state: ConsentState, names: Iterable[str]) -> bool:
    """Whether a directive hides one of these names."""
    return not frozenset(names).isdisjoint(state.terms.items or ())


def hide(session: Session, holder_id: UUID, names: frozenset[str], words: str) -> None:
    """Hide from everybody what the holder knows by those names; raises TooManyHidden."""
    hiding = hiding_at(session, me(), holder_id)
    named = names.union(*(state.terms.items or () for state in hiding))
    if len(hiding) >= MOST_HIDDEN or len(json.dumps(dependents(named))) > MOST_CHARACTERS:
        raise TooManyHidden(alone=not hiding)
    terms = replace(everything(me()), sources=frozenset({holder_id}), items=names, hides=True)
    record_objection(session, terms, evidence(f"Ocultar a todos. {words}"))


def show_again(session: Session, hiding: Sequence[ConsentState], words: str) -> None:
    """Take back the directives that hide it."""
    for state in hiding:
        revoke_consent(session, state.id, evidence(f"Mostrar de nuevo. {words}", state.terms.person_id))
