"""Standing on a database of the caller's: recognised, guarded, never deleted."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from deploy import backing, postgres, service_checks
from deploy.account import application_account, database_account
from deploy.layout import Layout
from deploy.lifecycle import Options, bring_up, make_fresh
from deploy.outside import Voice
from deploy.postgres import ServiceError
from deploy.product import account_for
from deploy.services import ephemeral_database, ephemeral_postgres
from deploy.valkey import free_port

SILENT = Voice(say=lambda _text: None, progress=lambda _done, _total: None)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ephemeral_postgres() as url:
        yield url


@pytest.fixture
def named(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The environment names a database, and a broker that no test here needs."""
    with ephemeral_database(server) as url:
        monkeypatch.setenv("RENHICE_DATABASE_URL", url)
        monkeypatch.setenv("RENHICE_BROKER_URL", "amqp://nobody@127.0.0.1:1//")
        yield url


def pretend_migrated(url: str) -> None:
    with postgres.connect(make_url(url)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num text)")


def test_nothing_is_embedded_beside_what_is_named(named: str, tmp_path: Path) -> None:
    found = backing.prepare_backing(Layout(tmp_path))
    assert (found.programs, found.administration) == ((), None)
    assert found.settings()["RENHICE_DATABASE_URL"] == named
    assert not (tmp_path / "var").exists()


def test_a_database_made_anew_is_another_database(named: str, tmp_path: Path) -> None:
    before = backing.fingerprint(backing.prepare_backing(Layout(tmp_path)))
    url = make_url(named)
    server = url.set(database="postgres")
    assert backing.fingerprint(backing.prepare_backing(Layout(tmp_path))) == before
    postgres.drop_database(server, str(url.database))
    postgres.create_database(server, str(url.database))
    assert backing.fingerprint(backing.prepare_backing(Layout(tmp_path))) != before


def test_a_fresh_start_keeps_the_keys_of_data_that_stay(named: str, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make()
    key = layout.secrets / "keys" / "blind.key"
    key.parent.mkdir()
    key.touch()
    pretend_migrated(named)
    with pytest.raises(ServiceError, match="would delete the keys"):
        make_fresh(layout)
    assert key.exists()


def test_data_without_their_keys_stop_a_start(named: str, tmp_path: Path) -> None:
    pretend_migrated(named)
    with pytest.raises(ServiceError, match="holds data, but its keys are not in"):
        bring_up(Layout(tmp_path), Options(free_port(), sandbox=False), SILENT)


def test_the_doctor_finds_a_server_that_is_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RENHICE_DATABASE_URL", "postgresql://u:geheim@127.0.0.1:1/d")
    monkeypatch.setenv("RENHICE_BROKER_URL", "redis://:geheim@127.0.0.1:1/0")
    layout = Layout(tmp_path)
    findings = [*service_checks.check_database(layout), *service_checks.check_broker(layout)]
    assert [finding.verdict for finding in findings] == ["broken", "broken"]
    assert all(finding.mend and "geheim" not in finding.seen for finding in findings)


def test_the_doctor_accepts_a_server_that_answers(named: str, tmp_path: Path) -> None:
    findings = list(service_checks.check_database(Layout(tmp_path)))
    assert [finding.verdict for finding in findings] == ["ok", "ok"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the database to another account")
def test_roots_database_reaches_no_closed_directory_and_opens_none(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    account, layout = database_account(), Layout(closed)
    layout.make()
    assert account.drop
    assert account.reaches(Path("/tmp"))
    assert not account.reaches(closed)
    assert closed not in layout.home("postgres", account).parents
    assert closed.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands anything to another account")
def test_the_product_stays_roots_where_another_account_could_not_read_it(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert not account_for(Layout(closed), closed / "keys").drop


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands anything to another account")
def test_what_is_linked_from_elsewhere_is_given_to_nobody(tmp_path: Path) -> None:
    ours, given = tmp_path / "ours", tmp_path / "given"
    ours.write_text("secret")
    given.mkdir()
    (given / "hard").hardlink_to(ours)
    (given / "soft").symlink_to(ours)
    (given / "plain").write_text("x")
    account = application_account()
    account.own_files(given)
    assert ours.stat().st_uid == 0
    assert given.stat().st_uid == (given / "plain").stat().st_uid == account.uid


def test_programs_are_found_where_the_account_can_run_them() -> None:
    account = database_account()
    command = [str(postgres.find_programs(account) / "bin" / "postgres"), "--version"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/", **account.credentials())
    assert "PostgreSQL" in done.stdout


def test_data_without_their_passwords_are_not_made_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RENHICE_DATABASE_URL", raising=False)
    layout = Layout(tmp_path)
    monkeypatch.setattr(Layout, "home", lambda self, service, account: self.var / service)
    (layout.var / "postgres" / "data").mkdir(parents=True)
    with pytest.raises(ServiceError, match="has lost its files"):
        backing.prepare_backing(layout)
    assert (layout.var / "postgres" / "data").is_dir()
