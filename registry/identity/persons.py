"""Persons: who replaced whom, what is preferred to be known of one, and which person a citizen is."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import CTE, Select, bindparam, select
from sqlalchemy.orm import Session

from matching.blocking import blocking_keys
from matching.key_scheme import key_scheme
from matching.normalise import Normalised, normalise
from matching.records import Demographics, Document
from matching.survivorship import NAME_FIELDS, SourceView, preferred
from registry.errors import NotFound
from registry.identity.agreement import dnis, names_agree, names_agree_fully
from registry.identity.candidates import (
    LoadedMember,
    LoadedPerson,
    OtherScheme,
    find_persons,
    load_persons,
    scheme_in_force,
)
from registry.identity.engine import blind_keys
from registry.identity.models import (
    NAMES_DIFFER,
    UPHELD,
    BlockingToken,
    Contest,
    Membership,
    Person,
    SourceRecord,
    Verification,
)
from registry.pide.port import Status
from registry.questions import Question
from registry.sealing import Sealer

VERIFIED_FIELDS = NAME_FIELDS | {"documents"}


def _current() -> Select[Person]:
    this = select(Person.id, Person.replaced_by).where(Person.id == bindparam("person_id"))
    chain = this.cte("chain", recursive=True)
    chain = chain.union(select(Person.id, Person.replaced_by).join(chain, Person.id == chain.c.replaced_by))
    return select(Person).join(chain, Person.id == chain.c.id).where(Person.status == "active")


def with_replaced(first: Select[UUID]) -> CTE:
    """Those ids, and of the persons they replaced."""
    chain = first.cte("chain", recursive=True)
    return chain.union(select(Person.id).join(chain, Person.replaced_by == chain.c.id))


def _replaced() -> Select[UUID]:
    ids = with_replaced(select(Person.id).where(Person.id == bindparam("person_id"))).c.id
    return select(ids).order_by(ids)


# Every decision about access asks these: they are made once.
CURRENT, REPLACED = _current(), _replaced()
STATUS = Question(select(Person.status).where(Person.id == bindparam("person_id")))
REGROUPED = select(Person.regrouped_at).where(Person.id == bindparam("person_id"))


def find_person(session: Session, person_id: UUID) -> Person | None:
    """The person, or the one that replaced it, as far as the chain goes; None for an unknown or an emptied one."""
    return session.scalar(CURRENT, {"person_id": person_id})


def get_person(session: Session, person_id: UUID) -> Person:
    """`find_person`; raises NotFound."""
    person = find_person(session, person_id)
    if person is None:
        raise NotFound("The registry knows no such person.", code="unknown-person")
    return person


def resolve_replaced(session: Session, person_id: UUID) -> UUID:
    """The id a person goes by today; raises NotFound."""
    return get_person(session, person_id).id


def stands_for_itself(session: Session, person_id: UUID) -> bool:
    """Whether that id is a person of today: neither replaced by another nor emptied."""
    return STATUS.ask_one(session, person_id=person_id) == ("active",)


def regrouped_since(session: Session, person_id: UUID, moment: datetime) -> bool:
    """Whether the person was merged or split at that moment or later: what was issued until then has ended."""
    regrouped_at = session.scalar(REGROUPED, {"person_id": person_id})
    return regrouped_at is not None and regrouped_at >= moment


def list_person_ids(session: Session, person_id: UUID) -> list[UUID]:
    """The person's id and those it replaced: under all of them its history is written."""
    return list(session.scalars(REPLACED, {"person_id": person_id}))


def load_person(session: Session, sealer: Sealer, person_id: UUID) -> LoadedPerson | None:
    """A current person with its source records opened; None without any readable one."""
    person = load_persons(session, sealer, [person_id]).get(person_id)
    return person if person and person.members else None


def preferred_demographics(session: Session, sealer: Sealer, person_id: UUID) -> Demographics | None:
    """The preferred demographics of a current person; None for one without readable records."""
    person = load_person(session, sealer, person_id)
    return preferred_of(person) if person else None


def preferred_of(person: LoadedPerson) -> Demographics:
    """Survivorship over the active records of a person, or over all when none is active."""
    return preferred(
        [
            SourceView(
                demographics=one.content.demographics,
                recorded_at=one.received_at,
                verified=VERIFIED_FIELDS if one.verified else frozenset(),
            )
            for one in _in_use(person)
        ]
    )


def born_of(person: LoadedPerson, facts: Demographics) -> str | None:
    """The birth date of a person's preferred demographics as FHIR writes it: a month or year where no more is known.

    A month that a record says is more than the first of January that others say, who may know the year only.
    """
    if facts.birth_date is None:
        return None
    agreeing = [one for one in _in_use(person) if one.content.demographics.birth_date == facts.birth_date]
    latest = sorted(agreeing, key=lambda one: one.received_at, reverse=True)
    said = [one.content.born for one in latest]
    months = [text for text in said if text and len(text) == len("1984-05")]
    return next(iter(months), max(filter(None, said), key=len))


