"""The token endpoint: strict parameters, exact scopes, codes and refresh tokens that are used once."""

import time
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from consent_broker.oauth.models import AuthorizationCode, OAuthGrant
from registry.audit.models import AuditEvent
from registry.database import now
from tests.functional.oauth.world import ISSUER, RECORDS, World, claims_of, pkce

CREDENTIALS = {"grant_type": "client_credentials", "scope": "system/Patient.rs"}


def error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]


def test_a_client_token_is_for_one_surface(world: World) -> None:
    claims = claims_of(world.asking.client_token("system/Patient.rs system/Patient.cu"))
    assert (claims["aud"], claims["sub"]) == (f"{ISSUER}/fhir", "sihce-a")
    assert claims["scope"] == "system/Patient.cu system/Patient.rs"
    mixed = world.asking.post("/oauth/token", CREDENTIALS | {"scope": "system/Patient.rs access-request"})
    assert error(mixed) == (400, "invalid_scope")


def test_a_backend_service_gets_a_short_token_and_none_to_renew_it_with(world: World) -> None:
    """SMART App Launch 2.2, Backend Services: 300 s, no refresh token, a scope must be asked for."""
    app = world.app_client
    token = app.post("/oauth/token", CREDENTIALS | {"scope": "system/Patient.rs"}).json
    assert token.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (token["token_type"], token["expires_in"], token["scope"]) == ("Bearer", 300, "system/Patient.rs")
    assert error(app.post("/oauth/token", {"grant_type": "client_credentials"})) == (400, "invalid_scope")


def test_smart_v1_spellings_are_understood(world: World) -> None:
    assert claims_of(world.asking.client_token("system/Patient.read"))["scope"] == "system/Patient.rs"
    assert claims_of(world.asking.client_token("system/Patient.write"))["scope"] == "system/Patient.cu"


@pytest.mark.parametrize(
    "scope",
    ["", " ", "system/*.*", "system/Patient.rs system/Patient.d", "patient/AllergyIntolerance.rs", "offline_access",
     "system/Patient.rs  access-request", "x" * 200, "sýstem", "system/Patient.rs\ttab", "system/Patient.dus",
     "system/Patient.sr", "system/Patient.", "system/Patient.reads", "system/Patient.rs?", "system/Patient.rs?name=x"],
)  # fmt: skip
def test_a_scope_out_of_reach_is_refused_and_never_narrowed(world: World, scope: str) -> None:
    assert error(world.asking.post("/oauth/token", CREDENTIALS | {"scope": scope})) == (400, "invalid_scope")


def test_parameters_belong_in_the_body_once_and_small(world: World) -> None:
    form = CREDENTIALS | world.asking.credentials()
    http = world.asking.http
    assert error(http.post("/oauth/token?grant_type=client_credentials", data=form)) == (400, "invalid_request")
    assert error(http.post("/oauth/token", data=form | {"scope": ["a", "b"]})) == (400, "invalid_request")
    assert error(http.post("/oauth/token", json=form)) == (400, "invalid_request")
    assert error(http.post("/oauth/token", data=form | {"x": "y" * 9000})) == (400, "invalid_request")
    assert error(http.post("/oauth/token", data=form | {"x": "\x00"})) == (400, "invalid_request")
    assert http.post("/oauth/token", data=form | {"x": "y" * 100_000}).status_code == 413
    many = {f"p{number}": "v" for number in range(60)}
    assert error(http.post("/oauth/token", data=form | many)) == (400, "invalid_request")
    assert http.get("/oauth/token").status_code == 405


@pytest.mark.parametrize("grant_type", ["password", "implicit", "ñ", "urn:ietf:params:oauth:grant-type:saml2-bearer"])
def test_other_grants_are_not_offered(world: World, grant_type: str) -> None:
    answer = world.asking.post("/oauth/token", {"grant_type": grant_type})
    assert error(answer) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("form", [{}, {"grant_type": ""}], ids=str)
