"""The operator's commands of re-resolution."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from registry.app import Renhice
from registry.database import new_id
from registry.identity.cli import identity
from registry.identity.reresolution.cli import reresolve_command
from registry.identity.service import Content, Registration, engine_of, register_source_record
from registry.settings import Settings
from tests.integration.identity.conftest import PEDRO, ROSA, SYSTEM


@pytest.fixture(autouse=True)
def _environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("database_url", "broker_url", "keys_dir"):
        monkeypatch.setenv(f"RENHICE_{name.upper()}", str(getattr(settings, name)))


@pytest.fixture
def model_file(renhice: Renhice, tmp_path: Path) -> Path:
    path = tmp_path / "model.json"
    path.write_text(json.dumps(dict(engine_of(renhice).model.document)), encoding="utf-8")
    return path


def reresolve(*arguments: str) -> Result:
    return CliRunner().invoke(reresolve_command(lambda _session, persons: len(persons)), arguments)


def test_an_operator_runs_a_model_in_the_shadow_and_gives_it_up(renhice: Renhice, model_file: Path) -> None:
    assert "No model was ever run" in reresolve().output
    with renhice.database.unit_of_work() as session:
        for facts in (ROSA, PEDRO):
            registration = Registration(
                establishment_id=new_id(), client_id="sihce", content=Content(SYSTEM, "1", facts)
            )
            register_source_record(session, engine_of(renhice), registration)
    done = reresolve("--model", str(model_file))
    assert done.exit_code == 0, done.output
    assert "reported" in done.output
    assert "persons 2, records 2, unchanged 2" in done.output
    assert "0 of 2 approvals" in done.output
    again = reresolve("--model", str(model_file))
    assert "open already" in again.output
    refused = reresolve("--apply")
    assert refused.exit_code == 1
    assert "Two stewards approve its report first" in refused.output
    assert "cancelled" in reresolve("--cancel").output
    assert "No re-resolution is open" in reresolve("--cancel").output


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "no.json"
    path.write_text('{"version": "x"}', encoding="utf-8")
    done = reresolve("--model", str(path))
    assert (done.exit_code, "model is incomplete" in done.output) == (1, True)
    assert "can't read" in reresolve("--model", str(tmp_path / "none.json")).output
    assert reresolve("--model", str(path), "--apply").exit_code == 2


def test_models_are_listed(renhice: Renhice) -> None:
    done = CliRunner().invoke(identity, ["models"])
    in_force = next(line for line in done.output.splitlines() if line.endswith("in force"))
    assert in_force.startswith(engine_of(renhice).model.hash)
