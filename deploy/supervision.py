"""supervisord and what it runs: each process is restarted when it dies, and its log is rotated."""

import configparser
import io
import os
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psutil
from supervisor.xmlrpc import SupervisorTransport

from deploy.layout import Layout
from deploy.postgres import ServiceError

MARK = "RENHICE_CHECKOUT"
SERVERS = ("postgres", "valkey-server")
PRIORITIES = {"services": 10, "sandbox": 20, "application": 30}


@dataclass(frozen=True)
class Program:
    """One process: `group` decides what starts and stops together; services start first and stop last.

    Only one with `settings` sees the product's environment and its secrets.
    """

    name: str
    argv: list[str]
    group: str
    user: str | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 15
    settings: bool = False


@dataclass(frozen=True)
class Process:
    """What supervisord says of a program at the moment."""

    name: str
    state: str
    pid: int
    description: str


class Supervisor:
    """The supervisord of one checkout, addressed through its unix socket."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def start(self, programs: Iterable[Program], environment: Mapping[str, str]) -> None:
        """Start supervisord, which starts the group `services` and leaves the others to `start_group`."""
        configuration = self.layout.supervisor_configuration
        configuration.write_text(render(self.layout, list(programs)))
        plain = dict(setting.split("=", 1) for setting in _plain_environment(self.layout))
        with (self.layout.logs / "supervisord.out").open("w") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--configuration", str(configuration)],
                env={**plain, **environment},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.layout.root, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 15
        while not self.running():
            if child.poll() is not None or time.monotonic() > deadline:
                raise ServiceError(f"supervisord did not start; see {output.name}")
            time.sleep(0.05)

    def running(self) -> bool:
        """Whether a supervisord of this checkout answers."""
        try:
            self._call("getState")
        except (OSError, xmlrpc.client.Error):
            return False
        return True

    def processes(self) -> list[Process]:
        """Every program and its state; empty when supervisord does not run."""
        try:
            found = cast("list[dict[str, Any]]", self._call("getAllProcessInfo"))
        except OSError:
            return []
        return [Process(p["name"], p["statename"], p["pid"], p["description"]) for p in found]

    def start_group(self, group: str) -> None:
        """Start every program of `group`, without waiting."""
        self._call("startProcessGroup", group, False)

    def shut_down(self, seconds: float = 60) -> None:
        """Stop everything in order, and return when supervisord itself has gone."""
        if not self.running():
            self.stop_strays()
            return
        supervisord = psutil.Process(cast("int", self._call("getPID")))
        self._call("shutdown")
        try:
            supervisord.wait(seconds)
        except psutil.TimeoutExpired:
            supervisord.kill()
        self.stop_strays()

    def stop_strays(self) -> None:
        """End what a killed supervisord left behind: it would hold the ports and the data directory."""
        strays = [process for process in psutil.process_iter() if self._is_ours(process)]
        for process in strays:
            process.terminate()
        _, stubborn = psutil.wait_procs(strays, timeout=15)
        for process in stubborn:
            process.kill()

    def _is_ours(self, process: psutil.Process) -> bool:
        """By its environment; servers that overwrite theirs with a title are known by where they work."""
        try:
            marked = process.environ().get(MARK) == str(self.layout.root)
            serves = process.name() in SERVERS and self.layout.holds_data(Path(process.cwd()))
            return process.pid != os.getpid() and (marked or serves)
        except (psutil.Error, OSError):
            return False

    def _call(self, method: str, *arguments: object) -> object:
        transport = SupervisorTransport(None, None, f"unix://{self.layout.supervisor_socket}")
        with xmlrpc.client.ServerProxy("http://renhice", transport=transport) as server:
            return getattr(server.supervisor, method)(*arguments)


def render(layout: Layout, programs: list[Program]) -> str:
    """supervisord's configuration; it holds no secret."""
    socket = layout.supervisor_socket
    sections: dict[str, dict[str, str]] = {
        "unix_http_server": {"file": str(socket), "chmod": "0700"},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
        "supervisord": {
            "logfile": str(layout.logs / "supervisord.log"),
            "logfile_maxbytes": "5MB",
            "silent": "true",
            "logfile_backups": "3",
            "pidfile": str(socket.with_name("supervisord.pid")),
            "directory": str(layout.root),
            **({"user": "root"} if os.geteuid() == 0 else {}),
        },
    }
    for group, priority in PRIORITIES.items():
        members = [program.name for program in programs if program.group == group]
        if members:
            sections[f"group:{group}"] = {"programs": ",".join(members), "priority": str(priority)}
    sections |= {f"program:{program.name}": _section(layout, program) for program in programs}
    return _written(sections)


def _section(layout: Layout, program: Program) -> dict[str, str]:
    argv = program.argv if program.settings else ["/usr/bin/env", "-i", *_plain_environment(layout), *program.argv]
    return {
        "command": shlex.join(argv),
        "autostart": "true" if program.group == "services" else "false",
        "autorestart": "true",
        "startsecs": "1",
        "startretries": "15",
        "stopsignal": program.stop_signal,
        "stopwaitsecs": str(program.stop_seconds),
        "killasgroup": "true",
        "stdout_logfile": str(layout.logs / f"{program.name}.log"),
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": "5",
        "redirect_stderr": "true",
        **({"user": program.user, "environment": f'HOME="/",USER="{program.user}"'} if program.user else {}),
    }


def _plain_environment(layout: Layout) -> list[str]:
    inherited = [f"{name}={os.environ[name]}" for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ]
    return [*inherited, f"PYTHONPATH={layout.root}", f"{MARK}={layout.root}"]


def _written(sections: Mapping[str, Mapping[str, str]]) -> str:
    configuration = configparser.RawConfigParser()
    configuration.read_dict({name: {k: v.replace("%", "%%") for k, v in s.items()} for name, s in sections.items()})
    text = io.StringIO()
    configuration.write(text)
    return text.getvalue()
