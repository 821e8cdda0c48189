"""`./renhice` makes its environment whole, once, from anywhere, or says what is missing."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = "import os, sys\nprint(os.getcwd(), *sys.argv[1:], sep='|')\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout, below a directory with a space, whose lock asks for nothing."""
    root = tmp_path / "un directorio" / "renhice"
    (root / "deploy").mkdir(parents=True)
    shutil.copy(ROOT / "renhice", root)
    shutil.copy(ROOT / "deploy" / "bootstrap.py", root / "deploy")
    (root / "deploy" / "__main__.py").write_text(PROGRAM)
    for lock in ("requirements.lock", "requirements-test.lock"):
        (root / lock).write_text("# nothing\n")
    return root


def run(command: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "RENHICE_PYTHON": sys.executable}
    return subprocess.run(
        [str(command), *arguments],
        env=environment | variables, cwd="/", capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def fast(tmp_path: Path) -> str:
    """A path whose uv makes an environment without pip, which is what takes long, and installs nothing."""
    tools = tmp_path / "tools"
    tools.mkdir()
    uv = tools / "uv"
    uv.write_text(f'#!/bin/sh\n[ "$1" = pip ] && exit 0\nshift 4\nexec "{sys.executable}" -m venv --without-pip "$@"\n')
    uv.chmod(0o755)
    return f"{tools}:{os.environ['PATH']}"


def test_first_call_makes_the_environment_and_a_changed_lock_renews_it_or_says_why_not(checkout: Path) -> None:
    first, second = run(checkout / "renhice", "a", "b c"), run(checkout / "renhice")
    assert (first.returncode, first.stdout) == (0, "/|a|b c\n")
    assert "Setting up" in first.stderr
    assert (second.returncode, second.stderr) == (0, "")
    (checkout / "requirements.lock").write_text("# nothing, differently\n")
    assert "Setting up" in run(checkout / "renhice").stderr
    assert run(checkout / "renhice").stderr == ""
    (checkout / "requirements.lock").write_text("no-such-thing==1 --hash=sha256:00\n")
    done = run(checkout / "renhice", PIP_NO_INDEX="1", UV_OFFLINE="1")
    assert done.returncode == 1
    assert "Installing the packages failed" in done.stderr
    assert not list(checkout.glob(".venv/installed-*"))


def test_what_an_interruption_left_is_not_taken_for_whole(checkout: Path, fast: str) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    half = checkout / ".venv" / "bin" / "python"
    half.write_text("#!/bin/sh\necho half\n")
    half.chmod(0o755)
    assert run(checkout / "renhice", PATH=fast).stdout == "/\n"


def test_simultaneous_first_calls_make_one_environment(checkout: Path, fast: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda n: run(checkout / "renhice", str(n), PATH=fast), range(3)))
    assert [(d.returncode, d.stdout) for d in done] == [(0, f"/|{n}\n") for n in range(3)]
    assert sum("Setting up" in d.stderr for d in done) == 1


def test_without_python_it_says_what_to_install(checkout: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "dirname", "cmp"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    (tools / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tools / "python3").chmod(0o755)
    done = run(checkout / "renhice", PATH=str(tools), RENHICE_PYTHON="")
    assert done.returncode == 1
    assert "Python 3.11 or newer" in done.stderr
