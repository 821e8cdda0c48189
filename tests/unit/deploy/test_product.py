"""The processes' settings: the sandbox's, unless the caller's environment says otherwise."""

import json
import socket
from pathlib import Path

import pytest

from deploy import product
from deploy.account import caller
from deploy.backing import named_database
from deploy.layout import Layout
from deploy.postgres import ServiceError
from deploy.readiness import refuse_taken

BACKING = {"RENHICE_DATABASE_URL": "postgresql+psycopg://app@/renhice"}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    folder = tmp_path / "var" / "sandbox"
    folder.mkdir(parents=True)
    (folder / "environment.json").write_text(json.dumps({"RENHICE_OIDC_ISSUER": "http://127.0.0.1:8100"}))
    programs = [{"name": "idperu", "argv": ["python", "-m", "sandbox", "idperu"], "port": 8100}]
    (folder / "programs.json").write_text(json.dumps(programs))
    return Layout(tmp_path)


def test_the_sandbox_is_only_known_where_there_is_one(layout: Layout) -> None:
    with_it = product.settings(layout, 8000, BACKING, sandbox=True)
    without = product.settings(layout, 8000, BACKING, sandbox=False)
    assert with_it["RENHICE_OIDC_ISSUER"] == "http://127.0.0.1:8100"
    assert "RENHICE_OIDC_ISSUER" not in without
    assert (with_it["RENHICE_ENVIRONMENT"], without["RENHICE_ENVIRONMENT"]) == ("sandbox", "production")


def test_the_callers_settings_win_but_not_over_the_database_that_was_started(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RENHICE_BASE_URL", "https://renhice.example.pe")
    monkeypatch.setenv("RENHICE_DATABASE_URL", "postgresql://other/one")
    found = product.settings(layout, 8000, BACKING, sandbox=True)
    assert found["RENHICE_BASE_URL"] == "https://renhice.example.pe"
    assert found["RENHICE_DATABASE_URL"] == BACKING["RENHICE_DATABASE_URL"]


def test_programs_of_the_outside_world_get_no_settings(layout: Layout) -> None:
    (program,) = product.sandbox_programs(layout)
    assert (program.name, program.group, program.settings) == ("sandbox-idperu", "sandbox", False)
    assert product.sandbox_ports(layout) == {8100: "sandbox-idperu"}


def test_the_hl7_v2_port_is_served_where_there_is_one(layout: Layout) -> None:
    names = [[one.name for one in product.programs(layout, 8000, caller(), hl7v2=served)] for served in (False, True)]
    assert names == [["web", "worker", "bulk", "beat"], ["web", "worker", "bulk", "beat", "mllp"]]
    assert product.mllp_ports({"RENHICE_MLLP_PORT": "8119"}) == {8119: "mllp"}
    assert product.mllp_ports({}) == product.mllp_ports({"RENHICE_MLLP_PORT": "x"}) == {}


def test_a_taken_port_is_named_with_its_purpose() -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        with pytest.raises(ServiceError, match=rf"port {port} \(for the web server\) is taken"):
            refuse_taken({port: "the web server"})
    refuse_taken({port: "the web server"})


@pytest.mark.parametrize("value", ["mysql://a/b", "nonsense", "postgresql://host", "postgresql://["])
def test_an_unusable_database_url_is_refused_without_repeating_it(value: str) -> None:
    with pytest.raises(ServiceError, match="RENHICE_DATABASE_URL must look like") as refusal:
        named_database({"RENHICE_DATABASE_URL": value})
    assert value not in str(refusal.value)


def test_the_owner_of_a_named_database_may_be_someone_else() -> None:
    names = {"RENHICE_DATABASE_URL": "postgresql://app:p@h/d", "RENHICE_MIGRATION_DATABASE_URL": "postgres://own:p@h/d"}
    owner = named_database(names)
    assert owner is not None
    assert (owner.username, owner.drivername) == ("own", "postgresql+psycopg")
    assert named_database({"RENHICE_MIGRATION_DATABASE_URL": "postgresql://own:p@h/d"}) is None
