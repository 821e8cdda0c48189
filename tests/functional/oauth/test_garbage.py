"""An authenticated client that sends garbage: an OAuth error that says what is wrong, never a 500 and never a token."""

import random

import pytest
from flask import Flask

from tests.functional.faces import check_face, surface_of
from tests.functional.oauth.world import World, pkce
from tests.functional.test_garbage import HOSTILE

PARAMETERS = (
    "grant_type", "scope", "code", "code_verifier", "redirect_uri", "refresh_token", "token", "token_type_hint",
    "device_code", "user_code", "request_uri", "authorization_details", "resource", "audience", "client_id",
    "subject_token", "subject_token_type", "assertion", "client_assertion", "client_assertion_type", "response_type",
    "code_challenge", "request", "dpop_jkt", "state", "login_hint",
)  # fmt: skip
GRANTS = ("client_credentials", "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
          "urn:ietf:params:oauth:grant-type:token-exchange")  # fmt: skip


def endpoints(app: Flask) -> list[str]:
    found = [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ()) and not rule.arguments]
    return [rule.rule for rule in found if surface_of(app, rule.rule, "POST") == "oauth"]


@pytest.mark.parametrize("grant_type", GRANTS)
def test_each_parameter_hostile_in_turn(world: World, grant_type: str) -> None:
    dice = random.Random(grant_type)
    for path in endpoints(world.app):
        for name in PARAMETERS:
            good = {"grant_type": grant_type, "code": "x" * 43, "refresh_token": "y" * 43, "token": "z" * 43}
            form = good | world.asking.credentials() | {name: dice.choice(HOSTILE)}
            answer = world.asking.post(path, form)
            assert "access_token" not in answer.text
            if answer.status_code >= 400:
                check_face(answer, "oauth", answer.json)


@pytest.mark.parametrize("party", ["asking", "app_client"])
def test_the_browsers_side(world: World, party: str) -> None:
    dice, client = random.Random(7), getattr(world, party)
    good = {"response_type": "code", "client_id": client.client_id, "redirect_uri": client.redirect_uri,
            "scope": "patient/Encounter.rs", "code_challenge": pkce()[1], "code_challenge_method": "S256"}  # fmt: skip
    for name in PARAMETERS:
        for value in dice.sample(HOSTILE, 3):
            answer = client.http.get("/oauth/authorize", query_string=good | {name: value})
            if answer.status_code >= 400:
                check_face(answer, "page", None)
            else:
                assert answer.status_code == 303
                assert answer.location.startswith((client.redirect_uri, f"{world.broker.issuer}/"))