def test_a_request_without_a_grant_type_is_invalid(world: World, form: dict[str, str]) -> None:
    assert error(world.asking.post("/oauth/token", form)) == (400, "invalid_request")


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": None},
        {"code_verifier": "short"},
        {"code_verifier": "x" * 43},
        {"redirect_uri": "https://sihce.example/other"},
        {"redirect_uri": None},
        {"code": "unknown"},
        {"code": None},
        {"code": "ñ\ud800".encode("utf-8", "replace").decode()},
    ],
    ids=str,
)
def test_a_code_needs_its_verifier_and_its_redirect(world: World, changes: dict[str, Any]) -> None:
    answer = world.asking.redeem(*world.code(), **changes)
    assert answer.status_code == 400
    assert answer.json["error"] in {"invalid_grant", "invalid_request"}


def test_a_wrong_verifier_costs_the_code(world: World) -> None:
    code, verifier = world.code()
    assert world.asking.redeem(code, pkce()[0]).status_code == 400
    assert error(world.asking.redeem(code, verifier)) == (400, "invalid_grant")


def test_a_code_of_another_client_is_unknown_and_stays_good(world: World) -> None:
    code, verifier = world.code()
    assert error(world.holding.redeem(code, verifier)) == (400, "invalid_grant")
    assert world.asking.redeem(code, verifier).status_code == 200


def test_an_expired_code_is_refused(world: World) -> None:
    code, verifier = world.code()
    world.transact(lambda session: session.execute(update(AuthorizationCode).values(expires_at=now())))
    assert error(world.asking.redeem(code, verifier)) == (400, "invalid_grant")


def test_codes_live_a_minute_at_most(world: World) -> None:
    world.code()
    query = select(AuthorizationCode.expires_at).order_by(AuthorizationCode.expires_at.desc()).limit(1)
    assert world.transact(lambda session: session.scalar(query)).timestamp() <= time.time() + 60


def test_replaying_a_code_kills_what_it_gave(world: World) -> None:
    code, verifier = world.code(scope=f"{RECORDS[0]} offline_access")
    token = world.asking.redeem(code, verifier).json
    assert error(world.asking.redeem(code, verifier)) == (400, "invalid_grant")
    assert error(world.asking.refresh(token["refresh_token"])) == (400, "invalid_grant")
    read = world.asking.get(f"/exchange/fhir/AllergyIntolerance?patient={world.person_id}", token["access_token"])
    assert read.status_code == 401


def test_replaying_an_apps_refresh_token_kills_its_successor(world: World) -> None:
    app = world.app_client
    first = world.grant(app, scope=f"{RECORDS[0]} offline_access")
    second = app.refresh(first["refresh_token"]).json
    assert error(app.refresh(first["refresh_token"])) == (400, "invalid_grant")
    assert error(app.refresh(second["refresh_token"])) == (400, "invalid_grant")
    query = select(OAuthGrant.revoked_because).order_by(OAuthGrant.created_at.desc()).limit(1)
    assert world.transact(lambda session: session.scalar(query)) == "refresh-token-replayed"


def test_a_refresh_never_widens(world: World) -> None:
    first = world.grant(scope=f"{RECORDS[0]} offline_access")
    assert error(world.asking.refresh(first["refresh_token"], scope=RECORDS[1])) == (400, "invalid_scope")


def test_a_refresh_token_of_another_client_is_unknown(world: World) -> None:
    token = world.grant(scope=f"{RECORDS[0]} offline_access")["refresh_token"]
    assert error(world.holding.refresh(token)) == (400, "invalid_grant")
    with_its_key = replace(world.holding, prover=world.asking.prover)
    assert error(with_its_key.refresh(token)) == (400, "invalid_grant")
    assert world.asking.refresh(token).status_code == 200


def test_every_token_has_its_decision_and_issue_in_the_log(world: World) -> None:
    token = world.grant(scope=RECORDS[0])
    jti = claims_of(token["access_token"])["jti"]
    query = select(AuditEvent).where(AuditEvent.token_id == jti)
    issued = world.transact(lambda session: session.scalars(query).one())
    assert (issued.action, issued.outcome, issued.person_id) == ("oauth:token:issued", "success", world.person_id)
    decided = select(AuditEvent).where(
        AuditEvent.request_id == issued.request_id, AuditEvent.action == "consent:access:decided"
    )
    decision = world.transact(lambda session: session.scalars(decided).one())
    assert decision.recorded_at <= issued.recorded_at
    assert decision.detail["policy"]
    assert decision.detail["explanation"][0].startswith("allergies: permitted")
