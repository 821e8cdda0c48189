"""The command `match` run as users run it, in this process."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchmarks.linkage.generate import write
from matching.cli.main import match

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def run() -> Run:
    def invoke(*arguments: str | Path, stdin: bytes | str | None = None) -> Result:
        written: Sequence[str] = [str(argument) for argument in arguments]
        return CliRunner().invoke(match, written, input=stdin, catch_exceptions=False, prog_name="renhice match")

    return invoke


@pytest.fixture(scope="session")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """records.csv and truth.csv of 300 invented persons."""
    folder = tmp_path_factory.mktemp("benchmark")
    write(11, 300, folder)
    return folder
