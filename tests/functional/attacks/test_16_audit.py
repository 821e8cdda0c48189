"""Attack 16: something happens that the log does not tell, or the log tells what nobody may know."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select

from consent_broker.oauth.models import AccessToken
from registry.audit.models import AuditEvent
from tests.functional.oauth.world import RECORDS, World, claims_of

CREDENTIALS = {"grant_type": "client_credentials", "scope": "system/Patient.rs"}


@contextmanager
def audit_down(world: World) -> Iterator[None]:
    """The log takes no more rows."""
    owner = create_engine(world.renhice.settings.owner_database_url)
    with owner.begin() as connection:
        connection.exec_driver_sql("REVOKE INSERT ON audit_events FROM renhice_app")
    try:
        yield
    finally:
        with owner.begin() as connection:
            connection.exec_driver_sql("GRANT INSERT ON audit_events TO renhice_app")
        owner.dispose()


def tokens(world: World) -> int:
    count = select(func.count()).select_from(AccessToken)
    return world.transact(lambda session: session.scalar(count)) or 0


def test_without_its_audit_event_no_token_is_issued(world: World) -> None:
    code, app = world.code(), world.app_client
    refresh = world.grant(app, scope=f"{RECORDS[0]} offline_access")["refresh_token"]
    before = tokens(world)
    with audit_down(world):
        answers = [world.asking.redeem(*code), world.asking.post("/oauth/token", CREDENTIALS), app.refresh(refresh)]
    assert [(answer.status_code, answer.headers.get("Retry-After")) for answer in answers] == [(503, "5")] * 3
    assert not any("access_token" in answer.json for answer in answers)
    assert tokens(world) == before
    assert world.asking.redeem(*code).status_code == 200, "and nothing was used up"
    assert app.refresh(refresh).status_code == 200


def test_without_its_audit_event_nothing_is_read_and_no_consent_given(world: World) -> None:
    token = world.grant(scope=RECORDS[0])["access_token"]
    challenge = world.challenge(scope=RECORDS[0])
    with audit_down(world):
        read = world.asking.get(f"/exchange/fhir/AllergyIntolerance?patient={world.person_id}", token)
        assert read.status_code >= 500
        with pytest.raises(Exception, match="permission denied"):
            world.accept(challenge)
    assert world.accept(challenge)


def newest(world: World, action: str) -> AuditEvent:
    query = select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.recorded_at.desc()).limit(1)
    found: AuditEvent = world.transact(lambda session: session.scalars(query).one())
    return found


def test_each_refusal_is_in_the_log_with_its_reason(world: World) -> None:
    world.asking.post("/oauth/token", CREDENTIALS | world.asking.credentials(aud="https://evil.example"))
    refused = newest(world, "oauth:client:authenticated")
    assert (refused.outcome, refused.client_id) == ("refused", "sihce-a")
    assert "audience" in str(refused.reason)
    code = world.code()
    world.asking.redeem(*code)
    world.asking.redeem(*code)
    assert newest(world, "oauth:grant:revoked").reason == "code-replayed"


def test_no_secret_reaches_a_log(
    world: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A whole run of both profiles, with its mistakes, at the most talkative level."""
    caplog.set_level(logging.DEBUG)
    secrets: list[str] = []
    for party in (world.asking, world.app_client):
        credentials = party.credentials()
        secrets += [credentials["client_assertion"], party.client_token("access-request")]
        party.post("/oauth/token", CREDENTIALS | credentials)
        party.post("/oauth/token", CREDENTIALS | credentials)
        code, verifier = world.code(party, scope=f"{RECORDS[0]} offline_access")
        token = party.redeem(code, verifier).json
        refreshed = party.refresh(token["refresh_token"]).json
        party.get(f"/exchange/fhir/AllergyIntolerance?patient={world.person_id}", token["access_token"])
        party.redeem(code, verifier)
        secrets += [code, verifier, token["access_token"], token["refresh_token"], refreshed["access_token"]]
    pushed = world.push().json["request_uri"]
    proof = world.asking.proof("POST", "/oauth/token")
    world.asking.post("/oauth/token", CREDENTIALS, headers={"DPoP": proof})
    world.asking.http.get("/oauth/authorize", query_string={"client_id": "sihce-a", "request_uri": pushed})
    secrets += [pushed.rpartition(":")[2], proof, world.challenge()]
    captured = capfd.readouterr()
    logged = caplog.text + captured.out + captured.err
    assert logged
    assert all(len(secret) > 30 for secret in secrets)
    assert not [secret for secret in secrets if secret in logged or secret.rpartition(".")[2] in logged]


def test_no_secret_reaches_the_audit_or_the_database(world: World) -> None:
    code, verifier = world.code(scope=f"{RECORDS[0]} offline_access")
    token = world.asking.redeem(code, verifier).json
    pushed = world.push().json["request_uri"].rpartition(":")[2]
    with world.renhice.database.engine.connect() as connection:
        names = connection.exec_driver_sql(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        ).scalars()
        dump = "".join(str(connection.exec_driver_sql(f'SELECT * FROM "{name}"').all()) for name in list(names))
    values: list[Any] = [code, verifier, pushed, token["refresh_token"], token["access_token"]]
    assert claims_of(token["access_token"])["jti"] in dump, "a token is known by its name"
    assert not [value for value in values if value in dump]
