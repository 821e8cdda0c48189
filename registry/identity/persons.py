"""Persons: who replaced whom, what is preferred to be known of one, and which person a citizen is."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from matching.blocking import blocking_keys
from matching.compare import DIFFERENT, MISSING, compare_given, compare_surnames
from matching.normalise import Normalised, normalise
from matching.records import Demographics, Document
from matching.survivorship import NAME_FIELDS, SourceView, preferred
from registry.errors import NotFound
from registry.identity.candidates import LoadedMember, LoadedPerson, find_persons, load_persons
from registry.identity.engine import blind_keys
from registry.identity.models import Person, Verification
from registry.sealing import Sealer

VERIFIED_FIELDS = NAME_FIELDS | {"documents"}


def find_person(session: Session, person_id: UUID) -> Person | None:
    """The person, or the one that replaced it, as far as the chain goes; None for an unknown or an emptied one."""
    chain = select(Person.id, Person.replaced_by).where(Person.id == person_id).cte("chain", recursive=True)
    following = select(Person.id, Person.replaced_by).join(chain, Person.id == chain.c.replaced_by)
    chain = chain.union(following)
    current = select(Person).join(chain, Person.id == chain.c.id).where(Person.status == "active")
    return session.scalar(current)


def get_person(session: Session, person_id: UUID) -> Person:
    """`find_person`; raises NotFound."""
    person = find_person(session, person_id)
    if person is None:
        raise NotFound("The registry knows no such person.", code="unknown-person")
    return person


def resolve_replaced(session: Session, person_id: UUID) -> UUID:
    """The id a person goes by today; raises NotFound."""
    return get_person(session, person_id).id


def list_person_ids(session: Session, person_id: UUID) -> list[UUID]:
    """The person's id and those it replaced: under all of them its history is written."""
    chain = select(Person.id).where(Person.id == person_id).cte("chain", recursive=True)
    chain = chain.union(select(Person.id).join(chain, Person.replaced_by == chain.c.id))
    return list(session.scalars(select(chain.c.id).order_by(chain.c.id)))


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
    active = [one for one in person.members if one.active] or list(person.members)
    return preferred(
        [
            SourceView(
                demographics=one.content.demographics,
                recorded_at=one.received_at,
                verified=VERIFIED_FIELDS if one.verified else frozenset(),
            )
            for one in active
        ]
    )


def find_citizen(session: Session, sealer: Sealer, document: Document, names: Demographics) -> UUID | None:
    """The one person a verified citizen is: a record with that document whose names agree; None when none or several.

    `document` and `names` come from the State (ID Perú, RENIEC), so agreeing with them is the verification. A record
    that merely carries the number, as a relative's may, is not enough, and one whose check failed does not count. A
    record that RENIEC confirmed outranks those it was not asked about: a mistyped number is somebody else's.
    """
    wanted, citizen = normalise(Demographics(documents=(document,))), normalise(names)
    persons = find_persons(session, sealer, blind_keys(sealer, blocking_keys(wanted)))
    own = {
        one.record_id: (key, one)
        for key, person in persons.items()
        for one in person.members
        if set(wanted.documents) & set(one.normalised.documents) and names_agree(one.normalised, citizen)
    }
    refuted = _refuted(session, [one for _, one in own.values()])
    confirmed = {key for key, one in own.values() if one.verified}
    found = confirmed or {key for record_id, (key, _) in own.items() if record_id not in refuted}
    return found.pop() if len(found) == 1 else None


def _refuted(session: Session, members: Sequence[LoadedMember]) -> set[UUID]:
    """Records whose newest version was checked against the identity registry and found to be someone else's."""
    rows = session.execute(
        select(Verification.source_record_id, Verification.version)
        .where(Verification.source_record_id.in_([one.record_id for one in members]))
        .where(Verification.status.in_(["names-differ", "not-found"]))
    ).all()
    failed = {tuple(row) for row in rows}
    return {one.record_id for one in members if (one.record_id, one.version) in failed}


def names_agree(record: Normalised, citizen: Normalised) -> bool:
    """Given names agree, no surname differs, and where both have surnames one of them agrees."""
    given, _ = compare_given(record, citizen)
    (paternal, _), (maternal, _), _ = compare_surnames(record, citizen)
    surnames = {paternal, maternal} - {MISSING}
    return given not in {MISSING, DIFFERENT} and DIFFERENT not in surnames and bool(surnames or not citizen.paternal)
