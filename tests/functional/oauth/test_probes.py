"""What stock Authlib lets through, probe by probe: here each one fails closed. (There is no P20 and no P24.)"""

import base64
import time
import uuid
from typing import Any

import pytest
from joserfc.jwk import ECKey
from sqlalchemy import select
from werkzeug.test import TestResponse

from consent_broker.oauth.models import AccessToken, OAuthGrant
from tests.functional.oauth.proofs import sign
from tests.functional.oauth.world import ISSUER, RECORDS, World, answer_of, claims_of

CREDENTIALS = {"grant_type": "client_credentials", "scope": "system/Patient.rs"}


def error(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]


def refused(world: World, **changes: Any) -> bool:
    """Whether a client assertion changed so is no authentication."""
    answer = world.asking.post("/oauth/token", CREDENTIALS | world.asking.credentials(**changes))
    return error(answer) == (401, "invalid_client")


def forged(world: World, head: dict[str, Any] | None = None, **changes: Any) -> str:
    """A token of ours changed and signed again with our own key: only the check in question stands between."""
    signing = world.broker.keys.current()
    token = world.asking.client_token("access-request")
    header = {"alg": "ES256", "typ": "at+jwt", "kid": signing.kid} | (head or {})
    claims = {name: value for name, value in (claims_of(token) | changes).items() if value is not None}
    return sign({name: value for name, value in header.items() if value is not None}, claims, signing.key)


def opens(world: World, token: str) -> bool:
    return world.asking.get(f"/api/v1/access-requests/{uuid.uuid4()}", token).status_code != 401


def test_p1_a_confidential_client_without_pkce(world: World) -> None:
    assert world.push(code_challenge=None, code_challenge_method=None).json["error"] == "invalid_request"
    link = world.authorize(world.app_client, code_challenge=None, code_challenge_method=None)
    assert answer_of(link.location)["error"] == "invalid_request"


def test_p2_plain_pkce(world: World) -> None:
    for method in ("plain", None):
        assert world.push(code_challenge_method=method).json["error"] == "invalid_request"


def test_p3_one_code_redeemed_twice_stores_one_token(world: World) -> None:
    """Fifty at once: tests/concurrency/oauth/test_single_use.py."""
    code = world.code()
    statuses = [world.asking.redeem(*code).status_code for _ in range(2)]
    newest = select(OAuthGrant.id).order_by(OAuthGrant.created_at.desc()).limit(1).scalar_subquery()
    rows = world.transact(lambda s: s.scalars(select(AccessToken.id).where(AccessToken.grant_id == newest)).all())
    assert (statuses, len(rows)) == ([200, 400], 1)


def test_p4_a_replayed_code_ends_the_first_token(world: World) -> None:
    code = world.code()
    token = world.asking.redeem(*code).json["access_token"]
    world.asking.redeem(*code)
    read = world.asking.get(f"/exchange/fhir/Encounter?patient={world.person_id}", token)
    assert read.status_code == 401


def test_p5_a_replayed_refresh_token_ends_its_successor(world: World) -> None:
    app = world.app_client
    first = world.grant(app, scope=f"{RECORDS[0]} offline_access")["refresh_token"]
    second = app.refresh(first).json["refresh_token"]
    app.refresh(first)
    assert error(app.refresh(second)) == (400, "invalid_grant")


def test_p6_the_algorithms_of_both_profiles(world: World) -> None:
    """All of them, each for its profile alone: test_client_authentication.py."""
    for party in (world.asking, world.app_client):
        assert party.post("/oauth/token", CREDENTIALS).status_code == 200


def test_p7_an_assertion_of_ten_years(world: World) -> None:
    assert refused(world, exp=int(time.time()) + 10 * 365 * 86_400)


def test_p8_an_assertion_for_two_audiences(world: World) -> None:
    assert refused(world, aud=[ISSUER, "https://evil.example"])
    assert refused(world, aud=[ISSUER])


def test_p9_an_assertion_without_iat(world: World) -> None:
    assert refused(world, iat=None)


def test_p10_one_jti_twice(world: World) -> None:
    jti = uuid.uuid4().hex
    assert world.asking.post("/oauth/token", CREDENTIALS | world.asking.credentials(jti=jti)).status_code == 200
    assert refused(world, jti=jti)


