"""Files of patients: uploaded in parts, registered once whatever happens, refused by the line."""

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from registry.bulk import processing
from registry.bulk.models import Import, ImportPart
from registry.bulk.processing import take_due
from registry.bulk.service import UPLOAD_LASTS, purge_uploads
from registry.identity.models import SourceRecord
from registry.sealing import DataKey
from tests.functional.bulk.importing import (
    PATH,
    announce,
    call,
    ndjson,
    patient,
    run,
    send,
    upload,
    upload_large,
    versions,
)
from tests.functional.oauth.world import World


def test_a_file_is_registered_and_nothing_of_it_kept(world: World, number: str) -> None:
    path = upload(world.asking, ndjson(*(patient(number, at) for at in range(5))))
    waiting = call(world.asking, "GET", path)
    assert (waiting.status_code, waiting.headers["X-Progress"]) == (202, "0 %")
    assert run(world, path)
    done = call(world.asking, "GET", path)
    assert done.status_code == 200
    assert done.json["error"] == []
    assert sum(done.json["import"]["counts"].values()) == 5
    key = UUID(path.rpartition("/")[2])
    parts = select(func.count()).select_from(ImportPart).where(ImportPart.import_id == key)
    assert world.transact(lambda session: (session.scalar(parts), session.get(DataKey, key))) == (0, None)


