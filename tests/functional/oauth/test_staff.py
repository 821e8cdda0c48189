"""A Minsa workbench names the steward who works through it, and nobody else."""

import time
import uuid
from typing import Any

import pytest
from joserfc import jwt
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from matching.records import Document, DocumentType
from registry.audit.models import AuditEvent
from registry.database import now
from registry.directory.documents import document_token
from registry.directory.models import RecordSystem, StaffRole
from tests.functional.oauth.world import RECORDS, SYSTEM, Party, World

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture(scope="module")
def steward(world: World) -> str:
    """A steward's handle; the asking client may name stewards."""
    token = document_token(world.renhice.sealer, Document(DocumentType.DNI, "80000001"))

    def appoint(session: Any) -> None:
        session.add(StaffRole(document_token=token, sealed=b"-", role="steward", valid_until=now().replace(year=2099)))
        mine = update(RecordSystem).where(RecordSystem.client_id == world.asking.client_id)
        session.execute(mine.values(scopes=[*SYSTEM, *RECORDS, "launch", "offline_access", "steward"]))

    world.transact(appoint)
    return token.hex()


def named(party: Party, sub: Any, **changes: Any) -> str:
    moment = int(time.time())
    claims = {"iss": party.client_id, "sub": sub, "aud": party.audience, "iat": moment, "exp": moment + 60,
              "jti": uuid.uuid4().hex} | changes  # fmt: skip
    header = {"alg": party.algorithm, "kid": party.key.kid, "typ": "JWT"}
    return jwt.encode(header, claims, party.key, algorithms=[party.algorithm], default_type=None)


def ask(party: Party, assertion: str | None, scope: str | None = "steward") -> TestResponse:
    form = {"grant_type": GRANT, "assertion": assertion, "scope": scope}
    return party.post("/oauth/token", {name: value for name, value in form.items() if value is not None})


def test_token_names_the_steward_and_opens_the_worklist(world: World, steward: str) -> None:
    answer = ask(world.asking, named(world.asking, steward))
    assert (answer.status_code, answer.json["scope"]) == (200, "steward")
    listed = world.asking.get("/api/v1/possible-matches", answer.json["access_token"])
    assert (listed.status_code, listed.json) == (200, {"items": [], "total": 0})
    token = select(AuditEvent).where(AuditEvent.action == "oauth:token:issued", AuditEvent.actor_role == "steward")
    assert world.transact(lambda session: session.scalars(token).first()) is not None


def test_role_that_ended_opens_nothing_from_then_on(world: World, steward: str) -> None:
    token = ask(world.asking, named(world.asking, steward)).json["access_token"]
    world.transact(lambda session: session.execute(update(StaffRole).values(ended_at=now())))
    try:
        assert world.asking.get("/api/v1/possible-matches", token).json["code"] == "not-a-steward"
        assert ask(world.asking, named(world.asking, steward)).json["error"] == "invalid_grant"
    finally:
        world.transact(lambda session: session.execute(update(StaffRole).values(ended_at=None)))


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "f" * 32},
        {"sub": "40718293"},
        {"sub": None},
        {"sub": 7},
        {"iss": "sihce-b"},
        {"aud": "https://elsewhere.example"},
        {"exp": 1},
        {"jti": ""},
    ],
)
def test_assertion_that_names_nobody_or_is_not_the_clients_own_is_refused(
    world: World, steward: str, changes: dict[str, Any]
) -> None:
    answer = ask(world.asking, named(world.asking, **({"sub": steward} | changes)))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")


def test_assertion_is_used_once_and_signed_by_the_client(world: World, steward: str) -> None:
    assertion = named(world.asking, steward)
    assert ask(world.asking, assertion).status_code == 200
    assert ask(world.asking, assertion).json["error"] == "invalid_grant"
    others = named(world.holding, steward, iss=world.asking.client_id)
    assert ask(world.asking, others).json["error"] == "invalid_grant"
    for garbage in ("x", "a.b.c", "ñ"):
        assert ask(world.asking, garbage).json["error"] == "invalid_grant"
    assert ask(world.asking, None).json["error"] == "invalid_request"


def test_scope_is_for_clients_registered_for_it_and_no_other_road(world: World, steward: str) -> None:
    assert ask(world.holding, named(world.holding, steward)).json["error"] == "invalid_scope"
    for scope in ("system/Patient.rs", "steward system/Patient.rs", "", None):
        assert ask(world.asking, named(world.asking, steward), scope).json["error"] == "invalid_scope"
    plain = world.asking.post("/oauth/token", {"grant_type": "client_credentials", "scope": "steward"})
    assert plain.json["error"] == "invalid_scope"
    token = world.asking.client_token("access-request")
    assert world.asking.get("/api/v1/possible-matches", token).json["code"] == "insufficient-scope"
