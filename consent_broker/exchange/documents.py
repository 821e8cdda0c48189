"""Documents of other establishments: found in the index and fetched from their holder, under the person's consents.

Nobody can take anything out of a document, so one flows whole or not at all: when everything it may speak of is
permitted, with its labels, on all its days. What it may speak of follows from its type; of a type this list does not
know it is everything. One in FHIR is opened besides: it is as sensitive as what is in it, and names what that names.
"""

from base64 import b64decode
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha1, sha256
from itertools import product
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.consents.decision import Decision
from consent_broker.consents.directives import Item
from consent_broker.consents.vocabulary import ALL_CATEGORIES, FHIR_TYPES, categories_of
from consent_broker.exchange.asking import Fault, HolderError
from consent_broker.exchange.gateway import fetch_document, read
from consent_broker.exchange.service import decide_exchange, is_restricted, reader_event
from consent_broker.oauth.grants import decide_reading
from consent_broker.oauth.holder_tokens import Access, Holder, find_holders, issue_document_ticket
from consent_broker.resource_server.naming import names_in, own_names, resources_in, spelled
from consent_broker.resource_server.residual import ALWAYS, days_of, labels_of
from registry.audit.event import Event
from registry.audit.service import record
from registry.errors import DomainError, InvalidInput, NotFound
from registry.fhir.ips import IPS_TYPE, LOINC
from registry.fhir.wire import Json
from registry.fhir.xml_format import from_xml
from registry.locator.documents import Document, find_document, list_documents
from registry.sealing import Sealer

FOUND, READ = "exchange:documents:found", "exchange:document:read"
SPEAKS_OF: Mapping[str, frozenset[str]] = MappingProxyType({
    IPS_TYPE: frozenset({"allergies", "medications", "problems", "immunizations"}),
    "57833-6": frozenset({"medications"}),
    "11369-6": frozenset({"immunizations"}),
    "82593-5": frozenset({"immunizations"}),
})  # fmt: skip
"""LOINC document type to the categories of record in it: patient summary, prescription, immunization records."""

_READERS: Mapping[str, Callable[[bytes], Any]] = MappingProxyType({
    "application/fhir+json": read, "application/json": read, "application/fhir+xml": from_xml,
})  # fmt: skip
"""Media type to what reads it, of documents whose content can be looked at."""


class HolderFailed(DomainError):
    """The document's holder did not deliver it, or delivered something else."""

    code = "holder-failed"
    status = 502
    fhir_code = "transient"


@dataclass(frozen=True, slots=True)
class FoundDocuments:
    """The documents that may be read, and whether the reader is told that something is restricted."""

    documents: Sequence[Document]
    restricted: bool


def find_documents(session: Session, sealer: Sealer, access: Access, scopes: Iterable[str]) -> FoundDocuments:
    """The documents of a person that the consents and the scopes let flow, the newest first; audited.

    Raises Forbidden (audited) when nothing is permitted.
    """
    asked = categories_of(scopes)
    decision = decide_exchange(session, access, [FHIR_TYPES[one] for one in sorted(asked)])
    holders = {one.source_record_id: one for one in _holders(session, access)}
    held = list_documents(session, sealer, holders)
    names = names_of(held)
    found = [one for one in held if flows(one, decision, names[one.id])]
    record(session, _event(FOUND, access, decision, count=len(found)))
    return FoundDocuments(found, any(is_restricted(decision, one) for one in asked))


def read_document(
    session: Session, broker: Broker, sealer: Sealer, access: Access, scopes: Iterable[str], document_id: UUID
) -> tuple[bytes, str]:
    """The bytes of a document as its holder sends them, and its content type by the index (IHE MHD ITI-68).

    Asked at the holder's base of today, wherever it was when the document was published: nobody else sees its token.
    Commits twice, as the gateway does. Raises NotFound for what there is not or may not be read (also by the time it
    came), Forbidden when the consents permit nothing of it, HolderFailed when it does not arrive or is not the document
    the index describes.
    """
    document = find_document(session, sealer, document_id)
    holder, names = _holder(session, sealer, access, document) if document else (None, frozenset[str]())
    if document is None or holder is None or not speaks_of(document) <= categories_of(scopes):
        raise _unknown(access, document_id)
    decision = decide_exchange(session, access, [FHIR_TYPES[one] for one in sorted(speaks_of(document))])
    if not flows(document, decision, names):
        raise _unknown(access, document_id)
    attachment = document.description["resource"]["content"][0]["attachment"]
    name = name_of(document)
    kind = name.partition("/")[0]
    ticket = issue_document_ticket(session, broker, access, decision, holder, kind)
    session.commit()
    read = _event(READ, access, decision, holder, str(ticket.token.id), document=str(document_id))
    try:
        with broker.slots.hold(access.client_id):
            body = fetch_document(broker, ticket, f"{holder.endpoint}/{name}", attachment["contentType"])
        _check(body, attachment, document.description["sha256"])
        content = _open(body, attachment["contentType"])
    except HolderError as error:
        failure = replace(read, outcome="failure", reason=error.fault)
        raise HolderFailed("The holder did not deliver the document.", code=error.fault, audit=failure) from None
    decision = decide_reading(session, access.reader, access.person_id, speaks_of(document))
    if not flows(document, decision, names, content):
        raise _unknown(access, document_id)
    record(session, read)
    return body, attachment["contentType"]