def test_only_the_end_of_a_file_waits_for_the_disk(world: World, number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = list[str]()

    def noting(real: Any) -> Any:
        def act(session: Session, *rest: Any) -> Any:
            waits.append(session.scalar(text("SHOW synchronous_commit")))
            return real(session, *rest)

        return act

    for name in ("register_prepared", "end"):
        monkeypatch.setattr(processing, name, noting(getattr(processing, name)))
    assert run(world, upload(world.asking, ndjson(patient(number), patient(number, 1))), chunk=1)
    assert waits == ["off", "off", "on"]


def test_the_same_file_again_changes_nothing(world: World, number: str) -> None:
    content = ndjson(*(patient(number, at) for at in range(5)))
    first = upload(world.asking, content)
    run(world, first)
    before = versions(world, first)
    second = upload(world.asking, content)
    assert second != first
    run(world, second)
    assert call(world.asking, "GET", second).json["import"]["counts"] == {"unchanged": 5, "refused": 0}
    assert versions(world, second) == before


def test_lines_are_refused_by_number_and_code_and_never_quoted(world: World, number: str) -> None:
    secret = "40718293"  # a DNI, which no report may repeat
    bad = (
        b"{", b"[]", b"", b"\xff\xfe", {"resourceType": "Observation"}, patient(number, 0, birthDate=secret),
        patient(number, 0, identifier=[{"system": "urn:other", "value": secret}]),
        patient(number, 0, birthDate="2999-01-01"), patient(number, 0, surprise=secret), b" " * 70_000,
        patient(number, 0, link=[{"type": "replaced-by", "other": {"reference": "Patient/1"}}]),
    )  # fmt: skip
    path = upload(world.asking, ndjson(*bad, patient(number, 1)))
    assert run(world, path)
    done = call(world.asking, "GET", path).json
    assert done["error"][0]["count"] == 10
    report = call(world.asking, "GET", f"{path}/refused")
    lines = [json.loads(line) for line in report.text.splitlines()]
    assert [one["line"] for one in lines] == [1, 2, 4, 5, 6, 7, 8, 9, 10, 11]
    assert {one["code"] for one in lines} == {"not-json", "invalid-resource", "too-large"}
    assert secret not in report.text
    assert sum(done["import"]["counts"].values()) == 11


def test_whatever_stops_it_nothing_is_lost_or_doubled(
    world: World, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = upload(world.asking, ndjson(*(patient(number, at) for at in range(9)), b"{"))
    before = versions(world, path)
    assert not run(world, path, seconds=0, chunk=2)
    assert call(world.asking, "GET", path).headers["X-Progress"] != "0 %"
    real = processing.register_prepared

    def die(*arguments: Any) -> Any:
        real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(processing, "register_prepared", die)
    with pytest.raises(KeyboardInterrupt):
        run(world, path, chunk=2)
    monkeypatch.undo()
    assert versions(world, path) == before + 2
    assert run(world, path, chunk=2)
    assert versions(world, path) == before + 9
    assert [json.loads(line)["line"] for line in call(world.asking, "GET", f"{path}/refused").text.splitlines()] == [10]


def test_two_workers_on_one_file_register_it_once(world: World, number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = upload(world.asking, ndjson(*(patient(number, at) for at in range(6))))
    before, real, intruded = versions(world, path), processing.register_prepared, list[bool]()

    def intrude(*arguments: Any) -> Any:
        if not intruded:
            intruded.append(True)
            with pytest.MonkeyPatch.context() as inner:
                inner.setattr(processing, "register_prepared", real)
                assert run(world, path)
        return real(*arguments)

    monkeypatch.setattr(processing, "register_prepared", intrude)
    assert not run(world, path, chunk=2)
    assert versions(world, path) == before + 6


def test_an_upload_goes_on_where_it_broke_off(world: World, number: str) -> None:
    content = ndjson(patient(number, 0))
    made = announce(world.asking, content).json
    path = f"{PATH}/{made['id']}"
    assert send(world.asking, path, 0, content[:10]).status_code == 204
    again = announce(world.asking, content)
    assert (again.status_code, again.json["id"], again.headers["Upload-Offset"]) == (200, made["id"], "10")
    assert send(world.asking, path, 0, content[:10]).status_code == 409
    assert send(world.asking, path, 10, content[10:] + b"x").status_code == 400
    assert send(world.asking, path, 10, content[10:]).status_code == 202
    assert run(world, path)


def test_what_is_not_what_was_announced_is_not_registered(world: World, number: str) -> None:
    content = ndjson(patient(number, 0))
    path = f"{PATH}/{announce(world.asking, content).json['id']}"
    before = versions(world, path)
    assert send(world.asking, path, 0, content.replace(b"Rosa", b"Rita")).status_code == 202
    assert run(world, path)
    done = call(world.asking, "GET", path).json["import"]
    assert (done["status"], done["error"]) == ("failed", "checksum-mismatch")
    assert versions(world, path) == before


def test_a_csv_is_read_as_the_engine_reads_one(world: World, number: str) -> None:
    rows = [
        "establishment,local_id,paternal_surname,given_names,birth_date",
        f"00000001,{number}-1,Huamán,Rosa,19/07/1984",
        f"00000009,{number}-2,Huamán,Rosa,19/07/1984",
        "00000001,x",
        f"00000001,{number}-3,Zevallos,Pedro,30/11/1961",
    ]
    path = upload(world.asking, "\n".join(rows).encode(), "csv")
    assert not run(world, path, seconds=0, chunk=1)
    assert run(world, path, chunk=1)
    report = [json.loads(line) for line in call(world.asking, "GET", f"{path}/refused").text.splitlines()]
    assert [(one["line"], one["code"]) for one in report] == [(3, "other-establishment"), (4, "bad-row")]
    assert sum(call(world.asking, "GET", path).json["import"]["counts"].values()) == 4
    table = upload(world.asking, b"a,b\n1,2\n", "csv")
    assert run(world, table)
    assert call(world.asking, "GET", table).json["import"]["error"] == "not-a-table"


def test_a_late_file_does_not_take_back_what_came_since(world: World, number: str) -> None:
    new, old = patient(number, 0, meta={"lastUpdated": "2026-05-02T00:00:00Z"}), patient(number, 0)
    old |= {"meta": {"lastUpdated": "2026-05-01T00:00:00Z"}, "birthDate": "1950-03-02"}
    for content in (new, old):
        path = upload(world.asking, ndjson(content))
        assert run(world, path)
    assert call(world.asking, "GET", path).json["import"]["counts"] == {"stale": 1, "refused": 0}


def test_a_moment_that_could_not_be_read_back_is_refused(world: World, number: str) -> None:
    early = patient(number, 0, meta={"lastUpdated": "0001-01-01T00:00:00+14:00"})
    path = upload(world.asking, ndjson(early, early, patient(number, 1)))
    assert run(world, path)
    report = [json.loads(line) for line in call(world.asking, "GET", f"{path}/refused").text.splitlines()]
    assert [(one["line"], one["expression"]) for one in report] == [(at, "Patient.meta.lastUpdated") for at in (1, 2)]


def test_a_row_without_end_is_no_table(world: World, number: str) -> None:
    head = b"establishment,local_id,paternal_surname\n"
    for endless in (b"x" * (3 << 20), b'"\n",' * (1 << 18)):
        path = upload_large(world.asking, head + f"00000001,{number},Mamani\n".encode() + endless + b"\n", "csv")
        assert run(world, path, chunk=1)
        done = call(world.asking, "GET", path).json["import"]
        assert (done["error"], sum(done["counts"].values())) == ("not-a-table", 1)


def test_one_called_off_stops(world: World, number: str) -> None:
    path = upload(world.asking, ndjson(*(patient(number, at) for at in range(4))))
    before = versions(world, path)
    assert not run(world, path, seconds=0, chunk=1)
    assert call(world.asking, "DELETE", path).status_code == 202
    assert run(world, path)
    done = call(world.asking, "GET", path)
    assert (done.status_code, done.json["import"]["status"]) == (200, "cancelled")
    assert versions(world, path) == before + 1


def test_work_is_lent_and_comes_back(world: World, number: str) -> None:
    path = upload(world.asking, ndjson(patient(number, 0)))
    key = UUID(path.rpartition("/")[2])
    assert world.transact(take_due) == key
    assert world.transact(take_due) is None
    run(world, path)
    left = announce(world.asking, b"left behind\n").json["id"]

    def age(session: Any) -> None:
        session.get_one(Import, UUID(left)).changed_at -= UPLOAD_LASTS * 2

    world.transact(age)
    world.transact(purge_uploads)
    assert call(world.asking, "GET", f"{PATH}/{left}").json["import"]["error"] == "abandoned"


def test_an_import_is_its_establishments_alone(world: World, number: str) -> None:
    path = upload(world.asking, ndjson(patient(number, 0)))
    for method, where in (("GET", path), ("DELETE", path), ("GET", f"{path}/refused")):
        assert call(world.holding, method, where).status_code == 404
    assert send(world.holding, path, 0, b"x").status_code == 404
    run(world, path)
    found = call(world.asking, "GET", PATH).json
    assert path.rpartition("/")[2] in {one["id"] for one in found}
    known = select(func.count()).select_from(SourceRecord)
    assert world.transact(lambda session: session.scalar(known)) > 0


@pytest.mark.parametrize(
    "wanted",
    [{}, {"format": "xml"}, {"size": 0}, {"size": "many"}, {"size": 1 << 31}, {"sha256": "zz"}, {"more": 1}, []],
    ids=["nothing", "format", "empty", "no-number", "too-large", "no-hash", "unknown", "no-object"],
)
def test_garbage_is_refused(world: World, wanted: Any) -> None:
    good = {"format": "ndjson", "size": 5, "sha256": "0" * 64}
    body = good | wanted if wanted else wanted
    assert call(world.asking, "POST", PATH, json=body).status_code in {400, 413, 422}


@pytest.mark.parametrize("offset", ["", "-1", "1e3", "²", "9" * 13])
def test_a_part_says_where_it_belongs(world: World, offset: str) -> None:
    path = f"{PATH}/{announce(world.asking, b'12345').json['id']}"
    headers = {"Upload-Offset": offset.encode("utf-8").decode("latin-1"), "Content-Type": "application/octet-stream"}
    assert call(world.asking, "PATCH", path, data=b"1", headers=headers).status_code == 400
    assert call(world.asking, "PATCH", path, data=b"1", headers={"Upload-Offset": "0"}).status_code == 400
    call(world.asking, "DELETE", path)
