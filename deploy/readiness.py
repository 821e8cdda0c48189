"""Whether ports are free, and whether everything that was started has become ready."""

import socket
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import psutil

from deploy.postgres import ServiceError
from deploy.supervision import Process, Supervisor

READY_SECONDS = 180


def refuse_taken(ports: Mapping[int, str]) -> None:
    """Raise ServiceError naming each port that is in use, what wanted it, and who holds it."""
    taken = [f"port {port} (for {name}) is taken{holder(port)}" for port, name in ports.items() if not is_free(port)]
    if taken:
        raise ServiceError("; ".join(taken) + "\nStop that program, or choose another port: ./renhice up --port 8200")


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Which process listens on `port`, as far as this account may know."""
    try:
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status == psutil.CONN_LISTEN and local and local.port == port and connection.pid:
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return ""


def is_ready(url: str) -> bool:
    """Whether the product at `url` says that its database and broker answer."""
    try:
        return httpx.get(f"{url}/health/ready", timeout=3).status_code == 200
    except httpx.HTTPError:
        return False


def answers(port: int) -> bool:
    """Whether something accepts connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until_ready(supervisor: Supervisor, url: str, ports: Mapping[int, str]) -> None:
    """Return when every process runs, `url` is ready and every port answers.

    Raises ServiceError naming what gave up or is not ready in time, with the end of its log.
    """
    deadline = time.monotonic() + READY_SECONDS
    while waiting := _not_ready(supervisor.processes(), url, ports):
        gave_up = [process.name for process in supervisor.processes() if process.state == "FATAL"]
        if gave_up or time.monotonic() > deadline:
            raise ServiceError(_explain(supervisor, gave_up or waiting))
        time.sleep(0.2)


def _not_ready(processes: list[Process], url: str, ports: Mapping[int, str]) -> list[str]:
    waiting = [process.name for process in processes if process.state != "RUNNING"]
    waiting += [name for port, name in ports.items() if not answers(port)]
    return waiting or ([] if is_ready(url) else ["web"])


def _explain(supervisor: Supervisor, names: list[str]) -> str:
    return f"Not ready: {', '.join(dict.fromkeys(names))}\n" + end_of(supervisor.layout.logs / f"{names[0]}.log")


def end_of(log: Path) -> str:
    """The last lines of a log, under its name."""
    lines = log.read_text(errors="replace").splitlines()[-15:] if log.exists() else []
    return "\n".join([f"The end of {log}:", *lines])
