"""In whose name a session acts: found anew at each request, so that what has ended is over at the next click."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.mandates import Mandate, is_confidential
from consent_broker.consents.representatives import list_mandates
from consent_broker.consents.service import ConsentState, list_consents
from matching.records import Demographics, Document, DocumentType
from registry.app import Renhice
from registry.directory.representatives import Power
from registry.identity.persons import list_person_ids, preferred_demographics
from registry.locator.hiding import hidden_links


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """Somebody acts in a person's name: by which mandate, and how the person is called."""

    mandate: Mandate
    name: str

    @property
    def decides(self) -> bool:
        """Whether they may decide, and not only see."""
        return self.mandate.permits(Power.DECIDE)


def mandates_of(session: Session, parts: Renhice, document_number: str) -> list[Acting]:
    """All in whose name the holder of a DNI may act now."""
    document = Document(DocumentType.DNI, document_number)
    found = list_mandates(session, parts.sealer, document, parts.settings.adolescent_from_age)
    return [Acting(mandate=one, name=name_of(session, parts, one.person_id)) for one in found]


def find_acting(
    session: Session, parts: Renhice, document_number: str, representation_id: UUID | None
) -> Acting | None:
    """The mandate a session acts by, None when it acts for itself or the mandate is over."""
    if representation_id is None:
        return None
    found = mandates_of(session, parts, document_number)
    return next((one for one in found if one.mandate.id == representation_id), None)


def name_of(session: Session, parts: Renhice, person_id: UUID) -> str:
    """A person's names and surnames in the order people use them."""
    known = preferred_demographics(session, parts.sealer, person_id) or Demographics()
    names = (known.given_names, known.paternal_surname, known.maternal_surname)
    return " ".join(filter(None, names)) or "Nombre no registrado"


@dataclass(frozen=True, slots=True)
class Withheld:
    """What of a person is not shown to whoever acts for them; empty for the person."""

    labels: frozenset[str] = frozenset()
    consents: frozenset[UUID] = frozenset()
    places: frozenset[UUID] = frozenset()

    def shows(self, state: ConsentState) -> bool:
        """Whether a consent is shown."""
        return not is_confidential(self.labels, state.terms)


def withheld_from(session: Session, acting: Acting | None) -> Withheld:
    """An adolescent's confidential care: consents about it, and the establishments whose link they hide."""
    if acting is None or not acting.mandate.withheld:
        return Withheld()
    labels, person_id = acting.mandate.withheld, acting.mandate.person_id
    states = list_consents(session, list_person_ids(session, person_id))
    return Withheld(
        labels=labels,
        consents=frozenset(state.id for state in states if is_confidential(labels, state.terms)),
        places=hidden_links(session, person_id),
    )
