"""Attack 3: a code is stolen, injected into another session, spent twice, or its PKCE talked away.

Fifty at once: tests/concurrency/oauth/test_single_use.py.
"""

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from consent_broker.oauth.models import AccessToken, OAuthGrant
from tests.functional.oauth.proofs import Prover
from tests.functional.oauth.world import RECORDS, World, pkce


def error(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]


def test_a_stolen_code_is_of_no_use_without_its_verifier(world: World) -> None:
    code, _ = world.code()
    assert error(world.asking.redeem(code, pkce()[0])) == (400, "invalid_grant")


def test_a_code_injected_into_another_session_does_not_fit_its_verifier(world: World) -> None:
    """The attacker's own client session has another verifier; the code is used up by the try."""
    victims, verifier = world.code(scope=RECORDS[0])
    _, attackers = world.code(scope=RECORDS[1])
    assert error(world.asking.redeem(victims, attackers)) == (400, "invalid_grant")
    assert error(world.asking.redeem(victims, verifier)) == (400, "invalid_grant")


def test_a_stolen_code_is_of_no_use_to_another_client(world: World) -> None:
    code = world.code()
    for thief in (world.holding, world.app_client):
        assert error(thief.redeem(*code)) == (400, "invalid_grant")
    assert world.asking.redeem(*code).status_code == 200


def test_a_stolen_code_that_is_bound_is_of_no_use_without_the_key(world: World) -> None:
    world.asking.client_token("access-request")
    code, verifier = world.code(dpop_jkt=world.asking.prover.thumbprint)
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier,
            "redirect_uri": world.asking.redirect_uri}  # fmt: skip
    thief = Prover(nonce=world.asking.prover.nonce)
    proof = {"DPoP": thief.proof("POST", f"{world.asking.issuer}/oauth/token")}
    assert error(world.asking.post("/oauth/token", form, headers=proof)) == (400, "invalid_grant")


@pytest.mark.parametrize("verifier", [None, "", "short", "x" * 43, "é" * 43])
def test_pkce_can_not_be_talked_away_at_the_token_endpoint(world: World, verifier: str | None) -> None:
    code, _ = world.code()
    answer = world.asking.redeem(code, "", code_verifier=verifier)
    assert error(answer) in {(400, "invalid_grant"), (400, "invalid_request")}


def test_pkce_can_not_be_talked_away_at_the_beginning(world: World) -> None:
    for changes in ({"code_challenge": None, "code_challenge_method": None}, {"code_challenge_method": "plain"}):
        assert error(world.push(**changes)) == (400, "invalid_request")


def test_a_code_spent_twice_yields_one_token_and_ends_the_family(world: World) -> None:
    code = world.code(scope=f"{RECORDS[0]} offline_access")
    first = world.asking.redeem(*code)
    assert [world.asking.redeem(*code).status_code for _ in range(3)] == [400, 400, 400]
    newest = select(OAuthGrant).order_by(OAuthGrant.created_at.desc()).limit(1)
    grant = world.transact(lambda session: session.scalar(newest))
    count = select(func.count()).select_from(AccessToken).where(AccessToken.grant_id == grant.id)
    assert world.transact(lambda session: session.scalar(count)) == 1
    assert grant.revoked_because == "code-replayed"
    assert error(world.asking.refresh(first.json["refresh_token"])) == (400, "invalid_grant")
