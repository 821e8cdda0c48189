"""Where everything of this checkout lives: under `var/`, but for what the database's account could not reach."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.account import Account

SOCKET_PATH_LIMIT = 80
SERVICES = ("postgres", "valkey")
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Layout:
    """The files of one checkout; `root` is the directory of the launcher."""

    root: Path = ROOT

    @property
    def var(self) -> Path:
        """Everything made while running."""
        return self.root / "var"

    @property
    def secrets(self) -> Path:
        """Passwords and keys (0700)."""
        return self.var / "secrets"

    @property
    def logs(self) -> Path:
        """One rotated file per process."""
        return self.var / "log"

    @property
    def metrics(self) -> Path:
        """Where web and worker processes count together; begun anew by each `up`."""
        return self.var / "metrics"

    @property
    def schedule(self) -> Path:
        """Where beat remembers when each task was last due."""
        return self.var / "schedule"

    @property
    def tls(self) -> Path:
        """The sandbox's certificate of the HL7 v2 port; in production its files are named by the settings."""
        return self.var / "tls"

    @property
    def environment(self) -> Path:
        """The settings the processes were started with (0600)."""
        return self.var / "environment.json"

    @property
    def state(self) -> Path:
        """What `up` has done so far: port, population, which database it was loaded into."""
        return self.var / "state.json"

    @property
    def supervisor_configuration(self) -> Path:
        """Generated anew by each `up`."""
        return self.var / "supervisord.conf"

    @property
    def supervisor_socket(self) -> Path:
        """Where supervisord takes orders from this account alone."""
        directory = self.var / "run"
        return (directory if _fits(directory) else self._runtime / "run") / "supervisor.sock"

    @property
    def sandbox_file(self) -> Path:
        """Addresses, clients and people of the sandbox."""
        return self.var / "sandbox.json"

    def home(self, service: str, account: Account) -> Path:
        """The private directory of a service: in `var/`, or where `account` can reach it."""
        return (self._outside if account.drop and not account.reaches(self.var) else self.var) / service

    def sockets(self, service: str, account: Account) -> Path:
        """The directory of a service's unix socket: its home, or a private one with a shorter path."""
        home = self.home(service, account)
        if _fits(home):
            return home
        return (self._outside if account.drop else self._runtime) / service

    def outside(self) -> list[Path]:
        """Directories of this checkout that may exist outside `var/`."""
        return [self._outside, self._runtime]

    def holds_data(self, directory: Path) -> bool:
        """Whether `directory` is where one of this checkout's servers keeps its data."""
        homes = [base / service for base in (self.var, self._outside) for service in SERVICES]
        return any(directory.is_relative_to(home) for home in homes)

    def remove_data(self) -> None:
        """Delete all that this checkout made while running: databases, keys, logs, the sandbox."""
        made = [path for path in self.var.glob("*") if path.suffix != ".lock"]
        for path in (*made, *self.outside()):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    @property
    def _digest(self) -> str:
        return hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]

    @property
    def _runtime(self) -> Path:
        return Path("/tmp") / f"renhice-{os.geteuid()}-{self._digest}"  # noqa: S108 (made private, and checked)

    @property
    def _outside(self) -> Path:
        return Path("/var/lib/renhice") / self._digest

    def make(self) -> None:
        """Create the directories; raises PermissionError when someone else's stands where a private one belongs."""
        self.var.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.metrics, ignore_errors=True)
        self.metrics.mkdir(mode=0o700)
        run = self.supervisor_socket.parent
        private = [self.secrets, self.logs, run] + ([self._runtime] if run.parent == self._runtime else [])
        for directory in reversed(private):
            directory.mkdir(parents=True, exist_ok=True)
            if directory.is_symlink() or directory.stat().st_uid != os.geteuid():
                raise PermissionError(f"{directory} belongs to someone else; remove it and try again")
            directory.chmod(0o700)


def _fits(directory: Path) -> bool:
    return len(os.fsencode(directory)) <= SOCKET_PATH_LIMIT
