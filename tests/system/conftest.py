"""A whole running system in a directory of its own: the product, its services and the sandbox, as `up` starts them."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from deploy.backing import OWNER
from deploy.layout import Layout
from deploy.readiness import is_free
from deploy.services import ephemeral_database

ROOT = Path(__file__).parents[2]
POPULATION = 60
NOT_COPIED = shutil.ignore_patterns(".venv*", "var", ".git", "*.pyc.*", ".*_cache", "node_modules", "*.egg-info")


@dataclass(frozen=True)
class System:
    """A running system: where it lives and what its sandbox file says."""

    root: Path
    environment: dict[str, str]
    port: int

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / "var" / "sandbox.json").read_text())
        return found

    @property
    def owner_url(self) -> str:
        """The schema owner's database URL, as psycopg reads it; no process of the product has it."""
        settings = json.loads((self.root / "var" / "environment.json").read_text())
        url = make_url(settings["RENHICE_DATABASE_URL"]).set(drivername="postgresql")
        if "RENHICE_DATABASE_URL" not in self.environment:
            secret = (self.root / "var" / "secrets" / "postgres-owner").read_text().strip()
            url = url.set(username=OWNER, password=secret)
        return url.render_as_string(hide_password=False)

    def renhice(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run `./renhice ARGUMENTS` against this system."""
        return subprocess.run(
            [sys.executable, "-m", "deploy", *arguments],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def free_port() -> int:
    """A port whose neighbours for the sandbox are free too; outgoing connections don't take ports that low."""
    blocks = random.sample(range(12_000, 30_000, 200), 90)
    return next(port for port in blocks if all(is_free(p) for p in (port, *range(port + 100, port + 120))))


def start(root: Path, stack: ExitStack) -> System:
    """Copy the project, start it with a small population, and stop it when the stack closes."""
    shutil.copytree(ROOT, root, ignore=NOT_COPIED)
    environment = {**os.environ, "PYTHONPATH": str(root)}
    if server := environment.get("RENHICE_DATABASE_URL"):
        environment["RENHICE_DATABASE_URL"] = stack.enter_context(ephemeral_database(server))
    system = System(root, environment, free_port())
    stack.callback(Layout(root).remove_data)
    stack.callback(system.renhice, "down")
    done = system.renhice("up", "--detach", "--port", str(system.port), "--population", str(POPULATION))
    assert done.returncode == 0, done.stdout + done.stderr
    return system


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """A running system that tests share; they leave it running and usable.

    Where other accounts may look, unlike pytest's own directories, so that what root starts can give up root.
    """
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="renhice-system-")))
        home.chmod(0o755)
        yield start(home / "renhice", stack)
