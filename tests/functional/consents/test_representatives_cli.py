"""The commands for representatives, as an operator runs them."""

from datetime import date
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from consent_broker.rooms import broker_commands
from matching.records import Demographics
from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.database import new_id, now
from registry.identity.service import Content, Registration, engine_of, register_source_record
from registry.settings import Settings


@pytest.fixture
def environment(settings: Settings, renhice: Renhice) -> dict[str, str]:
    return {
        "RENHICE_ENVIRONMENT": "test",
        "RENHICE_DATABASE_URL": settings.database_url,
        "RENHICE_BROKER_URL": settings.broker_url,
        "RENHICE_KEYS_DIR": str(settings.keys_dir),
    }


@pytest.fixture(scope="module")
def child(renhice: Renhice) -> UUID:
    facts = Demographics(paternal_surname="Quispe", given_names="Luz", birth_date=date(now().year - 9, 1, 1))
    content = Content("https://example.pe/hc", "1", facts)
    with renhice.database.unit_of_work() as session:
        registration = Registration(establishment_id=new_id(), client_id="x", content=content)
        return register_source_record(session, engine_of(renhice), registration).person_id


def run(environment: dict[str, str], *words: str, typed: str | None = None) -> Result:
    result = CliRunner().invoke(broker_commands, ["representatives", *words], env=environment, input=typed)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_a_mother_is_recorded_shown_and_ended(environment: dict[str, str], renhice: Renhice, child: UUID) -> None:
    words = ["add", "--person", str(child), "--basis", "parent", "--paper", "birth-record"]
    made = run(environment, *words, typed="DNI:40718293\nRosa Huamán\nCNV 1000000001\n")
    assert made.exit_code == 0, made.output
    key = made.output.splitlines()[-1].split()[0]
    assert f"{key}  parent   decide see         in force" in run(environment, "list", str(child)).output
    assert run(environment, "end", key, "--reason", "custody").exit_code == 0
    assert "ended (custody)" in run(environment, "list", str(child)).output
    with renhice.database.unit_of_work() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.person_id == child)).all()
    assert [one.actor_role for one in events if one.action.startswith("consent:representation")] == ["operator"] * 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--basis", "power", "--paper", "notarial-power"], "ends on a date"),
        (["--basis", "parent", "--paper", "notarial-power"], "is proved by"),
        (["--basis", "parent", "--paper", "birth-record", "--person", str(uuid4())], "no such person"),
    ],
)
def test_what_can_not_be_is_said_in_one_line(
    environment: dict[str, str], child: UUID, changes: list[str], words: str
) -> None:
    given = ["--document", "DNI:40718293", "--name", "Rosa", "--reference", "x"]
    result = run(environment, "add", "--person", str(child), *given, *changes)
    assert (result.exit_code, words in result.output) == (1, True)
    assert "40718293" not in result.output
