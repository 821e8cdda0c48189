"""A reading as it arrives: the fast do not wait for the slow, each is audited first, and a revocation ends it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy.orm import Session
from werkzeug.wrappers import Request, Response

from consent_broker.exchange.arriving import Arrivals, Stopped, Why
from consent_broker.exchange.service import Reading, open_reading
from consent_broker.oauth.holder_tokens import Access
from registry.database import new_id
from registry.errors import Unavailable
from tests.functional.exchange.conftest import free_port, served
from tests.functional.exchange.holder import FhirServer
from tests.functional.exchange.test_gateway import events, grant, revoke_newest
from tests.functional.oauth.world import World, _add_establishment, _add_record

TYPES = ["AllergyIntolerance", "Encounter"]


class Slow(FhirServer):
    """A holder that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.guarded = self.respond
        self.go = threading.Event()

    def searchset(self, request: Request) -> Response:
        self.go.wait(10)
        return super().searchset(request)


@pytest.fixture(scope="module")
def slow(world: World) -> Iterator[Slow]:
    """A second holder of the person's records."""
    server, port = Slow(), free_port()
    party = replace(world.holding, establishment_id=new_id(), endpoint=f"http://127.0.0.1:{port}/fhir")

    def add(session: Session) -> None:
        _add_establishment(session, party, "00000003")
        session.flush()
        _add_record(session, new_id(), party.establishment_id, world.person_id)

    world.transact(add)
    with served(server, port):
        yield server
        server.go.set()


@pytest.fixture
def reading(world: World, slow: Slow) -> Reading:
    slow.go.clear()
    slow.requests.clear()
    grant(world)
    access = Access(
        establishment_id=world.asking.establishment_id,
        professional_id=world.professional_id,
        person_id=world.person_id,
        purpose="TREAT",
    )
    return world.transact(lambda session: open_reading(session, world.broker, access, TYPES))


def arriving(world: World, reading: Reading, goes_on: Callable[[Session], bool] = lambda _: True) -> Arrivals:
    return Arrivals(world.renhice.database, world.broker, reading, goes_on)


def read_at(world: World, reading: Reading) -> dict[UUID, tuple[str, str | None]]:
    """What the log says of each holder of a reading."""
    tokens = {str(ticket.token.id): ticket.holder.establishment_id for ticket in reading.tickets}
    found = events(world, action="exchange:records:read")
    return {tokens[one.token_id]: (one.outcome, one.reason) for one in found if one.token_id in tokens}


def test_each_comes_when_it_answers_and_is_in_the_log_by_then(world: World, slow: Slow, reading: Reading) -> None:
    with closing(arriving(world, reading)) as arrivals:
        coming = iter(arrivals)
        holder, result = next(coming)
        assert (holder.establishment_id, len(result.records)) == (world.holding.establishment_id, 1)
        assert read_at(world, reading) == {world.holding.establishment_id: ("success", None)}
        slow.go.set()
        second, more = next(coming)
        assert (second.name, len(more.records)) == ("Hospital 00000003", 1)
        assert next(coming, None) is None
    assert set(read_at(world, reading).values()) == {("success", None)}


def test_no_connection_is_held_while_a_holder_is_waited_for(world: World, reading: Reading, slow: Slow) -> None:
    engine = world.renhice.database.engine
    with closing(arriving(world, reading)) as arrivals:
        next(iter(arrivals))
        before = engine.pool.checkedout()
        slow.go.set()
        assert [holder.name for holder, _ in arrivals] == ["Hospital 00000003"]
    assert before == 0


def test_a_revocation_meanwhile_ends_it(world: World, slow: Slow, reading: Reading) -> None:
    with closing(arriving(world, reading)) as arrivals:
        coming = iter(arrivals)
        next(coming)
        revoke_newest(world)
        slow.go.set()
        with pytest.raises(Stopped) as stopped:
            next(coming)
        assert stopped.value.why is Why.REVOKED
        assert next(coming, None) is None
    [late] = [said for place, said in read_at(world, reading).items() if place != world.holding.establishment_id]
    assert late == ("refused", "consent-revoked")


def test_the_end_of_the_session_meanwhile_ends_it(world: World, slow: Slow, reading: Reading) -> None:
    living = [True]
    with closing(arriving(world, reading, lambda _: living[0])) as arrivals:
        coming = iter(arrivals)
        next(coming)
        living[0] = False
        slow.go.set()
        with pytest.raises(Stopped) as stopped:
            next(coming)
        assert stopped.value.why is Why.SIGNED_OUT
    [late] = [said for place, said in read_at(world, reading).items() if place != world.holding.establishment_id]
    assert late == ("refused", "session-ended")


def test_after_a_revocation_nobody_else_is_asked(
    world: World, slow: Slow, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consent_broker.exchange.gateway.MAX_THREADS", 1)
    first = world.holding.establishment_id
    ordered = replace(reading, tickets=sorted(reading.tickets, key=lambda one: one.holder.establishment_id != first))
    with closing(arriving(world, ordered)) as arrivals:
        next(iter(arrivals))
        asked = len(slow.requests)
    slow.go.set()
    assert (asked, len(slow.requests)) in {(0, 0), (0, 1), (1, 1)}
    [late] = [said for place, said in read_at(world, reading).items() if place != first]
    assert late == ("failure", "interrupted")


def test_its_place_is_given_back(world: World, reading: Reading) -> None:
    taken = [arriving(world, reading) for _ in range(2)]
    with pytest.raises(Unavailable):
        arriving(world, reading)
    for one in (*taken, *taken):
        one.close()
    arriving(world, reading).close()
