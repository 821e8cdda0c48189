"""History can be added to and read; neither the application nor the owner can change or drop a row."""

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from registry.app import Renhice
from registry.audit.event import Event
from registry.audit.service import Selection, list_for_person, record
from registry.database import new_id

STATEMENTS = ["UPDATE audit_events SET outcome = 'success'", "DELETE FROM audit_events", "TRUNCATE audit_events"]


@pytest.fixture(autouse=True)
def one_event(renhice: Renhice) -> None:
    with renhice.database.unit_of_work() as session:
        record(session, Event(action="test:thing:done", outcome="refused", detail={"count": 1}))


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_application_has_no_such_right(renhice: Renhice, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), renhice.database.engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_owner_is_stopped_by_the_trigger(database_url: str, statement: str) -> None:
    engine = create_engine(database_url)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_the_application_can_neither_make_tables_nor_take_the_owners_place(renhice: Renhice) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), renhice.database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE sneaky (id int)"))


def test_a_persons_events_are_listed_newest_first(renhice: Renhice) -> None:
    person = new_id()
    with renhice.database.unit_of_work() as session:
        for action in ("a:b:first", "a:b:second"):
            record(session, Event(action=action, person_id=person))
        record(session, Event(action="a:b:other", person_id=new_id()))
    with renhice.database.unit_of_work() as session:
        found = list_for_person(session, Selection(person_ids=[person]))
    assert [event.action for event in found] == ["a:b:second", "a:b:first"]


def test_an_event_dies_with_its_transaction(renhice: Renhice) -> None:
    person = new_id()
    with pytest.raises(RuntimeError), renhice.database.unit_of_work() as session:  # noqa: PT012
        record(session, Event(action="a:b:lost", person_id=person))
        raise RuntimeError
    with renhice.database.unit_of_work() as session:
        assert list_for_person(session, Selection(person_ids=[person])) == []
