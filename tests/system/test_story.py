"""The main job, told over public interfaces on a running system."""

from tests.system.conftest import System


def test_the_story_is_as_told_and_can_be_told_again(system: System) -> None:
    for _ in range(2):
        told = system.renhice("demo")
        assert told.returncode == 0, told.stdout + told.stderr


def test_up_again_says_it_is_running(system: System) -> None:
    again = system.renhice("up", "--detach", "--port", str(system.port))
    assert again.returncode == 0
    assert "running" in again.stdout.lower()


def test_status_is_healthy(system: System) -> None:
    assert system.renhice("status").returncode == 0
