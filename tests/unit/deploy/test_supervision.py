"""supervisord reads back what was rendered, whatever the checkout is called, and finds no secret in it."""

import configparser
import shlex
from pathlib import Path

from deploy.layout import Layout
from deploy.supervision import Program, render

PROGRAMS = [
    Program("postgresql", ["/opt/pg 18/postgres", "-D", "/a b/100%"], "services", user="nobody", stop_signal="INT"),
    Program("web", ["python", "-m", "gunicorn", "wsgi:create_app()"], "application", settings=True),
]


def read(layout: Layout) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(render(layout, PROGRAMS))
    return parser


def expanded(value: str) -> str:
    """As supervisord expands it: % formatting over a mapping."""
    return value % {}


def test_commands_survive_spaces_and_percent_signs(tmp_path: Path) -> None:
    command = shlex.split(expanded(read(Layout(tmp_path / "50% de Ñuñoa"))["program:postgresql"]["command"]))
    assert command[-3:] == ["/opt/pg 18/postgres", "-D", "/a b/100%"]


def test_only_the_product_sees_its_settings(tmp_path: Path) -> None:
    parser = read(Layout(tmp_path))
    assert shlex.split(parser["program:postgresql"]["command"])[:2] == ["/usr/bin/env", "-i"]
    assert shlex.split(parser["program:web"]["command"])[0] == "python"


def test_services_start_first_and_by_themselves(tmp_path: Path) -> None:
    parser = read(Layout(tmp_path))
    assert int(parser["group:services"]["priority"]) < int(parser["group:application"]["priority"])
    assert parser["program:postgresql"]["autostart"] == "true"
    assert parser["program:web"]["autostart"] == "false"
    assert parser["program:postgresql"]["user"] == "nobody"
    assert "group:sandbox" not in parser


def test_everything_is_restarted_and_its_log_rotated(tmp_path: Path) -> None:
    parser = read(Layout(tmp_path))
    for program in PROGRAMS:
        section = parser[f"program:{program.name}"]
        assert section["autorestart"] == "true"
        assert section["stdout_logfile"] == str(tmp_path / "var" / "log" / f"{program.name}.log")
        assert int(section["stdout_logfile_backups"]) > 0
