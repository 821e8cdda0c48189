"""Modules of the OpenID FAPI 2.0 suite about authorization requests; each test has its module's name."""

from typing import Any

import pytest
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from consent_broker.oauth import authorizations
from consent_broker.oauth.models import AuthorizationRequest
from registry.database import now
from registry.errors import Conflict
from tests.functional.oauth.world import ISSUER, RECORDS, Party, World, answer_of, claims_of, pkce


def open_page(party: Party, request_uri: str, **more: str) -> TestResponse:
    """The browser arrives with a reference, and whatever else its address carries."""
    query = {"client_id": party.client_id, "request_uri": request_uri} | more
    return party.http.get("/oauth/authorize", query_string=query)


def pushed(world: World, **changes: Any) -> str:
    answer = world.push(**changes)
    assert answer.status_code == 201, answer.text
    return str(answer.json["request_uri"])


def challenge_of(page: TestResponse) -> str:
    assert page.status_code == 303, page.text
    assert page.location.startswith(f"{ISSUER}/autorizar/")
    return page.location.rpartition("/")[2]


def refused_page(page: TestResponse) -> None:
    """Shown to the person, redirected nowhere."""
    assert (page.status_code, page.mimetype, "Location" in page.headers) == (400, "text/html", False)


def refused_push(answer: TestResponse, *errors: str) -> None:
    assert answer.status_code == 400
    assert answer.json["error"] in errors
    assert "request_uri" not in answer.json


