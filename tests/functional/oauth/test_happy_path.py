"""The whole way from a request for access to a token, its life and its end."""

from datetime import timedelta

from consent_broker.consents.decision import Kind
from consent_broker.consents.service import Terms, list_consents, record_objection, revoke_consent
from tests.functional.oauth.world import ISSUER, RECORDS, World, answer_of, claims_of


def test_a_launch_becomes_a_token_for_the_gateway(world: World) -> None:
    request = world.request_access()
    assert request["status"] == "pending"
    challenge = world.challenge(launch=request["id"], scope=f"launch {' '.join(RECORDS)}")
    answer = answer_of(world.accept(challenge))
    assert answer.keys() == {"code", "state", "iss"}
    assert (answer["state"], answer["iss"]) == ("xyz", ISSUER)


def test_the_token_says_what_it_is_for_and_nothing_about_the_human(world: World) -> None:
    request = world.request_access()
    token = world.grant(launch=request["id"], scope=" ".join(RECORDS))
    assert token["token_type"] == "DPoP"
    assert token["expires_in"] <= 300
    assert token["patient"] == str(world.person_id)
    assert "refresh_token" not in token
    claims = claims_of(token["access_token"])
    assert claims["aud"] == f"{ISSUER}/exchange"
    assert claims["exp"] - claims["iat"] <= 300
    assert claims["act"] == {"sub": str(world.professional_id)}
    assert claims["cnf"] == {"jkt": world.asking.prover.thumbprint}
    assert set(claims) == {"iss", "aud", "sub", "client_id", "scope", "iat", "exp", "jti", "patient", "act", "cnf"}


def test_without_launch_the_grant_is_the_establishments_for_seven_days(world: World) -> None:
    token = world.grant(scope=RECORDS[0])
    assert token["scope"] == RECORDS[0]
    assert "act" not in claims_of(token["access_token"])
    newest = world.transact(lambda session: list_consents(session, [world.person_id]))[0]
    assert newest.terms.professional_id is None
    assert newest.terms.ends_at is not None
    assert timedelta(days=7) <= newest.terms.ends_at - newest.starts_at <= timedelta(days=8)


def test_refresh_follows_the_consent_and_ends_with_it(world: World) -> None:
    request = world.request_access()
    scope = f"{' '.join(RECORDS)} offline_access"
    first = world.grant(launch=request["id"], scope=scope)
    second = world.asking.refresh(first["refresh_token"])
    assert second.status_code == 200
    assert "refresh_token" not in second.json
    narrower = world.asking.refresh(first["refresh_token"], scope=RECORDS[0])
    assert narrower.json["scope"] == f"offline_access {RECORDS[0]}"
    consent = next(
        one
        for one in world.transact(lambda session: list_consents(session, [world.person_id]))
        if one.status == "active" and one.terms.professional_id
    )
    world.transact(lambda session: revoke_consent(session, consent.id, world.evidence()))
    dead = world.asking.refresh(first["refresh_token"])
    assert (dead.status_code, dead.json["error"]) == (400, "invalid_grant")


def test_a_refresh_after_an_objection_yields_the_narrower(world: World) -> None:
    request = world.request_access()
    first = world.grant(launch=request["id"], scope=f"{' '.join(RECORDS)} offline_access")
    objection = Terms(
        person_id=world.person_id,
        establishment_id=world.asking.establishment_id,
        professional_id=world.professional_id,
        categories=frozenset({"encounters"}),
        purposes=frozenset({"TREAT"}),
        ends_at=None,
        kind=Kind.OBJECTION,
    )
    world.transact(lambda session: record_objection(session, objection, world.evidence()))
    second = world.asking.refresh(first["refresh_token"]).json
    assert set(second["scope"].split()) == {*RECORDS[:2], "offline_access"}
