"""Sixteen clients register, merge, split, contest and take back, all about the same people, on a real database."""

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from matching.records import Document, DocumentType
from registry.app import Renhice
from registry.database import new_id, now
from registry.directory.documents import document_token
from registry.directory.models import StaffRole
from registry.errors import DomainError
from registry.identity.decisions import taken_back
from registry.identity.models import (
    Membership,
    MembershipEvent,
    PossibleMatch,
    Ruling,
    SourceRecord,
    StewardDecision,
)
from registry.identity.service import Content, Engine, Registration, engine_of, register_source_record
from registry.identity.stewardship import (
    Claim,
    Claimant,
    Grounds,
    Judgement,
    Steward,
    contest,
    decide,
    list_cases,
    merge,
    split,
    take,
    undo,
)
from registry.identity.verification import verify_record
from registry.pide.port import IdentityCheck, Names, Status
from registry.settings import Settings
from tests.concurrency.identity.test_race import SPELLINGS, variation
from tests.integration.identity.conftest import assert_history_holds

CLIENTS, TURNS = 16, 14
WHY = Grounds(reason="names")
Act = Callable[[Session, random.Random], object]


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"database_pool_size": CLIENTS})


@pytest.fixture(scope="module")
def stewards(renhice: Renhice) -> list[Steward]:
    tokens = [document_token(renhice.sealer, Document(DocumentType.DNI, f"8000000{one}")) for one in range(4)]
    with renhice.database.unit_of_work() as session:
        for token in tokens:
            row = StaffRole(document_token=token, sealed=b"-", role="steward", valid_until=now().replace(year=2099))
            session.add(row)
    return [Steward(handle=token.hex()) for token in tokens]


class Crowd:
    """What the clients do, each turn something else, about three people at eight establishments."""

    def __init__(self, engine: Engine, stewards: list[Steward]) -> None:
        self.engine, self.stewards = engine, stewards
        self.places = [new_id() for _ in range(8)]
        self.people = [[variation(facts, seed) for facts in SPELLINGS] for seed in (21, 22, 23)]
        rare: list[Act] = [self.merge, self.split, self.undo, self.decide, self.contest, self.check]
        self.acts: list[Act] = [self.register] * 6 + rare * 2

    def register(self, session: Session, dice: random.Random) -> object:
        facts = replace(dice.choice(dice.choice(self.people)), phone=f"98{dice.randrange(10**7):07d}")
        content = Content("urn:hc", str(dice.randrange(3)), facts)
        registration = Registration(establishment_id=dice.choice(self.places), client_id="sihce", content=content)
        return register_source_record(session, self.engine, registration)

    def merge(self, session: Session, dice: random.Random) -> object:
        one, other = dice.choices(self._persons(session), k=2)
        return merge(session, self.engine, dice.choice(self.stewards), (one, other), WHY, dice.choice([None, one]))

    def split(self, session: Session, dice: random.Random) -> object:
        person = dice.choice(self._persons(session))
        mine = session.scalars(select(Membership.source_record_id).where(Membership.person_id == person)).all()
        chosen = [one for one in mine if dice.random() < 0.5]
        return split(session, self.engine, dice.choice(self.stewards), person, chosen, WHY)

    def undo(self, session: Session, dice: random.Random) -> object:
        recent = select(StewardDecision.id).order_by(StewardDecision.decided_at.desc()).limit(5)
        made = session.scalars(recent).all()
        return undo(session, self.engine, dice.choice(self.stewards), dice.choice(made), WHY) if made else None

    def decide(self, session: Session, dice: random.Random) -> object:
        steward = dice.choice(self.stewards)
        cases = list_cases(session, steward, limit=5)
        if not cases:
            return None
        case = dice.choice(cases)
        if dice.random() < 0.3:
            return take(session, steward, case.id, case.revision)
        judgement = Judgement(verdict=dice.choice(["same", "different", "unknown"]), grounds=WHY)  # type: ignore[arg-type]
        return decide(session, self.engine, steward, case.id, judgement)

    def contest(self, session: Session, dice: random.Random) -> object:
        row = session.execute(select(Membership.person_id, Membership.source_record_id).order_by(func.random())).first()
        if row is None:
            return None
        claim = Claim(
            claimant=Claimant(person_id=row.person_id), source_record_id=row.source_record_id, reason="never-attended"
        )
        return contest(session, claim)

    def check(self, session: Session, dice: random.Random) -> object:
        record = session.scalar(select(SourceRecord.id).order_by(func.random()).limit(1))
        return verify_record(session, self.engine.sealer, Fickle(dice), record) if record else None

    def _persons(self, session: Session) -> list[UUID]:
        return list(session.scalars(select(Membership.person_id).distinct())) or [new_id()]


class Fickle:
    """An identity registry that says now this, now that."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice

    def lookup(self, document: Document) -> IdentityCheck:
        names = self.dice.choice([Names("GUAMAN", "CAHUANA", "ROSA"), Names("QUIROGA", "TORRES", "ANACLETA"), None])
        status = Status.VERIFIED if names else Status.UNVERIFIED
        return IdentityCheck(status=status, fetched_at=now(), source="test", names=names)


def run(renhice: Renhice, crowd: Crowd, seed: int) -> Counter[str]:
    """All clients at once, each its own unit of work a turn; what they were refused is counted, anything else fails."""
    barrier = Barrier(CLIENTS)

    def client(number: int) -> Counter[str]:
        dice, seen = random.Random(f"{seed}:{number}"), Counter[str]()
        barrier.wait()
        for _ in range(TURNS):
            act = dice.choice(crowd.acts)
            try:
                with renhice.database.unit_of_work() as session:
                    act(session, dice)
                seen["done"] += 1
            except DomainError as error:
                seen[error.error_code] += 1
        return seen

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(client, range(CLIENTS)), Counter[str]())


def test_people_stay_whole_however_many_change_them_at_once(renhice: Renhice, stewards: list[Steward]) -> None:
    engine = replace(engine_of(renhice), four_eyes_above=1000)
    seen = run(renhice, Crowd(engine, stewards), seed=1)
    assert seen["done"] > CLIENTS * TURNS / 3, seen
    assert seen["unavailable"] <= CLIENTS, seen
    with renhice.database.unit_of_work() as session:
        assert_history_holds(session)
        assert_nothing_is_lost(session)


def assert_nothing_is_lost(session: Session) -> None:
    """Every event of a record continues the one before, and no pair of records is both same and different."""
    events = session.scalars(select(MembershipEvent).order_by(MembershipEvent.position)).all()
    where: dict[UUID, UUID | None] = {}
    for event in events:
        if event.kind == "unlinked":
            assert where[event.source_record_id] == event.person_id
            where[event.source_record_id] = None
        elif event.kind == "linked":
            assert where.get(event.source_record_id) is None
            where[event.source_record_id] = event.person_id
    pairs = [
        frozenset({row.record_id, row.other_record_id})
        for row in session.scalars(select(Ruling).where(Ruling.ended_at.is_(None)))
    ]
    assert len(pairs) == len(set(pairs))
    open_cases = session.scalars(select(PossibleMatch.source_record_id).where(PossibleMatch.status == "open")).all()
    assert len(open_cases) == len(set(open_cases))
    twice = session.scalars(select(StewardDecision.undoes).where(StewardDecision.undoes.is_not(None))).all()
    assert len(twice) == len(set(twice))
    assert set(twice) <= set(session.scalars(taken_back()))
