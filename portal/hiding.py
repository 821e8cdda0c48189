"""What a person hides from everybody by its name at one holder (`Type/id`), and showing it again."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.service import ConsentState, list_consents, record_objection, revoke_consent
from consent_broker.consents.vocabulary import Status
from portal.errors import TooManyHidden
from portal.limit_forms import everything
from portal.patient import me
from portal.people import person_and_replaced
from portal.permissions import evidence

MOST_HIDDEN = 30
"""What one holder may be told to withhold by name: all of it travels in every token, which has a size."""


def hiding_at(session: Session, person_id: UUID, holder_id: UUID) -> list[ConsentState]:
    """The directives in force by which a person hides something of that holder by name."""
    states = list_consents(session, person_and_replaced(session, person_id))
    hiding = (one for one in states if one.status is Status.ACTIVE and one.terms.hides and one.terms.items)
    return [one for one in hiding if holder_id in (one.terms.sources or ())]


def names_any(state: ConsentState, names: Iterable[str]) -> bool:
    """Whether a directive hides one of these names."""
    return not frozenset(names).isdisjoint(state.terms.items or ())


def hide(session: Session, holder_id: UUID, name: str, words: str) -> None:
    """Hide from everybody what the holder knows by that name; raises TooManyHidden."""
    hidden = {one for state in hiding_at(session, me(), holder_id) for one in state.terms.items or ()}
    if len(hidden) >= MOST_HIDDEN:
        raise TooManyHidden
    terms = replace(everything(me()), sources=frozenset({holder_id}), items=frozenset({name}), hides=True)
    record_objection(session, terms, evidence(f"Ocultar a todos. {words}"))


def show_again(session: Session, hiding: Sequence[ConsentState], words: str) -> None:
    """Take back the directives that hide it."""
    for state in hiding:
        revoke_consent(session, state.id, evidence(f"Mostrar de nuevo. {words}", state.terms.person_id))
