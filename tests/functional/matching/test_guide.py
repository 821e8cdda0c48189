"""docs/bulk-linkage.md: its commands run, and print what it says they print, figures aside."""

import re
import shlex
from pathlib import Path

import pytest

from matching.model import Model
from tests.functional.matching.conftest import Run

GUIDE = (Path(__file__).parents[3] / "docs" / "bulk-linkage.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```([a-z]+)(?: ([\w.]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"[-+]?[0-9][0-9.,]*|[-+]{2,}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for kind, name, content in BLOCK.findall(GUIDE):
        if kind == "csv":
            (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path


def words(text: str) -> list[str]:
    return FIGURE.sub(" ", text).split()


def test_every_command_prints_what_the_guide_says(run: Run, folder: Path) -> None:
    printed, checked = "", 0
    for kind, name, content in BLOCK.findall(GUIDE):
        if kind == "sh" and not name:
            printed = ""
            for line in content.splitlines():
                program, *arguments = shlex.split(line)
                if program == "cat":
                    printed += Path(arguments[0]).read_text(encoding="utf-8")
                    continue
                assert (program, arguments[0]) == ("./renhice", "match")
                result = run(*arguments[1:])
                assert result.exit_code == 0, result.stderr
                printed += result.stdout
        elif kind == "text":
            exact = content.startswith("establishment,")
            assert printed == content if exact else words(printed) == words(content)
            checked += 1
    assert checked == 3


def test_the_schema_it_shows_is_one(folder: Path) -> None:
    (shown,) = [content for kind, _, content in BLOCK.findall(GUIDE) if kind == "json"]
    (folder / "ours.json").write_text(shown)
    assert Model.load(folder / "ours.json").schema.required == {"patient_no"}