def test_fapi2_discovery_end_point_verification(world: World) -> None:
    found = world.asking.http.get("/.well-known/oauth-authorization-server").json
    assert found["issuer"] == ISSUER
    assert found["authorization_response_iss_parameter_supported"] is True
    assert found["response_types_supported"] == ["code"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert {"PS256", "ES256"} <= set(found["token_endpoint_auth_signing_alg_values_supported"])
    assert set(found["dpop_signing_alg_values_supported"]) == {"ES256", "PS256", "EdDSA", "Ed25519"}
    assert found["pushed_authorization_request_endpoint"] == f"{ISSUER}/oauth/par"
    assert not {"password", "implicit"} & set(found["grant_types_supported"])
    for name in ("authorization", "token", "introspection", "revocation"):
        path = found[f"{name}_endpoint"].removeprefix(ISSUER)
        assert world.asking.http.open(path, method="POST").status_code in {400, 401}, name


def test_fapi2_happy_path(world: World) -> None:
    verifier, code_challenge = pkce()
    page = open_page(world.asking, pushed(world, code_challenge=code_challenge, state="s1"))
    answer = answer_of(world.accept(challenge_of(page)))
    assert (answer["state"], answer["iss"]) == ("s1", ISSUER)
    token = world.asking.redeem(answer["code"], verifier)
    assert token.status_code == 200
    assert (token.json["token_type"], token.headers["Cache-Control"]) == ("DPoP", "no-store")
    assert claims_of(token.json["access_token"])["cnf"] == {"jkt": world.asking.prover.thumbprint}
    read = world.asking.get(f"/exchange/fhir/Encounter?patient={world.person_id}", token.json["access_token"])
    assert read.status_code == 200


def test_fapi2_user_rejects_authentication(world: World) -> None:
    challenge, evidence = world.challenge(), world.evidence()
    url = world.transact(lambda session: authorizations.reject(session, world.broker, challenge, evidence))
    answer = answer_of(url)
    assert (answer["error"], answer["state"], answer["iss"]) == ("access_denied", "xyz", ISSUER)
    assert "code" not in answer


def test_fapi2_ensure_authorization_request_with_long_state(world: World) -> None:
    state = "s" * 1_100
    assert answer_of(world.accept(world.challenge(state=state)))["state"] == state


def test_fapi2_ensure_authorization_request_without_state_success(world: World) -> None:
    answer = answer_of(world.accept(world.challenge(state=None)))
    assert answer.keys() == {"code", "iss"}


def test_fapi2_ensure_different_state_inside_and_outside_request_object(world: World) -> None:
    page = open_page(world.asking, pushed(world, state="inside"), state="outside")
    assert answer_of(world.accept(challenge_of(page)))["state"] == "inside"


def test_fapi2_state_only_outside_request_object_not_used(world: World) -> None:
    page = open_page(world.asking, pushed(world, state=None), state="outside")
    assert "state" not in answer_of(world.accept(challenge_of(page)))


def test_fapi2_ensure_redirect_uri_in_authorization_request(world: World) -> None:
    refused_push(world.push(redirect_uri=None), "invalid_request")
    outside = open_page(world.asking, pushed(world), redirect_uri="https://evil.example/")
    assert world.accept(challenge_of(outside)).startswith(f"{world.asking.redirect_uri}?")


def test_fapi2_ensure_request_object_without_redirect_uri_fails(world: World) -> None:
    refused_push(world.push(redirect_uri=""), "invalid_request")


def test_fapi2_plain_fapi_tolerate_unregistered_redirect_uri(world: World) -> None:
    """The module tolerates either; here an address must be registered (no redirection is decided by a request)."""
    refused_push(world.push(redirect_uri="https://sihce.example/unregistered"), "invalid_request")


def test_fapi2_ensure_response_type_code_idtoken_fails(world: World) -> None:
    refused_push(world.push(response_type="code id_token"), "unsupported_response_type")


def test_fapi2_ensure_response_type_token_fails(world: World) -> None:
    refused_push(world.push(response_type="token"), "unsupported_response_type")


def test_fapi2_ensure_unsigned_authorization_request_without_using_par_fails(world: World) -> None:
    page = world.asking.http.get("/oauth/authorize", query_string=world.asked(world.asking))
    answer = answer_of(page.location)
    assert page.location.startswith(f"{world.asking.redirect_uri}?")
    assert (answer["error"], answer["iss"], answer["state"]) == ("invalid_request", ISSUER, "xyz")


def test_fapi2_par_attempt_reuse_request_uri(world: World) -> None:
    request_uri = pushed(world)
    challenge = challenge_of(open_page(world.asking, request_uri))
    world.accept(challenge)
    refused_page(open_page(world.asking, request_uri))
    with pytest.raises(Conflict):
        world.accept(challenge)


def test_fapi2_par_ensure_reused_request_uri_prior_to_auth_completion_succeeds(world: World) -> None:
    request_uri = pushed(world)
    first, second = (challenge_of(open_page(world.asking, request_uri)) for _ in range(2))
    assert "code" in answer_of(world.accept(second))
    with pytest.raises(Conflict):
        world.accept(first)


def test_fapi2_par_attempt_to_use_expired_request_uri(world: World) -> None:
    answer = world.push()
    assert answer.json["expires_in"] <= 90
    newest = select(AuthorizationRequest.challenge_hash).order_by(AuthorizationRequest.created_at.desc()).limit(1)
    expired = update(AuthorizationRequest).where(AuthorizationRequest.challenge_hash == newest.scalar_subquery())
    world.transact(lambda session: session.execute(expired.values(pushed_until=now())))
    refused_page(open_page(world.asking, answer.json["request_uri"]))


def test_fapi2_par_attempt_to_use_request_uri_for_different_client(world: World) -> None:
    request_uri = pushed(world)
    for other in (world.holding, world.app_client):
        page = open_page(other, request_uri)
        assert page.status_code == 400
        assert "Location" not in page.headers
    assert challenge_of(open_page(world.asking, request_uri))


def test_fapi2_par_attempt_invalid_http_method(world: World) -> None:
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = world.asking.http.open("/oauth/par", method=method, query_string=world.asked(world.asking))
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST"), method


def test_fapi2_par_authorization_request_containing_request_uri_form_param(world: World) -> None:
    refused_push(world.push(request_uri=pushed(world)), "invalid_request")
    refused_push(world.push(request_uri="https://evil.example/request.jwt"), "invalid_request")


def test_fapi2_par_without_duplicate_parameters(world: World) -> None:
    """The address carries the client and the reference only; a parameter given twice is refused."""
    request_uri = pushed(world)
    assert challenge_of(open_page(world.asking, request_uri))
    twice = [("client_id", "sihce-a"), ("request_uri", request_uri), ("request_uri", pushed(world))]
    refused_page(world.asking.http.get("/oauth/authorize", query_string=twice))
    form = world.asked(world.asking) | world.asking.credentials() | {"scope": [RECORDS[0], RECORDS[1]]}
    refused_push(world.asking.http.post("/oauth/par", data=form), "invalid_request")


def test_fapi2_par_ensure_pkce_required(world: World) -> None:
    refused_push(world.push(code_challenge=None, code_challenge_method=None), "invalid_request")
    refused_push(world.push(code_challenge=None), "invalid_request")


def test_fapi2_par_plain_pkce_rejected(world: World) -> None:
    refused_push(world.push(code_challenge_method="plain"), "invalid_request")
    refused_push(world.push(code_challenge_method=None), "invalid_request")
