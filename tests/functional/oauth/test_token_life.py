"""Introspection, revocation, and tokens that are not what they seem."""

import json
import time
import uuid
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from consent_broker.consents.service import list_consents, revoke_consent
from consent_broker.oauth.grants import decide_reading
from consent_broker.oauth.holder_tokens import Access, find_holders, issue_ticket
from consent_broker.oauth.models import AccessToken
from registry.database import now
from registry.directory.models import Affiliation, Professional
from registry.fhir.systems import RENIPRESS
from registry.identity.models import Membership
from tests.functional.oauth.world import RECORDS, World, claims_of

SYSTEM_READ = "system/Patient.rs"


def holder_token(world: World, professional_id: UUID | None = None) -> str:
    """A token for the holder, made as the gateway makes it, under a fresh consent."""
    world.grant(scope=RECORDS[0])
    access = Access(
        establishment_id=world.asking.establishment_id, professional_id=professional_id, person_id=world.person_id,
        purpose="TREAT", client_id="sihce-a",
    )  # fmt: skip

    def mint(session: Any) -> str:
        decision = decide_reading(session, access.reader, world.person_id, {"allergies"})
        holder = find_holders(session, world.person_id)[0]
        return issue_ticket(session, world.broker, access, decision, holder).token.value

    return world.transact(mint)


def revoke_all(world: World) -> None:
    def act(session: Any) -> None:
        for consent in list_consents(session, [world.person_id]):
            if consent.status == "active":
                revoke_consent(session, consent.id, world.evidence())

    world.transact(act)


def test_only_the_holder_a_token_is_for_learns_that_it_lives(world: World) -> None:
    token = holder_token(world)
    answer = world.holding.introspect(token)
    claims = claims_of(token)
    assert answer["active"] is True
    assert {name: answer[name] for name in ("aud", "jti", "patient", "scope", "client_id", "exp")} == {
        name: claims[name] for name in ("aud", "jti", "patient", "scope", "client_id", "exp")
    }
    assert world.asking.introspect(token) == {"active": False}


def test_a_holder_token_names_the_patient_as_the_holder_knows_them(world: World) -> None:
    claims = claims_of(holder_token(world))
    assert claims["aud"] == "https://b.example/fhir"
    assert claims["patient"] == claims["sub"] == str(world.record_at_holder)
    assert str(world.person_id) not in json.dumps(claims)


def test_a_holder_token_says_who_reads_why_and_under_what(world: World) -> None:
    """IHE IUA (ITI-71) and PCF; of the human who reads, their registration and nothing else (decision 4)."""
    token = holder_token(world, world.professional_id)
    claims = claims_of(token)
    who, under = claims["extensions"]["ihe_iua"], claims["extensions"]["ihe_pcf"]
    assert who == {
        "subject_organization": "Hospital 00000001",
        "subject_organization_id": f"{RENIPRESS}|00000001",
        "purpose_of_use": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}],
        "person_id": str(world.record_at_holder),
        "national_provider_identifier": "CMP 012345",
    }
    assert claims["act"] == {"sub": "CMP 012345"}
    assert under.keys() == {"patient_id", "doc_id", "acp", "residual"}
    assert under["patient_id"] == str(world.record_at_holder)
    assert {UUID(one) for one in under["doc_id"]}
    assert [one["type"] for one in under["residual"]] == ["forbid"], "what is sensitive was not permitted by name"
    assert world.holding.introspect(token) == {"active": True, "token_type": "DPoP"} | {
        name: value for name, value in claims.items() if name != "status"
    }


def test_revoking_the_consent_shows_at_once(world: World) -> None:
    token = holder_token(world)
    assert world.holding.introspect(token)["active"]
    revoke_all(world)
    assert world.holding.introspect(token) == {"active": False}


@pytest.mark.parametrize(
    "garbage", ["x", "a.b.c", "x" * 8000, "ñ", "e30.e30.", "null", "{}", "eyJhbGciOiJub25lIn0.e30."]
)
def test_garbage_is_inactive_with_200(world: World, garbage: str) -> None:
    assert world.holding.introspect(garbage) == {"active": False}


