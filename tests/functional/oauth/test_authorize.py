"""Asking for an authorization, by an app's link or pushed, and the patient's answer: the browser is not believed."""

import uuid
from typing import Any

import pytest
from sqlalchemy import update

from consent_broker.consents.access_requests import deny_request
from consent_broker.oauth import authorizations
from consent_broker.oauth.models import AuthorizationRequest
from registry.database import now
from registry.directory.models import RecordSystem
from registry.errors import Conflict, Forbidden, NotFound
from tests.functional.oauth.world import ISSUER, RECORDS, World, answer_of


@pytest.mark.parametrize(
    "redirect_uri",
    [
        None,
        "https://evil.example/",
        "https://sihce.example/callback/",
        "https://sihce.example/callback#x",
        "https://sihce.example/callback?x=1",
        "https://sihce.example@evil.example/callback",
        "https://sihce.example%2f@evil.example/callback",
        "https://SIHCE.example/callback",
        "http://sihce.example/callback",
        "javascript:alert(1)//sihce.example/callback",
        "//sihce.example/callback",
        "https://sihce.example/callback\r\nLocation: https://evil.example",
        "data:text/html,x",
    ],
)
@pytest.mark.parametrize("more", [{}, {"response_type": "token"}, {"response_type": "none x"}, {"scope": "openid"}])
def test_nobody_is_sent_to_an_address_that_is_not_registered(
    world: World, redirect_uri: str | None, more: dict[str, str]
) -> None:
    for address in (redirect_uri, redirect_uri and redirect_uri.replace("sihce.example", "app.example")):
        answer = world.authorize(world.app_client, redirect_uri=address, **more)
        assert answer.status_code == 400
        assert "Location" not in answer.headers
        assert "evil" not in answer.text
    pushed = world.push(redirect_uri=redirect_uri, **more)
    assert (pushed.status_code, pushed.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("client_id", [None, "nobody", "x" * 5000, "sihce-a ", "ñ"])
def test_an_unknown_client_is_never_redirected(world: World, client_id: str | None) -> None:
    answer = world.authorize(world.app_client, client_id=client_id)
    assert (answer.status_code, "Location" in answer.headers) == (400, False)
    assert answer.mimetype == "text/html"
    assert "No se compartió nada" in answer.text


@pytest.mark.parametrize("registered", ["http://evil.example/cb", "javascript:alert(1)", "https://u:p@a.example/cb"])
def test_even_a_registered_address_must_be_one_codes_may_go_to(world: World, registered: str) -> None:
    for party in (world.app_client, world.asking):
        mine = update(RecordSystem).where(RecordSystem.client_id == party.client_id)
        world.transact(lambda session, mine=mine: session.execute(mine.values(redirect_uris=[registered])))
        try:
            ask = world.push if party is world.asking else world.authorize
            assert ask(party, redirect_uri=registered).status_code == 400
        finally:
            good = mine.values(redirect_uris=[party.redirect_uri])
            world.transact(lambda session, good=good: session.execute(good))


BAD_REQUESTS = [
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"response_type": None}, "invalid_request"),
    ({"response_mode": "form_post"}, "invalid_request"),
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"code_challenge": "x" * 44}, "invalid_request"),
    ({"request": "eyJ"}, "request_not_supported"),
    ({"scope": None}, "invalid_scope"),
    ({"scope": "openid"}, "invalid_scope"),
    ({"scope": "patient/*.rs"}, "invalid_scope"),
    ({"scope": "patient/Condition.rs"}, "invalid_scope"),
    ({"scope": "offline_access"}, "invalid_scope"),
    ({"scope": f"{RECORDS[0]} system/Patient.rs"}, "invalid_scope"),
    ({"aud": "https://evil.example"}, "invalid_request"),
    ({"resource": f"{ISSUER}/fhir"}, "invalid_target"),
    ({"launch": "x"}, "invalid_request"),
    ({"launch": "01920000-0000-7000-8000-000000000000"}, "invalid_request"),
    ({"state": "s" * 3000}, "invalid_request"),
]


@pytest.mark.parametrize(("changes", "error"), BAD_REQUESTS, ids=lambda value: str(value)[:60])
def test_a_record_system_is_told_at_once(world: World, changes: dict[str, Any], error: str) -> None:
    answer = world.push(**changes)
    assert (answer.status_code, answer.json["error"]) == (400, error)
    assert "request_uri" not in answer.json


