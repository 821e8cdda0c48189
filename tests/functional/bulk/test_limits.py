"""What a file of patients may cost: its turns, its report, its parts, who waits, and what no answer could hold."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import current_process
from pathlib import Path
from queue import Queue
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from celery.app.log import Logging
from celery.contrib.testing.worker import start_worker
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from deploy import service_checks
from deploy.account import caller
from deploy.layout import Layout
from deploy.product import programs
from registry.app import Renhice
from registry.bulk import processing, service, tasks
from registry.bulk.models import Import, ImportRefusal
from registry.bulk.pace import LEAST
from registry.bulk.processing import process, take_due
from registry.outbox import OutboxMessage, Payloads, publish, relay, subscriber
from registry.telemetry import configure_logging, logger
from tests.functional.bulk.importing import PATH, announce, call, ndjson, patient, run, send, upload
from tests.functional.oauth.world import World


def test_a_turn_that_ends_lets_the_next_one_begin_and_others_before_it(world: World, number: str) -> None:
    paths = [upload(world.asking, ndjson(*(patient(f"{number}-{name}", at) for at in range(3)))) for name in "ab"]
    first, second = (UUID(path.rpartition("/")[2]) for path in paths)
    taken = list[UUID]()
    for _ in range(6):
        due = world.transact(take_due)
        assert due is not None
        taken.append(due)
        process(world.renhice, taken[-1], seconds=0, chunk=1)
    assert taken == [first, second] * 3
    for path in paths:
        assert run(world, path)


def test_a_turn_that_was_overtaken_gives_nothing_back(
    world: World, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = upload(world.asking, ndjson(*(patient(number, at) for at in range(4))))
    key = UUID(path.rpartition("/")[2])

    def late(session: Any, import_id: UUID, position: int) -> None:
        monkeypatch.undo()
        process(world.renhice, import_id, seconds=0, chunk=1)
        assert world.transact(take_due) == key
        service.give_back(session, import_id, position)

    monkeypatch.setattr(processing, "give_back", late)
    assert not run(world, path, seconds=0, chunk=1)
    assert world.transact(take_due) is None
    assert run(world, path)


def test_a_file_of_faults_leaves_a_bounded_report(world: World, number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "MOST_REFUSALS", 5)
    path = upload(world.asking, b"x\n" * 12)
    assert run(world, path, chunk=4)
    assert call(world.asking, "GET", path).json["error"][0]["count"] == 12
    kept = select(ImportRefusal.line).where(ImportRefusal.import_id == UUID(path.rpartition("/")[2]))
    assert sorted(world.transact(lambda session: session.scalars(kept).all())) == [1, 2, 3, 4, 5]


def test_what_was_given_up_counts_among_the_files_that_are_kept(world: World, number: str) -> None:
    contents = [f"{number}-{at}\n".encode() for at in range(service.MOST_OPEN + 1)]
    keys = [announce(world.asking, content).json["id"] for content in contents[:-1]]

    def fail(session: Any) -> None:
        for key in keys:
            service.give_up(session, session.get_one(Import, UUID(key)))

    world.transact(fail)
    assert announce(world.asking, contents[-1]).status_code == 429
    for key in keys:
        assert call(world.asking, "DELETE", f"{PATH}/{key}").status_code == 202
    last = announce(world.asking, contents[-1])
    assert last.status_code == 201
    call(world.asking, "DELETE", f"{PATH}/{last.json['id']}")


def test_a_file_comes_in_so_many_parts(world: World, number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_PARTS", 2)
    path = f"{PATH}/{announce(world.asking, b'12345').json['id']}"
    answers = [send(world.asking, path, at, b"1") for at in range(3)]
    assert [one.status_code for one in answers] == [204, 204, 400]
    assert answers[-1].json["code"] == "too-many-parts"
    call(world.asking, "DELETE", path)


def test_a_row_that_no_answer_could_hold_is_refused(world: World, number: str) -> None:
    rows = ["establishment,local_id,paternal_surname,document_number"]
    rows += [f"00000001,{number}-{at},Hua{sign}man,4071829{at}" for at, sign in enumerate("\x00\x0b\x1b\ufffe")]
    path = upload(world.asking, "\n".join(rows).encode(), "csv")
    assert run(world, path)
    report = [json.loads(line) for line in call(world.asking, "GET", f"{path}/refused").text.splitlines()]
    assert [(one["line"], one["code"]) for one in report] == [(line, "control-characters") for line in (2, 3, 4, 5)]


def test_a_csv_goes_on_at_its_byte_and_holds_no_bad_rows_back(world: World, number: str) -> None:
    """Read from the beginning each turn, a large one never got on; and all bad rows waited for the next good one."""
    head = "establishment,local_id,paternal_surname\n"
    rows = [f'00000001,{number}-1,"Hua\nmán"', "bad", "", f"00000001,{number}-2,Ñahui", "bad", "bad"]
    path = upload(world.asking, (head + "\r\n".join(rows)).encode("cp1252"), "csv")
    key, seen = UUID(path.rpartition("/")[2]), list[tuple[int, int]]()

    def cursor(session: Any) -> tuple[int, int]:
        found = session.get_one(Import, key)
        return found.position, found.line

    ends = [len((head + "\r\n".join(rows[: at + 1]) + "\r\n").encode("cp1252")) for at in range(len(rows))]
    while not run(world, path, seconds=0, chunk=1):
        seen.append(world.transact(cursor))
    assert seen == list(zip([*ends[:-1], ends[-1] - 2], (3, 4, 5, 6, 7, 8), strict=True))
    report = [json.loads(line) for line in call(world.asking, "GET", f"{path}/refused").text.splitlines()]
    assert [(one["line"], one["code"]) for one in report] == [(line, "bad-row") for line in (4, 7, 8)]


received: list[str] = []


@subscriber("test:consent:revoked")
@subscriber("identity:person:linked")
def remember(_session: Session, payloads: Payloads) -> None:
    received.extend(payload["test"] for payload in payloads if "test" in payload)


@contextmanager
def worker(renhice: Renhice, name: str, folder: Path) -> Iterator[None]:
    """The queues of one of the workers that `up` starts, served from a real broker."""
    argv = next(one.argv for one in programs(Layout(folder), 1, caller()) if one.name == name)
    queues = argv[argv.index("--queues") + 1].split(",")
    with start_worker(renhice.celery, pool="solo", queues=queues, perform_ping_check=False, loglevel="ERROR"):
        yield


def send_task(renhice: Renhice, name: str) -> None:
    """As beat sends it."""
    entry = renhice.celery.conf.beat_schedule[name]
    renhice.celery.send_task(entry["task"], **entry["options"])


def test_messages_are_delivered_whatever_is_asked_of_bulk(
    world: World, renhice: Renhice, number: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The one worker serves the outbox behind any number of turns of files, and takes none of them; the other does."""
    path, turns = upload(world.asking, ndjson(patient(number))), Queue[UUID]()
    monkeypatch.setattr(tasks, "process", lambda _parts, key, _seconds: turns.put(key))
    received.clear()
    with worker(renhice, "worker", tmp_path):
        for _ in range(5):
            send_task(renhice, "advance-imports")
        world.transact(lambda session: publish(session, "test:consent:revoked", number, {"test": number}))
        send_task(renhice, "relay-outbox")
        deadline = time.monotonic() + 10
        while not received and time.monotonic() < deadline:
            time.sleep(0.02)
    assert (received, turns.qsize()) == ([number], 0)
    with worker(renhice, "bulk", tmp_path):
        assert turns.get(timeout=10) == UUID(path.rpartition("/")[2])


