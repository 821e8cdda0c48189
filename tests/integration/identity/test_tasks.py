"""The periodic check is there where PIDE is configured, and runs as the worker runs it."""

from collections.abc import Iterator

import httpx
import pytest
from flask import Flask

from registry.app import Renhice
from registry.database import new_id
from registry.identity.models import SourceRecord
from registry.identity.service import Content, Registration, engine_of, register_source_record
from registry.settings import Settings
from tests.integration.identity.conftest import ROSA, SYSTEM
from wsgi import create_app

PERSON = {"apPrimer": "HUAMAN", "apSegundo": "CCAHUANA", "prenombres": "ROSA ELVIRA"}


def answer(_request: httpx.Request) -> httpx.Response:
    result = {"coResultado": "0000", "deResultado": "ok", "datosPersona": PERSON}
    return httpx.Response(200, json={"consultarResponse": {"return": result}})


@pytest.fixture
def checking(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Renhice]:
    told = {"pide_url": "http://pide.invalid", "pide_official_dni": "1", "pide_entity_ruc": "2", "pide_password": "x"}
    transport, client = httpx.MockTransport(answer), httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **options: client(**options | {"transport": transport}))
    app = create_app(Settings.model_validate(settings.model_dump() | told))
    yield app.extensions["renhice"]
    app.extensions["renhice"].database.engine.dispose()


def test_task_verifies_what_was_registered(checking: Renhice) -> None:
    content = Content(SYSTEM, "1", ROSA)
    with checking.database.unit_of_work() as session:
        registration = Registration(establishment_id=new_id(), client_id="sihce", content=content)
        outcome = register_source_record(session, engine_of(checking), registration)
    assert checking.celery.conf.beat_schedule["verify-records"]["task"] == "verify-records"
    checking.celery.tasks["verify-records"]()
    with checking.database.unit_of_work() as session:
        assert session.get(SourceRecord, outcome.source_record_id).verified is True


def test_nothing_is_checked_without_pide(app: Flask) -> None:
    assert "verify-records" not in app.extensions["renhice"].celery.conf.beat_schedule
