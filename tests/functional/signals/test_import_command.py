"""`./renhice import` sends a file over HTTP, goes on where it stopped, and says what was refused."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.importing import import_file
from registry.bulk.processing import process, take_due
from tests.functional.oauth.world import World


@pytest.fixture
def working(world: World) -> Iterator[None]:
    """A worker that goes on with what is due."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            due = world.transact(take_due)
            if due is not None:
                process(world.renhice, due)
            time.sleep(0.1)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.usefixtures("working")
def test_a_file_is_sent_registered_and_reported(world: World, tmp_path: Path) -> None:
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


def test_a_client_file_without_a_key_is_said(tmp_path: Path) -> None:
    client = tmp_path / "client.json"
    client.write_text("{}")
    ran = CliRunner().invoke(import_file, [str(client), "--url", "http://127.0.0.1:1", "--client", str(client)])
    assert ran.exit_code == 1
    assert "holds no client_id" in ran.output
