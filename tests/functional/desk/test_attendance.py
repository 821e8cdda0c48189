"""Being attended now: hours of what was permitted beforehand, for whoever attends; nothing for anybody else."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text, update
from werkzeug.test import TestResponse

from consent_broker.consents.directives import Kind, Terms
from consent_broker.consents.service import get_consent, record_objection, revoke_consent
from consent_broker.consents.vocabulary import scope_of
from consent_broker.desk.attendance_policy import set_policy, standing_policy
from consent_broker.desk.models import Attendance, AttendancePolicy
from registry.audit.models import AuditEvent
from registry.database import new_id, now
from registry.directory.models import Professional
from registry.errors import Forbidden
from registry.identity.models import Person
from registry.messages.models import TextMessage
from tests.functional.oauth.test_token_exchange import exchange, statement
from tests.functional.oauth.world import Party, World

CATEGORIES = ["allergies", "medications"]


@pytest.fixture(autouse=True)
def _fresh(world: World) -> Iterator[None]:
    """Each test has a day of its own and a patient who permits allergies and medication."""
    permit(world, CATEGORIES)
    yield
    ago = now() - timedelta(days=2)
    world.transact(lambda session: session.execute(update(Attendance).values(stated_at=ago, ended_at=now())))


def permit(world: World, categories: list[str], person_id: UUID | None = None) -> None:
    person = person_id or world.person_id
    world.transact(lambda session: set_policy(session, person, frozenset(categories), world.evidence(person)).id)


def state(world: World, party: Party | None = None, **changes: Any) -> TestResponse:
    party = party or world.asking
    wanted = {
        "person": str(world.person_id), "professional": {"college": "CMP", "number": "012345"},
        "encounter": f"ENC-{uuid4()}", "identified_by": "DNI", "categories": CATEGORIES,
    } | changes  # fmt: skip
    body = {name: value for name, value in wanted.items() if value is not None}
    return party.call("POST", "/api/v1/attendances", party.client_token("access-request"), json=body)


def end(world: World, attendance_id: str, party: Party | None = None) -> int:
    party = party or world.asking
    path = f"/api/v1/attendances/{attendance_id}"
    return party.call("DELETE", path, party.client_token("access-request")).status_code


def test_hours_of_what_was_permitted_and_a_token_by_exchange(world: World) -> None:
    answer = state(world, categories=[*CATEGORIES, "encounters"])
    assert answer.status_code == 201, answer.text
    assert answer.json["categories"] == CATEGORIES, "encounters were not permitted beforehand"
    consent = world.transact(lambda session: get_consent(session, UUID(answer.json["consent"])))
    assert consent.terms.ends_at is not None
    assert timedelta(hours=7, minutes=59) < consent.terms.ends_at - now() <= timedelta(hours=8)
    assert consent.terms.purposes == {"TREAT"}
    assert consent.terms.professional_id == world.professional_id
    token = exchange(world, statement(world))
    assert set(token.json["scope"].split()) == {scope_of(one) for one in CATEGORIES}
    assert end(world, answer.json["id"]) == 204
    assert exchange(world, statement(world)).json["error"] == "invalid_grant"
    assert end(world, answer.json["id"]) == 204, "twice changes nothing"


def test_the_encounter_is_kept_as_a_token_and_the_person_is_told(world: World) -> None:
    answer = state(world, encounter="VIH-2026-0001")

    def kept(session: Any) -> list[str]:
        tables = ("attendances", "consent_versions", "audit_events", "text_messages")
        return [str(row) for table in tables for row in session.execute(text(f"SELECT * FROM {table}"))]

    assert not any("VIH-2026" in row for row in world.transact(kept))
    told = select(TextMessage.kind).where(TextMessage.subject_id == UUID(answer.json["consent"]))
    assert world.transact(lambda session: session.scalar(told)) == "consent-notice"


def test_the_same_encounter_is_one_attendance(world: World) -> None:
    first, again = state(world, encounter="E-1"), state(world, encounter="E-1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json["id"] == again.json["id"]
    with ThreadPoolExecutor(8) as pool:
        parties = [Party("sihce-a", world.asking.establishment_id, "", world.app.test_client(), world.asking.key)
                   for _ in range(8)]  # fmt: skip
        found = list(pool.map(lambda party: state(world, party, encounter="E-2").json["id"], parties))
    assert len(set(found)) == 1


@pytest.mark.parametrize("said", [[], ["encounters"]])
def test_nothing_permitted_beforehand_yields_nothing(world: World, said: list[str]) -> None:
    permit(world, said)
    answer = state(world)
    assert (answer.status_code, answer.json["code"]) == (403, "no-standing-permission")
    newest = select(AuditEvent).where(AuditEvent.action == "consent:attendance:stated")
    event = world.transact(lambda session: session.scalars(newest.order_by(AuditEvent.recorded_at.desc())).first())
    assert (event.outcome, event.reason) == ("refused", "no-standing-permission")


def test_who_has_said_nothing_permits_nothing_by_default(world: World) -> None:
    def standing(session: Any, default: str) -> frozenset[str]:
        settings = world.renhice.settings.model_copy(update={"attendance_default": default})
        return standing_policy(session, settings, world.other_person_id).categories

    assert world.transact(lambda session: standing(session, "")) == frozenset()
    assert world.transact(lambda session: standing(session, "allergies,nonsense")) == {"allergies"}


def test_an_objection_prevails(world: World) -> None:
    terms = Terms(
        person_id=world.person_id, establishment_id=world.asking.establishment_id,
        professional_id=world.professional_id, categories=frozenset(CATEGORIES), purposes=None, ends_at=None,
        kind=Kind.OBJECTION,
    )  # fmt: skip
    objection = world.transact(lambda session: record_objection(session, terms, world.evidence()).id)
    answer = state(world)
    assert (answer.status_code, answer.json["code"]) == (403, "no-standing-permission")
    world.transact(lambda session: revoke_consent(session, objection, world.evidence()))


def test_what_the_person_took_back_is_not_stated_again(world: World) -> None:
    consent_id = UUID(state(world, encounter="E-9").json["consent"])
    world.transact(lambda session: revoke_consent(session, consent_id, world.evidence()))
    for encounter in ("E-9", "E-10"):
        assert state(world, encounter=encounter).status_code == 403


def test_only_where_the_patient_is_known_and_by_who_may_act(world: World) -> None:
    unknown = state(world, person=str(world.other_person_id))
    assert (unknown.status_code, unknown.json["code"]) == (403, "no-record-held")
    nobody = state(world, person=str(uuid4()))
    assert nobody.status_code == 404
    elsewhere = state(world, world.holding)
    assert (elsewhere.status_code, elsewhere.json["code"]) == (403, "not-affiliated")
    able = update(Professional).where(Professional.id == world.professional_id)
    world.transact(lambda session: session.execute(able.values(able_to_practise=False)))
    refused = state(world)
    world.transact(lambda session: session.execute(able.values(able_to_practise=True)))
    assert refused.json["code"] == "not-able-to-practise"


def test_attendances_are_bounded(world: World) -> None:
    answers = [state(world).status_code for _ in range(7)]
    assert answers == [201] * 6 + [429]


def test_an_attendance_is_its_clients(world: World) -> None:
    answer = state(world)
    assert end(world, answer.json["id"], world.holding) == end(world, str(uuid4())) == 404
    assert exchange(world, statement(world)).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"person": None}, {"person": "x"}, {"encounter": None}, {"encounter": ""}, {"encounter": "x" * 129},
        {"encounter": "é"}, {"encounter": "a b"}, {"identified_by": "x"}, {"identified_by": None}, {"categories": []},
        {"categories": ["x"]}, {"hours": 0}, {"hours": 13}, {"hours": "8"}, {"hours": 1.5}, {"more": 1},
        {"professional": {"college": "CMP"}}, {"professional": None},
    ],
)  # fmt: skip
def test_garbage_is_refused(world: World, changes: dict[str, Any]) -> None:
    assert state(world, **changes).status_code in {400, 422}


def test_a_weak_sign_in_sets_no_policy(world: World) -> None:
    with pytest.raises(Forbidden):
        world.transact(
            lambda session: set_policy(session, world.person_id, frozenset({"allergies"}), world.evidence(acr=1))
        )


def test_after_a_merge_the_narrower_word_holds(world: World) -> None:
    former = new_id()

    def merge(session: Any) -> None:
        session.add(Person(id=former, status="replaced", replaced_by=world.person_id))
        session.flush()
        narrow = {"channel": "test"}
        session.add(AttendancePolicy(id=new_id(), person_id=former, categories=["allergies"], evidence=narrow))

    world.transact(merge)
    assert state(world).json["categories"] == ["allergies"]
