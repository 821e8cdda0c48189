"""A new master key takes over from an old one, in steps that can be interrupted; nothing is lost or locked out."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Event as Signal
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from registry.app import Renhice
from registry.audit.event import Event
from registry.audit.models import AuditEvent
from registry.cli import cli
from registry.database import Database, new_id
from registry.rotation import rewrap
from registry.sealing import DataKey, Sealer, SealError, add_master_key, create_keys

EVENT = Event(action="keys:data-keys:rewrapped", detail={"operator": "tests"})
numbers = count(1, 10)  # a key retired by one test stays retired for the others


@dataclass
class Vault:
    """A database with data keys of its own and a directory of master keys."""

    parts: Renhice
    directory: Path
    first: str

    @property
    def database(self) -> Database:
        return self.parts.database

    def sealer(self) -> Sealer:
        return Sealer.from_directory(self.directory)

    def seal(self, amount: int, sealer: Sealer | None = None) -> dict[UUID, bytes]:
        owners = [new_id() for _ in range(amount)]
        with self.database.unit_of_work() as session:
            return {owner: (sealer or self.sealer()).seal(session, owner, owner.bytes, "row") for owner in owners}

    def all_open(self, sealed: dict[UUID, bytes], sealer: Sealer | None = None) -> bool:
        with self.database.unit_of_work() as session:
            opened = [(sealer or self.sealer()).open(session, *one, "row") for one in sealed.items()]
        return opened == [owner.bytes for owner in sealed]

    def wrapped(self) -> dict[str, int]:
        with self.database.unit_of_work() as session:
            rows = session.execute(select(DataKey.master_key_id, func.count()).group_by(DataKey.master_key_id))
            return dict(rows.all())

    def audited(self, action: str) -> list[AuditEvent]:
        with self.database.unit_of_work() as session:
            query = select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id)
            return [event for event in session.scalars(query) if event.detail.get("master_key") == self.last()]

    def last(self) -> str:
        return max(path.stem for path in self.directory.rglob("master-*.key"))

    def run(self, *words: str) -> Result:
        settings = self.parts.settings
        environment = {
            "RENHICE_ENVIRONMENT": "test",
            "RENHICE_DATABASE_URL": settings.database_url,
            "RENHICE_BROKER_URL": settings.broker_url,
            "RENHICE_KEYS_DIR": str(self.directory),
        }
        return CliRunner().invoke(cli, ["keys", *words], env=environment)


@pytest.fixture
def vault(renhice: Renhice, tmp_path: Path) -> Vault:
    first = f"master-{next(numbers):04d}"
    create_keys(tmp_path)
    (tmp_path / "master-0001.key").rename(tmp_path / f"{first}.key")
    with renhice.database.unit_of_work() as session:
        session.execute(delete(DataKey))
    return Vault(renhice, tmp_path, first)


def test_an_operator_moves_everything_and_retires_the_old_key(vault: Vault) -> None:
    sealed = vault.seal(25)
    assert f"{vault.first}  current   25 data keys" in vault.run().output
    assert vault.run("add-master").exit_code == 0
    new = vault.last()
    refused = vault.run("retire", vault.first)
    assert (refused.exit_code, "still wraps data keys" in refused.output) == (1, True)
    done = vault.run("rewrap")
    assert done.exit_code == 0, done.output
    assert f"{vault.first}  unused    0 data keys" in done.output
    assert f"{new}  current   25 data keys" in done.output
    assert sum(event.detail["count"] for event in vault.audited("keys:data-keys:rewrapped")) == 25
    assert vault.run("retire", vault.first).exit_code == 0
    assert (vault.directory / "retired" / f"{vault.first}.key").exists()
    assert f"{vault.first}  retired   0 data keys" in vault.run().output
    assert "was retired before" in vault.run("retire", vault.first).output
    assert "is the current master key" in vault.run("retire", new).output
    assert vault.all_open(sealed)


def test_a_run_that_ends_half_way_is_taken_up_by_the_next(vault: Vault) -> None:
    sealed = vault.seal(30)
    add_master_key(vault.directory)
    run = rewrap(vault.database, vault.sealer(), EVENT, batch=7)
    assert [next(run).done, next(run).done] == [7, 7]
    run.close()
    assert vault.wrapped() == {vault.first: 16, vault.last(): 14}
    assert vault.all_open(sealed)
    assert sum(moved.done for moved in rewrap(vault.database, vault.sealer(), EVENT, batch=7)) == 16
    assert vault.wrapped() == {vault.last(): 30}
    assert vault.all_open(sealed)


def test_a_batch_that_fails_leaves_nothing_half_done(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = vault.seal(10)
    add_master_key(vault.directory)
    run, plain = rewrap(vault.database, vault.sealer(), EVENT, batch=4), Sealer.rewrap
    assert next(run).done == 4
    moved: list[UUID] = []

    def dies(sealer: Sealer, key: DataKey) -> None:
        if len(moved) == 2:
            raise KeyboardInterrupt
        moved.append(key.owner_id)
        plain(sealer, key)

    monkeypatch.setattr(Sealer, "rewrap", dies)
    with pytest.raises(KeyboardInterrupt):
        next(run)
    assert vault.wrapped() == {vault.first: 6, vault.last(): 4}
    assert vault.all_open(sealed)


def test_two_runs_at_once_share_the_work(vault: Vault) -> None:
    sealed = vault.seal(60)
    add_master_key(vault.directory)

    def move(_number: int) -> int:
        return sum(moved.done for moved in rewrap(vault.database, vault.sealer(), EVENT, batch=5))

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(move, range(2))) == 60
    assert vault.wrapped() == {vault.last(): 60}
    assert vault.all_open(sealed)


def test_what_was_destroyed_stays_destroyed_and_new_records_come_in_meanwhile(vault: Vault) -> None:
    old = vault.sealer()
    sealed = vault.seal(10)
    add_master_key(vault.directory)
    run = rewrap(vault.database, vault.sealer(), EVENT, batch=5)
    next(run)
    gone = set(list(sealed)[::2])
    with vault.database.unit_of_work() as session:
        session.execute(delete(DataKey).where(DataKey.owner_id.in_(gone)))
    late = vault.seal(3, old)
    assert sum(moved.done for moved in run) >= 3
    assert vault.wrapped() == {vault.last(): 8}
    assert vault.all_open({owner: text for owner, text in sealed.items() if owner not in gone} | late)


def test_a_process_started_before_reads_what_was_moved(vault: Vault) -> None:
    sealed, before = vault.seal(5), vault.sealer()
    add_master_key(vault.directory)
    assert vault.run("rewrap").exit_code == 0
    assert vault.all_open(sealed, before)


def test_a_process_with_a_retired_key_in_memory_is_refused_by_the_database(vault: Vault) -> None:
    before = vault.sealer()
    add_master_key(vault.directory)
    assert vault.run("retire", vault.first).exit_code == 0
    with pytest.raises(DBAPIError, match=f"{vault.first} is retired"):
        vault.seal(1, before)
    assert vault.wrapped() == {}


def test_no_data_key_slips_under_a_key_while_it_is_retired(vault: Vault) -> None:
    """One transaction has wrapped a data key and not committed: retiring waits for it, and then sees it."""
    before = vault.sealer()
    add_master_key(vault.directory)
    wrapped, waiting = Signal(), Signal()

    def slow() -> None:
        with vault.database.unit_of_work() as session:
            before.seal(session, new_id(), b"x", "row")
            session.flush()
            wrapped.set()
            assert waiting.wait(20)

    with ThreadPoolExecutor(2) as pool:
        writer = pool.submit(slow)
        assert wrapped.wait(20)
        retiring = pool.submit(vault.run, "retire", vault.first)
        with vault.database.unit_of_work() as session:
            until_locked(session)
        waiting.set()
        writer.result()
        assert "still wraps data keys" in retiring.result().output
    assert vault.wrapped() == {vault.first: 1}


def until_locked(session: Session) -> None:
    """Return once somebody waits for the table of data keys."""
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'data_keys'::regclass"
    for _ in range(10_000):
        if session.connection().exec_driver_sql(query).scalar():
            return
    pytest.fail("nobody waited")


def test_a_data_key_that_does_not_open_is_left_and_named_and_stops_nobody_else(vault: Vault) -> None:
    vault.seal(5)
    with vault.database.unit_of_work() as session:
        spoilt = session.scalars(select(DataKey).limit(1)).one()
        spoilt.wrapped = b"\0" * 60
    add_master_key(vault.directory)
    done = vault.run("rewrap")
    assert done.exit_code == 1
    assert f"1 data keys were left as they are, such as {spoilt.owner_id}'s" in done.output
    assert vault.wrapped() == {vault.first: 1, vault.last(): 4}


def test_a_missing_master_key_ends_the_run_and_is_named(vault: Vault) -> None:
    vault.seal(12)
    add_master_key(vault.directory)
    (vault.directory / f"{vault.first}.key").unlink()
    assert f"{vault.first}  MISSING   12 data keys" in vault.run().output
    run = list(rewrap(vault.database, vault.sealer(), EVENT, batch=5))
    assert [(moved.done, len(moved.unreadable)) for moved in run] == [(0, 5)]
    assert f"{vault.first} is not in the key directory" in vault.run("rewrap").output


@pytest.mark.parametrize("name", ["../blind", "blind", "master-0099/../blind", "master-x", ""])
def test_a_tampered_name_reads_no_other_file(vault: Vault, name: str) -> None:
    key = DataKey(owner_id=new_id(), master_key_id=name, wrapped=b"x" * 60)
    with pytest.raises(SealError, match="not in the key directory"):
        vault.sealer().unseal(key, b"y" * 60, "row")
