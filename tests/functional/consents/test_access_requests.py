"""`/api/v1/access-requests`: who may ask for what, until when; and how every mistake is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from consent_broker.consents.access_requests import MAX_ASKED, Asking, deny_request, grant_request, request_access
from consent_broker.consents.models import AccessRequest
from consent_broker.consents.narrowing import Narrowing
from registry.audit.models import AuditEvent
from registry.calendar import LIMA
from registry.directory.models import Affiliation, Professional
from registry.errors import Unprocessable
from registry.identity.models import Person
from tests.functional.oauth.world import Party, World

URL = "/api/v1/access-requests"


def ask(world: World, token: str | None = None, party: Party | None = None, **changes: Any) -> TestResponse:
    wanted = {
        "person": str(world.person_id),
        "professional": {"college": "CMP", "number": "012345"},
        "purpose": "TREAT",
        "categories": ["allergies"],
    } | changes
    wanted = {name: value for name, value in wanted.items() if value is not None}
    party = party or world.asking
    return party.call("POST", URL, token or party.client_token("access-request"), json=wanted)


def days(count: int) -> str:
    return (datetime.now(LIMA) + timedelta(days=count)).date().isoformat()


def test_a_request_is_created_and_read_back_by_its_establishment_alone(world: World) -> None:
    made = ask(world, until=days(3))
    assert made.status_code == 201
    url = f"{URL}/{made.json['id']}"
    mine = world.asking.get(url, world.asking.client_token("access-request"))
    assert mine.json == made.json
    other = world.holding.get(url, world.holding.client_token("access-request"))
    unknown = world.holding.get(f"{URL}/{uuid4()}", world.holding.client_token("access-request"))
    assert other.status_code == unknown.status_code == 404
    anonymous = {"correlation_id": "", "instance": ""}
    assert other.json | anonymous == unknown.json | anonymous


def test_a_day_ends_at_midnight_in_lima_and_the_default_is_seven_days(world: World) -> None:
    until = datetime.fromisoformat(ask(world, until=days(1)).json["until"])
    assert until.astimezone(LIMA).strftime("%H:%M:%S") == "00:00:00"
    assert until.astimezone(LIMA).date().isoformat() == days(2)
    default = datetime.fromisoformat(ask(world).json["until"])
    assert default.astimezone(LIMA).date().isoformat() == days(8)
    instant = datetime.now(LIMA).replace(microsecond=0) + timedelta(hours=5)
    assert datetime.fromisoformat(ask(world, until=instant.isoformat()).json["until"]) == instant
    assert ask(world, until=days(90)).status_code == 201


@pytest.mark.parametrize(
    "until",
    ["+91", "-2", "2020-01-01", "9999-12-31", "tomorrow", "2026-13-01", 5, "2030-01-01T00:00:00", "x" * 900,
     "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"],
)  # fmt: skip
def test_an_end_that_can_not_be_is_refused(world: World, until: Any) -> None:
    sent = days(int(until)) if until in {"+91", "-2"} else until
    assert ask(world, until=sent).status_code == 422


@pytest.mark.parametrize(
    "changes",
    [
        {"person": None},
        {"person": "12345678"},
        {"person": {"id": 1}},
        {"professional": None},
        {"professional": "CMP 012345"},
        {"professional": {"college": "CMP"}},
        {"professional": {"college": "", "number": "1"}},
        {"professional": {"college": "CMP\n", "number": "1"}},
        {"professional": {"college": "C" * 99, "number": "1"}},
        {"categories": []},
        {"categories": None},
        {"categories": ["everything"]},
        {"categories": ["allergies", "allergies"]},
        {"categories": "allergies"},
        {"purpose": "HMARKT"},
        {"purpose": "ETREAT"},
        {"purpose": ["TREAT"]},
        {"surprise": True},
    ],
    ids=str,
)
def test_what_does_not_fit_the_schema_is_422_and_says_where(world: World, changes: dict[str, Any]) -> None:
    answer = ask(world, **changes)
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert answer.json["errors"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"person":' * 1000, b"x" * 2_000_000])
def test_garbage_is_a_clear_4xx(world: World, body: bytes) -> None:
    token = world.asking.client_token("access-request")
    answer = world.asking.call("POST", URL, token, data=body, content_type="application/json")
    assert answer.status_code in {400, 413, 422}
    assert answer.mimetype == "application/problem+json"


def test_half_a_character_is_no_fault_of_ours(world: World) -> None:
    answer = ask(world, professional={"college": "CMP", "number": "\ud800"})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid-input")


def test_the_scope_is_needed(world: World) -> None:
    assert world.asking.http.post(URL, json={}).status_code == 401
    token = world.grant()["access_token"]
    assert ask(world, token).status_code == 401


def test_a_person_nobody_knows_is_404_and_a_replaced_one_is_found(world: World) -> None:
    assert ask(world, person=str(uuid4())).status_code == 404
    old = uuid4()
    world.transact(lambda s: s.add(Person(id=old, status="replaced", replaced_by=world.person_id)))
    assert ask(world, person=str(old)).json["person"] == str(world.person_id)


@contextmanager
def changed(world: World, statement: Any, back: Any) -> Iterator[None]:
    world.transact(lambda session: session.execute(statement))
    try:
        yield
    finally:
        world.transact(lambda session: session.execute(back))


def test_a_professional_who_may_not_act_there_is_refused_and_it_is_logged(world: World) -> None:
    me, mine = Professional.id == world.professional_id, Affiliation.professional_id == world.professional_id
    past = datetime.now(UTC) - timedelta(hours=1)
    cases = [
        (update(Professional).where(me).values(able_to_practise=False),
         update(Professional).where(me).values(able_to_practise=True), "not-able-to-practise"),
        (update(Affiliation).where(mine).values(valid_until=past),
         update(Affiliation).where(mine).values(valid_until=None), "not-affiliated"),
    ]  # fmt: skip
    for statement, back, reason in cases:
        with changed(world, statement, back):
            answer = ask(world)
        assert (answer.status_code, answer.json["code"]) == (403, reason)
        query = select(AuditEvent).where(AuditEvent.reason == reason, AuditEvent.outcome == "refused")
        assert world.transact(lambda session, q=query: session.scalars(q).one()).person_id == world.person_id
    unknown = ask(world, professional={"college": "CMP", "number": "999999"})
    assert unknown.status_code == 404


def test_a_professional_of_another_establishment_can_not_be_named(world: World) -> None:
    assert ask(world, party=world.holding).json["code"] == "not-affiliated"


def test_nobody_answers_in_time(world: World) -> None:
    made = ask(world).json
    old = update(AccessRequest).where(AccessRequest.id == UUID(made["id"]))
    long_ago = datetime.now(UTC) - timedelta(days=4)
    world.transact(lambda session: session.execute(old.values(created_at=long_ago)))
    token = world.asking.client_token("access-request")
    assert world.asking.get(f"{URL}/{made['id']}", token).json["status"] == "expired"
    assert world.push(launch=made["id"]).json["error"] == "invalid_request"


def test_asking_again_while_it_waits_finds_the_same_request(world: World) -> None:
    first = ask(world, categories=["problems", "allergies"])
    again = ask(world, categories=["allergies", "problems"])
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json == first.json
    made = select(AuditEvent).where(AuditEvent.action == "consent:access:requested", AuditEvent.outcome == "success")
    events = world.transact(lambda session: session.scalars(made.order_by(AuditEvent.recorded_at)).all())
    assert [event.detail["categories"] for event in events].count(["allergies", "problems"]) == 1


@pytest.mark.parametrize(
    "changes", [{"categories": ["problems"]}, {"purpose": "COC"}, {"until": "+2"}, {"person": "other"}], ids=str
)
def test_another_question_is_another_request(world: World, changes: dict[str, Any]) -> None:
    first = ask(world, categories=["immunizations"]).json
    real = {"until": days(2)} if "until" in changes else changes
    real = {"person": str(world.other_person_id)} if "person" in changes else real
    other = ask(world, **({"categories": ["immunizations"]} | real))
    assert other.status_code == 201
    assert other.json["id"] != first["id"]


def test_an_answered_request_may_be_made_anew(world: World) -> None:
    first = ask(world, categories=["encounters"]).json
    evidence = world.evidence()
    world.transact(lambda session: deny_request(session, UUID(first["id"]), evidence))
    again = ask(world, categories=["encounters"])
    assert (again.status_code, again.json["id"] != first["id"]) == (201, True)


def test_a_record_systems_request_is_not_the_portals(world: World) -> None:
    ends_at = datetime.fromisoformat(days(5)).replace(tzinfo=LIMA)
    asking = Asking(
        establishment_id=world.asking.establishment_id, professional_id=world.professional_id, purpose="TREAT",
        person_id=world.person_id, categories=frozenset({"allergies"}), ends_at=ends_at,
    )  # fmt: skip
    portals = world.transact(lambda session: request_access(session, asking).request.id)
    assert world.transact(lambda session: request_access(session, asking).request.id) == portals
    systems = ask(world, until=ends_at.isoformat())
    assert (systems.status_code, systems.json["id"] != str(portals)) == (201, True)


def test_a_patient_is_not_worn_down_by_asking(world: World) -> None:
    patient = uuid4()
    world.transact(lambda session: session.add(Person(id=patient)))
    answers = [ask(world, person=str(patient), until=days(day)) for day in range(1, MAX_ASKED + 1)]
    assert {answer.status_code for answer in answers} == {201}
    evidence = world.evidence(patient)
    world.transact(lambda session: deny_request(session, UUID(answers[0].json["id"]), evidence))
    refused = ask(world, person=str(patient), until=days(MAX_ASKED + 1))
    assert (refused.status_code, refused.json["code"]) == (429, "asked-too-often")
    query = select(AuditEvent).where(AuditEvent.reason == "asked-too-often")
    assert world.transact(lambda session: session.scalars(query).one()).person_id == patient
    assert ask(world, person=str(patient), until=days(2)).status_code == 200
    world.transact(lambda session: grant_request(session, UUID(answers[1].json["id"]), evidence))
    assert ask(world, person=str(patient), until=days(MAX_ASKED + 1)).status_code == 201


def test_what_is_sensitive_is_asked_for_by_name_and_granted_only_where_it_was_shown(world: World) -> None:
    made = ask(world, categories=["allergies"], labels=["PSY", "HIV"], until=days(4))
    assert (made.status_code, sorted(made.json["labels"])) == (201, ["HIV", "PSY"])
    assert ask(world, categories=["allergies"], labels=["HIV", "PSY"], until=days(4)).json["id"] == made.json["id"]
    assert ask(world, categories=["allergies"], labels=["PSY"], until=days(4)).json["id"] != made.json["id"]

    def granted(labels: frozenset[str] | None) -> frozenset[str] | None:
        request = UUID(ask(world, categories=["allergies"], labels=["PSY", "HIV"], until=days(5)).json["id"])
        narrowing = Narrowing(labels=labels)
        answer = world.transact(lambda session: grant_request(session, request, world.evidence(), narrowing))
        return answer[1].terms.labels

    assert granted(None) is None
    assert granted(frozenset({"N", "PSY"})) == {"N", "PSY"}
    with pytest.raises(Unprocessable):
        granted(frozenset({"N", "SEX"}))


@pytest.mark.parametrize("labels", [["N"], ["X"], ["PSY", "PSY"], "PSY", [5]], ids=str)
def test_what_is_no_label_is_422(world: World, labels: Any) -> None:
    assert ask(world, labels=labels).status_code == 422