def test_a_professional_who_may_no_longer_act_there_ends_the_token(world: World) -> None:
    token = holder_token(world, world.professional_id)
    professional = update(Professional).where(Professional.id == world.professional_id)
    affiliation = update(Affiliation).where(Affiliation.professional_id == world.professional_id)
    for lost, regained in (
        (professional.values(able_to_practise=False), professional.values(able_to_practise=True)),
        (affiliation.values(valid_until=now()), affiliation.values(valid_until=None)),
    ):
        assert world.holding.introspect(token)["active"]
        world.transact(lambda session, lost=lost: session.execute(lost))
        try:
            assert world.holding.introspect(token) == {"active": False}
        finally:
            world.transact(lambda session, regained=regained: session.execute(regained))


def test_a_record_that_turns_out_to_be_somebody_elses_is_no_longer_served(world: World) -> None:
    token = holder_token(world)
    mine = update(Membership).where(Membership.source_record_id == world.record_at_holder)
    world.transact(lambda session: session.execute(mine.values(person_id=world.other_person_id)))
    try:
        assert world.holding.introspect(token) == {"active": False}
    finally:
        world.transact(lambda session: session.execute(mine.values(person_id=world.person_id)))
    assert world.holding.introspect(token)["active"]


def test_introspection_and_revocation_ask_who_you_are(world: World) -> None:
    for path in ("/oauth/introspect", "/oauth/revoke"):
        anonymous = world.asking.http.post(path, data={"token": "x"})
        assert (anonymous.status_code, anonymous.json["error"]) == (401, "invalid_client")
        basic = world.asking.http.post(path, data={"token": "x"}, headers={"Authorization": "Basic eDp5"})
        assert (basic.status_code, basic.json["error"]) == (401, "invalid_client")
        assert world.asking.post(path, {}).json["error"] == "invalid_request"


@pytest.mark.parametrize("what", ["access_token", "refresh_token"])
def test_revoking_anything_ends_the_whole_grant(world: World, what: str) -> None:
    tokens = world.grant(scope=f"{RECORDS[0]} offline_access")
    assert world.holding.post("/oauth/revoke", {"token": tokens[what]}).status_code == 200
    read = f"/exchange/fhir/AllergyIntolerance?patient={world.person_id}"
    assert world.asking.get(read, tokens["access_token"]).status_code == 200
    assert world.asking.post("/oauth/revoke", {"token": tokens[what]}).status_code == 200
    assert world.asking.get(read, tokens["access_token"]).status_code == 401
    assert world.asking.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_revoking_a_client_token_ends_it(world: World) -> None:
    token = world.asking.client_token("access-request")
    url = f"/api/v1/access-requests/{uuid.uuid4()}"
    assert world.asking.get(url, token).status_code == 404
    assert world.asking.post("/oauth/revoke", {"token": token}).status_code == 200
    assert world.asking.post("/oauth/revoke", {"token": "garbage"}).status_code == 200
    assert world.asking.get(url, token).status_code == 401


def test_a_token_for_one_surface_does_not_open_another(world: World) -> None:
    token = world.asking.client_token(SYSTEM_READ)
    for path in (f"/api/v1/access-requests/{uuid.uuid4()}", f"/exchange/fhir/Encounter?patient={world.person_id}"):
        assert world.asking.get(path, token).status_code == 401


def test_a_token_travels_in_the_header_only(world: World) -> None:
    token = world.asking.client_token("access-request")
    url = f"/api/v1/access-requests/{uuid.uuid4()}"
    assert world.asking.http.get(f"{url}?access_token={token}").status_code == 401
    both = world.asking.get(f"{url}?access_token={token}", token)
    assert both.status_code == 401


def test_a_token_ends_after_five_minutes(world: World) -> None:
    token = world.asking.client_token("access-request")
    assert claims_of(token)["exp"] - time.time() <= 300
    gone = update(AccessToken).where(AccessToken.id == claims_of(token)["jti"]).values(expires_at=now())
    world.transact(lambda session: session.execute(gone))
    url = f"/api/v1/access-requests/{uuid.uuid4()}"
    assert world.asking.get(url, token).status_code == 401
