"""What an establishment says of the person, item by item, as they themselves read it, and what they hide of it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from consent_broker.broker import current_broker
from consent_broker.consents.service import ConsentState
from consent_broker.consents.vocabulary import CATEGORIES, LABEL_SYSTEMS
from consent_broker.exchange.own import read_own
from consent_broker.exchange.service import Missing, Record
from consent_broker.resource_server.naming import ID_IN_PATH, names_in, own_names, reference_of, spelled
from consent_broker.resource_server.residual import dependents, labels_of, release
from portal import clinical
from portal.acting import withheld_from
from portal.guard import signed_in
from portal.hiding import hiding_at
from portal.patient import me
from portal.permissions import evidence
from portal.present import labels_in_order
from portal.views import OwnItem, OwnRecord
from registry.app import parts
from registry.database import session
from registry.identity.service import bears_document, preferred_demographics

_ID = re.compile(ID_IN_PATH)


@dataclass(frozen=True, slots=True)
class Said:
    """What a record says, newest first; `mine` is False, and nothing is read, when it doesn't bear their document."""

    items: Sequence[OwnItem] = ()
    missing: Sequence[Missing] = ()
    mine: bool = True


def read_record(record: OwnRecord) -> Said:
    """Ask the holder what it says. A record joined by names alone may be another's: what it says isn't shown."""
    known = preferred_demographics(session(), parts().sealer, me())
    if known is None or not bears_document(session(), parts().sealer, record.id, known.documents):
        return Said(mine=False)
    proof = evidence(f"Leer lo que guarda de mí {record.establishment}.")
    found = read_own(session(), current_broker(), proof, record.id)
    hidden = names_hidden(hiding_at(session(), me(), record.establishment_id))
    confidential = withheld_from(session(), signed_in().acting).labels
    return Said(_items(found.records, hidden, confidential), found.missing)


def names_hidden(hiding: Iterable[ConsentState]) -> frozenset[str]:
    """What directives hide by name."""
    return frozenset(name for state in hiding for name in state.terms.items or ())


def is_nameable(kind: str, item_id: str) -> bool:
    """Whether it is the name of a clinical item: a FHIR type that is read, and a FHIR id."""
    return kind in CATEGORIES and _ID.fullmatch(item_id) is not None


def _items(records: Sequence[Record], hidden: frozenset[str], confidential: frozenset[str]) -> list[OwnItem]:
    """The items, but for what is confidential from whoever acts for the person, and whatever refers to it.

    That is what is sensitive, and what hides.
    """
    read = clinical.newest_first(one.resource for one in records)
    if confidential:
        labels = [{"system": LABEL_SYSTEMS[one], "code": one} for one in sorted(confidential)]
        rules = [{"type": "forbid", "securityLabel": labels}, {"type": "forbid", "data": dependents(hidden)}]
        read = [one["resource"] for one in release([{"resource": one} for one in read], rules)]
    return [_item(one, hidden) for one in read]


def _item(resource: clinical.Resource, hidden: frozenset[str]) -> OwnItem:
    """An item, and whether it, or something it names, is hidden."""
    line = clinical.line(resource)
    kind, item_id = str(resource.get("resourceType")), str(resource.get("id", ""))
    name = reference_of(resource)
    return OwnItem(
        kind=kind,
        id=item_id if is_nameable(kind, item_id) else "",
        category=CATEGORIES[kind],
        title=line.title,
        status=line.status,
        at=line.at,
        detail=line.detail,
        labels=labels_in_order(labels_of(resource)),
        names=own_names(resource),
        hidden=name in hidden,
        hidden_with=name not in hidden and not names_in(resource).isdisjoint(hidden.union(*map(spelled, hidden))),
    )
