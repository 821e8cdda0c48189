"""The commands about figures, as an operator runs them."""

import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from matching.records import Demographics
from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.cli import cli
from registry.database import new_id, now
from registry.identity.service import Content, Registration, engine_of, register_source_record
from registry.settings import Settings
from registry.statistics.models import PersonFact
from registry.statistics.tasks import rebuild_facts


@pytest.fixture
def environment(settings: Settings, renhice: Renhice) -> dict[str, str]:
    return {
        "RENHICE_ENVIRONMENT": "test",
        "RENHICE_DATABASE_URL": settings.database_url,
        "RENHICE_BROKER_URL": settings.broker_url,
        "RENHICE_KEYS_DIR": str(settings.keys_dir),
    }


def run(environment: dict[str, str], *words: str) -> Result:
    return CliRunner().invoke(cli, ["statistics", *words], env=environment, catch_exceptions=False)


def register(renhice: Renhice, persons: int) -> None:
    names = ["Rosa", "Pedro", "Zoila", "Wilmer", "Yesenia", "Hugo", "Fiorella", "Dante", "Ximena", "Bruno", "Nélida"]
    surnames = ["Huamán", "Zevallos", "Ticona", "Bustamante", "Olórtegui", "Ñaupari", "Chang", "Vidal", "Rojas"]
    for index in range(persons):
        facts = Demographics(
            paternal_surname=surnames[index % 9],
            maternal_surname=surnames[(index * 5 + 3) % 9],
            given_names=names[index % 11],
            sex="F",
            birth_date=date(1940 + 5 * index, 1 + index % 12, 1 + index * 2),
            ubigeo="080101",
        )
        content = Content("https://example.pe/historia", str(index), facts)
        with renhice.database.unit_of_work() as session:
            registration = Registration(establishment_id=new_id(), client_id="sihce", content=content)
            register_source_record(session, engine_of(renhice), registration)


def test_figures_are_rebuilt_and_exported(environment: dict[str, str], tmp_path: Path, renhice: Renhice) -> None:
    register(renhice, 10)
    with renhice.database.unit_of_work() as session:
        gone = PersonFact(person_key=b"gone", sex="M", establishments=1, updated_at=now())
        session.add(gone)
    assert "10 persons counted anew" in run(environment, "rebuild").output
    assert rebuild_facts(renhice, batch=4) == 10
    words = ("export", "--by", "region", "--by", "sex", "--purpose", "planificación", "--out", str(tmp_path))
    result = run(environment, *words)
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "personas-region-sex.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "region,region_label,sex,sex_label,persons"
    assert [line for line in lines[1:] if not line.endswith(",0")] == ["08,Cusco,F,Mujer,10"]
    assert json.loads((tmp_path / "personas-region-sex.csv-metadata.json").read_text(encoding="utf-8"))
    with renhice.database.unit_of_work() as session:
        query = select(AuditEvent.actor_role, AuditEvent.purpose).where(AuditEvent.action.like("statistics:%"))
        assert session.execute(query).all() == [("operator", "planificación")]


def test_a_mistake_is_explained(environment: dict[str, str], tmp_path: Path) -> None:
    twice = run(environment, "export", "--by", "sex", "--by", "sex", "--purpose", "x", "--out", str(tmp_path))
    assert (twice.exit_code, "no such table" in twice.output) == (1, True)
    assert run(environment, "export", "--by", "district", "--purpose", "x").exit_code == 2
    assert run(environment, "export", "--by", "sex").exit_code == 2
