"""The product and a holder on real ports: the gateway asks over HTTP, the holder's guard asks back."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from registry.app import Renhice
from registry.settings import Settings
from tests.functional.exchange.holder import FhirServer
from tests.functional.oauth.world import World, build_world


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def served(application: Any, port: int) -> Iterator[str]:
    server = make_server("127.0.0.1", port, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def settings(database_url: str, broker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings with a base URL that is really served, and little patience with holders."""
    return Settings(
        environment="test",
        base_url=f"http://127.0.0.1:{free_port()}",
        database_url=database_url,
        broker_url=broker_url,
        keys_dir=Path(tmp_path_factory.mktemp("keys")),
        log_level="WARNING",
        holder_timeout_seconds=3,
    )


@pytest.fixture(scope="module")
def holder() -> FhirServer:
    """The holder's FHIR server; its guard is set once the world has its keys."""
    return FhirServer()


@pytest.fixture(scope="module")
def world(app: Flask, renhice: Renhice, holder: FhirServer) -> Iterator[World]:
    """Everybody, with both servers up."""
    port = free_port()
    made = build_world(app, renhice, f"http://127.0.0.1:{port}/fhir")
    holder.protect(made)
    with served(app, int(renhice.settings.base_url.rpartition(":")[2])), served(holder, port):
        yield made


@pytest.fixture(autouse=True)
def _fresh(world: World, holder: FhirServer) -> None:
    """Each test meets a well-behaved holder and closed circuits."""
    holder.behave()
    world.broker.breakers.report(world.holding.endpoint, success=True)
