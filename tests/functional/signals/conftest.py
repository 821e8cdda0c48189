"""The product and a holder that keeps introspection answers, on real ports."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from consent_broker.signals.models import Signal, Subscription
from registry.app import Renhice
from registry.database import now
from registry.directory.models import Establishment
from registry.settings import Settings
from tests.functional.exchange.conftest import free_port, served
from tests.functional.exchange.holder import FhirServer
from tests.functional.oauth.world import World, build_world
from tests.functional.signals.subscribing import Receiver


@pytest.fixture(scope="module")
def settings(database_url: str, broker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings with a base URL that is really served."""
    return Settings(
        environment="test",
        base_url=f"http://127.0.0.1:{free_port()}",
        database_url=database_url,
        broker_url=broker_url,
        keys_dir=Path(tmp_path_factory.mktemp("keys")),
        log_level="WARNING",
    )


@pytest.fixture(scope="module")
def holder() -> FhirServer:
    """The holder's FHIR server; its guard is set once the world has its keys."""
    return FhirServer()


@pytest.fixture(scope="module")
def world(app: Flask, renhice: Renhice, holder: FhirServer) -> Iterator[World]:
    """Everybody, with both servers up; the holder takes events."""
    port = free_port()
    made = build_world(app, renhice, f"http://127.0.0.1:{port}/fhir")
    takes = update(Establishment).where(Establishment.id == made.holding.establishment_id)
    made.transact(lambda session: session.execute(takes.values(event_endpoint=f"http://127.0.0.1:{port}/events")))
    holder.protect(made, cache_seconds=200)
    with served(app, int(renhice.settings.base_url.rpartition(":")[2])), served(holder, port):
        yield made


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """A subscriber's address that is served."""
    made, port = Receiver(), free_port()
    made.url = f"http://127.0.0.1:{port}/hook"
    with served(made, port):
        yield made


@pytest.fixture
def fresh(world: World, receiver: Receiver) -> None:
    """Nobody is subscribed, nothing waits, and the receiver is well."""
    receiver.status = 200
    receiver.arrived.clear()
    world.broker.breakers.report(f"signals {receiver.url}", success=True)

    def clear(session: Any) -> None:
        session.execute(update(Subscription).values(status="off"))
        session.execute(update(Signal).values(delivered_at=now()))

    world.transact(clear)
