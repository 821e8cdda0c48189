"""Fifty at once with one credential: exactly one wins, and the others end what it won."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import func, select

from consent_broker.consents.access_requests import grant_request
from consent_broker.oauth import authorizations
from consent_broker.oauth.clients import DEVICE_CODE
from consent_broker.oauth.models import AccessToken, OAuthGrant
from consent_broker.oauth.rfc6749_authorization_request import MAX_WAITING_OF_LAUNCH
from registry.database import new_id
from registry.errors import Conflict
from tests.functional.oauth.world import RECORDS, Party, World, answer_of, claims_of, pkce

MANY = 50


def all_at_once(act: Callable[[int], int]) -> Counter[int]:
    with ThreadPoolExecutor(MANY) as pool:
        return Counter(pool.map(act, range(MANY)))


def party(world: World, known: Party | None = None) -> Party:
    """The same record system (or app) with an HTTP client of its own, and the nonce it has."""
    known = known or world.asking
    return replace(known, http=world.app.test_client(), prover=replace(known.prover))


def tokens_of_grants(world: World) -> int:
    count = select(func.count()).select_from(AccessToken).where(AccessToken.grant_id.is_not(None))
    return world.transact(lambda session: session.scalar(count)) or 0


def newest_grant_ended_by(world: World) -> str | None:
    newest = select(OAuthGrant.revoked_because).order_by(OAuthGrant.created_at.desc()).limit(1)
    return world.transact(lambda session: session.scalar(newest))


def test_one_code_redeemed_by_fifty_gives_one_token(world: World) -> None:
    code, verifier = world.code()
    before = tokens_of_grants(world)
    answers = all_at_once(lambda _: party(world).redeem(code, verifier).status_code)
    assert answers == {200: 1, 400: MANY - 1}
    assert tokens_of_grants(world) == before + 1
    assert newest_grant_ended_by(world) == "code-replayed"


def test_one_refresh_token_used_by_fifty_gives_one_successor(world: World) -> None:
    app = world.app_client
    token = world.grant(app, scope=f"{RECORDS[0]} offline_access")["refresh_token"]
    assert all_at_once(lambda _: party(world, app).refresh(token).status_code) == {200: 1, 400: MANY - 1}
    assert newest_grant_ended_by(world) == "refresh-token-replayed"


def test_one_pushed_request_opened_and_granted_by_fifty_gives_one_code(world: World) -> None:
    verifier, code_challenge = pkce()
    reference = world.push(code_challenge=code_challenge).json["request_uri"]
    query = {"client_id": world.asking.client_id, "request_uri": reference}
    urls: list[str] = []

    def open_and_accept(_: int) -> int:
        page = world.app.test_client().get("/oauth/authorize", query_string=query)
        if page.status_code != 303:
            return page.status_code
        try:
            with world.renhice.database.unit_of_work() as session:
                challenge = page.location.rpartition("/")[2]
                urls.append(authorizations.accept(session, world.broker, challenge, world.evidence()))
        except Conflict:
            return 409
        return 200

    answers = all_at_once(open_and_accept)
    assert answers[200] == 1
    assert answers.keys() <= {200, 400, 409}
    assert world.asking.redeem(answer_of(urls[0])["code"], verifier).status_code == 200


def test_one_proof_used_by_fifty_counts_once(world: World) -> None:
    token = world.asking.client_token("access-request")
    url = f"/api/v1/access-requests/{new_id()}"
    proof = {"Authorization": f"DPoP {token}", "DPoP": world.asking.proof("GET", url, token)}
    answers = all_at_once(lambda _: world.app.test_client().get(url, headers=proof).status_code)
    assert answers == {404: 1, 401: MANY - 1}


def test_one_device_code_redeemed_by_fifty_gives_one_token(world: World) -> None:
    launch = world.request_access(categories=["allergies"])["id"]
    code = world.asking.post("/oauth/device_authorization", {"launch": launch}).json["device_code"]
    world.transact(lambda session: grant_request(session, UUID(launch), world.evidence()))
    before, form = tokens_of_grants(world), {"grant_type": DEVICE_CODE, "device_code": code}
    answers = all_at_once(lambda _: party(world).post("/oauth/token", form).status_code)
    assert answers == {200: 1, 400: MANY - 1}
    assert tokens_of_grants(world) == before + 1
    newest = select(OAuthGrant.revoked_because).order_by(OAuthGrant.created_at.desc()).limit(1)
    assert world.transact(lambda session: session.scalar(newest)) == "device-code-replayed"


def test_one_assertion_used_by_fifty_authenticates_once(world: World) -> None:
    form = {"grant_type": "client_credentials", "scope": "access-request"} | world.asking.credentials()
    assert all_at_once(lambda _: party(world).post("/oauth/token", form).status_code) == {200: 1, 401: MANY - 1}


def test_one_challenge_accepted_by_fifty_gives_one_code(world: World) -> None:
    verifier, code_challenge = pkce()
    challenge = world.challenge(code_challenge=code_challenge)
    urls: list[str] = []

    def accept(_: int) -> int:
        try:
            evidence = world.evidence()
            with world.renhice.database.unit_of_work() as session:
                url = authorizations.accept(session, world.broker, challenge, evidence)
        except Conflict:
            return 409
        urls.append(url)
        return 200

    assert all_at_once(accept) == {200: 1, 409: MANY - 1}
    token = world.asking.redeem(answer_of(urls[0])["code"], verifier)
    assert token.status_code == 200
    assert claims_of(token.json["access_token"])["patient"] == str(world.person_id)


@pytest.mark.parametrize("answer", ["grant", "deny"])
def test_one_request_answered_by_fifty_is_answered_once(world: World, answer: str) -> None:
    request = world.request_access()
    challenges = [world.challenge(launch=request["id"]) for _ in range(MAX_WAITING_OF_LAUNCH)]
    act = authorizations.accept if answer == "grant" else authorizations.reject

    def decide(number: int) -> int:
        try:
            with world.renhice.database.unit_of_work() as session:
                act(session, world.broker, challenges[number % len(challenges)], world.evidence())
        except Conflict:
            return 409
        return 200

    assert all_at_once(decide) == {200: 1, 409: MANY - 1}


def test_one_question_asked_by_fifty_at_once_is_one_request(world: World) -> None:
    token = world.asking.client_token("access-request")
    wanted = {"person": str(world.other_person_id), "professional": {"college": "CMP", "number": "012345"},
              "categories": ["problems"]}  # fmt: skip
    ids: set[str] = set()

    def ask(_: int) -> int:
        answer = party(world).call("POST", "/api/v1/access-requests", token, json=wanted)
        ids.add(answer.json["id"])
        return answer.status_code

    assert all_at_once(ask) == {201: 1, 200: MANY - 1}
    assert len(ids) == 1
