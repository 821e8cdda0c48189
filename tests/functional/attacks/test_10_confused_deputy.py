"""Attack 10: a declared emergency used for more than one case, client, person, the basic information, and minutes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import ProgrammingError
from werkzeug.test import TestResponse

from consent_broker.consents.directives import Kind, Terms
from consent_broker.consents.service import record_objection, revoke_consent
from consent_broker.emergency.cases import get_case
from consent_broker.emergency.models import EmergencyAccess
from consent_broker.emergency.notices import OFFICER, PERSON
from consent_broker.emergency.service import Declared, declare_emergency, end_emergency
from consent_broker.oauth.clients import EMERGENCY
from registry.audit.models import AuditEvent
from registry.database import now
from registry.errors import Conflict, DomainError, Forbidden, TooManyRequests
from registry.messages.models import TextMessage
from tests.functional.attacks.test_16_audit import audit_down
from tests.functional.oauth.world import World, claims_of

BASIC = {"patient/AllergyIntolerance.rs", "patient/MedicationStatement.rs"}
"""What of the basic information the world's clients are registered for."""


def ask(world: World, **changes: Any) -> TestResponse:
    wanted = {"person": str(world.person_id), "professional": {"college": "CMP", "number": "012345"}} | changes
    token = world.asking.client_token("emergency")
    return world.asking.call("POST", "/api/v1/emergency-accesses", token, json=wanted)


def declared(**changes: Any) -> Declared:
    values = {"reason": "unconscious", "text": "Llega inconsciente tras un accidente.", "wording": "Declaro",
              "acr": 3, "auth_time": datetime.now(UTC)} | changes  # fmt: skip
    return Declared(**values)


def declare(world: World, emergency_id: str, **changes: Any) -> None:
    def act(session: Any) -> None:
        case = get_case(session, UUID(emergency_id))
        declare_emergency(session, world.renhice.sealer, world.renhice.settings, case, declared(**changes))

    world.transact(act)


def redeem(world: World, emergency_id: str, **more: str) -> TestResponse:
    form = {"grant_type": EMERGENCY, "emergency_access": emergency_id} | more
    return world.asking.post("/oauth/token", form)


@pytest.fixture
def opened(world: World) -> str:
    """A case of the asking establishment, declared."""
    asked = ask(world)
    assert asked.status_code == 201, asked.text
    declare(world, asked.json["id"])
    return str(asked.json["id"])


@pytest.fixture(autouse=True)
def _unspent(world: World) -> None:
    """Each test has the day's number to itself."""
    old = now() - timedelta(days=3)
    past = update(EmergencyAccess).where(EmergencyAccess.declared_at.is_not(None))
    world.transact(lambda session: session.execute(past.values(declared_at=old, ends_at=old)))


def test_a_declared_case_yields_basic_information_for_minutes(world: World, opened: str) -> None:
    answer = redeem(world, opened)
    assert answer.status_code == 200, answer.text
    assert answer.json["token_type"] == "DPoP"
    assert answer.json["expires_in"] <= 900
    assert set(answer.json["scope"].split()) == BASIC
    assert "refresh_token" not in answer.json
    assert claims_of(answer.json["access_token"])["patient"] == str(world.person_id)


def test_the_opening_is_in_the_log_before_the_token(world: World, opened: str) -> None:
    redeem(world, opened)
    query = select(AuditEvent.action).where(AuditEvent.purpose == "BTG").order_by(AuditEvent.recorded_at, AuditEvent.id)
    told = list(world.transact(lambda session: session.scalars(query).all()))
    assert told.index("emergency:access:opened") < told.index("oauth:token:issued")


def test_the_person_and_the_privacy_officer_are_told_by_the_act_that_opens_it(world: World, opened: str) -> None:
    query = select(TextMessage.kind).where(TextMessage.subject_id == UUID(opened))
    assert set(world.transact(lambda session: session.scalars(query).all())) == {PERSON, OFFICER}


def test_without_its_audit_event_it_does_not_open(world: World) -> None:
    asked = ask(world).json["id"]
    with audit_down(world), pytest.raises(ProgrammingError, match="permission denied"):
        declare(world, asked)
    assert redeem(world, asked).json["error"] == "authorization_pending"
    query = select(TextMessage).where(TextMessage.subject_id == UUID(asked))
    assert world.transact(lambda session: session.scalars(query).all()) == [], (
        "nor is anybody told of what did not happen"
    )


def test_its_token_reads_and_does_nothing_else(world: World, opened: str) -> None:
    token = redeem(world, opened).json["access_token"]
    for method, path in (("PUT", "/fhir/Patient"), ("POST", "/fhir/Consent"), ("POST", "/api/v1/access-requests")):
        assert world.asking.call(method, path, token, json={}).status_code == 401
    exchanged = world.asking.post("/oauth/token", {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token", "resource": world.holding.endpoint,
        "scope": "patient/Encounter.rs",
    })  # fmt: skip
    assert exchanged.status_code == 400


def test_a_case_that_is_not_declared_in_time_is_over(world: World) -> None:
    asked = ask(world).json["id"]
    late = update(EmergencyAccess).where(EmergencyAccess.id == UUID(asked)).values(declare_until=now())
    world.transact(lambda session: session.execute(late))
    with pytest.raises(Conflict):
        declare(world, asked)
    assert "access_token" not in redeem(world, asked).json


def test_until_it_is_declared_the_answer_is_pending(world: World) -> None:
    asked = ask(world)
    assert asked.json["status"] == "asked"
    assert asked.json["declare_at"].endswith(f"/profesional/emergencia/{asked.json['id']}")
    answer = redeem(world, asked.json["id"])
    assert (answer.status_code, answer.json["error"]) == (400, "authorization_pending")


