"""What has ended goes; what still lives, or is needed to recognise a replay, stays."""

from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner
from flask import Flask
from sqlalchemy import func, select, update

from consent_broker.oauth.models import AccessToken, AuthorizationCode, ClientAssertion, RefreshToken
from consent_broker.oauth.tasks import KEPT_AFTER_END, purge_credentials
from consent_broker.rooms import broker_commands
from registry.app import Renhice
from registry.database import now
from tests.functional.oauth.world import RECORDS, World, build_world


def counts(world: World) -> dict[str, int]:
    tables = (AccessToken, AuthorizationCode, RefreshToken, ClientAssertion)
    return {
        table.__tablename__: world.transact(lambda s, t=table: s.scalar(select(func.count()).select_from(t))) or 0
        for table in tables
    }


def test_ended_credentials_are_purged_after_a_day_and_not_before(app: Flask, renhice: Renhice) -> None:
    world = build_world(app, renhice)
    world.grant(scope=f"{RECORDS[0]} offline_access")
    before = counts(world)
    assert min(before.values()) >= 1
    with renhice.database.unit_of_work():
        purge_credentials()
    assert counts(world) == before
    old = now() - KEPT_AFTER_END - timedelta(minutes=1)
    for table in (AccessToken, AuthorizationCode, RefreshToken, ClientAssertion):
        world.transact(lambda session, t=table: session.execute(update(t).values(expires_at=old)))
    with renhice.database.unit_of_work():
        purge_credentials()
    assert set(counts(world).values()) == {0}


def test_the_broker_keeps_house_on_its_own(renhice: Renhice) -> None:
    assert {"purge-credentials", "expire-consents"} <= set(renhice.celery.conf.beat_schedule)


def test_an_operator_rotates_the_signing_key(tmp_path: Path) -> None:
    run = CliRunner().invoke(broker_commands, ["rotate-signing-key", "--directory", str(tmp_path)])
    assert run.exit_code == 0
    assert (tmp_path / "signing-0001.jwk").exists()
