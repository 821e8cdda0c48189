"""A simulated RENIEC over PIDE, served over real HTTP."""

import threading
from collections.abc import Iterator

import pytest

from sandbox.citizens import Citizens
from sandbox.files import write_json
from sandbox.pide import Entity, Pide, create_app
from sandbox.population import Population
from sandbox.serving import bind

CONTROL = "control-token"
OFFICIAL_DNI, ENTITY_RUC, PASSWORD = "94901918", "20999000001", "first-password"


@pytest.fixture(scope="module")
def citizen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Citizens, str]:
    """The register of citizens and the DNI of one of them."""
    people = Population(7).people(30)
    citizens = Citizens(tmp_path_factory.mktemp("citizens") / "citizens.sqlite")
    citizens.enrol(people)
    return citizens, next(p.document.number for p in people if p.document and p.document.type == "dni")


@pytest.fixture(scope="module")
def url(citizen: tuple[Citizens, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the service listens."""
    password = tmp_path_factory.mktemp("pide") / "password.json"
    write_json(password, {"password": PASSWORD})
    server = bind(create_app(Pide(citizen[0], Entity(OFFICIAL_DNI, ENTITY_RUC, password), CONTROL)), 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
