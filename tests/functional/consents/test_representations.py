"""`/api/v1/representations`: a professional puts on record who acts for a patient, with the paper in hand."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from consent_broker.consents.counter_representation import MAX_A_DAY
from consent_broker.consents.representatives import list_mandates
from matching.records import Demographics, Document, DocumentType
from registry.audit.models import AuditEvent
from registry.database import new_id, now
from registry.directory.models import Professional
from registry.identity.service import Content, Registration, engine_of, register_source_record
from tests.functional.oauth.world import Party, World

URL = "/api/v1/representations"
MOTHER = Document(DocumentType.DNI, "40718293")


def patient(world: World, party: Party, age: int = 9, **more: Any) -> UUID:
    facts = Demographics(
        paternal_surname="Quispe", given_names=f"Luz {new_id()}", birth_date=date(now().year - age, 1, 1), **more
    )

    def act(session: Any) -> UUID:
        content = Content("https://example.pe/hc", str(new_id()), facts)
        registration = Registration(establishment_id=party.establishment_id, client_id="x", content=content)
        return register_source_record(session, engine_of(world.renhice), registration).person_id

    return world.transact(act)


def send(world: World, who: UUID, party: Party | None = None, **changes: Any) -> TestResponse:
    body = {
        "person": str(who),
        "representative": {"name": "Rosa Huamán", "type": "DNI", "number": MOTHER.number},
        "basis": "parent",
        "paper": {"kind": "birth-record", "reference": "CNV 1000000001", "sha256": "ab" * 32},
        "professional": {"college": "CMP", "number": "012345"},
    } | changes
    party = party or world.asking
    body = {name: value for name, value in body.items() if value is not None}
    return party.call("POST", URL, party.client_token("representation"), json=body)


def said(answer: TestResponse) -> dict[str, Any]:
    """The answer without what names this one request."""
    return {name: value for name, value in answer.json.items() if name not in {"correlation_id", "instance"}}


def mandates(world: World, person: UUID) -> list[Any]:
    found = world.transact(lambda session: list_mandates(session, world.renhice.sealer, MOTHER, 14))
    return [one for one in found if one.person_id == person]


def test_a_mother_is_recorded_read_back_by_who_recorded_her_and_ended(world: World) -> None:
    child = patient(world, world.asking, mother_document=MOTHER)
    made = send(world, child)
    assert made.status_code == 201, made.text
    assert "Rosa" not in made.text
    assert MOTHER.number not in made.text
    assert len(mandates(world, child)) == 1
    path = f"{URL}/{made.json['id']}"
    assert world.asking.get(path, world.asking.client_token("representation")).json == made.json
    for method in ("GET", "DELETE"):
        other = world.holding.call(method, path, world.holding.client_token("representation"))
        unknown = world.holding.call(method, f"{URL}/{uuid4()}", world.holding.client_token("representation"))
        assert other.status_code == unknown.status_code == 404
        assert said(other) == said(unknown)
    ended = world.asking.call("DELETE", path, world.asking.client_token("representation"))
    assert ended.json["ended_at"]
    assert mandates(world, child) == []
    query = select(AuditEvent).where(AuditEvent.person_id == child, AuditEvent.action.like("consent:representation%"))
    events = world.transact(lambda session: session.scalars(query.order_by(AuditEvent.recorded_at)).all())
    assert [one.action for one in events] == ["consent:representation:recorded", "consent:representation:ended"]
    assert events[0].detail["corroborated"] is True
    assert events[0].professional_id == world.professional_id


def test_only_ones_own_patients_and_a_stranger_looks_like_nobody(world: World) -> None:
    stranger = send(world, patient(world, world.holding))
    nobody = send(world, uuid4())
    assert stranger.status_code == nobody.status_code == 404
    assert said(stranger) == said(nobody)


@pytest.mark.parametrize(
    "changes",
    [
        {"person": "12345678"},
        {"representative": {"name": "R", "number": MOTHER.number}},
        {"representative": {"name": "Rosa", "number": "1234567"}},
        {"representative": "Rosa"},
        {"basis": "friend"},
        {"basis": "power"},
        {"powers": []},
        {"powers": ["decide"]},
        {"powers": ["everything"]},
        {"paper": {"kind": "birth-record", "reference": "x y"}},
        {"paper": {"kind": "birth-record", "reference": "x y", "sha256": "zz"}},
        {"paper": {"kind": "notarial-power", "reference": "x y", "sha256": "ab" * 32}},
        {"professional": None},
        {"until": "2020-01-01"},
        {"surprise": True},
    ],
    ids=str,
)
def test_what_does_not_hold_is_422(world: World, changes: dict[str, Any]) -> None:
    answer = send(world, patient(world, world.asking), **changes)
    assert answer.status_code == 422, answer.text
    assert MOTHER.number not in answer.text


def test_a_child_of_age_has_no_parent_here(world: World) -> None:
    assert send(world, patient(world, world.asking, age=19)).json["code"] == "not-a-minor"


def test_the_professional_must_work_there_and_the_scope_is_needed(world: World) -> None:
    child = patient(world, world.asking)
    mine = update(Professional).where(Professional.id == world.professional_id)
    world.transact(lambda session: session.execute(mine.values(able_to_practise=False)))
    try:
        assert send(world, child).json["code"] == "not-able-to-practise"
    finally:
        world.transact(lambda session: session.execute(mine.values(able_to_practise=True)))
    assert world.asking.http.post(URL, json={}).status_code == 401
    token = world.asking.client_token("access-request")
    assert world.asking.call("POST", URL, token, json={}).status_code in {403, 422}


def test_an_establishment_is_held_to_so_many_a_day(world: World) -> None:
    statuses = {send(world, patient(world, world.asking)).status_code for _ in range(MAX_A_DAY)}
    assert statuses <= {201, 429}
    last = send(world, patient(world, world.asking))
    assert (last.status_code, last.json["code"]) == (429, "too-many-representations")
