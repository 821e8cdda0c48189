"""A record system that asks for one person after the other is stopped for a while; registering goes on."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.database import now
from registry.identity.budgets import SearchBudget
from registry.settings import Settings
from tests.functional.fhir.conftest import IDS, Call, Json, rosa


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"searches_per_hour_client": 3})


def patient(number: int) -> Json:
    return {"resourceType": "Patient", "name": [{"family": "Huamán"}], "birthDate": f"1984-07-{number + 1:02}"}


def test_enumeration_ends_at_the_budget(call: Call, put: Call, renhice: Renhice, client: FlaskClient) -> None:
    for number in range(3):
        assert call("POST", "/fhir/Patient/$match", patient(number)).status_code == 200
    assert call("POST", "/fhir/Patient/$match", b"garbage").status_code == 400
    stopped = call("POST", "/fhir/Patient/$match", patient(4))
    assert stopped.status_code == 429
    assert 1 <= int(stopped.headers["Retry-After"]) <= 1200
    assert stopped.mimetype == "application/fhir+json"
    issue = stopped.json["issue"][0]
    assert (issue["code"], issue["details"]["coding"][0]["code"]) == ("throttled", "search-budget-spent")
    with renhice.database.unit_of_work() as session:
        query = select(AuditEvent).where(AuditEvent.reason == "search-budget-spent")
        refusal = session.scalars(query).one()
    assert (refusal.client_id, refusal.establishment_id, refusal.outcome) == ("sihce-a", IDS["a"], "refused")
    assert put("B-1", rosa()).status_code == 201
    assert call("POST", "/fhir/Patient/$match", patient(4), token="b").status_code == 200
    assert 'renhice_person_searches_total{outcome="refused",searcher="client"}' in client.get("/metrics").text


def test_each_number_asked_for_is_a_search(call: Call, renhice: Renhice) -> None:
    def spent() -> timedelta:
        with renhice.database.unit_of_work() as session:
            row = session.get(SearchBudget, "client:sihce-b")
            return max(row.spent_until - now(), timedelta()) if row else timedelta()

    numbers = [{"system": "urn:oid:2.16.840.1.113883.4.904", "value": f"4071829{digit}"} for digit in range(2)]
    before = spent()
    assert call("POST", "/fhir/Patient/$match", patient(1) | {"identifier": numbers}, token="b").status_code == 200
    assert spent() - before > timedelta(minutes=35)