def _in_use(person: LoadedPerson) -> list[LoadedMember]:
    return [one for one in person.members if one.active] or list(person.members)


def find_citizen(
    session: Session, sealer: Sealer, document: Document, names: Demographics, *, confirmed: bool = False
) -> UUID | None:
    """The one person a citizen who signed in is; None when none or several.

    `document` comes from ID Perú. Where a record with that DNI was verified by RENIEC, only verified ones count, and
    their names must agree. Where none was, unchecked records count only if `confirmed`, that is `names` are RENIEC's
    own for that document, and only those whose surnames and given names all agree; one whose check failed never does.
    A person that also carries somebody else's verified DNI is nobody's, and a record that the citizen contested and a
    steward took away is not theirs while it says the same. Raises Unavailable like `find_persons`.
    """
    wanted, citizen = normalise(Demographics(documents=(document,))), normalise(names)
    tokens = blind_keys(sealer, blocking_keys(wanted))
    if scheme_in_force(session) != key_scheme():
        raise OtherScheme
    verified = load_persons(session, sealer, _verified_with(session, tokens))
    carriers = [(key, one) for key, one in _carriers(verified, wanted) if one.verified]
    disowned = _disowned(session, [one for _, one in carriers])
    carriers = [(key, one) for key, one in carriers if one.record_id not in disowned]
    found = {key for key, one in carriers if names_agree(one.normalised, citizen)}
    persons = verified
    if not carriers and confirmed:
        persons = find_persons(session, sealer, tokens)
        agreeing = [(key, one) for key, one in _carriers(persons, wanted) if names_agree_fully(one.normalised, citizen)]
        members = [one for _, one in agreeing]
        refuted = _refuted(session, members) | _disowned(session, members)
        found = {key for key, one in agreeing if one.record_id not in refuted}
    found = {key for key in found if not _verified_otherwise(persons[key], wanted)}
    return found.pop() if len(found) == 1 else None


def bears_document(session: Session, sealer: Sealer, record_id: UUID, documents: Sequence[Document]) -> bool:
    """Whether a source record itself says one of these documents; one that was joined by names alone says none."""
    tokens = blind_keys(sealer, blocking_keys(normalise(Demographics(documents=tuple(documents)))))
    said = select(BlockingToken.token).where(BlockingToken.source_record_id == record_id)
    return session.scalar(said.where(BlockingToken.token.in_(tokens)).limit(1)) is not None


def _verified_with(session: Session, tokens: Sequence[int]) -> Sequence[UUID]:
    """Persons with a verified record under those tokens; however many others carry the number, none hides them."""
    query = (
        select(Membership.person_id)
        .distinct()
        .join(SourceRecord, SourceRecord.id == Membership.source_record_id)
        .join(BlockingToken, BlockingToken.source_record_id == SourceRecord.id)
        .where(BlockingToken.token.in_(tokens), SourceRecord.verified)
        .order_by(Membership.person_id)
    )
    return session.scalars(query).all()


def _carriers(persons: Mapping[UUID, LoadedPerson], wanted: Normalised) -> list[tuple[UUID, LoadedMember]]:
    """The records that carry that DNI and no other."""
    members = [(key, one) for key, person in persons.items() for one in person.members]
    return [(key, one) for key, one in members if dnis(one.normalised) == dnis(wanted) != frozenset()]


def _verified_otherwise(person: LoadedPerson, wanted: Normalised) -> bool:
    return any(one.verified and dnis(one.normalised) != dnis(wanted) for one in person.members)


def _disowned(session: Session, members: Sequence[LoadedMember]) -> set[UUID]:
    """Records that somebody contested in this very version, and a steward found not to be theirs."""
    versions = {one.record_id: one.version for one in members}
    query = select(Contest.source_record_id, Contest.version).where(
        Contest.source_record_id.in_(versions), Contest.status == UPHELD
    )
    return {row.source_record_id for row in session.execute(query) if versions[row.source_record_id] == row.version}


def _refuted(session: Session, members: Sequence[LoadedMember]) -> set[UUID]:
    """Records whose newest version was checked against the identity registry and found to be someone else's."""
    rows = session.execute(
        select(Verification.source_record_id, Verification.version)
        .where(Verification.source_record_id.in_([one.record_id for one in members]))
        .where(Verification.status.in_([NAMES_DIFFER, Status.NOT_FOUND]))
    ).all()
    failed = {tuple(row) for row in rows}
    return {one.record_id for one in members if (one.record_id, one.version) in failed}
