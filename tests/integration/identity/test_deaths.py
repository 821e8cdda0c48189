"""A death as record systems and RENIEC tell it: which word counts, and how a mistake ends."""

from dataclasses import dataclass, replace
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from matching.records import Document
from registry.database import new_id, now
from registry.identity.records import find_own_record
from registry.identity.service import Content, Engine, Outcome, Registration, is_deceased, register_source_record
from registry.identity.verification import verify_record
from registry.pide.port import IdentityCheck, Names, Status
from tests.integration.identity.conftest import ROSA, SYSTEM, VAGUE


@dataclass
class Reniec:
    """Knows Rosa, with a restriction if any."""

    restriction: str | None = None

    def lookup(self, document: Document) -> IdentityCheck:
        names = Names("HUAMAN", "CCAHUANA", "ROSA ELVIRA")
        return IdentityCheck(
            status=Status.VERIFIED, fetched_at=now(), source="test", names=names, restriction=self.restriction
        )


PLACE = new_id()


def feed(session: Session, engine: Engine, deceased: str | None = None, facts: object = ROSA) -> Outcome:
    content = Content(SYSTEM, "1", facts, deceased)  # type: ignore[arg-type]
    return register_source_record(session, engine, Registration(establishment_id=PLACE, client_id="x", content=content))


def ask(session: Session, engine: Engine, record_id: UUID, restriction: str | None = None) -> None:
    assert verify_record(session, engine.sealer, Reniec(restriction), record_id) == "verified"


def test_a_reported_death_counts_until_reniec_denies_it(session: Session, engine: Engine) -> None:
    alive = feed(session, engine)
    assert not is_deceased(session, alive.person_id)
    said = feed(session, engine, "2026-03-05")
    assert (said.version, is_deceased(session, said.person_id)) == (2, True)
    own = find_own_record(session, engine.sealer, PLACE, said.source_record_id)
    assert own is not None
    assert own.member.content.deceased == "2026-03-05"
    ask(session, engine, said.source_record_id)
    assert not is_deceased(session, said.person_id)


def test_a_report_that_is_taken_back_counts_no_longer(session: Session, engine: Engine) -> None:
    said = feed(session, engine, "true", VAGUE)
    assert is_deceased(session, said.person_id)
    assert feed(session, engine, None, VAGUE).version == 2
    assert not is_deceased(session, said.person_id)


@pytest.mark.parametrize("word", ["FALLECIMIENTO", "Fallecido", "DEFUNCION"])
def test_what_reniec_confirms_outlives_what_record_systems_say_next(
    session: Session, engine: Engine, word: str
) -> None:
    outcome = feed(session, engine)
    ask(session, engine, outcome.source_record_id, word)
    assert is_deceased(session, outcome.person_id)
    feed(session, engine, None, replace(ROSA, phone="999888777"))
    assert is_deceased(session, outcome.person_id)
    ask(session, engine, outcome.source_record_id)
    assert not is_deceased(session, outcome.person_id)


def test_another_restriction_is_no_death(session: Session, engine: Engine) -> None:
    outcome = feed(session, engine)
    ask(session, engine, outcome.source_record_id, "CANCELACION POR DUPLICIDAD")
    assert not is_deceased(session, outcome.person_id)
