"""Attack 1: a client of several servers is made to take one's answer for another's. Every answer names its issuer.

That a client which looks at it is safe is shown by openid-client: tests/clients/fapi2.mjs.
"""

from collections.abc import Callable
from typing import Any

import pytest

from consent_broker.oauth import authorizations
from tests.functional.oauth.world import ISSUER, World, answer_of

BAD: list[dict[str, Any]] = [
    {"response_type": "token"},
    {"response_type": None},
    {"response_mode": "fragment"},
    {"scope": "openid"},
    {"scope": None},
    {"code_challenge": None},
    {"code_challenge_method": "plain"},
    {"state": "s" * 4000},
    {"launch": "unknown"},
    {"aud": "https://evil.example"},
    {"resource": "https://evil.example"},
    {"request": "x"},
    {"request_uri": "https://evil.example"},
    {"registration": "{}"},
    {"authorization_details": "[]"},
]


@pytest.mark.parametrize("changes", BAD, ids=str)
def test_every_error_that_goes_back_names_the_issuer(world: World, changes: dict[str, Any]) -> None:
    answer = answer_of(world.authorize(world.app_client, **changes).location)
    assert answer["error"]
    assert answer["iss"] == ISSUER


def test_a_request_that_was_not_pushed_is_answered_with_the_issuer(world: World) -> None:
    link = world.asking.http.get("/oauth/authorize", query_string=world.asked(world.asking))
    assert answer_of(link.location)["iss"] == ISSUER


@pytest.mark.parametrize("act", [authorizations.accept, authorizations.reject])
def test_every_answer_of_the_patient_names_the_issuer(world: World, act: Callable[..., str]) -> None:
    for party in (world.asking, world.app_client):
        challenge, evidence = world.challenge(party), world.evidence()
        url = world.transact(lambda session, c=challenge, e=evidence: act(session, world.broker, c, e))
        assert answer_of(url)["iss"] == ISSUER


def test_the_issuer_can_not_be_brought_along(world: World) -> None:
    evil = "https://sihce.example/callback?iss=https://evil.example"
    assert world.push(redirect_uri=evil).json["error"] == "invalid_request"
    challenge = world.challenge(world.app_client, iss="https://evil.example", state="s&iss=https://evil.example")
    url = world.accept(challenge)
    assert answer_of(url) == {"code": answer_of(url)["code"], "state": "s&iss=https://evil.example", "iss": ISSUER}
