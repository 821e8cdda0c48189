"""The audit's chain: whoever owns the database can change anything in it, and can't hide it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, create_engine, select, text
from structlog.testing import capture_logs

from registry.app import Renhice
from registry.audit import chaining
from registry.audit.chain import Head, canonical
from registry.audit.chaining import chain_events, chain_late_events, end_of_chain
from registry.audit.models import AuditEvent, AuditSegment
from registry.cli import cli
from registry.database import new_id, now
from registry.sealing import Sealer, create_keys

SEGMENT = 4


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaining, "SEGMENT", SEGMENT)
    monkeypatch.setattr(chaining, "SETTLED", timedelta())


@pytest.fixture(scope="module")
def owner(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def spoilt(owner: Engine) -> Iterator[Connection]:
    """The owner at work, guards off; what they did is undone after the test, guards on again."""
    with owner.begin() as connection:
        for table in ("audit_events", "audit_segments"):
            connection.execute(text(f"CREATE TABLE kept_{table} AS TABLE {table}"))
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection
    with owner.begin() as connection:
        for table in ("audit_events", "audit_segments"):
            connection.execute(text(f"TRUNCATE {table}"))
            connection.execute(text(f"INSERT INTO {table} TABLE kept_{table}"))
            connection.execute(text(f"DROP TABLE kept_{table}"))
            connection.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))


def write(renhice: Renhice, count: int, moment: datetime | None = None) -> list[UUID]:
    with renhice.database.unit_of_work() as session:
        rows = [
            AuditEvent(id=new_id(), action="a:b:c", outcome="success", recorded_at=moment or now(), detail={"ñ": [1]})
            for _ in range(count)
        ]
        session.add_all(rows)
        return [row.id for row in rows]


def chain(renhice: Renhice) -> int:
    with renhice.database.unit_of_work() as session:
        return chain_events(session, renhice.sealer) + chain_late_events(session, renhice.sealer)


def last(renhice: Renhice) -> Head:
    with renhice.database.unit_of_work() as session:
        return end_of_chain(session).head


def segments(renhice: Renhice) -> list[AuditSegment]:
    with renhice.database.unit_of_work() as session:
        return list(session.scalars(select(AuditSegment).order_by(AuditSegment.number)))


def run(renhice: Renhice, *words: str) -> Result:
    settings = renhice.settings
    environment = {
        "RENHICE_ENVIRONMENT": "test",
        "RENHICE_DATABASE_URL": settings.database_url,
        "RENHICE_BROKER_URL": settings.broker_url,
        "RENHICE_KEYS_DIR": str(settings.keys_dir),
    }
    return CliRunner().invoke(cli, ["audit", *words], env=environment)


def faults(renhice: Renhice, *words: str) -> str:
    done = run(renhice, "verify", *words)
    assert done.exit_code == 1, done.output
    return done.output


@pytest.fixture(scope="module")
def chained(renhice: Renhice) -> list[UUID]:
    """Nine events of two days ago, in segments of four, four and one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chaining, "SEGMENT", SEGMENT)
        ids = write(renhice, 9, now() - timedelta(days=2))
        with capture_logs() as logs:
            assert chain(renhice) == 9
    told = [(one["segment"], one["head"]) for one in logs if one["event"] == "audit chained"]
    assert told == [(one.number, Head(one.number, one.hash).words) for one in segments(renhice)]
    return ids


def test_the_form_of_an_event_never_changes() -> None:
    """A chain is verified by versions to come: this line may not be mended, only kept."""
    key = UUID("018f0000-0000-7000-8000-000000000001")
    event = {"recorded_at": datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC), "id": key, "reason": None, "detail": {"b": 1}}
    assert canonical(event).decode() == (
        '{"detail":{"b":1},"id":"018f0000-0000-7000-8000-000000000001","recorded_at":"2027-01-02T03:04:05.000000+00:00"}\n'
    )


def test_what_was_chained_holds(renhice: Renhice, chained: list[UUID]) -> None:
    assert [one.events for one in segments(renhice)] == [chained[:4], chained[4:8], chained[8:]]
    head = last(renhice)
    for words in ([], ["--from", "2"], ["--head", str(Head(1, segments(renhice)[0].hash))], ["--head", str(head)]):
        done = run(renhice, "verify", *words)
        assert (done.exit_code, f"Head: {head}" in done.output) == (0, True), done.output
    assert run(renhice, "head").output == f"{head}\n"
    assert run(renhice, "verify", "--head", "3:12").exit_code == 2
    assert "There is no segment 9" in faults(renhice, "--from", "9")


