"""Attack 4: a token is stolen from a log, a proxy or a holder, and shown by somebody who does not hold its key."""

import uuid
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey
from sqlalchemy import select
from werkzeug.test import TestResponse

from registry.audit.models import AuditEvent
from tests.functional.oauth.moments import After, resolve
from tests.functional.oauth.proofs import Prover, sign
from tests.functional.oauth.world import World, claims_of

SURFACES = {
    "/api/v1": ("access-request", "/api/v1/access-requests/01920000-0000-7000-8000-000000000000", 404),
    "/fhir": ("system/Patient.rs", "/fhir/Patient/01920000-0000-7000-8000-000000000000", 404),
}


@pytest.fixture(params=SURFACES)
def surface(request: pytest.FixtureRequest) -> tuple[str, str, int]:
    return SURFACES[request.param]


def show(world: World, path: str, token: str, proof: str | None, scheme: str = "DPoP") -> TestResponse:
    headers = {"Authorization": f"{scheme} {token}"} | ({"DPoP": proof} if proof is not None else {})
    return world.asking.http.get(path, headers=headers)


def refused(answer: TestResponse, error: str) -> None:
    assert answer.status_code == 401
    assert f'error="{error}"' in answer.headers["WWW-Authenticate"]


def test_with_its_key_it_opens(world: World, surface: tuple[str, str, int]) -> None:
    scope, path, found = surface
    token = world.asking.client_token(scope)
    assert show(world, path, token, world.asking.proof("GET", path, token)).status_code == found


def test_without_a_proof_or_as_a_bearer_token_it_opens_nothing(world: World, surface: tuple[str, str, int]) -> None:
    scope, path, _ = surface
    token = world.asking.client_token(scope)
    refused(show(world, path, token, None), "invalid_dpop_proof")
    refused(show(world, path, token, None, "Bearer"), "invalid_token")
    refused(show(world, path, token, world.asking.proof("GET", path, token), "Bearer"), "invalid_token")


def test_with_a_proof_of_another_key_it_opens_nothing_and_is_in_the_log(world: World) -> None:
    scope, path, _ = SURFACES["/api/v1"]
    token = world.asking.client_token(scope)
    thief = Prover(nonce=world.asking.prover.nonce)
    refused(show(world, path, token, thief.proof("GET", f"{world.asking.issuer}{path}", token)), "invalid_dpop_proof")
    query = select(AuditEvent).where(AuditEvent.action == "oauth:token:presented")
    newest = world.transact(lambda s: s.scalars(query.order_by(AuditEvent.recorded_at.desc())).first())
    assert (newest.outcome, newest.reason, newest.token_id) == ("refused", "not-proved", claims_of(token)["jti"])


def test_a_proof_that_was_captured_counts_once_even_if_what_it_asked_for_failed(world: World) -> None:
    scope, path, found = SURFACES["/api/v1"]
    token = world.asking.client_token(scope)
    captured = world.asking.proof("GET", path, token)
    assert show(world, path, token, captured).status_code == found
    refused(show(world, path, token, captured), "invalid_dpop_proof")


@pytest.mark.parametrize(
    ("claims", "opens"),
    [
        ({"htm": "POST"}, False),
        ({"htm": None}, False),
        ({"htu": "http://127.0.0.1:8000/api/v1/access-requests"}, False),
        ({"htu": "https://evil.example/api/v1/access-requests/01920000-0000-7000-8000-000000000000"}, False),
        ({"ath": None}, False),
        ({"ath": "x" * 43}, False),
        ({"ath": 7}, False),
        ({"iat": After(-62)}, False),
        ({"iat": After(61)}, False),
        ({"iat": After(10)}, True),
        ({"iat": After(-50)}, True),
        ({"jti": None}, False),
    ],
    ids=str,
)
def test_a_proof_for_something_else_or_another_time_proves_nothing(
    world: World, claims: dict[str, Any], opens: bool
) -> None:
    scope, path, found = SURFACES["/api/v1"]
    token = world.asking.client_token(scope)
    answer = show(world, path, token, world.asking.proof("GET", path, token, **resolve(claims)))
    assert answer.status_code == (found if opens else 401)


def test_a_stale_nonce_is_asked_for_anew(world: World) -> None:
    scope, path, _ = SURFACES["/api/v1"]
    token = world.asking.client_token(scope)
    for nonce in (None, "stale"):
        answer = show(world, path, token, world.asking.proof("GET", path, token, nonce=nonce))
        refused(answer, "use_dpop_nonce")
        assert answer.headers["DPoP-Nonce"] == world.asking.prover.nonce


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"jwk": ECKey.generate_key("P-256").as_dict(private=True)},
        {"jwk": OctKey.generate_key(256).as_dict(private=True)},
        {"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}},
        {"jwk": None},
        {"typ": "at+jwt"},
        {"typ": "JWT"},
    ],
)
def test_a_proof_that_brings_a_wrong_key_or_algorithm_proves_nothing(world: World, header: dict[str, Any]) -> None:
    scope, path, _ = SURFACES["/api/v1"]
    token = world.asking.client_token(scope)
    good = world.asking.proof("GET", path, token)
    claims = claims_of(good) | {"jti": uuid.uuid4().hex}
    head = {"alg": "ES256", "typ": "dpop+jwt", "jwk": world.asking.prover.key.as_dict(private=False)} | header
    head = {name: value for name, value in head.items() if value is not None}
    key = OctKey.generate_key(256) if head["alg"] == "HS256" else world.asking.prover.key
    forged = sign(head, claims, key)
    refused(show(world, path, token, forged), "invalid_dpop_proof")


def test_an_apps_bearer_token_is_not_made_a_bound_one_by_a_proof(world: World) -> None:
    path = SURFACES["/api/v1"][1]
    token = world.app_client.client_token("access-request")
    refused(show(world, path, token, world.asking.proof("GET", path, token)), "invalid_token")
    assert show(world, path, token, None, "Bearer").status_code == 404


def test_a_stolen_refresh_token_is_of_no_use_without_the_key(world: World) -> None:
    token = world.grant(scope="patient/Encounter.rs offline_access")["refresh_token"]
    thief = Prover(nonce=world.asking.prover.nonce)
    proof = {"DPoP": thief.proof("POST", f"{world.asking.issuer}/oauth/token")}
    form = {"grant_type": "refresh_token", "refresh_token": token}
    assert world.asking.post("/oauth/token", form, headers=proof).json["error"] == "invalid_grant"
    assert world.asking.refresh(token).status_code == 200
