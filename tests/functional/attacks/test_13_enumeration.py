"""Attack 13: trying out DNI numbers, eight digits without a check digit, to learn who is in the registry."""

import logging
import re
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import select
from werkzeug.test import TestResponse

from matching.records import Demographics, Document, DocumentType
from registry.audit.models import AuditEvent
from registry.identity.canaries import SEARCHED
from registry.identity.service import Content, Registration, engine_of, register_source_record
from registry.settings import Settings
from registry.telemetry import SEARCHES
from tests.functional.oauth.world import Party, World, claims_of
from tests.functional.statements import counted

DNI = "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/dni"
KNOWN, UNKNOWN, CANARY = "40718293", "40718294", "40718295"
UUIDS = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
BUDGET = 120


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    changes = {"canary_dnis": SecretStr(f"{CANARY},40718296"), "searches_per_hour_client": BUDGET}
    return settings.model_copy(update=changes)


@pytest.fixture(scope="module")
def person(world: World) -> UUID:
    """Somebody with that number, whose record is at the holding establishment."""
    known = Demographics(
        documents=(Document(DocumentType.DNI, KNOWN),), paternal_surname="Quispe", given_names="Luz",
        birth_date=date(1984, 3, 12),
    )  # fmt: skip

    def act(session: Any) -> UUID:
        content = Content("urn:hc:00000002", "1", known)
        registration = Registration(establishment_id=world.holding.establishment_id, client_id="x", content=content)
        return register_source_record(session, engine_of(world.renhice), registration).person_id

    return world.transact(act)


@pytest.fixture(scope="module")
def token(world: World) -> str:
    return world.asking.client_token("system/Patient.rs")


def match(party: Party, token: str, number: str, **more: Any) -> TestResponse:
    patient = {"resourceType": "Patient", "identifier": [{"system": DNI, "value": number}]} | more
    return party.call("POST", "/fhir/Patient/$match", token, json=patient, content_type="application/fhir+json")


def by_post(party: Party, token: str, number: str, **more: Any) -> TestResponse:
    said = {"birthdate": more["birthDate"]} if more else {}
    return party.call("POST", "/fhir/Patient/_search", token, data={"identifier": f"{DNI}|{number}"} | said)


WAYS = [match, by_post]
MORE = [{}, {"birthDate": "1950-01-01"}]


def shape(answer: TestResponse, number: str) -> tuple[int, str, int]:
    """What an attacker can tell answers apart by: all but what they sent themselves."""
    said = {name: value for name, value in answer.json.items() if name not in {"link", "meta", "timestamp"}}
    return answer.status_code, UUIDS.sub("", str(said)).replace(number, ""), len(answer.data)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("more", MORE, ids=["the number alone", "with a wrong birth date"])
@pytest.mark.usefixtures("person")
def test_a_known_number_answers_like_an_unknown_one(world: World, token: str, way: Any, more: Any) -> None:
    shapes = {shape(way(world.asking, token, number, **more), number) for number in (KNOWN, UNKNOWN, CANARY)}
    assert len(shapes) == 1, shapes
    assert next(iter(shapes))[0] == 200


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.usefixtures("person")
def test_it_finds_who_is_known_well_enough(world: World, token: str, way: Any) -> None:
    found = way(world.asking, token, KNOWN, birthDate="1984-03-12").json
    assert [entry["resource"]["resourceType"] for entry in found["entry"]] == ["Patient"]


def test_a_number_does_not_travel_in_an_address(world: World, token: str) -> None:
    answers = [
        world.asking.get("/fhir/Patient", token, query_string={"identifier": f"{DNI}|{number}"})
        for number in (KNOWN, UNKNOWN)
    ]
    assert {shape(answer, "")[0::2] for answer in answers} == {(400, len(answers[0].data))}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.usefixtures("person")
def test_a_number_alone_costs_the_database_the_same(world: World, token: str, way: Any) -> None:
    """Time as far as it can be told without a clock: the same statements, whoever has the number."""
    way(world.asking, token, UNKNOWN)
    asked = []
    for number in (KNOWN, UNKNOWN):
        with counted(world.renhice.database.engine) as statements:
            way(world.asking, token, number)
        asked.append(statements)
    assert asked[0] == asked[1]


@pytest.mark.parametrize("way", WAYS)
def test_a_canary_raises_an_alarm_and_its_searcher_learns_nothing(world: World, token: str, way: Any) -> None:
    def alarms() -> list[AuditEvent]:
        query = select(AuditEvent).where(AuditEvent.action == SEARCHED).order_by(AuditEvent.recorded_at)
        return list(world.transact(lambda session: session.scalars(query).all()))

    before, counter = len(alarms()), SEARCHES.labels("client", "canary")
    counted_before = counter._value.get()
    for number in (UNKNOWN, CANARY, "40718296"):
        way(world.asking, token, number)
    raised = alarms()[before:]
    assert [(one.client_id, one.establishment_id) for one in raised] == [
        (world.asking.client_id, world.asking.establishment_id)
    ] * 2
    assert counter._value.get() == counted_before + 2
    assert CANARY not in str([one.detail for one in raised])


@pytest.mark.parametrize("bad", ["1234567", "123456789", "1234567a", "12345678;12345679", "１２３４５６７８"])
def test_a_canary_is_a_number_like_any_other(settings: Settings, bad: str) -> None:
    with pytest.raises(ValidationError, match="eight digits"):
        Settings(**settings.model_dump() | {"canary_dnis": bad})


def test_one_number_after_the_other_ends_at_the_budget(world: World) -> None:
    party = world.holding
    token = party.client_token("system/Patient.rs")
    answers = [match(party, token, str(41_234_500 + number)).status_code for number in range(BUDGET + 5)]
    assert answers[:BUDGET] == [200] * BUDGET
    assert 429 in answers[BUDGET:]


@pytest.mark.usefixtures("person")
def test_no_number_is_in_a_log_or_a_subject(
    world: World, token: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for way in WAYS:
        way(world.asking, token, KNOWN, birthDate="1984-03-12")
    captured = capfd.readouterr()
    assert KNOWN not in caplog.text + captured.out + captured.err
    assert claims_of(token)["sub"] == world.asking.client_id
    subject = claims_of(world.grant()["access_token"])["sub"]
    assert not subject.isdigit()
