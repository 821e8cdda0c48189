"""Makes `.venv` from a locked, hashed requirements file; standard library only, since nothing is installed yet.

The copy of the lock inside `.venv` is written last: an interrupted set-up is never taken for a whole one.
"""

import fcntl
import filecmp
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MISLEADING = {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PYTHONHOME", "PYTHONPATH"}  # they lead pip elsewhere
LOCKS = ("requirements.lock", "requirements-test.lock")
EXTRAS = ("requirements-spark.lock",)


class SetUpError(Exception):
    """The environment could not be made; the message says how to mend it."""


def install(root: Path, lock: str) -> None:
    """Make `root/.venv` hold exactly-versioned packages of `lock`; waits for another process doing the same.

    Raises SetUpError with what to do.
    """
    venv = root / ".venv"
    with _alone(root):
        if _installed(root, lock):
            return
        _say(f"Setting up .venv from {lock} (once; it takes a minute or two) ...")
        _discard_unfinished(venv)
        for name in LOCKS:
            _stamp(venv, name).unlink(missing_ok=True)
        uv = shutil.which("uv")
        if not (venv / "bin" / "python").exists():
            _create(venv, uv)
        # the tests import a sixth of what there is and keep what they compile; pip would compile all, one by one
        sparing = ["--no-compile"] if lock != LOCKS[0] and not uv else []
        command = [*_installer(venv, uv), *sparing, "--require-hashes", "-r", str(root / lock)]
        _run(command, "Installing the packages failed.")
        for name in LOCKS[: LOCKS.index(lock) + 1]:
            shutil.copyfile(root / name, _stamp(venv, name))


def add(root: Path, extra: str) -> None:
    """Bring what few need, one of `EXTRAS`, into a `root/.venv` that is there. Raises SetUpError with what to do."""
    venv = root / ".venv"
    with _alone(root):
        installer = _installer(venv, shutil.which("uv"))
        _run([*installer, "--require-hashes", "-r", str(root / extra)], f"Installing {extra} failed.")


def _stamp(venv: Path, lock: str) -> Path:
    return venv / f"installed-{lock}"


def _installed(root: Path, lock: str) -> bool:
    stamp = _stamp(root / ".venv", lock)
    return stamp.exists() and filecmp.cmp(root / lock, stamp, shallow=False) and _works(root / ".venv")


def _works(venv: Path) -> bool:
    python = venv / "bin" / "python"
    return python.exists() and subprocess.run([str(python), "-c", ""], check=False).returncode == 0


def _discard_unfinished(venv: Path) -> None:
    """Remove an environment that never became whole or whose Python is gone; a whole one is brought up to date."""
    whole = any(_stamp(venv, name).exists() for name in LOCKS)
    if venv.exists() and not (whole and _works(venv)):
        shutil.rmtree(venv)


def _create(venv: Path, uv: str | None) -> None:
    if uv:
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(venv)], "uv could not make .venv.")
    elif importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        _run([sys.executable, "-m", "venv", str(venv)], "Python could not make .venv.")
    else:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        packages = f"python3-venv (or python{version}-venv)"
        raise SetUpError(
            f"{sys.executable} can't make virtual environments: it lacks venv or ensurepip.\n"
            f"On Debian or Ubuntu: apt-get install {packages}. Elsewhere, or instead: install uv."
        )


def _installer(venv: Path, uv: str | None) -> list[str]:
    python = str(venv / "bin" / "python")
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", python]
    if subprocess.run([python, "-c", "import pip"], check=False, stderr=subprocess.DEVNULL).returncode:
        _run([python, "-m", "ensurepip"], "pip is missing from .venv; remove it and try again, or install uv.")
    return [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-input", "--disable-pip-version-check"]


def _run(command: list[str], failure: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    if subprocess.run(command, check=False, env=environment).returncode != 0:
        raise SetUpError(f"{failure}\nThe command was: {' '.join(command)}")


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    var = root / "var"
    var.mkdir(exist_ok=True)
    with (var / "venv.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Another process is setting up .venv; waiting for it ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Install the lock named by the first argument into the checkout this file belongs to."""
    if len(arguments) != 1 or arguments[0] not in (*LOCKS, *EXTRAS):
        _say(f"usage: bootstrap.py {' | '.join((*LOCKS, *EXTRAS))}")
        return 2
    root, lock = Path(__file__).resolve().parent.parent, arguments[0]
    try:
        (add if lock in EXTRAS else install)(root, lock)
    except KeyboardInterrupt:
        _say("Interrupted; the next call starts over.")
        return 130
    except (SetUpError, OSError) as error:
        _say(f"renhice: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
