"""Exports: one's own records and whom each is about, whole whatever happens, for one's own systems alone."""

import gzip
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.patient import Patient
from sqlalchemy import func, select, update

from registry.audit.models import AuditEvent
from registry.bulk.export import reading, service, writing
from registry.bulk.export.models import Export, ExportFault, ExportPart
from registry.bulk.export.reading import FileGone, read_file
from registry.bulk.export.service import KEPT, purge_exports
from registry.bulk.export.writing import take_due, write
from registry.bulk.transfers import MOST_ATTEMPTS
from registry.database import now
from registry.directory.models import RecordSystem
from registry.identity import records as reading_records
from registry.identity.models import Membership, SourceRecord
from registry.sealing import DataKey, SealError
from tests.functional.bulk.exporting import (
    ASYNC,
    PATH,
    SYSTEM,
    Json,
    begin,
    call,
    key_of,
    kick_off,
    lines_of,
    put,
    sorted_by_id,
)
from tests.functional.oauth.world import World


@pytest.fixture(autouse=True)
def _fresh(world: World) -> None:
    world.transact(lambda session: session.execute(update(Export).values(status="expired")))


def test_it_holds_what_reading_each_record_gives(world: World, records: list[Json]) -> None:
    path = begin(world, "?_type=Patient&_outputFormat=ndjson")
    waiting = call(world.asking, "GET", path)
    assert (waiting.status_code, waiting.headers["X-Progress"], waiting.headers["Retry-After"]) == (202, "0 %", "5")
    assert write(world.renhice, key_of(path))
    done = call(world.asking, "GET", path, headers={"Accept": "application/json"})
    assert done.mimetype == "application/json"
    assert done.headers["Expires"].endswith("GMT")
    manifest = done.json
    assert manifest["request"].endswith(f"{PATH}?_type=Patient&_outputFormat=ndjson")
    assert (manifest["requiresAccessToken"], manifest["deleted"], manifest["error"]) == (True, [], [])
    assert manifest["transactionTime"] < now().isoformat()
    found = lines_of(world, path)
    assert sorted_by_id(found) == sorted_by_id(records)
    for one in found:
        Patient.model_validate(one)
        assert {link["type"] for link in one["link"]} == {"refer"}


def test_files_come_compressed_and_each_fetch_is_in_the_log(world: World, records: list[Json]) -> None:
    path = begin(world)
    write(world.renhice, key_of(path), page=2)
    file = f"{path}/0.ndjson"
    plain = call(world.asking, "GET", file, headers={"Accept-Encoding": "identity"})
    packed = call(world.asking, "GET", file, headers={"Accept-Encoding": "gzip"})
    assert (plain.mimetype, packed.headers["Content-Encoding"]) == ("application/fhir+ndjson", "gzip")
    assert gzip.decompress(packed.data) == plain.data
    assert plain.data.count(b"\n") == len(records)
    events = select(AuditEvent).where(AuditEvent.detail["requested"].astext == str(key_of(path)))
    kept = world.transact(lambda session: session.scalars(events.order_by(AuditEvent.recorded_at)).all())
    assert [one.action for one in kept] == [
        "bulk:export:requested", "bulk:export:downloaded", "bulk:export:downloaded",
    ]  # fmt: skip
    assert (kept[1].client_id, kept[1].detail["count"]) == (world.asking.client_id, len(records))


