"""The administrator's guide shows a file that holds, and commands that exist."""

import re
from pathlib import Path

import click

from registry.cli import cli
from registry.directory.loading import KINDS, parse

GUIDE = (Path(__file__).parents[3] / "docs" / "directory.md").read_text(encoding="utf-8")


def test_the_file_of_the_guide_holds() -> None:
    [example] = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    entries, faults = parse(example.encode())
    assert faults == []
    assert {entry.kind for entry in entries} == set(KINDS)


def test_the_commands_of_the_guide_exist() -> None:
    named = re.findall(r"^\| `(directory|pide|statistics) ([a-z-]+)", GUIDE, re.MULTILINE)
    groups = {name: group for name, group in cli.commands.items() if isinstance(group, click.Group)}
    existing = {(name, command) for name in ("directory", "pide", "statistics") for command in groups[name].commands}
    assert {*named, ("directory", "import")} == existing
