"""A holder that stumbles is asked again: within its time and its budget, and never when it has said no."""

import socket
import time
from collections.abc import Callable, Iterator

import pytest
from werkzeug.wrappers import Request, Response

from consent_broker.exchange import gateway
from consent_broker.exchange.asking import WAITING, Course
from registry.retrying import MOST, RetryBudgets
from tests.functional.exchange.holder import FhirServer
from tests.functional.exchange.test_gateway import grant, issues, read
from tests.functional.oauth.world import World


@pytest.fixture(autouse=True)
def _budget(world: World) -> Iterator[None]:
    """Every test begins with the whole budget."""
    budgets = world.broker.retries
    object.__setattr__(world.broker, "retries", RetryBudgets(lambda: 0.0))
    yield
    object.__setattr__(world.broker, "retries", budgets)


def failing(times: int, status: int, holder: FhirServer, **headers: str) -> Callable[[Request], Response]:
    """An answer that is right after so many failures."""
    left = [times]

    def answer(request: Request) -> Response:
        left[0] -= 1
        return Response("", status, headers) if left[0] >= 0 else holder.searchset(request)

    return answer


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_state_that_passes_is_waited_out(world: World, holder: FhirServer, status: int) -> None:
    token = grant(world)
    holder.answer = failing(2, status, holder)
    answer = read(world, token)
    assert (answer.json["total"], issues(answer), len(holder.requests)) == (1, [], 3)
    proofs = {request.headers["DPoP"] for request in holder.requests}
    assert len(proofs) == 3


def test_a_connection_that_breaks_is_tried_again(world: World, holder: FhirServer) -> None:
    def hang_up(request: Request) -> Response:
        holder.answer = holder.searchset
        request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError

    token = grant(world)
    holder.answer = hang_up
    answer = read(world, token)
    assert (answer.json["total"], len(holder.requests)) == (1, 2)


@pytest.mark.parametrize("status", [400, 404, 408, 422, 429, 500, 501])
def test_what_does_not_pass_is_asked_once(world: World, holder: FhirServer, status: int) -> None:
    token = grant(world)
    holder.answer = failing(1, status, holder)
    answer = read(world, token)
    assert (issues(answer), len(holder.requests)) == (["transient"], 1)


def test_the_holder_says_when(world: World, holder: FhirServer) -> None:
    token = grant(world)
    holder.answer = failing(1, 503, holder, **{"Retry-After": "1"})
    started = time.monotonic()
    assert read(world, token).json["total"] == 1
    assert time.monotonic() - started >= 1


def test_nobody_waits_beyond_the_holders_time(world: World, holder: FhirServer) -> None:
    token = grant(world)
    holder.answer = failing(1, 503, holder, **{"Retry-After": "60"})
    answer = read(world, token)
    assert (issues(answer), len(holder.requests)) == (["transient"], 1)
    assert "Hospital 00000002" in answer.json["entry"][0]["resource"]["issue"][0]["details"]["text"]


def test_the_budget_ends_the_retries(world: World, holder: FhirServer) -> None:
    token = grant(world)
    holder.answer = failing(1000, 503, holder)
    for _ in range(4):
        assert issues(read(world, token)) == ["transient"]
    assert len(holder.requests) == 4 + MOST


def test_httpcore_tells_when_a_question_waits_for_its_holder(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = set[str]()

    class Noted(Course):
        def trace(self, step: str, details: object) -> None:
            steps.add(step)
            super().trace(step, details)

    token = grant(world)
    monkeypatch.setattr(gateway, "Course", Noted)
    world.broker.holders.close()
    assert read(world, token).json["total"] == 1
    assert steps >= WAITING
