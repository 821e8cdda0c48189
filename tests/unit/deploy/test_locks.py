"""The locks hold every requirement of setup.cfg, pinned and hashed, and agree with each other."""

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*])?==([^ \\]+)", re.MULTILINE)


def required(section: str, option: str) -> set[str]:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return {normal(re.split(r"[\[<>=~!; ]", line)[0]) for line in parser[section][option].split("\n") if line.strip()}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: str) -> set[tuple[str, str]]:
    return {(normal(name), version) for name, version in PIN.findall((ROOT / lock).read_text())}


def test_every_requirement_is_locked() -> None:
    assert required("options", "install_requires") <= {name for name, _ in pins("requirements.lock")}
    assert required("options.extras_require", "test") <= {name for name, _ in pins("requirements-test.lock")}
    assert required("options.extras_require", "spark") <= {name for name, _ in pins("requirements-spark.lock")}


def test_what_is_tested_is_what_runs() -> None:
    assert pins("requirements.lock") <= pins("requirements-test.lock")


@pytest.mark.parametrize(
    ("lock", "least"), [("requirements.lock", 50), ("requirements-test.lock", 50), ("requirements-spark.lock", 2)]
)
def test_everything_is_hashed_and_comes_from_no_particular_place(lock: str, least: int) -> None:
    text = (ROOT / lock).read_text()
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert len(blocks) >= least
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", block) for block in blocks)
    assert not re.search(r"--(index-url|extra-index-url|find-links)|https?://|file:", text)
