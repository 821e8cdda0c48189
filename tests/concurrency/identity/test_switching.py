"""Putting new blocking keys in force while registrations go on: none is left without the tokens it is found by."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Event as Signal

from sqlalchemy import select, update

from matching.key_scheme import key_scheme
from matching.records import Demographics
from registry.app import Renhice
from registry.audit.event import Event
from registry.database import new_id
from registry.identity.candidates import serialise
from registry.identity.models import BlockingScheme, SourceRecord
from registry.identity.rekeying import count_pending, put_in_force, write_tokens
from registry.identity.service import Content, Registration, engine_of, register_source_record

FORMER = 7
ROSA = Demographics(
    paternal_surname="Huamán", maternal_surname="Ccahuana", given_names="Rosa", birth_date=date(1984, 7, 19)
)


def test_the_switch_waits_for_who_is_registering_and_indexes_what_they_leave(renhice: Renhice) -> None:
    """A process of the former version registers; it is played by hand, since there is only one version here."""
    registering, seen_waiting = Signal(), Signal()
    with renhice.database.unit_of_work() as session:
        content = Content("https://example.pe/hc", "1", ROSA)
        registration = Registration(establishment_id=new_id(), client_id="sihce", content=content)
        record_id = register_source_record(session, engine_of(renhice), registration).source_record_id
        session.execute(update(BlockingScheme).where(BlockingScheme.ended_at.is_(None)).values(scheme=FORMER))
    list(write_tokens(renhice.database, renhice.sealer))

    def former_version_revises() -> None:
        with renhice.database.unit_of_work() as session:
            serialise(session, [11])
            session.execute(update(SourceRecord).where(SourceRecord.id == record_id).values(scheme=FORMER))
            registering.set()
            assert seen_waiting.wait(10)

    def switch() -> bool:
        assert registering.wait(10)
        with renhice.database.unit_of_work() as session:
            return put_in_force(session, renhice.sealer, Event(action="identity:index:rekeyed"))

    with ThreadPoolExecutor(2) as pool:
        revision, switching = pool.submit(former_version_revises), pool.submit(switch)
        assert registering.wait(10)
        _wait_until_blocked(renhice)
        assert not switching.done()
        seen_waiting.set()
        revision.result()
        assert switching.result()
    with renhice.database.unit_of_work() as session:
        assert count_pending(session) == 0
        query = select(BlockingScheme.scheme).order_by(BlockingScheme.begun_at)
        assert session.scalars(query).all() == [FORMER, key_scheme()]


def _wait_until_blocked(renhice: Renhice) -> None:
    """Until the database says that somebody waits for an advisory lock."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with renhice.database.engine.connect() as connection:
        while connection.exec_driver_sql(waiting).scalar() == 0:
            connection.rollback()
