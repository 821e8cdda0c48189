"""A file of records registered in chunks while eight clients register, look for and merge the same people."""

import random
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from benchmarks.bulk.run import SYSTEM, line, upload
from benchmarks.linkage.generate import records
from benchmarks.online.load import read
from matching.cluster import Member, resolve
from matching.normalise import normalise
from matching.records import Demographics, Document, DocumentType
from registry.app import Renhice
from registry.bulk.models import COMPLETED, Import
from registry.bulk.processing import process
from registry.database import new_id, now
from registry.directory.documents import document_token
from registry.directory.models import StaffRole
from registry.errors import DomainError
from registry.identity.batch.service import ALONE
from registry.identity.candidates import SWITCHING
from registry.identity.models import Membership, SourceRecord
from registry.identity.service import Content, Engine, Registration, engine_of, match, register_source_record
from registry.identity.stewardship import Grounds, Steward, merge, split
from registry.settings import Settings
from tests.integration.identity.conftest import assert_history_holds

CLIENTS, PEOPLE, CHUNK = 8, 16, 6
PLACES = [new_id() for _ in range(CLIENTS)]
WHY = Grounds(reason="names")


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    """A busy machine makes everybody wait longer for a person than a request may."""
    patient = {"lock_timeout_ms": 60_000, "statement_timeout_ms": 120_000}
    return settings.model_copy(update={"database_pool_size": CLIENTS + 3} | patient)


@pytest.fixture(scope="module")
def steward(renhice: Renhice) -> Steward:
    token = document_token(renhice.sealer, Document(DocumentType.DNI, "80000009"))
    with renhice.database.unit_of_work() as session:
        until = now().replace(year=2099)
        session.add(StaffRole(document_token=token, sealed=b"-", role="steward", valid_until=until))
    return Steward(handle=token.hex())


def people(engine: Engine) -> list[Demographics]:
    """As many humans, each said in the same words everywhere: the rule joins such records by themselves."""

    first: dict[tuple[Document, ...], Demographics] = {}
    for one in read(row for row, _ in records(11, PEOPLE * 2)):
        first.setdefault(one.demographics.documents, one.demographics)
    members = {facts: [Member(normalise(facts), establishment="elsewhere")] for facts in first.values()}

    def is_certain(facts: Demographics) -> bool:
        found = resolve(engine.model, normalise(facts), members)
        return found.kind == "link" and found.key == facts

    return [facts for facts in members if facts.documents and is_certain(facts)][:PEOPLE]


class Client:
    """One record system: all people at its own establishment, in an order of its own, and something else in between."""

    def __init__(self, engine: Engine, steward: Steward, number: int, humans: list[Demographics]) -> None:
        self.engine, self.steward, self.place, self.humans = engine, steward, PLACES[number], humans
        self.dice = random.Random(number)

    def acts(self) -> Iterator[str]:
        for human in self.dice.sample(range(len(self.humans)), len(self.humans)):
            yield f"register:{human}"
            yield self.dice.choice(["match", "merge", "split", "change"])

    def act(self, session: Session, what: str) -> None:
        verb, _, human = what.partition(":")
        if verb == "register":
            self._register(session, int(human), self.humans[int(human)])
        elif verb == "change":
            facts = replace(self.humans[0], phone=f"98{self.dice.randrange(10**7):07d}")
            self._register(session, 0, facts)
        elif verb == "match":
            match(session, self.engine, self.dice.choice(self.humans))
        else:
            self._decide(session, verb)

    def _register(self, session: Session, number: int, facts: Demographics) -> None:
        content = Content(SYSTEM, str(number), facts)
        register_source_record(
            session, self.engine, Registration(establishment_id=self.place, client_id="sihce", content=content)
        )

    def _decide(self, session: Session, verb: str) -> None:
        """About the first two people only, so that the others can be counted."""
        tokens = [self.engine.sealer.blind(f"local:{self.place}", number) for number in "01"]
        mine = select(Membership.person_id, Membership.source_record_id).join(
            SourceRecord, SourceRecord.id == Membership.source_record_id
        )
        found = session.execute(mine.where(SourceRecord.local_token.in_(tokens))).all()
        if len(found) < 2:
            return
        one, other = found
        if verb == "split":
            split(session, self.engine, self.steward, one.person_id, [one.source_record_id], WHY)
        else:
            merge(session, self.engine, self.steward, (one.person_id, other.person_id), WHY)


def test_a_file_and_clients_join_the_same_people_and_lose_none(
    renhice: Renhice, steward: Steward, tmp_path: Path
) -> None:
    engine = replace(engine_of(renhice), four_eyes_above=1000)
    humans = people(engine)
    said = [line(str(number), facts) for number, facts in enumerate(humans)]
    changed = [line(str(at), replace(facts, phone=f"97654321{at}")) for at, facts in enumerate(humans[:4])]
    path = tmp_path / "file.ndjson"
    path.write_bytes(b"".join([*said[:12], *changed, *said[12:], *changed[:1], *said]))
    import_id = upload(renhice, path, path.stat().st_size)
    barrier = Barrier(CLIENTS + 1)

    def run(number: int) -> set[str]:
        client, refused = Client(engine, steward, number, humans), set[str]()
        barrier.wait()
        for what in client.acts():
            try:
                with renhice.database.unit_of_work() as session:
                    client.act(session, what)
            except DomainError as error:
                refused.add(f"{what.partition(':')[0]} {error.error_code}")
        return refused

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(run, number) for number in range(CLIENTS)]
        barrier.wait()
        assert process(renhice, import_id, chunk=CHUNK)
        refused = set[str]().union(*(one.result() for one in clients))
    assert refused <= {"merge same-person", "split records-some"}, refused
    with renhice.database.unit_of_work() as session:
        assert session.get_one(Import, import_id).status == COMPLETED
        assert_history_holds(session)
        assert_everybody_is_there_once(session, engine, humans)


def assert_everybody_is_there_once(session: Session, engine: Engine, humans: list[Demographics]) -> None:
    rows = session.execute(
        select(SourceRecord.establishment_id, SourceRecord.local_token, Membership.person_id).join(
            Membership, Membership.source_record_id == SourceRecord.id
        )
    ).all()
    assert len(rows) == len(humans) * (CLIENTS + 1)
    places = {row.establishment_id for row in rows}
    human = {engine.sealer.blind(f"local:{at}", str(one)): one for at in places for one in range(len(humans))}
    persons: dict[int, set[UUID]] = defaultdict(set)
    for row in rows:
        persons[human[bytes(row.local_token)]].add(row.person_id)
    assert {one: len(found) for one, found in persons.items() if one > 1} == dict.fromkeys(range(2, len(humans)), 1)


def test_who_joins_persons_waits_for_a_chunk_to_end(renhice: Renhice, steward: Steward) -> None:
    """A chunk holds persons in the order of its records: somebody who held them in another would never end."""
    engine = engine_of(renhice)
    with renhice.database.unit_of_work() as session:
        one, other = session.scalars(select(Membership.person_id).distinct().limit(2)).all()

    def join() -> None:
        with renhice.database.unit_of_work() as session:
            merge(session, engine, steward, (one, other), WHY)

    with ThreadPoolExecutor(1) as pool, renhice.database.unit_of_work() as session:
        session.execute(ALONE, {"key": SWITCHING})
        joining = pool.submit(join)
        waiting = text(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        while not session.scalar(waiting) and not joining.done():
            time.sleep(0.01)
        assert not joining.done()
        session.rollback()
        joining.result()
