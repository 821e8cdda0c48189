"""Health, metrics and the four faces of an error."""

import re
from pathlib import Path
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, text, update

from deploy import service_checks
from deploy.layout import Layout
from registry.app import Renhice
from registry.outbox import MAX_ATTEMPTS, OutboxMessage, publish
from registry.settings import Settings
from wsgi import create_app


def test_ready_when_database_and_broker_answer(client: FlaskClient) -> None:
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.json["checks"] == {"database": "ok", "broker": "ok", "index": "ok"}


def test_not_ready_while_the_index_goes_by_another_versions_keys(client: FlaskClient, renhice: Renhice) -> None:
    scheme = "UPDATE blocking_schemes SET scheme = scheme + :by WHERE ended_at IS NULL"
    with renhice.database.unit_of_work() as session:
        session.execute(text(scheme), {"by": -1})
    response = client.get("/health/ready")
    with renhice.database.unit_of_work() as session:
        session.execute(text(scheme), {"by": 1})
    assert (response.status_code, response.json["checks"]["index"]) == (503, "down")


def test_not_ready_without_its_database(settings: Settings) -> None:
    lost = settings.model_copy(update={"database_url": "postgresql+psycopg://nobody@127.0.0.1:1/none"})
    app = create_app(lost)
    response = app.test_client().get("/health/ready")
    app.extensions["renhice"].database.engine.dispose()
    assert response.status_code == 503
    assert response.json["checks"] == {"database": "down", "broker": "ok", "index": "down"}


def test_live_and_metrics(client: FlaskClient) -> None:
    assert client.get("/health/live").json == {"status": "ok"}
    assert b'renhice_requests_total{method="GET",route="/health/live"' in client.get("/metrics").data


def test_what_the_outbox_has_still_to_deliver_is_measured(client: FlaskClient, renhice: Renhice) -> None:
    with renhice.database.unit_of_work() as session:
        publish(session, "test:thing:waits", "1", {})
    metrics = client.get("/metrics").text
    assert 'renhice_outbox_undelivered{state="waiting"} 1.0' in metrics
    assert 'renhice_outbox_undelivered{state="given-up"} 0.0' in metrics
    ages = [line for line in metrics.splitlines() if line.startswith('renhice_outbox_oldest_seconds{state="waiting"')]
    assert 0 <= float(ages[0].split()[1]) < 60


def test_the_doctor_tells_what_waits_and_what_was_given_up(
    renhice: Renhice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RENHICE_DATABASE_URL", renhice.settings.database_url)

    def told() -> list[tuple[str, str]]:
        return [(one.verdict, one.seen) for one in service_checks.check_backlog(Layout(tmp_path))]

    with renhice.database.unit_of_work() as session:
        session.execute(delete(OutboxMessage))
        publish(session, "test:thing:waits", "1", {})
        publish(session, "identity:record:received", "2", {})
    [outbox, size] = told()
    assert outbox == ("ok", "waiting: 1; of records, behind all else: 1")
    assert re.fullmatch(r"database \d+ MB(, \w+ \d+ \w+){3}", size[1])
    long_ago = UUID("01900000-0000-7000-8000-000000000000")
    with renhice.database.unit_of_work() as session:
        session.execute(update(OutboxMessage).where(OutboxMessage.key == "1").values(id=long_ago))
        session.execute(update(OutboxMessage).where(OutboxMessage.key == "2").values(attempts=MAX_ATTEMPTS))
    [late, given_up, _] = told()
    assert late == ("broken", "waiting: 1; of records, behind all else: 0")
    assert given_up == ("broken", "given up: 1")
    monkeypatch.setenv("RENHICE_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    assert told() == []


def test_metrics_are_there_when_the_database_is_not(settings: Settings) -> None:
    lost = settings.model_copy(update={"database_url": "postgresql+psycopg://nobody@127.0.0.1:1/none"})
    app = create_app(lost)
    metrics = app.test_client().get("/metrics")
    app.extensions["renhice"].database.engine.dispose()
    assert metrics.status_code == 200
    assert "renhice_requests_total" in metrics.text
    assert "renhice_outbox_undelivered" not in metrics.text


@pytest.mark.parametrize(
    ("path", "mimetype"),
    [
        ("/fhir/Nothing", "application/fhir+json"),
        ("/api/v1/nothing", "application/problem+json"),
        ("/oauth/nothing", "application/json"),
        ("/nada", "text/html"),
    ],
)
def test_unknown_address_has_the_face_of_its_surface(client: FlaskClient, path: str, mimetype: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert response.mimetype == mimetype
    assert response.headers["X-Request-Id"]


def test_documentation_is_served_without_third_parties(client: FlaskClient) -> None:
    assert client.get("/api/openapi.json").json["info"]["title"] == "RENHICE"
    page = client.get("/api/docs")
    assert page.status_code == 200
    assert b"http" not in page.data.split(b"</style>")[0].replace(b"<!doctype html>", b"")


def test_an_invented_method_makes_no_metric_of_its_own(client: FlaskClient) -> None:
    client.open("/", method="X94900137")
    metrics = client.get("/metrics").data
    assert b"X94900137" not in metrics
    assert b'method="OTHER"' in metrics


@pytest.mark.parametrize("address", ["/?a=%00b", "/fhir/metadata?x%00=1", "/ingresar?volver=/a%00b"])
def test_nul_in_an_address_is_refused_before_anything_reads_it(client: FlaskClient, address: str) -> None:
    assert client.get(address).status_code == 400


def test_a_value_the_database_refuses_is_bad_input(client: FlaskClient) -> None:
    assert client.post("/profesional", data={"por": "a\x00b"}).status_code < 500
