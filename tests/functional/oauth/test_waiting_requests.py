"""Anybody who knows an app's id can start authorizations: only so many wait at once, and the ended ones go soon."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from consent_broker.oauth import rfc6749_authorization_request
from consent_broker.oauth.models import AuthorizationRequest
from consent_broker.oauth.tasks import REQUEST_KEPT, purge_credentials
from registry.database import now
from tests.functional.oauth.world import World, answer_of


def waiting(world: World) -> int:
    count = select(func.count()).select_from(AuthorizationRequest)
    return world.transact(lambda session: session.scalar(count)) or 0


@pytest.fixture
def few(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request waits, and few may."""
    monkeypatch.setattr(rfc6749_authorization_request, "MAX_WAITING", 3)
    monkeypatch.setattr(rfc6749_authorization_request, "MAX_WAITING_OF_LAUNCH", 2)
    world.transact(lambda session: session.execute(update(AuthorizationRequest).values(decided_at=now())))


@pytest.mark.usefixtures("few")
def test_too_many_waiting_are_turned_away_and_leave_no_row(world: World) -> None:
    app = world.app_client
    challenges = [world.challenge(app) for _ in range(3)]
    before = waiting(world)
    refused = answer_of(world.authorize(app).location)
    assert (refused["error"], refused["state"]) == ("temporarily_unavailable", "xyz")
    assert waiting(world) == before
    world.accept(challenges[0])
    assert world.challenge(app)
    ended = update(AuthorizationRequest).values(expires_at=now())
    world.transact(lambda session: session.execute(ended))
    assert world.challenge(app)


@pytest.mark.usefixtures("few")
def test_a_record_system_is_told_to_wait(world: World) -> None:
    for _ in range(3):
        assert world.push().status_code == 201
    refused = world.push()
    assert (refused.status_code, refused.json["error"]) == (429, "temporarily_unavailable")


@pytest.mark.usefixtures("few")
def test_a_flood_hinders_neither_a_launch_nor_another_client(world: World) -> None:
    app = world.app_client
    request = world.request_access(app)
    for _ in range(3):
        world.challenge(app)
    assert answer_of(world.authorize(app).location)["error"] == "temporarily_unavailable"
    assert world.challenge(world.holding)
    assert [world.challenge(app, launch=request["id"]) for _ in range(2)]
    assert answer_of(world.authorize(app, launch=request["id"]).location)["error"] == "temporarily_unavailable"


def test_an_ended_request_is_purged_after_an_hour_and_not_before(world: World) -> None:
    world.challenge()
    before = waiting(world)
    for ended, left in ((REQUEST_KEPT - timedelta(minutes=1), before), (REQUEST_KEPT + timedelta(minutes=1), 0)):
        old = update(AuthorizationRequest).values(expires_at=now() - ended)
        world.transact(lambda session, statement=old: session.execute(statement))
        with world.renhice.database.unit_of_work():
            purge_credentials()
        assert waiting(world) == left
