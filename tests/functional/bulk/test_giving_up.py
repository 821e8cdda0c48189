"""What fails for a fault of the registry: tried again, line by line, given up, taken up again, kept for a week."""

import json
from contextlib import nullcontext
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from registry.audit.models import AuditEvent
from registry.bulk import chunks, cli, processing, service
from registry.bulk.models import Import, ImportPart, ImportRefusal
from registry.bulk.processing import take_due
from registry.bulk.service import UPLOAD_LASTS, purge_uploads
from registry.bulk.transfers import MOST_ATTEMPTS
from registry.database import new_id, now
from registry.errors import Conflict
from registry.sealing import DataKey
from tests.functional.bulk.importing import PATH, announce, call, ndjson, patient, run, upload
from tests.functional.oauth.world import World


def attempt(world: World, path: str) -> bool:
    """What the worker does once the lease of the attempt before is over."""
    key = UUID(path.rpartition("/")[2])

    def lapse(session: Any) -> None:
        session.get_one(Import, key).leased_until = None

    world.transact(lapse)
    return world.transact(take_due) == key and run(world, path)


def fail_at(monkeypatch: pytest.MonkeyPatch, marks: tuple[str, ...], error: Exception) -> None:
    """Let registering fail where a record's local number ends so."""
    real = processing.register_prepared

    def fail(session: Any, engine: Any, memory: Any, batch: Any) -> Any:
        if any(one.registration.content.local_number.endswith(marks) for one in batch.prepared):
            raise error
        return real(session, engine, memory, batch)

    monkeypatch.setattr(processing, "register_prepared", fail)


