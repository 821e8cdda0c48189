"""Two analysts, nobody with a passkey, and the key one of them adds."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete

from matching.records import Document, DocumentType
from portal.models import Passkey
from registry.app import Renhice
from registry.database import now
from registry.directory.documents import document_token
from registry.directory.models import StaffRole
from tests.functional.passkeys.authenticator import Authenticator
from tests.functional.passkeys.world import ANALYST, HOST, ORIGIN, OTHER, Person


@pytest.fixture(scope="module", autouse=True)
def roles(renhice: Renhice) -> None:
    """Both are analysts."""
    with renhice.database.unit_of_work() as work:
        for who in (ANALYST, OTHER):
            token = document_token(renhice.sealer, Document(DocumentType.DNI, who.document))
            dates = {"granted_at": now() - timedelta(days=30), "valid_until": now().replace(year=2099)}
            work.add(StaffRole(document_token=token, sealed=b"-", role="analyst", **dates))


@pytest.fixture(autouse=True)
def _no_passkeys(renhice: Renhice) -> None:
    with renhice.database.unit_of_work() as work:
        work.execute(delete(Passkey))


@pytest.fixture
def somebody(app: Flask, renhice: Renhice) -> Callable[[], Person]:
    return lambda: Person(app, renhice)


@pytest.fixture
def key(somebody: Callable[[], Person]) -> Authenticator:
    """A passkey the analyst has added."""
    made = Authenticator(ORIGIN, HOST)
    assert somebody().signed_in(ANALYST).add(made).status_code == 303
    return made
