"""RFC 8628: a record system waits for the patient's answer; it redeems it once, and learns nothing it may not."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from consent_broker.consents.access_requests import deny_request, grant_request
from consent_broker.consents.narrowing import Narrowing
from consent_broker.desk.models import ShortCode
from consent_broker.desk.short_codes import ALPHABET, read_code
from consent_broker.oauth.clients import DEVICE_CODE
from consent_broker.oauth.models import DeviceAuthorization
from consent_broker.oauth.opaque import digest
from registry.database import now
from tests.functional.oauth.world import ISSUER, RECORDS, Party, World, claims_of


def start(party: Party, launch: str | None, **more: str) -> TestResponse:
    form = more if launch is None else {"launch": launch} | more
    return party.post("/oauth/device_authorization", form)


def poll(party: Party, device_code: str, **more: Any) -> TestResponse:
    return party.post("/oauth/token", {"grant_type": DEVICE_CODE, "device_code": device_code} | more)


def rest(world: World, device_code: str) -> None:
    """Let the interval pass."""
    earlier = {"polled_at": now() - timedelta(minutes=1)}
    this = DeviceAuthorization.device_code_hash == digest(device_code)
    world.transact(lambda session: session.execute(update(DeviceAuthorization).where(this).values(**earlier)))


def grant(world: World, launch: str, narrowing: Narrowing | None = None) -> None:
    more = (narrowing,) if narrowing else ()
    world.transact(lambda session: grant_request(session, UUID(launch), world.evidence(), *more))


@pytest.fixture
def launch(world: World) -> str:
    return str(world.request_access(until=(now() + timedelta(days=2, seconds=id(object()) % 80_000)).isoformat())["id"])


def test_what_the_record_system_is_told(world: World, launch: str) -> None:
    answer = start(world.asking, launch)
    assert answer.status_code == 200, answer.text
    body = answer.json
    assert body.keys() == {
        "device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval",
    }  # fmt: skip
    assert body["verification_uri"] == f"{ISSUER}/codigo"
    assert body["verification_uri_complete"] == f"{ISSUER}/codigo/{body['user_code']}"
    assert set(body["user_code"].replace("-", "")) <= set(ALPHABET)
    assert (body["expires_in"], body["interval"]) == (600, 5)
    assert answer.headers["Cache-Control"] == "no-store"
    metadata = world.asking.http.get("/.well-known/oauth-authorization-server").json
    assert metadata["device_authorization_endpoint"] == f"{ISSUER}/oauth/device_authorization"
    assert DEVICE_CODE in metadata["grant_types_supported"]


def test_nothing_of_a_code_is_stored(world: World, launch: str) -> None:
    body = start(world.asking, launch).json
    letters = (read_code(body["user_code"]) or "").encode()

    def stored(session: Any) -> list[bytes]:
        codes = [row.code_token for row in session.query(ShortCode)]
        return codes + [row.device_code_hash for row in session.query(DeviceAuthorization)]

    for value in world.transact(stored):
        assert letters not in value
        assert value != digest(letters.decode())
        assert body["device_code"].encode() not in value


def test_pending_then_granted_then_once(world: World, launch: str) -> None:
    code = start(world.asking, launch, scope=" ".join(RECORDS)).json["device_code"]
    assert poll(world.asking, code).json["error"] == "authorization_pending"
    grant(world, launch)
    token = poll(world.asking, code)
    assert token.status_code == 200, token.text
    assert set(token.json["scope"].split()) == set(RECORDS)
    claims = claims_of(token.json["access_token"])
    assert (claims["patient"], claims["aud"]) == (str(world.person_id), f"{ISSUER}/exchange")
    assert claims["act"] == {"sub": str(world.professional_id)}
    again = poll(world.asking, code)
    assert (again.status_code, again.json["error"]) == (400, "invalid_grant")
    fetched = world.asking.get(f"/exchange/fhir/Encounter?patient={world.person_id}", token.json["access_token"])
    assert fetched.status_code == 401, "the replay ended what was granted"


def test_polling_too_soon_costs_five_seconds_for_good(world: World, launch: str) -> None:
    code = start(world.asking, launch).json["device_code"]
    errors = [poll(world.asking, code).json["error"] for _ in range(3)]
    assert errors == ["authorization_pending", "slow_down", "slow_down"]
    this = DeviceAuthorization.device_code_hash == digest(code)
    interval = world.transact(lambda session: session.query(DeviceAuthorization).where(this).one().interval_seconds)
    assert interval == 15
    rest(world, code)
    assert poll(world.asking, code).json["error"] == "authorization_pending"


def test_declined_and_expired_are_told_apart(world: World, launch: str) -> None:
    code = start(world.asking, launch).json["device_code"]
    this = DeviceAuthorization.device_code_hash == digest(code)
    late = update(DeviceAuthorization).where(this).values(expires_at=now() - timedelta(seconds=1))
    other = start(world.asking, launch).json["device_code"]
    world.transact(lambda session: session.execute(late))
    assert poll(world.asking, code).json["error"] == "expired_token"
    world.transact(lambda session: deny_request(session, UUID(launch), world.evidence()))
    assert poll(world.asking, other).json["error"] == "access_denied"


def test_an_expired_code_yields_nothing_though_the_patient_grants_later(world: World, launch: str) -> None:
    code = start(world.asking, launch).json["device_code"]
    this = DeviceAuthorization.device_code_hash == digest(code)
    late = update(DeviceAuthorization).where(this).values(expires_at=now() - timedelta(seconds=1))
    world.transact(lambda session: session.execute(late))
    grant(world, launch)
    assert poll(world.asking, code).json["error"] == "expired_token"


def test_another_client_can_not_redeem_it_and_costs_nothing(world: World, launch: str) -> None:
    code = start(world.asking, launch).json["device_code"]
    grant(world, launch)
    assert poll(world.holding, code).json["error"] == "invalid_grant"
    assert poll(world.asking, code).status_code == 200


def test_a_code_bound_to_a_key_is_redeemed_with_that_key_only(world: World, launch: str) -> None:
    mine = world.asking
    form = {"launch": launch} | mine.credentials()
    code = mine._proving("POST", "/oauth/device_authorization", {}, data=form).json["device_code"]
    unbound = start(mine, launch).json["device_code"]
    grant(world, launch)
    thief = Party(mine.client_id, mine.establishment_id, mine.endpoint, mine.http, mine.key)
    assert poll(thief, code).json["error"] == "invalid_grant"
    assert poll(mine, code).json["error"] == "invalid_grant", "used up"
    token = poll(mine, unbound).json["access_token"]
    assert claims_of(token)["cnf"] == {"jkt": mine.prover.thumbprint}


def test_the_patient_permits_less_than_the_scope(world: World, launch: str) -> None:
    code = start(world.asking, launch, scope=f"{' '.join(RECORDS)} offline_access").json["device_code"]
    grant(world, launch, Narrowing(categories=frozenset({"allergies"})))
    token = poll(world.asking, code).json
    assert set(token["scope"].split()) == {RECORDS[0], "offline_access"}
    assert world.asking.refresh(token["refresh_token"]).json["scope"] == token["scope"]


def test_nothing_of_the_scope_permitted_is_a_refusal(world: World, launch: str) -> None:
    code = start(world.asking, launch, scope=RECORDS[0]).json["device_code"]
    grant(world, launch, Narrowing(categories=frozenset({"encounters"})))
    assert poll(world.asking, code).json["error"] == "access_denied"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"scope": "patient/Observation.rs"}, "invalid_scope"),
        ({"scope": "system/Patient.rs"}, "invalid_scope"),
        ({"scope": "patient/Immunization.rs"}, "invalid_scope"),
        ({"scope": "launch"}, "invalid_scope"),
        ({"scope": "x" * 5000}, "invalid_scope"),
    ],
)
def test_more_than_the_launch_is_not_asked_for(world: World, launch: str, more: dict[str, str], error: str) -> None:
    assert start(world.asking, launch, **more).json["error"] == error


@pytest.mark.parametrize("launch_text", ["", "x", "é", "00000000-0000-0000-0000-000000000000", "x" * 8000])
def test_garbage_for_a_launch_is_refused(world: World, launch_text: str) -> None:
    answer = start(world.asking, launch_text)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_the_launch_is_ones_own_and_open(world: World, launch: str) -> None:
    assert start(world.holding, launch).json["error"] == "invalid_request"
    assert start(world.asking, None).json["error"] == "invalid_request"
    grant(world, launch)
    assert start(world.asking, launch).json["error"] == "invalid_request"


def test_nobody_waits_without_authentication(world: World, launch: str) -> None:
    http = world.asking.http
    assert http.post("/oauth/device_authorization", data={"launch": launch}).status_code == 401
    assert http.get("/oauth/device_authorization").status_code == 405
    query = http.post(f"/oauth/device_authorization?launch={launch}", data=world.asking.credentials())
    assert query.json["error"] == "invalid_request"


@pytest.mark.parametrize("code", ["", "x", "x" * 8192, "\x00", "é"])
def test_garbage_for_a_device_code_is_refused(world: World, code: str) -> None:
    answer = poll(world.asking, code)
    assert answer.status_code == 400
    assert answer.json["error"] in {"invalid_grant", "invalid_request"}


def test_waiting_is_bounded(world: World, launch: str) -> None:
    answers = [start(world.asking, launch).status_code for _ in range(21)]
    assert answers == [200] * 20 + [429]