CHANGES = {
    "UPDATE audit_events SET outcome = 'refused' WHERE id = :one": "Event {one}, in segment 1, was changed",
    "UPDATE audit_events SET recorded_at = recorded_at + interval '9 hours' WHERE id = :one": "segment 1, was changed",
    "DELETE FROM audit_events WHERE id = :one": "Event {one}, in segment 1, is missing",
    "UPDATE audit_segments SET events = events[2:], marks = substr(marks, 5) WHERE number = 1": "is in no segment",
    "UPDATE audit_segments SET hash = sha256('') WHERE number = 1": "Segment 1 was altered",
    "UPDATE audit_segments SET marks = '' WHERE number = 1": "Segment 1 was altered",
    "UPDATE audit_segments SET chained_at = now() WHERE number = 1": "Segment 1 was altered",
    "DELETE FROM audit_segments WHERE number = 1": "Segment 1 is missing",
    "UPDATE audit_segments SET number = number + 7": "Segments 1 to 7 are missing",
}


@pytest.mark.parametrize(("change", "named"), CHANGES.items())
def test_a_change_by_the_owner_is_named(
    renhice: Renhice, chained: list[UUID], spoilt: Connection, change: str, named: str
) -> None:
    spoilt.execute(text(change), {"one": chained[1]} if ":one" in change else {})
    told = faults(renhice)
    assert named.format(one=chained[1]) in told
    assert not [number for number in (2, 3) if f"egment {number} was" in told or f"egment {number}, " in told], told


def test_a_chain_made_anew_without_the_key_is_named(
    renhice: Renhice, chained: list[UUID], spoilt: Connection, tmp_path: Path
) -> None:
    create_keys(tmp_path)
    spoilt.execute(text("UPDATE audit_events SET outcome = 'refused' WHERE id = :one"), {"one": chained[1]})
    spoilt.execute(text("TRUNCATE audit_segments"))
    with renhice.database.unit_of_work() as session:
        chain_events(session, Sealer.from_directory(tmp_path))
    assert "Segment 1 was altered" in faults(renhice)


def test_an_event_put_into_the_past_is_named(renhice: Renhice, chained: list[UUID], spoilt: Connection) -> None:
    (stranger,) = write(renhice, 1, now() - timedelta(days=3))
    chain(renhice)
    assert f"Event {stranger}" in faults(renhice)


def test_only_a_head_noted_elsewhere_tells_that_the_end_was_cut_off(
    renhice: Renhice, chained: list[UUID], spoilt: Connection
) -> None:
    noted = str(last(renhice))
    spoilt.execute(text("DELETE FROM audit_segments WHERE number = 3"))
    spoilt.execute(text("DELETE FROM audit_events WHERE id = :one"), {"one": chained[8]})
    assert run(renhice, "verify").exit_code == 0
    assert "there is no segment 3" in faults(renhice, "--head", noted)
    chain(renhice)
    assert "segment 3 bears another hash" in faults(renhice, "--head", noted)


def test_what_is_committed_late_is_chained_by_the_next_run(renhice: Renhice, chained: list[UUID]) -> None:
    with renhice.database.engine.begin() as slow:
        late = new_id()
        row = {"id": late, "action": "a:b:late", "outcome": "success", "recorded_at": now(), "detail": {}}
        slow.execute(AuditEvent.__table__.insert(), row)
        write(renhice, 1)
        assert chain(renhice)
        assert late not in segments(renhice)[-1].events
    assert run(renhice, "verify").exit_code == 0, "it waits"
    assert chain(renhice) >= 1
    assert [late] in [one.events for one in segments(renhice)]
    assert chain(renhice) == 0
    assert run(renhice, "verify").exit_code == 0


def test_after_a_stop_what_is_late_is_chained_before_it_goes_on(
    renhice: Renhice, chained: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(renhice, 1)
    chain(renhice)
    (late,) = write(renhice, 1, now() - timedelta(minutes=50))
    write(renhice, 1)
    with renhice.database.unit_of_work() as session:
        assert chain_events(session, renhice.sealer) == 1
    assert late not in segments(renhice)[-1].events
    monkeypatch.setattr(chaining, "CHAIN_LATE_EVERY", timedelta())
    with renhice.database.unit_of_work() as session:
        assert chain_events(session, renhice.sealer) == 1
    assert segments(renhice)[-1].events == [late]


def test_two_at_once_share_the_work(renhice: Renhice, chained: list[UUID]) -> None:
    before = last(renhice).number
    write(renhice, 4 * SEGMENT)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(chain, [renhice, renhice]))
    done.append(chain(renhice))  # who finds the other at it leaves the rest to the next turn
    assert sum(done) >= 4 * SEGMENT
    held = [key for one in segments(renhice) for key in one.events]
    assert len(held) == len(set(held))
    assert last(renhice).number >= before + 4
    assert run(renhice, "verify").exit_code == 0


def test_how_far_it_is_behind_is_measured(client: FlaskClient, renhice: Renhice, chained: list[UUID]) -> None:
    chain(renhice)
    write(renhice, 1, now() - timedelta(seconds=1))
    page = client.get("/metrics").text
    assert f"renhice_audit_segments {float(last(renhice).number)}" in page
    assert float(page.partition("\nrenhice_audit_waiting_seconds ")[2].split()[0]) >= 0
