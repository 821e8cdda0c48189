"""The rules of the house, held against the code itself."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from registry.telemetry import ALLOWED_FIELDS

ROOT = Path(__file__).parents[2]
PACKAGES = ("matching", "registry", "consent_broker", "portal", "sandbox", "conformance", "deploy")


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_blueprint_declares_a_policy(app: Flask) -> None:
    named = {rule.endpoint.rpartition(".")[0] for rule in app.url_map.iter_rules()}
    assert named - {""} == set(app.config["POLICIES"]) == set(app.config["SURFACES"])


def test_a_route_outside_any_room_is_denied(app: Flask) -> None:
    blueprints = set(app.config["POLICIES"])
    assert all(rule.endpoint.rpartition(".")[0] in blueprints for rule in app.url_map.iter_rules())


def test_every_route_says_who_may_use_it(app: Flask) -> None:
    """`tests/functional/access` holds each line against what happens, and prints the line of a route that has none."""
    table = (ROOT / "tests/functional/access/expected.txt").read_text().splitlines()
    written = {line.split(" : ")[0] for line in table if not line.startswith("#")}
    routes = {f"{method} {rule.rule}" for rule in app.url_map.iter_rules() for method in rule.methods or ()}
    assert {route for route in routes if route.split()[0] not in {"HEAD", "OPTIONS"}} == written


def test_no_identifier_travels_in_a_path(app: Flask) -> None:
    forbidden = re.compile(r"dni|document|nombre|apellido", re.IGNORECASE)
    for rule in app.url_map.iter_rules():
        assert not any(forbidden.search(argument) for argument in rule.arguments), rule.rule


def test_tasks_are_named_in_kebab_case(app: Flask) -> None:
    ours = [name for name in app.extensions["renhice"].celery.tasks if not name.startswith("celery.")]
    assert ours
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)+", name) for name in ours)


def test_every_scheduled_task_exists(app: Flask) -> None:
    celery = app.extensions["renhice"].celery
    assert {entry["task"] for entry in celery.conf.beat_schedule.values()} <= set(celery.tasks)


@pytest.mark.parametrize("path", list(modules()), ids=identify)
def test_module_says_what_it_is_and_imports_at_the_top(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a module opens with a sentence"
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
            assert not inner, f"{function.name} imports inside"


@pytest.mark.parametrize("path", list(modules()), ids=identify)
def test_module_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
    assert path.stem not in {"utils", "helpers", "manager", "misc", "common"}


def test_what_is_logged_reaches_the_line() -> None:
    """A field that is not on the list is dropped without a word: the line then names nothing."""
    logged = [
        (identify(path), word.arg)
        for path in modules()
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("_log.")
        for word in call.keywords
    ]
    assert logged
    assert [one for one in logged if one[1] not in {*ALLOWED_FIELDS, "exc_info"}] == []


@pytest.mark.parametrize("path", list(modules()), ids=identify)
def test_signatures_are_made_with_joserfc_only(path: Path) -> None:
    assert "authlib.jose" not in path.read_text()


def test_public_functions_of_services_state_their_contract() -> None:
    silent = [
        f"{identify(path)}:{node.name}"
        for path in modules()
        if path.name == "service.py"
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert not silent
