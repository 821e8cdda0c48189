"""Simultaneous registrations, with real threads on a real database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from functools import partial
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import func, select

from matching.records import Demographics, Document, DocumentType
from registry.app import Renhice
from registry.database import new_id
from registry.identity.events import replay
from registry.identity.models import Membership, MembershipEvent, Person, SourceRecord
from registry.identity.service import Content, Outcome, Registration, engine_of, register_source_record

THREADS = 40
ROSA = Demographics(
    documents=(Document(DocumentType.DNI, "40718293"),),
    paternal_surname="Huamán",
    maternal_surname="Ccahuana",
    given_names="Rosa Elvira",
    sex="F",
    birth_date=date(1984, 7, 19),
)
SPELLINGS = (
    ROSA,
    replace(ROSA, paternal_surname="Guaman"),
    replace(ROSA, given_names="Rosa"),
    replace(ROSA, maternal_surname="Cahuana"),
    replace(ROSA, documents=()),
)


@pytest.fixture
def register(renhice: Renhice) -> Callable[[Demographics, UUID, str], Outcome]:
    engine = engine_of(renhice)

    def call(facts: Demographics, at: UUID, number: str) -> Outcome:
        content = Content("https://example.pe/hc", number, facts)
        with renhice.database.unit_of_work() as session:
            registration = Registration(establishment_id=at, client_id="sihce", content=content)
            return register_source_record(session, engine, registration)

    return call


def together(calls: list[Callable[[], Outcome]]) -> list[Outcome]:
    """Run all calls at once: no thread starts before all are there."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Outcome]) -> Outcome:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def variation(facts: Demographics, seed: int) -> Demographics:
    """Another person of the same spelling faults, far from the first in number, names and date."""
    document = Document(DocumentType.DNI, f"{10_000_000 + seed * 7_919_311 % 80_000_000:08d}")
    names = ("Zenobia", "Melquiades", "Eustaquia", "Wenceslao", "Hermelinda")
    return replace(
        facts,
        documents=(document,) if facts.documents else (),
        given_names=names[seed % len(names)],
        birth_date=date(1930 + seed * 7 % 70, 1 + seed % 12, 2 + seed % 26),
    )


@pytest.mark.parametrize("round_", range(3))
def test_forty_at_once_from_different_establishments_make_one_person(
    register: Callable[[Demographics, UUID, str], Outcome], round_: int
) -> None:
    spellings = [variation(facts, round_) for facts in SPELLINGS]
    calls = [partial(register, spellings[index % len(spellings)], new_id(), "1") for index in range(THREADS)]
    outcomes = together(calls)
    assert len({outcome.person_id for outcome in outcomes}) == 1
    assert sum(outcome.decision == "new" for outcome in outcomes) == 1


def test_one_record_sent_by_many_threads_is_one_record(
    register: Callable[[Demographics, UUID, str], Outcome], renhice: Renhice
) -> None:
    place = new_id()
    outcomes = together([partial(register, ROSA, place, "7")] * 20)
    assert len({outcome.source_record_id for outcome in outcomes}) == 1
    assert [outcome.created for outcome in outcomes].count(True) == 1
    with renhice.database.unit_of_work() as session:
        count = select(func.count()).select_from(SourceRecord).where(SourceRecord.establishment_id == place)
        assert session.scalar(count) == 1


def test_moves_and_links_at_once_leave_a_consistent_history(
    register: Callable[[Demographics, UUID, str], Outcome], renhice: Renhice
) -> None:
    places = [new_id() for _ in range(8)]
    people = [variation(ROSA, seed) for seed in (11, 12, 13)]
    calls = [partial(register, people[turn % 3], place, "1") for turn in range(5) for place in places]
    together(calls)
    with renhice.database.unit_of_work() as session:
        events = session.scalars(select(MembershipEvent).order_by(MembershipEvent.position)).all()
        today = {row.source_record_id: row.person_id for row in session.scalars(select(Membership))}
        assert replay(events).memberships == today
        active = set(session.scalars(select(Person.id).where(Person.status == "active")))
        assert set(today.values()) == active
