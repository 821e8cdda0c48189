"""A person as it stood at any moment: membership, status, what was said and what was confirmed by then."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.audit.models import AuditEvent
from registry.database import new_id, now
from registry.errors import Forbidden, InvalidInput, NotFound
from registry.identity.service import Engine
from registry.identity.stewardship import Grounds, PastPerson, Steward, list_history, merge, person_at, undo
from registry.identity.verification import verify_record
from registry.pide.port import Names
from tests.integration.identity.conftest import PEDRO, ROSA, Register, misspelt
from tests.integration.identity.test_verification import Reniec

WHY = Grounds(reason="documents")
At = Callable[..., PastPerson]


@pytest.fixture
def at(session: Session, engine: Engine, steward: Steward) -> At:
    def call(person_id: UUID, moment: datetime, **more: object) -> PastPerson:
        return person_at(session, engine, steward, person_id, moment, **more)  # type: ignore[arg-type]

    return call


def test_every_moment_shows_the_membership_of_that_moment(
    session: Session, engine: Engine, steward: Steward, register: Register, at: At
) -> None:
    one, other = register(ROSA), register(PEDRO)
    apart = now()
    made = merge(session, engine, steward, (one.person_id, other.person_id), WHY, survivor=one.person_id)
    together = now()
    undo(session, engine, steward, made.id, WHY)
    again = now()
    seen = {moment: (at(one.person_id, moment), at(other.person_id, moment)) for moment in (apart, together, again)}
    for moment, counts in ((apart, (1, 1)), (together, (2, 0)), (again, (1, 1))):
        assert tuple(len(person.records) for person in seen[moment]) == counts
    assert (seen[together][1].status, seen[together][1].replaced_by) == ("replaced", one.person_id)
    assert seen[again][1] == replace(seen[apart][1], at=again)


def test_values_and_confirmations_are_those_of_the_moment(
    session: Session, engine: Engine, steward: Steward, register: Register, at: At
) -> None:
    place = new_id()
    first = register(replace(ROSA, given_names="Rosa"), at=place)
    early = now()
    register(misspelt(ROSA))
    middle = now()
    register(ROSA, at=place)
    reniec = Reniec({"40718293": Names("HUAMAN", "CCAHUANA", "ROSA ELVIRA")})
    verify_record(session, engine.sealer, reniec, first.source_record_id)
    late = now()
    persons = [at(first.person_id, moment) for moment in (early, middle, late)]
    assert [person.preferred["given_names"] for person in persons] == ["Rosa", "Rosa", "Rosa Elvira"]
    assert [person.preferred["paternal_surname"] for person in persons] == ["Huamán", "Guaman", "Huamán"]
    assert [[one.check for one in person.records] for person in persons] == [[None], [None, None], ["verified", None]]
    assert [one.version for one in persons[2].records] == [2, 1]


def test_sensitive_values_are_masked_and_reading_is_in_the_log(session: Session, register: Register, at: At) -> None:
    person = register(ROSA).person_id
    assert at(person, now()).preferred["phone"].startswith("····")
    assert at(person, now(), reveal={"phone"}).preferred["phone"] == ROSA.phone
    session.flush()
    events = session.scalars(select(AuditEvent).where(AuditEvent.action == "identity:history:read")).all()
    assert [(row.person_id, row.detail["fields"]) for row in events] == [(person, []), (person, ["phone"])]


def test_what_was_not_there_and_what_is_not_yet(session: Session, register: Register, at: At) -> None:
    before = now()
    person = register(ROSA).person_id
    with pytest.raises(NotFound):
        at(person, before)
    with pytest.raises(NotFound):
        at(new_id(), now())
    with pytest.raises(InvalidInput):
        at(person, now() + timedelta(days=1))
    with pytest.raises(InvalidInput):
        at(person, now(), reveal={"sex"})


def test_history_is_for_stewards(session: Session, engine: Engine, steward: Steward, register: Register) -> None:
    one, other = register(ROSA), register(PEDRO)
    made = merge(session, engine, steward, (one.person_id, other.person_id), WHY, survivor=one.person_id)
    events = list_history(session, steward, one.person_id)
    assert [event.kind for event in events] == ["merged", "linked", "unlinked", "linked", "linked"]
    assert {event.decision_id for event in events} == {made.id, None}
    with pytest.raises(Forbidden):
        list_history(session, Steward(handle="0" * 32), one.person_id)
