"""The identifier domains of other people's test cases, each an establishment of its own, and where the cases are."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from registry.access import Caller, Presented
from registry.app import Renhice
from registry.database import new_id
from registry.directory.models import Establishment
from registry.errors import Unauthenticated
from registry.settings import Settings
from tests.external import EXTERNAL
from tests.functional.fhir.conftest import call  # noqa: F401  # a fixture of these modules too
from wsgi import create_app

DOMAINS = {
    "test": "http://ohie.org/test/test",
    "oid": "urn:oid:1.3.6.1.4.1.52820.3.72.5.9.1",
    "test_a": "http://ohie.org/test/test_a",
    "test_b": "http://ohie.org/test/test_b",
    "red": "urn:oid:1.3.6.1.4.1.21367.13.20.1000",
    "green": "urn:oid:1.3.6.1.4.1.21367.13.20.2000",
    "blue": "urn:oid:1.3.6.1.4.1.21367.13.20.3000",
}
IDS = {name: new_id() for name in DOMAINS}
SCOPES = frozenset({"system/Patient.cu", "system/Patient.rs", "system/Patient.d"})


def files_of(folder: str) -> Path:
    """The folder of one set of cases; without it the module is left out, and says so."""
    found = EXTERNAL / folder
    if not found.is_dir():
        pytest.skip(f"the files of {folder} are not here: name their folder in RENHICE_EXTERNAL_TESTS")
    return found


def authenticate(presented: Presented, audience: str) -> Caller:
    """A token is the name of a domain."""
    name = (presented.authorization or "").removeprefix("Bearer ")
    if name not in IDS:
        raise Unauthenticated("This call needs an access token.")
    return Caller(
        client_id=name, establishment_id=IDS[name], scopes=SCOPES, token_id="token", audience=audience
    )  # fmt: skip


@pytest.fixture(scope="module")
def app(settings: Settings) -> Iterator[Flask]:
    application = create_app(settings, authenticate)
    parts: Renhice = application.extensions["renhice"]
    with parts.database.unit_of_work() as session:
        for number, (name, system) in enumerate(DOMAINS.items()):
            session.add(
                Establishment(
                    id=IDS[name], renipress=f"1000000{number}", name=name, category="III-1", sector="MINSA",
                    region="Cusco", ubigeo="080101", identifier_system=system, active=True,
                )
            )  # fmt: skip
    yield application
    parts.database.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
