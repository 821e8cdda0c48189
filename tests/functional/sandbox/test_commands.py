"""`load` and `demo` end as they should: done, or non-zero with a reason."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.__main__ import main
from sandbox.files import write_json
from sandbox.layout import Layout
from tests.functional.sandbox.conftest import FakeRegistry, Json, serving


class FakeRecordSystem:
    """Sends one patient at each look, or none; refuses one in the end when told so."""

    def __init__(self) -> None:
        self.sent, self.total, self.error, self.stuck, self.told = 0, 3, 0, False, 0

    def app(self) -> Flask:
        app = Flask("sihce")
        app.add_url_rule("/sihce/send", view_func=self.send, methods=["POST"])
        app.add_url_rule("/sihce/status", view_func=self.status)
        return app

    def send(self) -> ResponseReturnValue:
        assert request.headers["Authorization"] == "Bearer control"
        self.told += 1
        return jsonify({}), 202

    def status(self) -> ResponseReturnValue:
        self.sent += not self.stuck and self.sent + self.error < self.total
        pending = self.total - self.sent - self.error
        problem = {"local_number": "7", "status": "ERROR", "reason": "PUT: 422 no name"}
        problems = [problem] if self.error else []
        return jsonify(pending=pending, sent=self.sent, error=self.error, problems=problems)


@pytest.fixture
def place() -> FakeRecordSystem:
    return FakeRecordSystem()


@pytest.fixture
def var(place: FakeRecordSystem, tmp_path: Path) -> Iterator[Path]:
    with serving(place.app()) as url:
        establishments = [{"renipress": "00990001", "base_url": url}]
        write_json(Layout(tmp_path).summary, {"control_token": "control", "establishments": establishments})
        yield tmp_path


def run(command: str, var: Path, *options: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, [command, "--out", str(var), *options])
    return result.exit_code, result.output


def test_load_tells_and_reports_until_all_are_sent(place: FakeRecordSystem, var: Path) -> None:
    code, output = run("load", var)
    lines = [json.loads(line) for line in output.splitlines()]
    assert (code, place.told) == (0, 1)
    assert lines[-1] == {"done": 3, "total": 3}
    assert [line["done"] for line in lines] == sorted({line["done"] for line in lines})


def test_load_names_what_was_refused(place: FakeRecordSystem, var: Path) -> None:
    place.error = 1
    code, output = run("load", var)
    assert code == 1
    assert "00990001 7: ERROR: PUT: 422 no name" in output


def test_load_gives_up_when_nothing_moves(place: FakeRecordSystem, var: Path) -> None:
    place.stuck = True
    code, output = run("load", var, "--stall", "0.5")
    assert code == 1
    assert "gave up: 3 of 3 not sent" in output


def test_load_says_which_record_system_does_not_answer(tmp_path: Path) -> None:
    establishments = [{"renipress": "00990001", "base_url": "http://127.0.0.1:9"}]
    write_json(Layout(tmp_path).summary, {"control_token": "control", "establishments": establishments})
    code, output = run("load", tmp_path, "--stall", "0.5")
    assert code == 1
    assert "00990001: its record system does not answer" in output


def test_demo_without_a_sandbox_says_how_to_start_one(tmp_path: Path) -> None:
    code, output = run("demo", tmp_path)
    assert code == 1
    assert "./renhice up" in output


def test_demo_ends_at_the_first_thing_not_as_told(layout: Layout, registry: FakeRegistry) -> None:
    code, output = run("demo", layout.var)
    assert code == 1
    assert "201" in output
    assert "Not as told: expected PUT /fhir/Patient to answer 200; saw 201" in output


def test_demo_without_a_registry_says_so(tmp_path: Path, summary: Json) -> None:
    dead = json.loads(json.dumps(summary).replace(summary["base_url"], "http://127.0.0.1:9"))
    write_json(Layout(tmp_path).summary, dead)
    code, output = run("demo", tmp_path)
    assert code == 1
    assert "does not answer" in output