@pytest.mark.parametrize("presented", ["", "x", "01a21584-0000-7000-8000-000000000000", "' OR 1=1", "ñ" * 400])
def test_garbage_names_no_case(world: World, presented: str) -> None:
    answer = redeem(world, presented)
    assert answer.status_code == 400
    assert answer.json["error"] in {"invalid_grant", "invalid_request"}


def test_another_client_gets_nothing_from_a_case(world: World, opened: str) -> None:
    for other in (world.holding, world.app_client):
        answer = other.post("/oauth/token", {"grant_type": EMERGENCY, "emergency_access": opened})
        assert answer.json["error"] == "invalid_grant"


def test_more_than_basic_information_is_refused(world: World, opened: str) -> None:
    answer = redeem(world, opened, scope="patient/Encounter.rs")
    assert answer.json["error"] == "invalid_grant"
    answer = redeem(world, opened, scope="patient/AllergyIntolerance.rs offline_access")
    assert answer.json["scope"] == "patient/AllergyIntolerance.rs"
    assert "refresh_token" not in answer.json


def test_its_token_reads_nobody_else(world: World, opened: str) -> None:
    token = redeem(world, opened).json["access_token"]
    path = f"/exchange/fhir/AllergyIntolerance?patient={world.other_person_id}"
    assert world.asking.get(path, token).status_code == 403


def test_what_ends_a_case_ends_its_tokens(world: World, opened: str) -> None:
    token = redeem(world, opened).json["access_token"]
    world.transact(lambda session: end_emergency(session, get_case(session, UUID(opened)), "misuse"))
    path = f"/exchange/fhir/AllergyIntolerance?patient={world.person_id}"
    assert world.asking.get(path, token).status_code in {401, 403}
    assert redeem(world, opened).json["error"] == "invalid_grant"


def test_the_person_may_withdraw_it_like_any_permission(world: World, opened: str) -> None:
    token = redeem(world, opened).json["access_token"]
    case = world.transact(lambda session: get_case(session, UUID(opened)))
    world.transact(lambda session: revoke_consent(session, case.consent_id, world.evidence()))
    path = f"/exchange/fhir/AllergyIntolerance?patient={world.person_id}"
    assert world.asking.get(path, token).status_code == 403
    assert redeem(world, opened).json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"acr": 2}, Forbidden),
        ({"auth_time": timedelta(minutes=-6)}, Forbidden),
        ({"auth_time": timedelta(minutes=5)}, Forbidden),
        ({"reason": "curiosity"}, DomainError),
        ({"text": "corto"}, DomainError),
        ({"text": "x" * 1001}, DomainError),
    ],
)
def test_a_weak_declaration_opens_nothing(world: World, changes: dict[str, Any], error: type[Exception]) -> None:
    asked = ask(world).json["id"]
    if since := changes.get("auth_time"):
        changes = {"auth_time": datetime.now(UTC) + since}
    with pytest.raises(error):
        declare(world, asked, **changes)
    assert world.transact(lambda session: get_case(session, UUID(asked))).declared_at is None


def test_a_general_objection_does_not_stop_an_emergency_one_against_emergencies_does(world: World) -> None:
    def object_to(purposes: frozenset[str] | None) -> UUID:
        terms = Terms(
            person_id=world.person_id, establishment_id=None, categories=None, purposes=purposes,
            ends_at=now() + timedelta(hours=1), kind=Kind.OBJECTION,
        )  # fmt: skip
        return world.transact(lambda session: record_objection(session, terms, world.evidence())).id

    general = object_to(None)
    first = ask(world).json["id"]
    declare(world, first)
    assert redeem(world, first).status_code == 200
    refusal = object_to(frozenset({"BTG"}))
    with pytest.raises(Forbidden):
        declare(world, ask(world).json["id"])
    for one in (general, refusal):
        world.transact(lambda session, one=one: revoke_consent(session, one, world.evidence()))


def test_fifty_declarations_at_once_open_one_and_no_more_than_a_day_allows(world: World) -> None:
    asked = ask(world).json["id"]

    def attempt(_: int) -> bool:
        try:
            declare(world, asked)
        except (Conflict, TooManyRequests):
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(attempt, range(50))) == 1
    grants = select(func.count()).where(EmergencyAccess.id == UUID(asked), EmergencyAccess.consent_id.is_not(None))
    assert world.transact(lambda session: session.scalar(grants)) == 1


@pytest.mark.parametrize(
    "body",
    [{}, {"person": "x"}, {"person": None}, {"professional": {"college": "CMP", "number": "999999"}},
     {"professional": {"college": "cmp'", "number": "1"}}, {"reason": "extra"}, {"person": [1]}],
)  # fmt: skip
def test_a_bad_question_gets_a_clear_answer(world: World, body: dict[str, Any]) -> None:
    answer = (
        ask(world, **body)
        if body
        else world.asking.call("POST", "/api/v1/emergency-accesses", world.asking.client_token("emergency"), json={})
    )
    assert 400 <= answer.status_code < 500
    assert answer.mimetype == "application/problem+json"


def test_another_establishments_case_looks_like_none(world: World, opened: str) -> None:
    token = world.holding.client_token("emergency")
    mine = world.asking.client_token("emergency")
    assert world.asking.get(f"/api/v1/emergency-accesses/{opened}", mine).json["status"] == "open"
    answers = [world.holding.get(f"/api/v1/emergency-accesses/{one}", token) for one in (opened, uuid4())]
    assert [one.status_code for one in answers] == [404, 404]
