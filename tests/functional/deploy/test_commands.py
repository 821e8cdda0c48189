"""What the command line answers: exit codes scripts can rely on, and settings only where they belong."""

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from deploy import checking, commands, doctor, layout
from deploy import commandline as command_line
from deploy.findings import Finding, judge
from deploy.vault import write_object


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> layout.Layout:
    """Every command works on an empty checkout."""
    empty = layout.Layout(tmp_path)
    for module in (command_line, commands, doctor):
        monkeypatch.setattr(module, "Layout", lambda: empty)
    return empty


def test_nothing_runs() -> None:
    status, down = (CliRunner().invoke(command_line.main, [name]) for name in ("status", "down"))
    assert (status.exit_code, down.exit_code) == (3, 0)
    assert "Nothing was running" in down.output


@pytest.mark.parametrize("arguments", [["--port", "80"], ["--port", "web"], ["--population", "-1"], ["--colour"]])
def test_what_up_does_not_understand_is_refused(arguments: list[str], checkout: layout.Layout) -> None:
    done = CliRunner().invoke(command_line.main, ["up", *arguments])
    assert done.exit_code == 2
    assert not checkout.var.exists()


def test_an_unusable_server_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENHICE_DATABASE_URL", "postgresql://someone:secret@127.0.0.1:1/renhice")
    done = CliRunner().invoke(command_line.main, ["up", "--detach", "--no-sandbox"])
    assert done.exit_code == 1
    assert "PostgreSQL does not answer" in done.output
    assert "secret" not in done.output


@pytest.mark.parametrize(("fine", "code"), [(True, 0), (False, 1)])
def test_the_doctor_fails_when_something_is_broken(monkeypatch: pytest.MonkeyPatch, *, fine: bool, code: int) -> None:
    found = [judge("Clock", "seen", fine=fine, mend="set the clock"), Finding("Chromium", "note", "missing")]
    monkeypatch.setattr(doctor, "CHECKS", [lambda _layout: found])
    done = CliRunner().invoke(command_line.main, ["doctor"])
    assert done.exit_code == code
    assert ("set the clock" in done.output) is not fine


def test_the_product_sees_the_settings_it_was_started_with(
    checkout: layout.Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.make()
    write_object(checkout.environment, {"RENHICE_LOG_LEVEL": "ERROR", "RENHICE_BASE_URL": "http://127.0.0.1:1"})
    monkeypatch.setenv("RENHICE_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("RENHICE_BASE_URL", "")  # so that it is taken away again afterwards
    monkeypatch.delenv("RENHICE_BASE_URL")
    seen: dict[str, str | None] = {}

    @click.command()
    def look() -> None:
        seen.update({name: os.environ.get(name) for name in ("RENHICE_LOG_LEVEL", "RENHICE_BASE_URL")})

    monkeypatch.setitem(command_line.main.commands, "keys", look)
    CliRunner().invoke(command_line.main, ["status"])
    assert "RENHICE_BASE_URL" not in os.environ
    CliRunner().invoke(command_line.main, ["keys"])
    assert seen == {"RENHICE_LOG_LEVEL": "DEBUG", "RENHICE_BASE_URL": "http://127.0.0.1:1"}


TESTS = ["tests of races", "tests of systems", "tests"]


@pytest.mark.parametrize(
    ("browser", "spark", "marks"),
    [
        (True, True, None),
        (False, True, "not browser"),
        (True, False, "not spark"),
        (False, False, "not browser and not spark"),
    ],
)
def test_all_checks_run_and_only_what_is_missing_leaves_tests_out(
    browser: bool, spark: bool, marks: str | None
) -> None:
    steps = checking.all_steps(browser=browser, spark=spark)
    assert [step.name for step in steps] == ["lint", "imports", "types", *TESTS]
    chosen = [step.arguments[step.arguments.index("-m", 1) + 1] for step in steps if step.arguments.count("-m") == 2]
    assert chosen == ([marks] * len(TESTS) if marks else [])
    run = [argument for step in steps for argument in step.arguments if "tests/" in argument]
    assert sorted(run) == sorted([one for path in checking.APART for one in (path, f"--ignore={path}")])


def test_a_failing_step_fails_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [
        checking.Step("bad aside", ["-c", "raise SystemExit('seen')"], aside=True),
        checking.Step("good", ["-c", "pass"]),
        checking.Step("bad", ["-c", "raise SystemExit(5)"]),
        checking.Step("good aside", ["-c", "pass"], aside=True),
    ]
    monkeypatch.setattr(checking, "all_steps", lambda browser, spark: steps)
    monkeypatch.setattr(checking, "java_missing", lambda: "there is no Java")
    monkeypatch.setattr(checking, "find_chromium", lambda: "/usr/bin/chromium")
    done = CliRunner().invoke(command_line.main, ["test"])
    assert done.exit_code == 1
    assert "failed: bad aside, bad" in done.output
    assert "seen" in done.output
    assert "tests on Spark are left out, there is no Java" in done.output
