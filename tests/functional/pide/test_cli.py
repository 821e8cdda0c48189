"""The commands about the access to RENIEC, as an operator runs them."""

import pytest
from click.testing import CliRunner, Result

from registry.app import Renhice
from registry.cli import cli
from registry.settings import Settings
from sandbox.citizens import Citizens
from tests.functional.pide.conftest import ENTITY_RUC, OFFICIAL_DNI, PASSWORD


@pytest.fixture
def environment(settings: Settings, renhice: Renhice, url: str) -> dict[str, str]:
    return {
        "RENHICE_ENVIRONMENT": "test",
        "RENHICE_DATABASE_URL": settings.database_url,
        "RENHICE_BROKER_URL": settings.broker_url,
        "RENHICE_KEYS_DIR": str(settings.keys_dir),
        "RENHICE_PIDE_URL": url,
        "RENHICE_PIDE_OFFICIAL_DNI": OFFICIAL_DNI,
        "RENHICE_PIDE_ENTITY_RUC": ENTITY_RUC,
        "RENHICE_PIDE_PASSWORD": PASSWORD,
        "RENHICE_PIDE_TIMEOUT_SECONDS": "0.5",
    }


def run(environment: dict[str, str], *words: str, typed: str = "") -> Result:
    return CliRunner().invoke(cli, ["pide", *words], env=environment, input=typed, catch_exceptions=False)


def test_a_check_tells_the_service_and_not_the_citizen(
    environment: dict[str, str], citizen: tuple[Citizens, str]
) -> None:
    citizens, number = citizen
    result = run(environment, "check", typed=f"{number}\n")
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "verified")
    assert number not in result.output
    assert citizens.find(number).paternal_surname not in result.output
    assert "not-found" in run(environment, "check", typed="99999901\n").output
    broken = run(environment, "check", typed="99999903\n")
    assert (broken.exit_code, "unverified (http-500)" in broken.output) == (1, True)


def test_a_password_is_changed_once_and_only_with_the_old_one(
    environment: dict[str, str], citizen: tuple[Citizens, str]
) -> None:
    changed = run(environment, "change-password", typed="second-password\nsecond-password\n")
    assert (changed.exit_code, "second-password" in changed.output) == (0, False)
    refused = run(environment, "change-password", typed="third-password\nthird-password\n")
    assert (refused.exit_code, "PIDE refused the new password (code 1003)" in refused.output) == (1, True)
    assert "unverified (refused)" in run(environment, "check", typed=f"{citizen[1]}\n").output
    renewed = environment | {"RENHICE_PIDE_PASSWORD": "second-password"}
    assert "verified" in run(renewed, "check", typed=f"{citizen[1]}\n").output
    assert run(renewed, "change-password", typed=f"{PASSWORD}\n{PASSWORD}\n").exit_code == 0


@pytest.mark.parametrize("address", ["/", "http://127.0.0.1:9"])
def test_no_clear_answer_is_said_so(environment: dict[str, str], url: str, address: str) -> None:
    elsewhere = f"{url}/nothing" if address == "/" else address
    result = run(
        environment | {"RENHICE_PIDE_URL": elsewhere}, "change-password", typed="second-password\nsecond-password\n"
    )
    assert (result.exit_code, "may or may not have changed" in result.output) == (1, True)


def test_without_an_account_it_says_what_to_set(environment: dict[str, str]) -> None:
    bare = {key: value for key, value in environment.items() if key != "RENHICE_PIDE_PASSWORD"}
    assert "RENHICE_PIDE_URL" in run(bare, "change-password", typed="second-password\nsecond-password\n").output
    assert "RENHICE_PIDE_URL" in run(bare, "check", typed="99999901\n").output
