"""Laws of the life of an identity, held against a real database by any sequence of what can happen to it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, Transaction
from sqlalchemy.orm import Session

from matching.records import Document, DocumentType
from registry.app import Renhice
from registry.database import Database, UnitOfWork, new_id, now
from registry.directory.documents import document_token
from registry.directory.models import StaffRole
from registry.errors import DomainError
from registry.identity.service import Content, Registration, engine_of, register_source_record
from registry.identity.stewardship import (
    Decision,
    Grounds,
    Judgement,
    Steward,
    decide,
    list_cases,
    merge,
    split,
    undo,
)
from registry.identity.timeline import membership_at
from tests.concurrency.identity.test_race import SPELLINGS, variation
from tests.integration.identity.conftest import assert_history_holds, snapshot

WHY = Grounds(reason="names")
PLACES = [new_id() for _ in range(3)]
PEOPLE = [[variation(facts, seed) for facts in SPELLINGS] for seed in (31, 32, 33)]
pick = st.integers(0, 1000)


class Life(RuleBasedStateMachine):
    """Records of three people arrive in any order and change; a steward joins, parts, decides and takes back."""

    renhice: ClassVar[Renhice]
    connection: Connection
    outer: Transaction
    work: UnitOfWork
    session: Session

    @initialize()
    def begin(self) -> None:
        self.connection = self.renhice.database.engine.connect()
        self.outer = self.connection.begin()
        self.work = Database(self.renhice.database.engine).begin()
        self.session = self.work.session
        self.session.bind = self.connection
        self.session.join_transaction_mode = "create_savepoint"
        self.engine = replace(engine_of(self.renhice), four_eyes_above=1000)
        token = document_token(self.engine.sealer, Document(DocumentType.DNI, "80000001"))
        until = now().replace(year=2099)
        self.session.add(StaffRole(document_token=token, sealed=b"-", role="steward", valid_until=until))
        self.steward = Steward(handle=token.hex())
        self.made: list[Decision] = []
        self.past: list[tuple[datetime, dict[UUID, UUID]]] = []

    @rule(who=st.integers(0, 2), how=st.integers(0, 4), place=st.integers(0, 2), number=st.integers(0, 1))
    def register(self, who: int, how: int, place: int, number: int) -> None:
        content = Content("urn:hc", str(number), PEOPLE[who][how])
        registration = Registration(establishment_id=PLACES[place], client_id="sihce", content=content)
        register_source_record(self.session, self.engine, registration)

    @precondition(lambda self: len(self._persons()) > 1)
    @rule(one=pick, other=pick)
    def merge(self, one: int, other: int) -> None:
        first, second = self._of(self._persons(), one), self._of(self._persons(), other)
        self._try(lambda: merge(self.session, self.engine, self.steward, (first, second), WHY))

    @precondition(lambda self: len(self._persons()) > 1)
    @rule(one=pick, other=pick)
    def merge_and_take_back(self, one: int, other: int) -> None:
        """unmerge∘merge = identity: every membership, every person's status and whom it leads to."""
        first, second = self._of(self._persons(), one), self._of(self._persons(), other)
        before = snapshot(self.session)
        made = self._try(lambda: merge(self.session, self.engine, self.steward, (first, second), WHY))
        if made is not None:
            undo(self.session, self.engine, self.steward, made.id, WHY)
            assert snapshot(self.session) == before

    @precondition(lambda self: self._persons())
    @rule(who=pick, mask=pick)
    def split(self, who: int, mask: int) -> None:
        person = self._of(self._persons(), who)
        mine = sorted(record for record, home in snapshot(self.session)[0].items() if home == person)
        chosen = [record for index, record in enumerate(mine) if mask >> index & 1]
        self._try(lambda: split(self.session, self.engine, self.steward, person, chosen, WHY))

    @precondition(lambda self: self.made)
    @rule(which=pick)
    def take_back(self, which: int) -> None:
        decision = self._of(self.made, which)
        self._try(lambda: undo(self.session, self.engine, self.steward, decision.id, WHY))

    @precondition(lambda self: list_cases(self.session, self.steward))
    @rule(which=pick, verdict=st.sampled_from(["same", "different", "unknown"]))
    def settle(self, which: int, verdict: str) -> None:
        case = self._of(list_cases(self.session, self.steward), which)
        judgement = Judgement(verdict=verdict, grounds=WHY)  # type: ignore[arg-type]
        self._try(lambda: decide(self.session, self.engine, self.steward, case.id, judgement))

    @invariant()
    def history_gives_today(self) -> None:
        if hasattr(self, "work"):
            assert_history_holds(self.session)
            self.past.append((now(), snapshot(self.session)[0]))

    def teardown(self) -> None:
        """Every moment that was seen is what the history says of it."""
        if not hasattr(self, "work"):
            return
        for moment, members in self.past:
            for person in set(members.values()):
                records, _ = membership_at(self.session, person, moment)
                assert set(records) == {record for record, home in members.items() if home == person}
        self.work.close()
        self.outer.rollback()
        self.connection.close()

    def _persons(self) -> list[UUID]:
        return sorted(set(snapshot(self.session)[0].values()))

    def _of(self, options: Sequence, index: int):  # type: ignore[no-untyped-def,type-arg]
        return options[index % len(options)]

    def _try(self, act: Callable[[], Decision]) -> Decision | None:
        """A refusal changes nothing."""
        before = snapshot(self.session)
        nested = self.session.begin_nested()
        try:
            made = act()
        except DomainError:
            nested.rollback()
            assert snapshot(self.session) == before
            return None
        nested.commit()
        self.made.append(made)
        return made


def test_laws_of_life(renhice: Renhice) -> None:
    Life.renhice = renhice
    limits = settings(max_examples=12, stateful_step_count=16, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Life, settings=limits)