def test_what_a_file_brings_by_the_line_goes_last(session: Session, number: str) -> None:
    session.execute(delete(OutboxMessage))
    received.clear()
    for at in range(3):
        publish(session, "identity:person:linked", f"{number}-{at}", {"test": "line"})
    publish(session, "test:consent:revoked", number, {"test": "revoked"})
    assert relay(session, 2) == 1
    assert received == ["revoked"]


def test_what_nobody_takes_is_counted(world: World, renhice: Renhice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a worker for files everything else went on, and no status, probe or metric said a word."""
    monkeypatch.setenv("RENHICE_BROKER_URL", renhice.settings.broker_url)
    monkeypatch.setattr(service_checks, "MOST_WAITING", 2)

    def told() -> tuple[float, str]:
        lines = world.app.test_client().get("/metrics").text.splitlines()
        counted = next(one for one in lines if one.startswith('renhice_tasks_waiting{queue="bulk"}'))
        found = next(one for one in service_checks.check_queues(Layout()) if one.subject == "Queue bulk")
        return float(counted.split()[-1]), found.verdict

    with renhice.celery.connection_for_write() as connection:
        connection.default_channel.queue_purge("bulk")
        assert told() == (0, "ok")
        for _ in range(3):
            send_task(renhice, "advance-imports")
        assert told() == (3, "broken")
        connection.default_channel.queue_purge("bulk")


def test_a_process_that_may_start_none_reads_a_large_file_alone(
    world: World, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a process of Celery's pool is: every large file failed eight times there."""
    path = upload(world.asking, ndjson(*(patient(number, at) for at in range(3))))
    monkeypatch.setattr(processing, "HELPER_FROM_BYTES", 1)
    monkeypatch.setitem(current_process()._config, "daemon", True)
    assert run(world, path)
    assert call(world.asking, "GET", path).json["import"]["status"] == "completed"


def test_a_worker_says_what_it_logs(
    renhice: Renhice, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Celery sent standard error round to the log, which writes there: of a failed turn not a word was to be seen.

    And it raised the level to its own, with which workers are started so that not every task is told.
    """
    monkeypatch.setattr(Logging, "_setup", False)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, getattr(sys, stream))
    configure_logging("INFO")
    renhice.celery.log.setup("WARNING", redirect_stdouts=renhice.celery.conf.worker_redirect_stdouts)
    logging.captureWarnings(capture=False)
    logging.getLogger("celery.worker.strategy").info("Task received")
    logger("t").info("import line refused", line=7)
    assert json.loads(capsys.readouterr().err)["line"] == 7


KILLED = """
import os, signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from registry.bulk.orphans import end_with_parent
if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=end_with_parent)
    pool.submit(os.getpid).result()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_helper_ends_with_its_worker(tmp_path: Path) -> None:
    """Killed by the system for its memory, each worker left another process of more than a hundred megabytes behind."""
    script, paths = tmp_path / "killed.py", {"PYTHONPATH": str(Layout().root)}
    script.write_text(KILLED)
    run_to_end = [sys.executable, script]  # whoever is left keeps its output open
    done = subprocess.run(run_to_end, capture_output=True, check=False, env=os.environ | paths, timeout=20)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_chunk_has_as_many_lines_as_take_a_moment(world: World, number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else registers meanwhile: of five hundred crowded lines others waited for longer than they may."""
    path, real, sizes = upload(world.asking, ndjson(*[b"x"] * 400)), processing._apply, list[int]()
    clock = iter(range(1_000_000))

    def count(*arguments: Any) -> None:
        sizes.append(len(arguments[-1].refusals))
        for _ in range(sizes[-1] // 10):
            next(clock)
        real(*arguments)

    monkeypatch.setattr(processing, "_apply", count)
    monkeypatch.setattr(processing, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert run(world, path, chunk=100)
    assert (sizes[0], set(sizes[1:-1]), sum(sizes)) == (50, {LEAST}, 400)
