"""Whose uid each part runs under when root starts it: PostgreSQL refuses root; web and worker need none of it."""

import functools
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

DATABASE = ("renhice", "nobody")
APPLICATION = ("renhice-web", "daemon")
"""Another account than the database's: who breaks into one part finds neither the data nor the keys of the other."""


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

    def own(self, directory: Path, mode: int = 0o700) -> Path:
        """Create `directory` if needed and make it this account's alone."""
        directory.mkdir(parents=True, exist_ok=True)
        if self.drop:
            os.chown(directory, self.uid, self.gid)
        directory.chmod(mode)
        return directory

    def own_files(self, directory: Path) -> Path:
        """`own`, and the files in it; none that is also elsewhere, lest somebody be given what was linked here."""
        for path in directory.iterdir() if self.drop else ():
            found = path.lstat()
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                os.chown(path, self.uid, self.gid, follow_symlinks=False)
        return self.own(directory)

    def let_through(self, directory: Path) -> None:
        """Let others pass to a socket in a directory of this account, if they know its name; they can list nothing."""
        if self.drop:
            directory.chmod(0o711)

    def reaches(self, path: Path) -> bool:
        """Whether this account can read `path` through every directory above it."""
        if not self.drop:
            return os.access(path, os.R_OK)
        return self.runs([shutil.which("test") or "/usr/bin/test", "-r", str(path)])

    def runs(self, command: list[str]) -> bool:
        """Whether this account can run `command`, and it succeeds."""
        try:
            done = subprocess.run(command, check=False, cwd="/", capture_output=True, **self.credentials())
        except OSError:
            return False
        return done.returncode == 0


def caller() -> Account:
    """Whoever runs this."""
    return Account(str(os.geteuid()), os.geteuid(), os.getegid(), drop=False)


@functools.cache
def database_account() -> Account:
    """The caller, or for root the account `renhice` when the machine has one, else `nobody`."""
    found = _first(DATABASE)
    if found is None:
        raise RuntimeError("PostgreSQL does not run as root: make it an account of its own (useradd -r renhice)")
    return found


@functools.cache
def application_account() -> Account:
    """The caller, or for root the account `renhice-web` when the machine has one, else `daemon`, else root."""
    return _first(APPLICATION) or caller()


def _first(names: tuple[str, ...]) -> Account | None:
    if os.geteuid() != 0:
        return caller()
    for name in names:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid, drop=True)
    return None


def scratch_directory(account: Account, preferred: Path | None = None) -> Path:
    """A new private directory of `account`, fit for a socket, below `preferred` when that serves."""
    candidates = [preferred] if preferred else []
    candidates += [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108
    for base in candidates:
        if len(str(base)) < 70 and base.is_dir() and os.access(base, os.W_OK) and account.reaches(base):
            return account.own(Path(tempfile.mkdtemp(prefix="renhice-", dir=base)))
    message = f"no temporary directory that the account {account.name} can reach; set TMPDIR to one"
    raise RuntimeError(message)