@pytest.mark.parametrize(
    ("changes", "error"),
    [*BAD_REQUESTS, ({"request_uri": "https://evil.example"}, "request_uri_not_supported")],
    ids=lambda value: str(value)[:60],
)
def test_an_app_is_told_by_303_with_issuer_and_state(world: World, changes: dict[str, Any], error: str) -> None:
    answer = world.authorize(world.app_client, **changes)
    assert answer.status_code == 303
    assert answer.location.startswith(f"{world.app_client.redirect_uri}?")
    parameters = answer_of(answer.location)
    assert (parameters["error"], parameters["iss"]) == (error, ISSUER)
    assert parameters["state"] in {"xyz", "s" * 2048}


def test_a_long_state_and_smart_aud_come_through(world: World) -> None:
    challenge = world.challenge(state="ñ" * 1000, aud=f"{ISSUER}/exchange/fhir")
    assert answer_of(world.accept(challenge))["state"] == "ñ" * 1000


def test_a_request_may_be_posted_but_not_split_or_repeated(world: World) -> None:
    form, http = world.asked(world.app_client), world.app_client.http
    assert http.post("/oauth/authorize", data=form).status_code == 303
    assert http.post("/oauth/authorize?state=1", data=form).status_code == 400
    twice = http.get("/oauth/authorize", query_string=[*form.items(), ("redirect_uri", "https://evil.example")])
    assert (twice.status_code, "Location" in twice.headers) == (400, False)


def test_the_launch_of_another_establishment_or_person_is_unknown(world: World) -> None:
    request = world.request_access()
    foreign = world.authorize(world.app_client, launch=request["id"])
    assert answer_of(foreign.location)["error"] == "invalid_request"
    assert world.push(world.holding, launch=request["id"]).json["error"] == "invalid_request"
    challenge = world.challenge(launch=request["id"])
    with pytest.raises(NotFound):
        world.accept(challenge, world.other_person_id)
    with pytest.raises(NotFound):
        look(world, challenge, world.other_person_id)
    assert look(world, challenge, world.person_id).professional_id == world.professional_id


def look(world: World, challenge: str, person_id: uuid.UUID) -> authorizations.Authorization:
    return world.transact(lambda session: authorizations.get_authorization(session, challenge, person_id))


def test_the_scope_may_not_exceed_the_launch(world: World) -> None:
    request = world.request_access(categories=["allergies"])
    assert world.push(launch=request["id"], scope=" ".join(RECORDS)).json["error"] == "invalid_scope"
    challenge = world.challenge(launch=request["id"], scope=None)
    assert look(world, challenge, world.person_id).categories == {"allergies"}


def test_an_answered_or_old_challenge_is_over(world: World) -> None:
    challenge = world.challenge()
    world.accept(challenge)
    for again in (lambda: world.accept(challenge), lambda: look(world, challenge, world.person_id)):
        with pytest.raises(Conflict):
            again()
    old = world.challenge()
    world.transact(lambda session: session.execute(update(AuthorizationRequest).values(expires_at=now())))
    with pytest.raises(Conflict):
        world.accept(old)
    with pytest.raises(NotFound):
        world.accept("unknown")


def test_two_tabs_do_not_cross(world: World) -> None:
    one, two = world.challenge(state="one", scope=RECORDS[0]), world.challenge(state="two", scope=RECORDS[1])
    assert answer_of(world.accept(two))["state"] == "two"
    assert look(world, one, world.person_id).categories == {"allergies"}


def test_declining_sends_access_denied_with_issuer(world: World) -> None:
    request = world.request_access()
    challenge = world.challenge(launch=request["id"])
    evidence = world.evidence()
    url = world.transact(lambda session: authorizations.reject(session, world.broker, challenge, evidence))
    assert answer_of(url) == {
        "error": "access_denied", "error_description": "The patient declined", "state": "xyz", "iss": ISSUER,
    }  # fmt: skip
    with pytest.raises(Conflict):
        world.transact(lambda session: deny_request(session, uuid.UUID(request["id"]), evidence))


def test_a_weak_sign_in_grants_nothing(world: World) -> None:
    challenge = world.challenge()
    weak = world.evidence(acr=1)
    with pytest.raises(Forbidden, match="stronger"):
        world.transact(lambda session: authorizations.accept(session, world.broker, challenge, weak))
    assert world.accept(challenge)