def speaks_of(document: Document) -> frozenset[str]:
    """The categories of record a document may hold, by its type."""
    codings = (document.description["resource"].get("type") or {}).get("coding") or []
    known = [SPEAKS_OF.get(one.get("code", "")) if one.get("system") == LOINC else None for one in codings]
    found = [one for one in known if one is not None]
    return frozenset().union(*found) if found and len(found) == len(known) else ALL_CATEGORIES


def names_of(documents: Sequence[Document]) -> dict[UUID, frozenset[str]]:
    """The names at their holder of each document and all its versions, `Binary/id`: who hides one hides them all."""
    newest = {one.id: one.replaced_by for one in documents}
    names: defaultdict[UUID, set[str]] = defaultdict(set)
    for one in documents:
        names[_newest(one.id, newest)].add(name_of(one))
    return {one.id: frozenset(names[_newest(one.id, newest)]) for one in documents}


def _newest(document_id: UUID, replaced_by: Mapping[UUID, UUID | None]) -> UUID:
    """Follow a document to the one that took its place; each only leads to a later one."""
    while (newer := replaced_by.get(document_id)) is not None:
        document_id = newer
    return document_id


def name_of(document: Document) -> str:
    """The document as its holder knows it: `Binary/id` or `Bundle/id`."""
    url: str = document.description["resource"]["content"][0]["attachment"]["url"]
    return "/".join(url.rsplit("/", 2)[1:])


def all_names_of(document: Document) -> frozenset[str]:
    """The document as its holder knows it, and by its identifiers."""
    return own_names(document.description["resource"] | {"id": None}) | {name_of(document)}


def labels_on(document: Document) -> frozenset[str]:
    """How sensitive a document is, by its own labels."""
    said = document.description["resource"]
    labelled = [one for concept in said.get("securityLabel") or [] for one in concept.get("coding") or []]
    return labels_of({"meta": {"security": [*labelled, *((said.get("meta") or {}).get("security") or [])]}})


def flows(document: Document, decision: Decision, names: Iterable[str], content: Json | None = None) -> bool:
    """Whether all of a document is permitted, under each of the names of its versions, what it says it is about, and
    its `content` where that is known.
    """
    parts = [document.description["resource"], *([content] if content else [])]
    inside = [labels_of(one) for one in resources_in(content or {})]
    period = (document.description["resource"].get("context") or {}).get("period")
    first, last = days_of({"resourceType": "Encounter", "period": period}) if period else ALWAYS
    hidden = frozenset[str]().union(*(one.items or () for one in decision.directives))
    named = frozenset[str]().union(*map(names_in, parts)) if hidden else hidden
    whole = Item(
        category="",
        labels=labels_on(document).union(*inside),
        source=document.establishment_id,
        first=first,
        last=last,
        mentions=frozenset(name for name in hidden if not spelled(name).isdisjoint(named)),
    )
    atoms = product(speaks_of(document), names)
    return all(decision.allows(replace(whole, category=category, reference=name)) for category, name in atoms)


def _holders(session: Session, access: Access) -> list[Holder]:
    return [one for one in find_holders(session, access.person_id) if not one.contested and one.endpoint]


def _holder(
    session: Session, sealer: Sealer, access: Access, document: Document
) -> tuple[Holder | None, frozenset[str]]:
    """The holder of a document of that person, under the record it was handed in for or the one that replaced it; and
    the names of the document's versions there."""
    for one in _holders(session, access):
        if one.establishment_id == document.establishment_id:
            names = names_of(list_documents(session, sealer, [one.source_record_id]))
            if document.id in names:
                return one, names[document.id]
    return None, frozenset()


def _check(body: bytes, attachment: Mapping[str, Any], digest: str | None) -> None:
    """Raise HolderError unless the bytes are those the index describes (FHIR's own `hash` is SHA-1)."""
    size, weak = attachment.get("size"), attachment.get("hash")
    wrong = size is not None and int(size) != len(body)
    wrong |= digest is not None and b64decode(digest) != sha256(body).digest()
    wrong |= weak is not None and b64decode(weak) != sha1(body, usedforsecurity=False).digest()
    if wrong:
        raise HolderError(Fault.UNREADABLE)


def _open(body: bytes, content_type: str) -> Json | None:
    """What a document in FHIR says; None of one in another format. Raises HolderError for one that can't be read."""
    reader = _READERS.get(content_type.partition(";")[0].strip().lower())
    try:
        content = reader(body) if reader else None
    except (InvalidInput, ValueError, RecursionError):
        raise HolderError(Fault.UNREADABLE) from None
    if content is not None and not isinstance(content, dict):
        raise HolderError(Fault.UNREADABLE)
    return content


def _unknown(access: Access, document_id: UUID) -> NotFound:
    refusal = replace(
        reader_event(access, READ), outcome="refused", reason="unknown-document", detail={"document": str(document_id)}
    )
    return NotFound("There is no such document.", audit=refusal)


def _event(
    action: str,
    access: Access,
    decision: Decision,
    holder: Holder | None = None,
    token_id: str | None = None,
    **detail: str | int,
) -> Event:
    return replace(
        reader_event(access, action),
        source_record_id=holder.source_record_id if holder else None,
        holder_id=holder.establishment_id if holder else None,
        consent_id=decision.consent_ids[0],
        token_id=token_id,
        detail=detail,
    )
