"""Blocking tokens of a new version: written beside the former ones, put in force at once, found at every moment."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from click.testing import CliRunner
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from matching.blocking import blocking_keys
from matching.key_scheme import key_scheme
from matching.normalise import normalise
from matching.records import Demographics
from registry.app import Renhice
from registry.audit.event import Event
from registry.audit.models import AuditEvent
from registry.cli import cli
from registry.database import new_id
from registry.errors import Conflict
from registry.identity.candidates import OtherScheme
from registry.identity.contents import seal_context, to_bytes
from registry.identity.engine import blind_keys
from registry.identity.models import BlockingScheme, BlockingToken, SourceRecord, SourceRecordVersion
from registry.identity.persons import find_citizen
from registry.identity.rekeying import count_pending, drop_former, put_in_force, write_tokens
from registry.identity.service import Content, Outcome, Registration, engine_of, match, register_source_record
from registry.sealing import DataKey
from registry.settings import Settings
from tests.integration.identity.conftest import PEDRO, ROSA, SYSTEM

FORMER = 7
BY = Event(action="identity:index:rekeyed", actor_role="operator")


def register(renhice: Renhice, facts: Demographics) -> Outcome:
    with renhice.database.unit_of_work() as session:
        content = Content(SYSTEM, str(new_id()), facts)
        registration = Registration(establishment_id=new_id(), client_id="sihce", content=content)
        return register_source_record(session, engine_of(renhice), registration)


def found(renhice: Renhice, facts: Demographics) -> set[object]:
    with renhice.database.unit_of_work() as session:
        return {one.person.person_id for one in match(session, engine_of(renhice), facts)}


def count(session: Session, scheme: int) -> int:
    return session.scalar(select(func.count()).select_from(BlockingToken).where(BlockingToken.scheme == scheme)) or 0


def say_next(session: Session, renhice: Renhice, record_id: UUID, facts: Demographics) -> None:
    """A new version of a record, as a former version of the engine leaves it: tokens of other rules untouched."""
    content = to_bytes(Content(SYSTEM, "1", facts))
    sealed = renhice.sealer.seal(session, record_id, content, seal_context(2))
    session.add(
        SourceRecordVersion(source_record_id=record_id, version=2, sealed=sealed, active=True, client_id="sihce")
    )
    session.execute(update(SourceRecord).where(SourceRecord.id == record_id).values(version=2, scheme=FORMER))
    session.flush()


@pytest.fixture
def outcomes(renhice: Renhice) -> Iterator[list[Outcome]]:
    """Two people as a former version indexed them: under other tokens, of its own scheme."""
    made = [register(renhice, ROSA), register(renhice, PEDRO)]
    with renhice.database.unit_of_work() as session:
        session.execute(text("UPDATE blocking_tokens SET token = hashint8extended(token, 7), scheme = 7"))
        theirs = SourceRecord.id.in_([one.source_record_id for one in made])
        session.execute(update(SourceRecord).where(theirs).values(scheme=FORMER))
        session.execute(update(BlockingScheme).where(BlockingScheme.ended_at.is_(None)).values(scheme=FORMER))
    yield made
    with renhice.database.unit_of_work() as session:
        session.execute(delete(BlockingToken))
        session.execute(update(SourceRecord).values(scheme=key_scheme()))
        session.execute(update(BlockingScheme).where(BlockingScheme.ended_at.is_(None)).values(scheme=key_scheme()))


def test_nobody_is_registered_or_sought_by_keys_that_are_not_in_force(
    renhice: Renhice, outcomes: list[Outcome]
) -> None:
    with pytest.raises(OtherScheme):
        register(renhice, ROSA)
    with pytest.raises(OtherScheme):
        found(renhice, ROSA)
    with renhice.database.unit_of_work() as session, pytest.raises(OtherScheme):
        find_citizen(session, renhice.sealer, ROSA.documents[0], ROSA)
    assert outcomes


def test_both_sets_stand_until_the_former_is_dropped(renhice: Renhice, outcomes: list[Outcome]) -> None:
    with renhice.database.unit_of_work() as session:
        former = count(session, FORMER)
    batches = list(write_tokens(renhice.database, renhice.sealer, batch=1))
    assert [one.done for one in batches] == [1, 1]
    with renhice.database.unit_of_work() as session:
        assert (count(session, FORMER), count(session, key_scheme())) == (former, former)
    with pytest.raises(OtherScheme):
        found(renhice, ROSA)
    with renhice.database.unit_of_work() as session:
        assert put_in_force(session, renhice.sealer, BY)
    assert found(renhice, ROSA) == {outcomes[0].person_id}
    assert register(renhice, ROSA).person_id == outcomes[0].person_id
    assert sum(drop_former(renhice.database, pages=1)) == former
    with renhice.database.unit_of_work() as session:
        assert count(session, FORMER) == 0
        assert not put_in_force(session, renhice.sealer, BY)
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == BY.action)).one()
        assert event.detail == {"former": FORMER, "scheme": key_scheme()}
    assert found(renhice, PEDRO) == {outcomes[1].person_id}


def test_an_interrupted_run_is_taken_up_again_and_does_nothing_twice(renhice: Renhice, outcomes: list[Outcome]) -> None:
    first = next(write_tokens(renhice.database, renhice.sealer, batch=1))
    with renhice.database.unit_of_work() as session:
        assert count_pending(session) == 1
    rest = list(write_tokens(renhice.database, renhice.sealer, batch=1))
    assert first.done + sum(one.done for one in rest) == len(outcomes)


def test_what_the_former_version_took_meanwhile_is_indexed_at_the_switch(
    renhice: Renhice, outcomes: list[Outcome]
) -> None:
    list(write_tokens(renhice.database, renhice.sealer))
    revised = outcomes[0].source_record_id
    with renhice.database.unit_of_work() as session:
        say_next(session, renhice, revised, PEDRO)
        assert put_in_force(session, renhice.sealer, BY)
    assert sum(drop_former(renhice.database)) > 0
    assert found(renhice, PEDRO) == {one.person_id for one in outcomes}
    with renhice.database.unit_of_work() as session:
        tokens = select(BlockingToken.token).where(BlockingToken.source_record_id == revised)
        assert sorted(session.scalars(tokens)) == blind_keys(renhice.sealer, blocking_keys(normalise(PEDRO)))


def test_a_record_that_cannot_be_opened_stops_the_switch_unless_told_otherwise(
    renhice: Renhice, outcomes: list[Outcome]
) -> None:
    lost = outcomes[1].source_record_id
    with renhice.database.unit_of_work() as session:
        session.execute(update(DataKey).where(DataKey.owner_id == lost).values(wrapped=b"damaged" * 8))
    (batch,) = write_tokens(renhice.database, renhice.sealer)
    assert (batch.done, set(batch.unreadable)) == (1, {lost})
    with renhice.database.unit_of_work() as session, pytest.raises(Conflict, match="1 records can't be opened"):
        put_in_force(session, renhice.sealer, BY)
    with renhice.database.unit_of_work() as session:
        assert put_in_force(session, renhice.sealer, BY, without_unreadable=True)
    assert found(renhice, ROSA) == {outcomes[0].person_id}


def test_a_record_whose_key_was_destroyed_stops_nothing(renhice: Renhice, outcomes: list[Outcome]) -> None:
    with renhice.database.unit_of_work() as session:
        session.execute(delete(DataKey).where(DataKey.owner_id == outcomes[1].source_record_id))
    assert [one.done for one in write_tokens(renhice.database, renhice.sealer)] == [2]
    with renhice.database.unit_of_work() as session:
        assert put_in_force(session, renhice.sealer, BY)


def test_the_former_tokens_are_not_dropped_before_the_switch(renhice: Renhice, outcomes: list[Outcome]) -> None:
    with pytest.raises(Conflict):
        next(drop_former(renhice.database))
    assert outcomes


def test_the_command_does_all_of_it(
    renhice: Renhice, outcomes: list[Outcome], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("database_url", "broker_url", "keys_dir"):
        monkeypatch.setenv(f"RENHICE_{name.upper()}", str(getattr(settings, name)))
    done = CliRunner().invoke(cli, ["identity", "rekey", "--drop-former"], catch_exceptions=False)
    assert "in force now" in done.output
    assert found(renhice, PEDRO) == {outcomes[1].person_id}
    again = CliRunner().invoke(cli, ["identity", "rekey"], catch_exceptions=False)
    assert "already" in again.output
