"""A steward's work over `/api/v1`, with a token that names the steward."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from matching.records import Document, DocumentType
from registry.access import Caller, Presented
from registry.app import Renhice
from registry.database import new_id, now
from registry.directory.documents import document_token
from registry.directory.models import StaffRole
from registry.errors import Unauthenticated
from registry.identity.service import Content, Outcome, Registration, engine_of, register_source_record
from registry.settings import Settings
from tests.integration.identity.conftest import PEDRO, ROSA, VAGUE
from wsgi import create_app

Call = Callable[..., TestResponse]
STEWARDS: dict[str, str] = {}


def authenticate(presented: Presented, audience: str) -> Caller:
    """Tokens `ana` and `luis` of two stewards, `nobody` without one, `poor` without the scope."""
    name = (presented.authorization or "").removeprefix("Bearer ")
    if name not in {"ana", "luis", "nobody", "poor"}:
        raise Unauthenticated("This call needs an access token.")
    scopes = frozenset[str]() if name == "poor" else frozenset({"steward"})
    return Caller(
        client_id="minsa-workbench",
        establishment_id=new_id(),
        scopes=scopes,
        token_id=f"token-{name}",
        audience=audience,
        staff=STEWARDS.get(name),
    )


@pytest.fixture(scope="module")
def app(settings: Settings) -> Iterator[Flask]:
    application = create_app(settings.model_copy(update={"four_eyes_above": 2}), authenticate)
    parts: Renhice = application.extensions["renhice"]
    with parts.database.unit_of_work() as session:
        for name, number in (("ana", "80000001"), ("luis", "80000002")):
            token = document_token(parts.sealer, Document(DocumentType.DNI, number))
            until = now() + timedelta(days=1)
            session.add(StaffRole(document_token=token, sealed=b"-", role="steward", valid_until=until))
            STEWARDS[name] = token.hex()
    yield application
    parts.database.engine.dispose()


@pytest.fixture
def call(app: Flask) -> Call:
    http = app.test_client()

    def send(method: str, path: str, body: Any = None, *, token: str = "ana", **query: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"}
        return http.open(f"/api/v1{path}", method=method, json=body, query_string=query, headers=headers)

    return send


@pytest.fixture
def register(renhice: Renhice) -> Callable[..., Outcome]:
    def call(facts: Any) -> Outcome:
        content = Content("urn:hc", "1", facts)
        with renhice.database.unit_of_work() as session:
            registration = Registration(establishment_id=new_id(), client_id="sihce", content=content)
            return register_source_record(session, engine_of(renhice), registration)

    return call


@pytest.fixture(scope="module")
def people() -> Callable[[], int]:
    """Numbers that make people nobody has met in this module."""
    numbers = iter(range(1, 100))
    return lambda: next(numbers)


@pytest.fixture
def case(register: Callable[..., Outcome], call: Call, people: Callable[[], int]) -> dict[str, Any]:
    """A doubt of its own: Rosa at another address and birthday each time."""
    day = timedelta(days=37 * people())
    born = ROSA.birth_date + day
    register(replace(ROSA, documents=(), birth_date=born))
    doubtful = register(replace(VAGUE, birth_date=born))
    items = call("GET", "/possible-matches", limit=100).json["items"]
    return next(item for item in items if item["source_record"] == str(doubtful.source_record_id))


def test_nobody_without_a_token_a_scope_and_a_name(call: Call) -> None:
    assert call("GET", "/possible-matches", token="x").status_code == 401
    assert call("GET", "/possible-matches", token="poor").json["code"] == "insufficient-scope"
    assert call("GET", "/possible-matches", token="nobody").json["code"] == "steward-not-named"


def test_case_is_taken_read_decided_and_taken_back(call: Call, case: dict[str, Any]) -> None:
    path = f"/possible-matches/{case['id']}"
    taken = call("PUT", f"{path}/assignment", {"revision": case["revision"]})
    assert (taken.status_code, taken.json["assigned_to"]) == (200, STEWARDS["ana"])
    assert call("PUT", f"{path}/assignment", {}, token="luis").json["code"] == "case-taken"
    shown = call("GET", path).json
    assert shown["record"]["values"]["paternal_surname"] == "Huamán"
    assert shown["rivals"][0]["records"][0]["values"]["phone"].startswith("····")
    assert {"field", "level", "state", "weight"} == set(shown["rivals"][0]["fields"][0])
    revealed = call("POST", f"{path}/reveal", {"fields": ["phone"]}).json
    assert revealed["rivals"][0]["records"][0]["values"]["phone"] == ROSA.phone
    effects = call("POST", f"{path}/effects", {"verdict": "same"}).json
    assert (effects["survivor"], effects["replaced"]) == (case["rivals"][0], case["person"])
    assert (len(effects["establishments"]), effects["consents"], effects["needs_second"]) == (2, [], False)
    made = call("POST", f"{path}/decisions", {"verdict": "same", "reason": "names", "note": "Confirmado"})
    assert (made.status_code, made.json["state"]) == (201, "applied")
    person = call("GET", f"/persons/{case['rivals'][0]}").json
    assert (person["status"], len(person["records"])) == ("active", 2)
    assert call("GET", f"/persons/{case['person']}").json["replaced_by"] == case["rivals"][0]
    before = call("GET", f"/persons/{case['person']}", at=case["created_at"]).status_code
    assert before in {200, 404}
    undone = call("POST", f"/decisions/{made.json['id']}/undo", {"reason": "typing-error"})
    assert (undone.status_code, undone.json["undoes"]) == (201, made.json["id"])
    assert call("GET", f"/decisions/{made.json['id']}").json["state"] == "undone"
    events = call("GET", f"/persons/{case['rivals'][0]}/history").json
    assert {event["actor"] for event in events} == {"engine", "steward"}
    assert call("GET", path).json["case"]["status"] == "open"


def test_case_is_given_to_another_and_given_back(call: Call, case: dict[str, Any]) -> None:
    path = f"/possible-matches/{case['id']}/assignment"
    assert call("PUT", path, {"steward": STEWARDS["luis"]}).json["assigned_to"] == STEWARDS["luis"]
    mine = call("GET", "/possible-matches", token="luis", assigned="mine", limit=100).json
    assert case["id"] in {item["id"] for item in mine["items"]}
    assert call("DELETE", path).json["code"] == "case-taken"
    assert call("DELETE", path, token="luis").json["assigned_to"] is None
    assert call("PUT", path, {"steward": "f" * 32}).json["code"] == "not-a-steward"


def test_big_merge_waits_for_another_steward(call: Call, register: Callable[..., Outcome]) -> None:
    one, other = register(ROSA), register(PEDRO)
    register(replace(ROSA, phone=None))
    body = {"other": str(other.person_id), "reason": "documents"}
    made = call("POST", f"/persons/{one.person_id}/merge", body).json
    assert made["state"] == "pending"
    answer = f"/decisions/{made['id']}/answer"
    assert call("POST", answer, {"answer": "confirm"}).json["code"] == "second-steward-needed"
    confirmed = call("POST", answer, {"answer": "confirm"}, token="luis").json
    assert (confirmed["state"], confirmed["second_steward"]) == ("applied", STEWARDS["luis"])
    parted = call(
        "POST", f"/persons/{one.person_id}/split", {"records": [str(other.source_record_id)], "reason": "names"}
    )
    assert parted.json["state"] == "pending"
    assert call("POST", f"/decisions/{parted.json['id']}/answer", {"answer": "refuse"}).json["state"] == "refused"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "decisions", {"verdict": "maybe", "reason": "names"}),
        ("POST", "decisions", {"verdict": "same", "reason": "whim"}),
        ("POST", "decisions", {"verdict": "same", "reason": "other"}),
        ("POST", "decisions", {"verdict": "same", "reason": "names", "extra": 1}),
        ("POST", "decisions", {"verdict": "same", "reason": "names", "other": "x"}),
        ("POST", "reveal", {"fields": ["given_names"]}),
        ("POST", "reveal", {"fields": "phone"}),
        ("PUT", "assignment", {"steward": "../.."}),
        ("POST", "effects", []),
        ("POST", "decisions", {"verdict": "same", "reason": "names", "note": "half \ud800"}),
        ("POST", "decisions", {"verdict": "same", "reason": "names", "note": "\x00"}),
        ("PUT", "assignment", {"revision": 10**30}),
    ],
)
def test_bad_input_is_told_clearly(call: Call, case: dict[str, Any], method: str, path: str, body: Any) -> None:
    answer = call(method, f"/possible-matches/{case['id']}/{path}", body)
    assert (answer.status_code // 100, answer.mimetype) == (4, "application/problem+json")


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 101}, {"order": "x"}, {"after": "x"}, {"unknown": 1}, {"status": ""}]
)
def test_bad_queries_are_told_clearly(call: Call, query: dict[str, Any]) -> None:
    assert call("GET", "/possible-matches", **query).status_code == 422


def test_unknown_things_are_not_found(call: Call) -> None:
    for method, path, body in (
        ("GET", f"/possible-matches/{new_id()}", None),
        ("GET", f"/decisions/{new_id()}", None),
        ("GET", f"/persons/{new_id()}", None),
        ("POST", f"/persons/{new_id()}/merge", {"other": str(new_id()), "reason": "names"}),
        ("POST", f"/decisions/{new_id()}/undo", {"reason": "names"}),
    ):
        assert call(method, path, body).status_code == 404, path
    for at in ("2999-01-01T00:00:00Z", "yesterday", "2026-01-01T00:00:00"):
        assert call("GET", f"/persons/{new_id()}", at=at).status_code in {400, 422}


def test_every_address_is_described(app: Flask) -> None:
    paths = app.test_client().get("/api/openapi.json").json["paths"]
    assert {"/api/v1/possible-matches", "/api/v1/decisions/{decision_id}/undo", "/api/v1/persons/{person_id}"} <= set(
        paths
    )
