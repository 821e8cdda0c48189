"""Attack 15: the server is kept busy or filled up: large bodies and tokens, used ids for ever, floods of failures."""

import base64
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from consent_broker.oauth import throttling
from consent_broker.oauth.models import ClientAssertion, UsedProof
from consent_broker.oauth.tasks import purge_credentials
from registry.audit.models import AuditEvent
from registry.database import now
from tests.functional.oauth.world import World

FORM = {"grant_type": "client_credentials", "scope": "access-request"}
ENDPOINTS = ["/oauth/token", "/oauth/par", "/oauth/introspect", "/oauth/revoke", "/oauth/device_authorization"]


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_large_body_is_refused(world: World, path: str) -> None:
    answer = world.asking.http.post(path, data=FORM | world.asking.credentials() | {"x": "y" * 70_000})
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ENDPOINTS)
def test_many_parameters_or_a_long_one_are_refused(world: World, path: str) -> None:
    good = FORM | world.asking.credentials()
    for more in ({f"p{number}": "1" for number in range(40)}, {"x": "y" * 9_000}):
        assert world.asking.http.post(path, data=good | more).status_code == 400


def padded(world: World, size: int) -> str:
    return world.asking.assertion(padding="x" * size)


def test_a_large_token_is_refused_unread(world: World) -> None:
    answer = world.asking.post(
        "/oauth/token", FORM | world.asking.credentials() | {"client_assertion": padded(world, 9000)}
    )
    assert answer.status_code in {400, 401}
    bearer = {"Authorization": f"DPoP {'a' * 9000}.b.c"}
    assert world.asking.http.get("/api/v1/access-requests/x", headers=bearer).status_code in {401, 404}
    big = world.asking.proof("POST", "/oauth/token", padding="x" * 9000)
    assert world.asking.post("/oauth/token", FORM, headers={"DPoP": big}).json["error"] == "invalid_dpop_proof"


def test_compressed_and_password_based_tokens_are_not_opened(world: World) -> None:
    """PBES2 with ten million rounds, and a zipped payload (joserfc CVE-2026-27932): refused by their header alone."""
    started = time.process_time()
    for header in (
        {"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 10_000_000, "p2s": "AA"},
        {"alg": "dir", "enc": "A256GCM", "zip": "DEF"},
        {"alg": "ES256", "zip": "DEF"},
    ):
        head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
        for token in (f"{head}.AA.AA.AA.AA", f"{head}.e30.AA"):
            answer = world.asking.post("/oauth/token", FORM | {"client_assertion": token} | assertion_type())
            assert answer.status_code == 401
    assert time.process_time() - started < 2


def assertion_type() -> dict[str, str]:
    return {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}


def test_used_ids_do_not_stay_for_ever(world: World) -> None:
    world.asking.client_token("access-request")

    def count() -> int:
        counts = [select(func.count()).select_from(table) for table in (ClientAssertion, UsedProof)]
        return sum(world.transact(lambda session, c=one: session.scalar(c)) or 0 for one in counts)

    assert count() >= 2
    with world.renhice.database.unit_of_work():
        purge_credentials()
    assert count() >= 2, "what may still be replayed stays"
    for table in (ClientAssertion, UsedProof):
        ended = update(table).values(expires_at=now() - timedelta(seconds=1))
        world.transact(lambda session, statement=ended: session.execute(statement))
    with world.renhice.database.unit_of_work():
        purge_credentials()
    assert count() == 0


def test_nobody_unknown_fills_the_table_of_proofs(world: World) -> None:
    world.asking.client_token("access-request")
    count = select(func.count()).select_from(UsedProof)
    before = world.transact(lambda session: session.scalar(count))
    for _ in range(5):
        proof = {"DPoP": world.asking.proof("POST", "/oauth/token")}
        form = FORM | assertion_type() | {"client_assertion": "a.b.c"}
        assert world.asking.http.post("/oauth/token", data=form, headers=proof).status_code == 401
    assert world.transact(lambda session: session.scalar(count)) == before


def fail(world: World, address: str) -> TestResponse:
    forged = world.asking.credentials(aud="https://evil.example")
    origin = {"REMOTE_ADDR": address}
    return world.asking.http.post("/oauth/token", data=FORM | forged, environ_overrides=origin)


def failures_in_log(world: World) -> int:
    query = select(func.count()).where(
        AuditEvent.action == "oauth:client:authenticated",
        AuditEvent.outcome == "refused",
        AuditEvent.client_id == world.asking.client_id,
    )
    return world.transact(lambda session: session.scalar(query)) or 0


def test_a_flood_of_failures_is_told_to_wait_fills_no_log_and_locks_nobody_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttling, "LIMIT", 5)
    before = failures_in_log(world)
    statuses = [fail(world, "198.51.100.7").status_code for _ in range(20)]
    assert statuses == [401] * 5 + [429] * 15
    assert fail(world, "198.51.100.7").headers["Retry-After"] == "60"
    assert failures_in_log(world) == before + 5
    assert fail(world, "198.51.100.8").status_code == 401, "another address is not told to wait"
    for address in ("198.51.100.7", "198.51.100.8"):
        origin: Any = {"REMOTE_ADDR": address}
        good = world.asking.post("/oauth/token", FORM, environ_overrides=origin)
        assert good.status_code == 200, "the client itself is never locked out"
    later = time.monotonic() + throttling.WINDOW + 1
    monkeypatch.setattr(world.broker.failures, "_clock", lambda: later)
    assert fail(world, "198.51.100.7").status_code == 401