def test_whatever_stops_it_nothing_is_lost_or_doubled(
    world: World, records: list[Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = begin(world)
    assert not write(world.renhice, key_of(path), seconds=0, page=2)
    assert call(world.asking, "GET", path).headers["X-Progress"] != "0 %"
    real = writing._add_part

    def die(*arguments: Any) -> None:
        real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "_add_part", die)
    with pytest.raises(KeyboardInterrupt):
        write(world.renhice, key_of(path), page=2)
    monkeypatch.undo()
    assert write(world.renhice, key_of(path), page=2)
    assert sorted_by_id(lines_of(world, path)) == sorted_by_id(records)


def test_a_large_export_has_several_files(world: World, records: list[Json], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (service, reading):
        monkeypatch.setattr(module, "PARTS_PER_FILE", 2)
    path = begin(world)
    write(world.renhice, key_of(path), page=1)
    counts = [one["count"] for one in call(world.asking, "GET", path).json["output"]]
    assert counts == [2] * (len(records) // 2) + [1] * (len(records) % 2)
    assert sorted_by_id(lines_of(world, path)) == sorted_by_id(records)


def test_since_finds_new_versions_and_new_persons(world: World, records: list[Json]) -> None:
    """What was linked anew changed too, though the record says the same."""
    since = now() + timedelta(hours=1)
    moved, changed = (UUID(one["id"]) for one in records[:2])

    def age(session: Any) -> None:
        later = since + timedelta(hours=1)
        session.execute(update(Membership).where(Membership.source_record_id == moved).values(since=later))
        session.execute(update(SourceRecord).where(SourceRecord.id == changed).values(received_at=later))

    world.transact(age)
    path = begin(world, f"?_since={since.isoformat().replace('+', '%2B')}")
    write(world.renhice, key_of(path), page=2)
    assert {one["id"] for one in lines_of(world, path)} == {str(moved), str(changed)}


def test_elements_are_kept_and_the_rest_is_not(world: World, records: list[Json]) -> None:
    path = begin(world, "?_elements=identifier,Patient.link")
    write(world.renhice, key_of(path))
    found = lines_of(world, path)
    assert all(set(one) == {"resourceType", "id", "meta", "identifier", "link"} for one in found)
    assert found[0]["meta"]["tag"][0]["code"] == "SUBSETTED"


def test_it_is_ones_own_alone(world: World, records: list[Json]) -> None:
    path = begin(world)
    write(world.renhice, key_of(path))
    for method, where in (("GET", path), ("GET", f"{path}/0.ndjson"), ("DELETE", path)):
        answer = call(world.holding, method, where)
        assert (answer.status_code, answer.json["resourceType"]) == (404, "OperationOutcome")
    theirs = kick_off(world.holding).headers["Content-Location"].removeprefix("http://127.0.0.1:8000")
    write(world.renhice, key_of(theirs))
    url = call(world.holding, "GET", theirs).json["output"][0]["url"].removeprefix("http://127.0.0.1:8000")
    lines = call(world.holding, "GET", url).text
    assert "urn:hc:00000002" in lines
    assert SYSTEM not in lines
    assert call(world.asking, "GET", f"{path}/1.ndjson").status_code == 404


@pytest.fixture
def ended(world: World, records: list[Json]) -> Iterator[str]:
    """A finished export, of which nothing must be left when the test is over."""
    path = begin(world)
    write(world.renhice, key_of(path))
    yield path
    assert call(world.asking, "GET", path).status_code == 404
    assert call(world.asking, "GET", f"{path}/0.ndjson").status_code == 404
    parts = select(func.count()).select_from(ExportPart).where(ExportPart.export_id == key_of(path))
    assert world.transact(lambda session: (session.scalar(parts), session.get(DataKey, key_of(path)))) == (0, None)


def test_one_that_is_deleted_is_gone(world: World, ended: str) -> None:
    begun = read_file(world.renhice, world.asking.client_id, key_of(ended), 0, 10_000)
    next(begun)
    assert call(world.asking, "DELETE", ended).status_code == 202
    with pytest.raises(FileGone):
        list(begun)


@pytest.mark.parametrize(
    "lost",
    [
        {"suspended_at": now()},
        {"accredited_until": now() - timedelta(days=1)},
        {"scopes": ["system/Patient.cu"]},
    ],
    ids=["suspended", "accreditation", "scope"],
)
def test_a_client_that_loses_its_standing_gets_no_further_part(world: World, records: list[Json], lost: Json) -> None:
    """Neither of a download that has begun, nor by the token it still has."""
    client = select(RecordSystem).where(RecordSystem.client_id == world.asking.client_id)
    path = begin(world)
    write(world.renhice, key_of(path), page=2)
    file, token = f"{path}/0.ndjson", world.asking.client_token("system/Patient.rs")
    whole = list(read_file(world.renhice, world.asking.client_id, key_of(path), 0, len(records)))
    assert len(whole) == 3
    begun = read_file(world.renhice, world.asking.client_id, key_of(path), 0, len(records))
    next(begun)
    with world.renhice.database.unit_of_work() as session:
        kept = {name: getattr(session.scalars(client).one(), name) for name in lost}
        _set(session.scalars(client).one(), lost)
    try:
        with pytest.raises(FileGone):
            list(begun)
        if "scopes" not in lost:
            assert world.asking.call("GET", file, token).status_code == 403
    finally:
        world.transact(lambda session: _set(session.scalars(client).one(), kept))


def _set(row: RecordSystem, values: Json) -> None:
    for name, value in values.items():
        setattr(row, name, value)


def test_one_that_is_a_day_old_is_gone(world: World, ended: str) -> None:
    world.transact(purge_exports)
    assert call(world.asking, "GET", ended).status_code == 200
    old = update(Export).where(Export.id == key_of(ended)).values(changed_at=now() - KEPT - timedelta(minutes=1))
    world.transact(lambda session: session.execute(old))
    assert call(world.asking, "GET", f"{ended}/0.ndjson").status_code == 404
    world.transact(purge_exports)


def test_one_that_is_called_off_stops(world: World, records: list[Json]) -> None:
    path = begin(world)
    assert not write(world.renhice, key_of(path), seconds=0, page=1)
    assert call(world.asking, "DELETE", path).status_code == 202
    assert write(world.renhice, key_of(path))
    assert call(world.asking, "GET", path).status_code == 404


def test_what_cannot_be_opened_or_written_is_left_out_and_named(
    world: World, records: list[Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of five records one is damaged and of another no line can be made: three are in the file, two in the report."""
    damaged, odd = (UUID(one["id"]) for one in sorted_by_id(records)[:2])
    opened, written = reading_records._opened, writing.own_record

    def open_record(sealer: Any, row: Any) -> Any:
        if row[0].id == damaged:
            raise SealError
        return opened(sealer, row)

    def write_record(member: Any, person: str) -> Json:
        return written(member, person) | ({"text": "\ud800"} if member.record_id == odd else {})

    monkeypatch.setattr(reading_records, "_opened", open_record)
    monkeypatch.setattr(writing, "own_record", write_record)
    path = begin(world)
    assert write(world.renhice, key_of(path), page=2)
    found = lines_of(world, path)
    assert {one["id"] for one in found} == {one["id"] for one in records} - {str(damaged), str(odd)}
    [file] = call(world.asking, "GET", path).json["error"]
    assert (file["type"], file["count"]) == ("OperationOutcome", 2)
    where = file["url"].removeprefix("http://127.0.0.1:8000")
    report = call(world.asking, "GET", where, headers={"Accept": "application/fhir+ndjson"})
    assert report.mimetype == "application/fhir+ndjson"
    issues = [one for line in report.text.splitlines() for one in OperationOutcome.model_validate_json(line).issue]
    told = {one.details.coding[0].code: one.details.text for one in issues}
    assert f"Patient/{damaged} " in told["record-unreadable"]
    assert f"Patient/{odd} " in told["record-unwritable"]
    assert call(world.holding, "GET", where).status_code == 404
    assert call(world.asking, "DELETE", path).status_code == 202
    assert world.transact(lambda session: session.scalars(select(ExportFault)).all()) == []
    assert call(world.asking, "GET", where).status_code == 404


def test_one_that_lacks_too_many_records_fails(
    world: World, records: list[Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise SealError

    monkeypatch.setattr(reading_records, "_opened", refuse)
    monkeypatch.setattr(writing, "MOST_LEFT_OUT", len(records) - 1)
    path = begin(world)
    assert write(world.renhice, key_of(path), page=2)
    failed = call(world.asking, "GET", path)
    assert (failed.status_code, failed.json["issue"][0]["details"]["coding"][0]["code"]) == (500, "export-failed")


def test_one_that_fails_on_is_given_up(world: World, records: list[Json], monkeypatch: pytest.MonkeyPatch) -> None:
    path = begin(world)

    def lapse(session: Any) -> None:
        session.get_one(Export, key_of(path)).leased_until = None

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("full")

    monkeypatch.setattr(writing, "list_own_page", fail)
    for _ in range(MOST_ATTEMPTS):
        assert world.transact(take_due) == key_of(path)
        with pytest.raises(OSError, match="full"):
            write(world.renhice, key_of(path))
        world.transact(lapse)
    assert call(world.asking, "GET", path).status_code == 202
    assert world.transact(take_due) is None
    failed = call(world.asking, "GET", path)
    assert (failed.status_code, failed.json["issue"][0]["details"]["coding"][0]["code"]) == (500, "export-failed")
    assert world.transact(lambda session: session.get_one(Export, key_of(path)).error) == "given-up"


def test_work_is_lent_and_comes_back(world: World, records: list[Json]) -> None:
    path = begin(world)
    assert world.transact(take_due) == key_of(path)
    assert world.transact(take_due) is None
    assert not write(world.renhice, key_of(path), seconds=0, page=1)
    assert world.transact(take_due) == key_of(path)


def test_an_establishment_has_few_at_once(world: World) -> None:
    begin(world)
    begin(world)
    third = kick_off(world.asking)
    assert (third.status_code, third.headers["Retry-After"]) == (429, "60")
    assert kick_off(world.holding).status_code == 202


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?_type=Observation", "unsupported-type"),
        ("?_type=Patient,Observation", "unsupported-type"),
        ("?_outputFormat=text/csv", "unsupported-format"),
        ("?_since=ayer", "instant-malformed"),
        ("?_since=2026-01-01T00:00:00", "instant-malformed"),
        ("?_since=0001-01-01T00:00:00%2B14:00", "instant-malformed"),
        ("?_since=9999-12-31T23:59:59-05:00", "instant-malformed"),
        ("?_since=2026-01-01T00:00:00Z&_since=2026-01-02T00:00:00Z", "instant-malformed"),
        ("?_typeFilter=Patient%3Fname%3DRosa", "unsupported-parameter"),
        ("?_elements=na-me", "invalid-input"),
        (f"?_type={'x' * 600}", "invalid-input"),
    ],
    ids=["type", "another-type", "format", "no-instant", "no-zone", "too-early", "too-late", "twice", "filter",
         "elements", "long"],
)  # fmt: skip
def test_what_is_not_offered_is_refused(world: World, query: str, code: str) -> None:
    refused = kick_off(world.asking, query)
    assert (refused.status_code, refused.json["issue"][0]["details"]["coding"][0]["code"]) == (400, code)


def test_asking_is_asynchronous_and_may_be_lenient(world: World, records: list[Json]) -> None:
    now_please = kick_off(world.asking, Prefer="handling=strict")
    assert (now_please.status_code, now_please.json["issue"][0]["details"]["coding"][0]["code"]) == (400, "not-async")
    lenient = {"Prefer": "respond-async, handling=lenient"}
    asked = kick_off(world.asking, "?_type=Patient,Observation&_typeFilter=x&includeAssociatedData=y", **lenient)
    assert asked.status_code == 202
    assert kick_off(world.asking, "?_type=Observation", **lenient).status_code == 400
    assert kick_off(world.asking, Accept="text/csv").status_code == 406


def test_it_is_asked_for_by_post_too(world: World, records: list[Json]) -> None:
    def post(body: Any) -> Any:
        return call(world.asking, "POST", PATH, data=json.dumps(body), content_type="application/fhir+json",
                    headers=ASYNC)  # fmt: skip

    parameters = [{"name": "_type", "valueString": "Patient"}, {"name": "_elements", "valueString": "identifier"}]
    asked = post({"resourceType": "Parameters", "parameter": parameters})
    assert asked.status_code == 202, asked.text
    path = asked.headers["Content-Location"].removeprefix("http://127.0.0.1:8000")
    write(world.renhice, key_of(path))
    assert call(world.asking, "GET", path).json["request"].endswith(PATH)
    assert "link" not in lines_of(world, path)[0]
    instant = {"name": "_since", "valueInstant": "2026-01-01T00:00:00Z"}
    assert post({"resourceType": "Parameters", "parameter": [instant]}).status_code == 202
    for garbage in ({}, [], {"resourceType": "Patient"}, {"resourceType": "Parameters", "parameter": 1},
                    {"resourceType": "Parameters", "parameter": [1]},
                    {"resourceType": "Parameters", "parameter": [{"name": "_type"}]},
                    {"resourceType": "Parameters", "parameter": [{"name": 1, "valueString": "x"}]}):  # fmt: skip
        assert post(garbage).status_code == 400, garbage


def test_a_replaced_record_says_so(world: World) -> None:
    facts = {"name": [{"family": "Reemplazo", "given": ["Ada"]}], "birthDate": "1971-01-05"}
    stays, gone_id = (put(world.asking, number, **facts)["id"] for number in ("R-1", "R-2"))
    link = {"other": {"reference": f"Patient/{stays}"}, "type": "replaced-by"}
    put(world.asking, "R-2", **facts, active=False, link=[link])
    path = begin(world)
    write(world.renhice, key_of(path))
    gone = next(one for one in lines_of(world, path) if one["id"] == gone_id)
    assert (gone["active"], gone["link"][0]) == (False, link)
