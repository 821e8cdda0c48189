"""Attack 6: access goes on after the patient took it back, since a signed token can't be called back (RFC 9068)."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from consent_broker.consents.service import list_consents, revoke_consent
from consent_broker.oauth.grants import decide_reading
from consent_broker.oauth.holder_tokens import Access, find_holders, issue_ticket
from consent_broker.oauth.models import OAuthGrant
from consent_broker.resource_server import Grant, Guard, Refusal
from registry.errors import Conflict, NotFound
from tests.functional.oauth.world import RECORDS, World, claims_of

SCOPE = f"{RECORDS[0]} offline_access"
BOUND_SECONDS = 2.0
"""From the commit of a revocation to the refusal of the next request at a holder, on a busy machine."""


def revoke_all(world: World) -> None:
    def act(session: Any) -> None:
        for consent in list_consents(session, [world.person_id]):
            if consent.status == "active":
                revoke_consent(session, consent.id, world.evidence())

    world.transact(act)


def held(world: World) -> str:
    """A holder's token under the newest grant."""

    def mint(session: Any) -> str:
        grant = session.query(OAuthGrant).order_by(OAuthGrant.created_at.desc()).first()
        access = Access(
            establishment_id=grant.establishment_id, professional_id=None, person_id=grant.person_id,
            purpose=grant.purpose, client_id=grant.client_id, grant_id=grant.id, consent_id=grant.consent_id,
        )  # fmt: skip
        decision = decide_reading(session, access.reader, grant.person_id, {"allergies"})
        holder = find_holders(session, grant.person_id)[0]
        return issue_ticket(session, world.broker, access, decision, holder).token.value

    return world.transact(mint)


@pytest.fixture(scope="module")
def guard(world: World) -> Iterator[Guard]:
    party = world.holding
    with httpx.Client(transport=httpx.WSGITransport(app=world.app)) as registry:
        yield Guard(party.issuer, party.endpoint, party.client_id, party.key.as_dict(private=True), http=registry)


def ask(world: World, guard: Guard, token: str) -> Grant | Refusal:
    prover, url = world.broker.prover, f"{guard.audience}/AllergyIntolerance"
    prover.learn(guard.audience, guard._proofs.nonce)
    headers = {"Authorization": f"DPoP {token}", "DPoP": prover.prove("GET", url, token, guard.audience)}
    return guard.check("GET", "/AllergyIntolerance", f"patient={world.record_at_holder}", headers)


def test_the_holder_refuses_the_next_request_after_the_commit(world: World, guard: Guard) -> None:
    world.grant(scope=RECORDS[0])
    token = held(world)
    assert isinstance(ask(world, guard, token), Grant)
    revoke_all(world)
    started = time.monotonic()
    assert isinstance(ask(world, guard, token), Refusal)
    assert time.monotonic() - started < BOUND_SECONDS


def test_introspection_sees_it_in_the_transaction_that_revokes(world: World) -> None:
    world.grant(scope=RECORDS[0])
    token = held(world)
    assert world.holding.introspect(token)["active"]
    revoke_all(world)
    assert world.holding.introspect(token) == {"active": False}


def test_no_token_lives_longer_than_five_minutes(world: World) -> None:
    grant = world.grant(scope=RECORDS[0])
    for token in (grant["access_token"], held(world), world.asking.client_token("access-request")):
        claims = claims_of(token)
        assert claims["exp"] - claims["iat"] <= 300


def test_refreshing_and_the_gateway_end_with_it(world: World) -> None:
    for party in (world.asking, world.app_client):
        grant = world.grant(party, scope=SCOPE)
        revoke_all(world)
        assert party.refresh(grant["refresh_token"]).json["error"] == "invalid_grant"
        read = party.get(f"/exchange/fhir/AllergyIntolerance?patient={world.person_id}", grant["access_token"])
        assert read.status_code == 403


def test_a_code_granted_under_it_yields_nothing(world: World) -> None:
    code = world.code(scope=RECORDS[0])
    revoke_all(world)
    assert world.asking.redeem(*code).json["error"] == "invalid_grant"


def test_a_pushed_request_of_an_answered_question_is_dead(world: World) -> None:
    """What was asked is answered once; pages and references that are still open grant nothing more."""
    request = world.request_access()
    first, second = (world.challenge(launch=request["id"]) for _ in range(2))
    world.accept(first)
    revoke_all(world)
    with pytest.raises((Conflict, NotFound)):
        world.accept(second)
    assert world.push(launch=request["id"]).json["error"] == "invalid_request"


def test_a_client_that_revokes_ends_all_it_holds(world: World, guard: Guard) -> None:
    grant = world.grant(scope=SCOPE)
    token = held(world)
    assert world.asking.post("/oauth/revoke", {"token": grant["refresh_token"]}).status_code == 200
    assert world.asking.refresh(grant["refresh_token"]).json["error"] == "invalid_grant"
    assert isinstance(ask(world, guard, token), Refusal)
    read = world.asking.get(f"/exchange/fhir/AllergyIntolerance?patient={world.person_id}", grant["access_token"])
    assert read.status_code == 401
