"""What of a reading waits for the disk: whatever is released rests on commits that did."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, event, update

from registry.directory.models import Establishment
from tests.functional.exchange.test_gateway import grant, issues, read
from tests.functional.oauth.world import World


@contextmanager
def commits(world: World) -> Iterator[list[str]]:
    """Whether each commit of this thread waits for the disk, in their order."""
    found, engine, mine = list[str](), world.renhice.database.engine, threading.get_ident()

    def note(connection: Connection) -> None:
        if threading.get_ident() == mine:
            found.append(str(connection.exec_driver_sql("SHOW synchronous_commit").scalar()))

    event.listen(engine, "commit", note)
    try:
        yield found
    finally:
        event.remove(engine, "commit", note)


def test_only_the_commit_before_the_release_waits(world: World) -> None:
    token = grant(world)
    with commits(world) as waiting:
        assert read(world, token).json["total"] == 1
    _, decision, release = waiting
    assert (decision, release) == ("off", "on")


def test_a_decision_after_which_nobody_is_asked_waits_itself(world: World) -> None:
    token, held = grant(world), update(Establishment).where(Establishment.id == world.holding.establishment_id)
    world.transact(lambda session: session.execute(held.values(fhir_endpoint=None)))
    try:
        with commits(world) as waiting:
            assert issues(read(world, token)) == ["not-supported"]
    finally:
        world.transact(lambda session: session.execute(held.values(fhir_endpoint=world.holding.endpoint)))
    assert waiting[1:] == ["on", "on"]
