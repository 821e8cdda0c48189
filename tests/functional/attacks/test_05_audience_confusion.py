"""Attack 5: a token made for one resource server is used at another, by a holder, a client, or a reader of its log."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from consent_broker.oauth.grants import decide_reading
from consent_broker.oauth.holder_tokens import Access, find_holders, issue_ticket
from consent_broker.resource_server import Grant, Guard, Refusal
from tests.functional.oauth.world import RECORDS, Party, World

PATH = "/AllergyIntolerance"


@pytest.fixture(scope="module")
def registry(world: World) -> Iterator[httpx.Client]:
    """The registry as a holder's guard reaches it."""
    with httpx.Client(transport=httpx.WSGITransport(app=world.app)) as client:
        yield client


def guard_of(party: Party, registry: httpx.Client) -> Guard:
    return Guard(party.issuer, party.endpoint, party.client_id, party.key.as_dict(private=True), http=registry)


def held(world: World) -> str:
    """A token for the holder, made as the gateway makes it."""
    world.grant(scope=RECORDS[0])
    access = Access(
        establishment_id=world.asking.establishment_id, professional_id=None, person_id=world.person_id,
        purpose="TREAT", client_id="sihce-a",
    )  # fmt: skip

    def mint(session: Any) -> str:
        decision = decide_reading(session, access.reader, world.person_id, {"allergies"})
        return issue_ticket(
            session, world.broker, access, decision, find_holders(session, world.person_id)[0]
        ).token.value

    return world.transact(mint)


def show(world: World, guard: Guard, token: str) -> Grant | Refusal:
    """As the gateway shows it: with a proof of its own key for that server, and its nonce."""
    for _ in range(2):
        proof = world.broker.prover.prove("GET", guard.audience + PATH, token, guard.audience)
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
        answer = guard.check("GET", PATH, f"patient={world.record_at_holder}", headers)
        world.broker.prover.learn(guard.audience, answer.nonce)
    return answer


def test_the_holder_it_is_for_takes_it(world: World, registry: httpx.Client) -> None:
    assert isinstance(show(world, guard_of(world.holding, registry), held(world)), Grant)


def test_another_holder_refuses_it_and_learns_nothing_of_it(world: World, registry: httpx.Client) -> None:
    token = held(world)
    answer = show(world, guard_of(world.asking, registry), token)
    assert isinstance(answer, Refusal)
    assert (answer.status, answer.error) == (401, "invalid_token")
    assert world.asking.introspect(token) == {"active": False}
    assert world.app_client.introspect(token) == {"active": False}
    assert world.holding.introspect(token)["active"] is True


def test_a_holder_can_not_use_the_token_it_was_shown(world: World, registry: httpx.Client) -> None:
    """At the gateway, at the registry, or at another holder, even with a key of its own."""
    token = held(world)
    for path in (f"/exchange/fhir/AllergyIntolerance?patient={world.person_id}", "/fhir/Patient/x", "/api/v1/x"):
        assert world.holding.get(path, token).status_code in {401, 404}
    guard = guard_of(world.holding, registry)
    proof = world.holding.prover.proof("GET", guard.audience + PATH, token, nonce=guard._proofs.nonce)
    stolen = guard.check(
        "GET", PATH, f"patient={world.record_at_holder}", {"Authorization": f"DPoP {token}", "DPoP": proof}
    )
    assert isinstance(stolen, Refusal)


def test_a_clients_tokens_open_no_holder(world: World, registry: httpx.Client) -> None:
    guard = guard_of(world.holding, registry)
    for token in (world.grant(scope=RECORDS[0])["access_token"], world.asking.client_token("system/Patient.rs")):
        proof = world.asking.prover.proof("GET", guard.audience + PATH, token, nonce=guard._proofs.nonce)
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
        answer = guard.check("GET", PATH, f"patient={world.record_at_holder}", headers)
        assert isinstance(answer, Refusal)
        assert answer.status == 401


def test_a_token_for_one_surface_opens_no_other(world: World) -> None:
    paths = {
        "system/Patient.rs": ("/api/v1/access-requests/x", f"/exchange/fhir/Encounter?patient={world.person_id}"),
        "access-request": ("/fhir/Patient/x", f"/exchange/fhir/Encounter?patient={world.person_id}"),
    }
    for scope, others in paths.items():
        token = world.asking.client_token(scope)
        assert {world.asking.get(path, token).status_code for path in others} <= {401, 404}
