"""`./renhice import` and `export`: files over HTTP, gone on with where they stopped; what was refused is said."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from deploy.exporting import export_file
from deploy.importing import import_file
from registry.bulk import routes as import_routes
from registry.bulk.export import routes as export_routes
from registry.bulk.export import writing
from registry.bulk.export.models import Export
from registry.bulk.processing import process, take_due
from tests.functional.oauth.world import World


@pytest.fixture
def working(world: World) -> Iterator[None]:
    """A worker that goes on with what is due."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            due, asked = world.transact(take_due), world.transact(writing.take_due)
            if due is not None:
                process(world.renhice, due)
            if asked is not None:
                writing.write(world.renhice, asked)
            time.sleep(0.1)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.usefixtures("working")
def test_a_file_is_sent_registered_and_reported(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for routes in (import_routes, export_routes):
        monkeypatch.setattr(routes, "POLL_SECONDS", 0)
    system = "urn:hc:00000001"
    lines = [
        json.dumps({"resourceType": "Patient", "identifier": [{"system": system, "value": f"CLI-{number}"}]})
        for number in range(3)
    ]
    file, client = tmp_path / "file.ndjson", tmp_path / "client.json"
    file.write_text("\n".join([*lines, "{"]) + "\n")
    key = world.asking.key.as_dict(private=True, kid=world.asking.key.kid)
    client.write_text(json.dumps({"client_id": world.asking.client_id, "private_jwk": key}))
    arguments = [
        str(file),
        "--url",
        world.broker.issuer,
        "--client",
        str(client),
        "--refused",
        str(tmp_path / "refused"),
    ]
    ran = CliRunner().invoke(import_file, arguments)
    assert ran.exit_code == 1, ran.output
    assert "new  3" in ran.output
    assert json.loads((tmp_path / "refused").read_text()) == {"line": 4, "code": "not-json"}
    again = CliRunner().invoke(import_file, arguments)
    assert "unchanged  3" in again.output
    target = tmp_path / "own.ndjson"
    exported = CliRunner().invoke(export_file, [str(target), *arguments[1:5]])
    assert exported.exit_code == 0, exported.output
    numbers = [json.loads(line)["identifier"][0]["value"] for line in target.read_text().splitlines()]
    assert {number for number in numbers if number.startswith("CLI-")} == {"CLI-0", "CLI-1", "CLI-2"}
    since = exported.output.rpartition("--since ")[2].strip()
    assert CliRunner().invoke(export_file, [str(target), *arguments[1:5], "--since", since]).exit_code == 0
    assert world.transact(lambda session: {one.status for one in session.scalars(select(Export))}) == {"cancelled"}
    wrong = CliRunner().invoke(export_file, [str(target), *arguments[1:5], "--since", "ayer"])
    assert (wrong.exit_code, "_since is one instant" in wrong.output) == (1, True)


def test_a_client_file_without_a_key_is_said(tmp_path: Path) -> None:
    client = tmp_path / "client.json"
    client.write_text("{}")
    ran = CliRunner().invoke(import_file, [str(client), "--url", "http://127.0.0.1:1", "--client", str(client)])
    assert ran.exit_code == 1
    assert "holds no client_id" in ran.output