def test_p11_basic_and_an_assertion_together(world: World) -> None:
    basic = {"Authorization": f"Basic {base64.b64encode(b'sihce-a:x').decode()}"}
    answer = world.asking.post("/oauth/token", CREDENTIALS | world.asking.credentials(), headers=basic)
    assert error(answer) == (400, "invalid_request")


def test_p12_parameters_in_the_query_of_the_token_endpoint(world: World) -> None:
    answer = world.asking.http.post("/oauth/token", query_string=CREDENTIALS, data=world.asking.credentials())
    assert error(answer) == (400, "invalid_request")


def test_p13_a_parameter_twice_in_the_body(world: World) -> None:
    form = CREDENTIALS | world.asking.credentials() | {"scope": ["system/Patient.rs", "system/Patient.cu"]}
    assert error(world.asking.http.post("/oauth/token", data=form)) == (400, "invalid_request")


def test_p14_a_scope_wider_than_the_clients(world: World) -> None:
    for scope in ("system/Patient.rs system/*.cruds", "openid", "patient/Condition.rs"):
        assert error(world.asking.post("/oauth/token", CREDENTIALS | {"scope": scope})) == (400, "invalid_scope")


def test_p15_a_basic_secret_with_an_accent(world: World) -> None:
    basic = {"Authorization": f"Basic {base64.b64encode('sihce-a:ñ'.encode()).decode()}"}
    assert world.asking.http.post("/oauth/token", data=CREDENTIALS, headers=basic).status_code in {400, 401}


def test_p16_an_error_before_consent_names_the_issuer(world: World) -> None:
    answer = answer_of(world.authorize(world.app_client, scope="openid").location)
    assert (answer["error"], answer["iss"]) == ("invalid_scope", ISSUER)


def test_p17_one_parameter_in_query_and_body_of_the_authorization_endpoint(world: World) -> None:
    form = world.asked(world.app_client)
    answer = world.app_client.http.post("/oauth/authorize?state=other", data=form)
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


def test_p18_basic_at_the_revocation_endpoint(world: World) -> None:
    basic = {"Authorization": f"Basic {base64.b64encode(b'sihce-a:x').decode()}"}
    answer = world.asking.http.post("/oauth/revoke", data={"token": "x"}, headers=basic)
    assert answer.status_code in {400, 401}


def test_p18b_a_client_id_alone_at_the_revocation_endpoint(world: World) -> None:
    answer = world.asking.http.post("/oauth/revoke", data={"token": "x", "client_id": "sihce-a"})
    assert error(answer) == (401, "invalid_client")


def test_p19_a_token_of_any_length_is_stored_by_its_name(world: World) -> None:
    token = world.asking.client_token("system/Patient.rs system/Patient.cu")
    assert len(token) > 255
    row = world.transact(lambda session: session.get(AccessToken, uuid.UUID(claims_of(token)["jti"])))
    assert token not in repr(vars(row))


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "dpop+jwt"])
def test_p21_a_token_without_its_type(world: World, typ: str | None) -> None:
    assert not opens(world, forged(world, {"typ": typ}))
    assert opens(world, forged(world))


@pytest.mark.parametrize("audience", [None, f"{ISSUER}/fhir", [f"{ISSUER}/api/v1"], "https://evil.example"])
def test_p22_a_token_for_another_audience_or_none(world: World, audience: Any) -> None:
    assert not opens(world, forged(world, aud=audience))


def test_p23_introspection_of_a_token_without_scope(world: World) -> None:
    assert world.asking.introspect(forged(world, scope=None)) == {"active": False}


def test_p25_introspection_of_a_token_of_another_issuer(world: World) -> None:
    assert world.asking.introspect(forged(world, iss="https://evil.example")) == {"active": False}
    foreign = sign({"alg": "ES256", "typ": "at+jwt", "kid": "x"}, {"iss": ISSUER}, ECKey.generate_key("P-256"))
    assert world.asking.introspect(foreign) == {"active": False}


@pytest.mark.parametrize("garbage", ["x", "a.b.c", "ñ", "{}", "x" * 8000, "eyJhbGciOiJub25lIn0.e30."])
def test_p26_introspection_of_garbage(world: World, garbage: str) -> None:
    assert world.asking.introspect(garbage) == {"active": False}
