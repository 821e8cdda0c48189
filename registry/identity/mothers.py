"""A newborn's mother by her number in the same establishment: her document, and the records that name her."""

from collections.abc import Collection
from dataclasses import replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from matching.records import Document, DocumentType
from registry.identity.contents import Content, local_domain
from registry.identity.models import MotherNumber
from registry.identity.records import OwnRecord, find_own_id, find_own_record
from registry.identity.search import SearchTooWide
from registry.sealing import Sealer

MOST_CHILDREN = 200
"""Records opened for one search: a number that stands for none, such as 0, is that of thousands."""


def with_mother(session: Session, sealer: Sealer, establishment_id: UUID, content: Content) -> Content:
    """The content with the document of the mother whose number it gives, unless it gives a document itself."""
    facts, number = content.demographics, content.mother_number
    if number is None or facts.mother_document is not None:
        return content
    mother = find_mother(session, sealer, establishment_id, number) if number != content.local_number else None
    if mother is None or not mother.member.content.demographics.documents:
        return content
    document = min(mother.member.content.demographics.documents, key=_dni_first)
    return replace(content, demographics=replace(facts, mother_document=document))


def _dni_first(document: Document) -> bool:
    return document.type is not DocumentType.DNI


def find_mother(session: Session, sealer: Sealer, establishment_id: UUID, number: str) -> OwnRecord | None:
    """The establishment's record of a mother's number; None where there is none in use."""
    key = find_own_id(session, sealer, establishment_id, number)
    found = find_own_record(session, sealer, establishment_id, key) if key else None
    return found if found and found.member.active else None


def note_mother(session: Session, sealer: Sealer, establishment_id: UUID, record_id: UUID, number: str) -> None:
    """Let a record be found by the number of its patient's mother."""
    token = sealer.blind(local_domain(establishment_id), number)
    row = insert(MotherNumber).values(token=token, source_record_id=record_id)
    session.execute(row.on_conflict_do_nothing())


def find_children(
    session: Session, sealer: Sealer, establishment_id: UUID, numbers: Collection[str]
) -> list[OwnRecord]:
    """The establishment's records whose newest version gives its patient's mother one of those numbers.

    Raises SearchTooWide for numbers that too many give, or gave before.
    """
    tokens = [sealer.blind(local_domain(establishment_id), number) for number in numbers]
    query = select(MotherNumber.source_record_id).where(MotherNumber.token.in_(tokens)).distinct()
    keys = session.scalars(query.order_by(MotherNumber.source_record_id).limit(MOST_CHILDREN + 1)).all()
    if len(keys) > MOST_CHILDREN:
        raise SearchTooWide
    found = (find_own_record(session, sealer, establishment_id, key) for key in keys)
    return [one for one in found if one and one.member.content.mother_number in numbers]
