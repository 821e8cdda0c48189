"""What the document index says of a person's own documents, and what hides each; as its owner reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.service import ConsentState
from consent_broker.exchange.documents import labels_on, names_of, speaks_of
from consent_broker.resource_server.residual import ALWAYS, days_of
from portal.acting import Withheld
from portal.dates import long_day
from portal.hiding import hiding_at, names_any
from portal.present import UNKNOWN, in_order, labels_in_order
from portal.views import OwnDocument
from registry.directory.service import list_establishments
from registry.locator.documents import Document, list_documents
from registry.locator.hiding import hidden_links
from registry.locator.service import locate
from registry.sealing import Sealer

_LONGEST = 120


@dataclass(frozen=True, slots=True)
class Kept:
    """A document as it stands today; `hiding` are the person's directives that hide it or a version of it by name."""

    document: Document
    hiding: Sequence[ConsentState]
    place_hidden: bool
    """Whether the person hides that its establishment holds anything of theirs."""


def kept_of(session: Session, sealer: Sealer, person_id: UUID, withheld: Withheld) -> list[Kept]:
    """A person's documents, the newest first; not those of a record that may be another's.

    What is confidential from whoever acts for the person is left out: what is sensitive, and what is hidden.
    """
    records = [one.source_record_id for one in locate(session, person_id) if not one.contested]
    held = list_documents(session, sealer, records)
    names, places = names_of(held), hidden_links(session, person_id)
    hiding = {place: hiding_at(session, person_id, place) for place in {one.establishment_id for one in held}}
    found = [
        Kept(
            one,
            [state for state in hiding[one.establishment_id] if names_any(state, names[one.id])],
            one.establishment_id in places,
        )
        for one in held
        if one.current
    ]
    return [one for one in found if not withheld.labels or _is_open(one, withheld.labels)]


def as_shown(session: Session, documents: Sequence[Kept]) -> list[OwnDocument]:
    """Documents in the words of their owner."""
    places = list_establishments(session, {one.document.establishment_id for one in documents})
    known = {place.id: place.name for place in places}
    return [_shown(one, known.get(one.document.establishment_id, UNKNOWN)) for one in documents]


def _is_open(kept: Kept, confidential: frozenset[str]) -> bool:
    hidden = kept.place_hidden or bool(kept.hiding)
    return not hidden and labels_on(kept.document).isdisjoint(confidential)


def _shown(kept: Kept, establishment: str) -> OwnDocument:
    said = kept.document.description["resource"]
    attachment = said["content"][0]["attachment"]
    title = attachment.get("title") or said.get("description") or _coded(said.get("type")) or "Documento"
    return OwnDocument(
        id=kept.document.id,
        title=str(title)[:_LONGEST],
        establishment=establishment,
        days=_days(said),
        received_at=kept.document.received_at,
        categories=in_order(speaks_of(kept.document)),
        labels=labels_in_order(labels_on(kept.document)),
        hidden=bool(kept.hiding),
        place_hidden=kept.place_hidden,
    )


def _coded(concept: Mapping[str, Any] | None) -> str:
    codings = (concept or {}).get("coding") or []
    said = [(concept or {}).get("text"), *(one.get("display") for one in codings)]
    return next((str(one) for one in said if one), "")


def _days(said: Mapping[str, Any]) -> str:
    """What days a document is about."""
    period = (said.get("context") or {}).get("period")
    first, last = days_of({"resourceType": "Encounter", "period": period}) if period else ALWAYS
    if (first, last) == ALWAYS:
        return "sin fecha"
    return long_day(first) if first == last else f"del {long_day(first)} al {long_day(last)}"