def test_a_poisoned_line_is_refused_alone(world: World, number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = upload(world.asking, ndjson(*(patient(number, at) for at in range(6))))
    fail_at(monkeypatch, ("-2", "-4"), ValueError("ours"))
    for _ in range(2):
        with pytest.raises(ValueError, match="ours"):
            attempt(world, path)
    assert attempt(world, path)
    done = call(world.asking, "GET", path).json["import"]
    assert (done["status"], sum(done["counts"].values()), done["counts"]["refused"]) == ("completed", 6, 2)
    report = [json.loads(line) for line in call(world.asking, "GET", f"{path}/refused").text.splitlines()]
    assert report == [{"line": line, "code": "registry-fault"} for line in (3, 5)]


def in_trouble(world: World) -> dict[str, float]:
    """What an operator's monitoring is told of imports."""
    lines = world.app.test_client().get("/metrics").text.splitlines()
    told = [line.split('"') + line.split() for line in lines if line.startswith('renhice_transfers{kind="import"')]
    return {one[3]: float(one[-1]) for one in told}


def test_a_line_that_cannot_be_read_is_refused_alone(
    world: World, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = upload(world.asking, ndjson(*(patient(number, at) for at in range(3)))), chunks.read_line

    def fail(source: Any, line: int, raw: bytes) -> Any:
        if line == 2:
            raise RecursionError
        return real(source, line, raw)

    monkeypatch.setattr(chunks, "read_line", fail)
    for _ in range(2):
        with pytest.raises(RecursionError):
            attempt(world, path)
    assert attempt(world, path)
    report = [json.loads(line) for line in call(world.asking, "GET", f"{path}/refused").text.splitlines()]
    assert report == [{"line": 2, "code": "registry-fault"}]
    assert sum(call(world.asking, "GET", path).json["import"]["counts"].values()) == 3


FULL = OperationalError("COPY", {}, OSError("full"))


@pytest.mark.parametrize("error", [FULL, ValueError("ours")], ids=["disk", "bug"])
def test_what_fails_on_is_given_up_and_can_be_taken_up(
    world: World, number: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    content = ndjson(*(patient(number, at) for at in range(40)))
    path = upload(world.asking, content)
    fail_at(monkeypatch, ("",), error)
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(type(error)):
            attempt(world, path)
    assert in_trouble(world)["failing"] == 1
    assert not attempt(world, path)
    given_up = call(world.asking, "GET", path)
    assert (given_up.status_code, given_up.json["import"]["error"]) == (200, "given-up")
    assert in_trouble(world) == {"failing": 0, "given-up": 1}
    monkeypatch.undo()
    again = announce(world.asking, content)
    assert (again.status_code, again.json["status"]) == (200, "processing")
    assert again.headers["Location"] == given_up.json["request"]
    assert attempt(world, path)
    counts = call(world.asking, "GET", path).json["import"]["counts"]
    assert sum(counts.values()) == 40
    assert counts["refused"] == (0 if isinstance(error, OperationalError) else 3 * (MOST_ATTEMPTS - 2))


def test_an_operator_tries_one_again_that_was_given_up(
    world: World, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = upload(world.asking, ndjson(patient(number)))
    key = path.rpartition("/")[2]
    monkeypatch.setattr(cli, "command_parts", lambda: nullcontext(world.renhice))
    refused = CliRunner().invoke(cli.transfers, ["retry", key], standalone_mode=False)
    assert isinstance(refused.exception, Conflict)

    def give_up(session: Any) -> None:
        service.give_up(session, session.get_one(Import, UUID(key)))

    world.transact(give_up)
    assert f"{key}  import  00000001" in CliRunner().invoke(cli.transfers, ["list"]).output
    assert "It goes on" in CliRunner().invoke(cli.transfers, ["retry", key]).output
    assert attempt(world, path)
    assert call(world.asking, "GET", path).json["import"]["status"] == "completed"
    told = select(AuditEvent.actor_role).where(AuditEvent.detail["import"].astext == key)
    events = told.where(AuditEvent.action == "bulk:import:restarted", AuditEvent.detail["operator"].is_not(None))
    assert world.transact(lambda session: session.scalars(events).all()) == ["operator"]
    assert CliRunner().invoke(cli.transfers, ["retry", str(new_id())]).exit_code == 1


def test_which_lines_were_refused_is_kept_for_ninety_days(world: World, number: str) -> None:
    path = upload(world.asking, ndjson(patient(number), b"x", b"x", b"x"))
    assert run(world, path)
    key = UUID(path.rpartition("/")[2])
    kept = select(func.count()).where(ImportRefusal.import_id == key)
    purge = world.renhice.celery.tasks["purge-imports"]
    purge()
    assert world.transact(lambda session: session.scalar(kept)) == 3
    old = update(Import).where(Import.id == key).values(changed_at=now() - service.REFUSALS_LAST)
    world.transact(lambda session: session.execute(old))
    assert world.transact(lambda session: service.purge_refusals(session, 2)) == 2
    purge()
    assert world.transact(lambda session: session.scalar(kept)) == 0
    done = call(world.asking, "GET", path).json
    assert (done["error"], done["import"]["counts"]["refused"]) == ([], 3)
    assert call(world.asking, "GET", f"{path}/refused").json["code"] == "refusals-forgotten"


def test_a_file_given_up_is_kept_for_a_week(world: World, number: str) -> None:
    content = ndjson(patient(number))
    path = upload(world.asking, content)
    key = UUID(path.rpartition("/")[2])
    kept = select(func.count()).select_from(ImportPart).where(ImportPart.import_id == key)

    def change(**values: Any) -> None:
        world.transact(lambda session: session.execute(update(Import).where(Import.id == key).values(**values)))

    change(attempts=MOST_ATTEMPTS)
    assert world.transact(take_due) is None
    world.transact(purge_uploads)
    assert world.transact(lambda session: session.scalar(kept)) == 2
    change(changed_at=now() - UPLOAD_LASTS)
    world.transact(purge_uploads)
    assert world.transact(lambda session: (session.scalar(kept), session.get(DataKey, key))) == (0, None)
    assert call(world.asking, "GET", path).json["import"]["error"] == "abandoned"
    again = announce(world.asking, content)
    assert again.status_code == 201
    call(world.asking, "DELETE", f"{PATH}/{again.json['id']}")


def test_each_attempt_without_progress_doubles_the_wait(world: World, number: str) -> None:
    path = upload(world.asking, ndjson(patient(number)))
    key, waits = UUID(path.rpartition("/")[2]), list[int]()

    def age(session: Any) -> None:
        found = session.get_one(Import, key)
        waits.append(round((found.leased_until - now()).total_seconds() / 60))
        found.leased_until = None

    for _ in range(MOST_ATTEMPTS):
        assert world.transact(take_due) == key
        world.transact(age)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert call(world.asking, "DELETE", path).status_code == 202
