"""The guides name error codes and commands that exist, and lead to places that are there."""

import re
import shlex
from pathlib import Path

import pytest
from pydantic import SecretStr

from conformance.cli import conformance
from registry.app import Renhice
from registry.settings import Settings

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "integration.md").read_text(encoding="utf-8")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def test_error_codes_of_the_integrators_guide_are_answered_by_something() -> None:
    rows = re.findall(r"^\| \d{3}[^|]*\| ([^|]*) \|", GUIDE.partition("## Errors")[2], re.MULTILINE)
    named = {code for row in rows for code in re.findall(r"`([a-z_-]+)`", row)}
    assert len(named) > 20
    # Authlib answers the errors of RFC 6749 and RFC 8628 by its own classes.
    theirs = {"invalid_grant", "invalid_client", "authorization_pending", "slow_down", "access_denied", "expired_token"}
    files = [path for room in ("registry", "consent_broker") for path in (ROOT / room).rglob("*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert {one for one in named - theirs if f'"{one}"' not in code} == set()


def test_commands_of_the_integrators_guide_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("public-jwks.json").write_text('{"keys": []}')
    report = tmp_path / "conformance-report" / "report.json"
    report.parent.mkdir()
    report.touch()
    Path("trusted.jwk").write_text('{"keys": []}')
    commands = re.findall(r"^\./renhice conformance (.*)$|`\./renhice conformance (verify [^`]*)`", GUIDE, re.MULTILINE)
    assert len(commands) >= 3
    for words in (shlex.split(first or second) for first, second in commands):
        group = conformance.make_context("conformance", words)
        name, command, rest = conformance.resolve_command(group, [*group._protected_args, *group.args])
        assert command is not None
        command.make_context(name, rest)
    section = GUIDE.partition("## Be accredited")[2].partition("\n## ")[0]
    documented = set(re.findall(r"--[a-z][a-z0-9]*(?:-[a-z0-9]+)*", section))
    known = {option for one in conformance.commands.values() for parameter in one.params for option in parameter.opts}
    assert documented - known == {"--bench"}


SPANS = {"second": 1, "seconds": 1, "minute": 60, "minutes": 60, "hour": 3600, "hours": 3600}


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    """Everything that has tasks of its own is set."""
    nowhere = "http://127.0.0.1:1"
    return settings.model_copy(update={"pide_url": nowhere, "sms_url": nowhere, "sms_token": SecretStr("x")})


def test_the_operators_guide_names_what_goes_by_itself(renhice: Renhice) -> None:
    guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = guide.partition("### What goes by itself")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \| (?:(\d+) )?(\w+) \|", table, re.MULTILINE)
    written = {name: int(number or 1) * SPANS[unit] for name, number, unit in rows}
    schedule = renhice.celery.conf.beat_schedule
    assert written == {name: entry["schedule"].total_seconds() for name, entry in schedule.items()}


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_links_between_the_documents_lead_somewhere(path: Path) -> None:
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        file, _, anchor = target.partition("#")
        if "://" in file or file.startswith("/"):
            continue
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        if anchor and there.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, target


def _anchor(heading: str) -> str:
    """As GitHub makes it: lower case, no punctuation, blanks as hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
