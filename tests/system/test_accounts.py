"""What root starts gives up root, as far as it can read what it needs without."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from deploy.account import database_account
from deploy.layout import Layout
from deploy.product import account_for
from deploy.supervision import Supervisor
from tests.system.conftest import System

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="nothing to give up")


def test_web_and_worker_run_as_neither_root_nor_the_databases_account(system: System) -> None:
    layout = Layout(system.root)
    account = account_for(layout, layout.secrets / "keys")
    if not account.drop:
        pytest.skip("Python lies in a directory of root's own; the doctor says so")
    parents = [
        psutil.Process(one.pid)
        for one in Supervisor(layout).processes()
        if one.name in {"web", "worker", "bulk", "beat"}
    ]
    assert len(parents) == 4
    everyone = [child for parent in parents for child in (parent, *parent.children(recursive=True))]
    assert {process.uids().real for process in everyone} == {account.uid}
    assert account.uid not in {0, database_account().uid}


def test_passwords_and_keys_are_read_only_by_who_needs_them(system: System) -> None:
    layout = Layout(system.root)
    account = account_for(layout, layout.secrets / "keys")
    for path in layout.secrets.rglob("*"):
        found = path.stat()
        assert found.st_mode & 0o077 == 0, path
        assert found.st_uid == (account.uid if "keys" in path.parts else 0), path
    assert not database_account().reaches(layout.secrets / "keys" / "blind.key")
    assert not (account.drop and account.reaches(layout.secrets / "postgres-superuser"))


def test_a_key_made_by_root_is_read_by_the_processes(system: System) -> None:
    layout = Layout(system.root)
    done = system.renhice("broker", "rotate-signing-key")
    assert done.returncode == 0, done.stderr
    made = Path(done.stdout.split("made ")[1].strip())
    assert made.stat().st_uid == made.parent.stat().st_uid
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert account_for(layout, made.parent).reaches(made)


def test_the_doctor_says_who_runs_what(system: System) -> None:
    account = account_for(Layout(system.root), system.root / "var" / "secrets" / "keys")
    wide = replace(system, environment={**system.environment, "COLUMNS": "400"})
    said = wide.renhice("doctor").stdout
    assert (account.name if account.drop else "as root") in said.split("Accounts")[1]
