"""Whose uid the database runs under: PostgreSQL refuses root, and no directory is opened up for it."""

import functools
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

UNPRIVILEGED = ("renhice", "nobody")


class Credentials(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that give up root."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """An operating-system account a service runs under; `drop` is true when it is not the caller's own."""

    name: str
    uid: int
    gid: int
    drop: bool

    def credentials(self) -> Credentials:
        """Arguments for `subprocess` that start a child under this account."""
        return Credentials(user=self.uid, group=self.gid, extra_groups=[]) if self.drop else Credentials()

    def own(self, directory: Path) -> Path:
        """Create `directory` if needed and make it this account's alone."""
        directory.mkdir(parents=True, exist_ok=True)
        if self.drop:
            os.chown(directory, self.uid, self.gid)
        directory.chmod(0o700)
        return directory

    def reaches(self, path: Path) -> bool:
        """Whether this account can read `path` through every directory above it."""
        if not self.drop:
            return os.access(path, os.R_OK)
        test = shutil.which("test") or "/usr/bin/test"
        done = subprocess.run([test, "-r", str(path)], check=False, cwd="/", **self.credentials())
        return done.returncode == 0


@functools.cache
def database_account() -> Account:
    """The caller, or for root the account `renhice` when the machine has one, else `nobody`."""
    if os.geteuid() != 0:
        return Account(str(os.geteuid()), os.geteuid(), os.getegid(), drop=False)
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid, drop=True)
    raise RuntimeError("PostgreSQL does not run as root: make it an account of its own (useradd -r renhice)")


def scratch_directory(account: Account, preferred: Path | None = None) -> Path:
    """A new private directory of `account`, fit for a socket, below `preferred` when that serves."""
    candidates = [preferred] if preferred else []
    candidates += [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108
    for base in candidates:
        if len(str(base)) < 70 and base.is_dir() and os.access(base, os.W_OK) and account.reaches(base):
            return account.own(Path(tempfile.mkdtemp(prefix="renhice-", dir=base)))
    message = f"no temporary directory that the account {account.name} can reach; set TMPDIR to one"
    raise RuntimeError(message)
