"""What a killed supervisor leaves behind is ended; nobody else's processes are."""

import os
import subprocess
from pathlib import Path

import psutil

from deploy import valkey
from deploy.layout import Layout
from deploy.supervision import MARK, Supervisor


def sleeper(directory: Path, mark: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"], cwd=directory, env={**os.environ, MARK: str(mark)})


def test_only_this_checkouts_processes_are_ended(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "checkout")
    layout.make()
    home = layout.var / "valkey"
    server = valkey.start(valkey.configure(home, valkey.free_port(), "secret", durable=True))
    ours, neighbours, visitor = sleeper(tmp_path, layout.root), sleeper(tmp_path, tmp_path), sleeper(home, tmp_path)
    try:
        Supervisor(layout).stop_strays()
        alive = [psutil.pid_exists(process.pid) for process in (ours, server, neighbours, visitor)]
        assert alive == [False, False, True, True]
    finally:
        for process in (ours, neighbours, visitor, server):
            process.kill()
            process.wait()


def test_nothing_runs_where_nothing_was_started(tmp_path: Path) -> None:
    supervisor = Supervisor(Layout(tmp_path))
    assert not supervisor.running()
    assert supervisor.processes() == []
    supervisor.shut_down()
