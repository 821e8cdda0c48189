"""What the directory takes from a record system counts at once: for codes, refresh tokens and open pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select, update

from consent_broker.oauth import authorizations
from registry.audit.models import AuditEvent
from registry.directory.models import RecordSystem
from registry.errors import Forbidden
from tests.functional.oauth.world import ISSUER, RECORDS, SYSTEM, World, answer_of

ALL = [*SYSTEM, *RECORDS, "launch", "offline_access"]


@contextmanager
def registered(world: World, **values: Any) -> Iterator[None]:
    """The asking record system registered otherwise, for a while."""
    mine = update(RecordSystem).where(RecordSystem.client_id == world.asking.client_id)
    world.transact(lambda session: session.execute(mine.values(**values)))
    try:
        yield
    finally:
        usual = mine.values(scopes=ALL, redirect_uris=[world.asking.redirect_uri])
        world.transact(lambda session: session.execute(usual))


def test_a_scope_withdrawn_since_is_not_in_the_token_of_a_code(world: World) -> None:
    code, verifier = world.code(scope=f"{RECORDS[0]} {RECORDS[1]} offline_access")
    with registered(world, scopes=[RECORDS[1]]):
        answer = world.asking.redeem(code, verifier)
    assert (answer.status_code, answer.json["scope"]) == (200, RECORDS[1])
    assert "refresh_token" not in answer.json


@pytest.mark.parametrize("more", [{}, {"scope": RECORDS[0]}], ids=["as granted", "asked again"])
def test_a_refresh_gives_nothing_of_a_scope_withdrawn_since(world: World, more: dict[str, str]) -> None:
    token = world.grant(scope=f"{RECORDS[0]} offline_access")["refresh_token"]
    with registered(world, scopes=[RECORDS[1], "offline_access"]):
        answer = world.asking.refresh(token, **more)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    query = select(AuditEvent).where(AuditEvent.reason == "scope-withdrawn").order_by(AuditEvent.recorded_at.desc())
    event = world.transact(lambda session: session.scalars(query).first())
    assert (event.action, event.outcome, event.person_id) == ("oauth:token:issued", "refused", world.person_id)


def test_a_misspelt_scope_does_not_cost_the_refresh_token(world: World) -> None:
    token = world.grant(scope=f"{RECORDS[0]} offline_access")["refresh_token"]
    for scope in ("patient/Alergy.rs", "ñ", "offline_access"):
        answer = world.asking.refresh(token, scope=scope)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
    assert world.asking.refresh(token).status_code == 200


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"scopes": [*SYSTEM, RECORDS[1]]}, "scope-withdrawn"),
        ({"redirect_uris": ["https://new.example/callback"]}, "address-withdrawn"),
    ],
)
def test_an_open_page_grants_nothing_that_was_withdrawn_since(
    world: World, changed: dict[str, Any], reason: str
) -> None:
    challenge = world.challenge(scope=RECORDS[0])
    with registered(world, **changed), pytest.raises(Forbidden) as refused:
        world.accept(challenge)
    assert refused.value.error_code == reason
    assert refused.value.audit is not None
    assert "code" in answer_of(world.accept(challenge))


def test_declining_counts_but_leads_to_no_withdrawn_address(world: World) -> None:
    challenge, evidence = world.challenge(), world.evidence()
    with registered(world, redirect_uris=["https://new.example/callback"]):
        url = world.transact(lambda session: authorizations.reject(session, world.broker, challenge, evidence))
    assert url == f"{ISSUER}/mi-historia"


def test_a_launch_without_a_scope_asks_for_no_more_than_is_registered(world: World) -> None:
    request = world.request_access()
    with registered(world, scopes=["access-request", RECORDS[0]]):
        answer = world.push(launch=request["id"], scope=None)
    assert answer.json["error"] == "invalid_scope"
