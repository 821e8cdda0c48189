"""Client authentication: what a good assertion is, and everything that is not one."""

import json
import time
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from sqlalchemy import select, update

from registry.audit.models import AuditEvent
from registry.directory.models import RecordSystem
from tests.functional.oauth.moments import After, resolve
from tests.functional.oauth.proofs import sign_text
from tests.functional.oauth.world import ASSERTION_TYPE, ISSUER, World

FORM = {"grant_type": "client_credentials", "scope": "system/Patient.rs"}


def refused(world: World, form: dict[str, Any], **kwargs: Any) -> None:
    answer = world.asking.http.post("/oauth/token", data=FORM | form, **kwargs)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client"), answer.text
    assert "access_token" not in answer.json


def test_each_profile_has_its_one_audience(world: World) -> None:
    for party, audience in ((world.asking, ISSUER), (world.app_client, f"{ISSUER}/oauth/token")):
        answer = party.post("/oauth/token", FORM | party.credentials(aud=audience))
        assert answer.status_code == 200
        assert "no-store" in answer.headers["Cache-Control"]
    refused(world, world.asking.credentials(aud=f"{ISSUER}/oauth/token"))
    refused(world, world.app_client.credentials(aud=ISSUER))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [ISSUER]},
        {"aud": [ISSUER, "https://evil.example"]},
        {"aud": "https://evil.example"},
        {"aud": f"{ISSUER}/"},
        {"aud": f"{ISSUER}/oauth/introspect"},
        {"aud": None},
        {"iat": None},
        {"exp": None},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 300},
        {"jti": 7},
        {"iss": "sihce-b"},
        {"sub": "nobody", "iss": "nobody"},
        {"sub": ["sihce-a"]},
        {"sub": "a\x00", "iss": "a\x00"},
        {"exp": After(-60)},
        {"exp": After(600)},
        {"exp": After(10 * 365 * 86400)},
        {"exp": After(30.5)},
        {"exp": "soon"},
        {"iat": After(61)},
        {"iat": After(-4000)},
        {"nbf": After(61)},
        {"iat": True},
    ],
    ids=str,
)
def test_a_claim_that_is_not_right_is_refused(world: World, changes: dict[str, Any]) -> None:
    refused(world, world.asking.credentials(**resolve(changes)))


@pytest.mark.parametrize("changes", [{"iat": After(9)}, {"nbf": After(9)}, {"iat": After(-9)}], ids=str)
def test_clocks_may_differ_by_ten_seconds(world: World, changes: dict[str, Any]) -> None:
    """FAPI 2.0 §5.3.2.1; what is more than a minute ahead is refused above."""
    assert world.asking.post("/oauth/token", FORM | world.asking.credentials(**resolve(changes))).status_code == 200


def test_an_assertion_is_used_once(world: World) -> None:
    credentials = world.asking.credentials()
    assert world.asking.post("/oauth/token", FORM | credentials).status_code == 200
    refused(world, credentials)


def test_an_introspection_that_fails_has_used_its_assertion_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    form = world.holding.credentials() | {"token": "any"}

    def fail(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr("consent_broker.oauth.routes.introspect", fail)
        assert world.holding.http.post("/oauth/introspect", data=form).status_code == 500
    assert world.holding.http.post("/oauth/introspect", data=form).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "at+jwt"},
        {"typ": "oauth-authz-req+jwt"},
        {"kid": "another"},
        {"kid": "' OR 1=1 --"},
        {"kid": "../../etc/passwd"},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/cert"},
        {"crit": ["exp"], "exp": 1},
        {"jwk": {"kty": "EC"}},
    ],
    ids=str,
)
def test_a_header_that_brings_its_own_key_or_type_is_refused(world: World, header: dict[str, Any]) -> None:
    signed = world.asking.assertion()
    head, payload, signature = signed.split(".")
    changed = urlsafe_b64encode(json.dumps({"alg": "ES256", "kid": world.asking.key.kid} | header).encode())
    forged = f"{changed.rstrip(b'=').decode()}.{payload}.{signature}"
    refused(world, {"client_assertion_type": ASSERTION_TYPE, "client_assertion": forged})
    assert head


@pytest.mark.parametrize(
    "payload", [rb'{"sub":"\ud800","iss":"\ud800"}', b"[]", b"null", b"7", b'{"sub":', b"[" * 2000]
)
def test_a_payload_that_is_no_client_is_refused(world: World, payload: bytes) -> None:
    head, _, signature = world.asking.assertion().split(".")
    body = urlsafe_b64encode(payload).rstrip(b"=").decode()
    refused(world, {"client_assertion_type": ASSERTION_TYPE, "client_assertion": f"{head}.{body}.{signature}"})


def test_unsigned_and_symmetric_assertions_are_refused(world: World) -> None:
    _, payload, _ = world.asking.assertion().split(".")
    none = urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    refused(world, {"client_assertion_type": ASSERTION_TYPE, "client_assertion": f"{none}.{payload}."})
    public = OctKey.import_key(world.asking.key.as_pem(private=False).decode().replace("BEGIN", "XX"))
    refused(world, world.asking.credentials(header={"alg": "HS256"}, key=public))


def test_what_says_a_claim_twice_is_no_assertion_and_no_proof(world: World) -> None:
    """Which of the two was meant depends on who reads it."""
    party, prover = world.asking, world.asking.prover
    head, claims, _ = party.assertion().split(".")
    header, said = (json.loads(urlsafe_b64decode(part + "==")) for part in (head, claims))
    text = json.dumps(said)
    for written, passes in ((text, True), (text[:-1] + f', "aud": "{ISSUER}"}}', False)):
        again = written.replace(said["jti"], uuid.uuid4().hex) if passes else written
        answer = party.post(
            "/oauth/token",
            FORM | {"client_assertion_type": ASSERTION_TYPE, "client_assertion": sign_text(header, again, party.key)},
        )
        assert (answer.status_code == 200) is passes
    head, claims, _ = party.proof("POST", "/oauth/token").split(".")
    header, said = (json.loads(urlsafe_b64decode(part + "==")) for part in (head, claims))
    for more, error in (("", None), (', "htm": "POST"', "invalid_dpop_proof")):
        text = json.dumps(said | {"jti": uuid.uuid4().hex})[:-1] + more + "}"
        proof = {"DPoP": sign_text(header, text, prover.key)}
        answer = party.http.post("/oauth/token", data=FORM | party.credentials(), headers=proof)
        assert answer.json.get("error") == error


def test_another_key_does_not_pass(world: World) -> None:
    refused(world, world.asking.credentials(key=ECKey.generate_key("P-256")))


@pytest.mark.parametrize(
    "garbage", ["", "a.b.c", "x" * 9000, "ñ.ñ.ñ", "e30.e30.e30", "\x00", "a.b", "....", "eyJ9.e30.e30"]
)
def test_garbage_is_refused_politely(world: World, garbage: str) -> None:
    answer = world.asking.http.post(
        "/oauth/token", data=FORM | {"client_assertion_type": ASSERTION_TYPE, "client_assertion": garbage}
    )
    assert answer.status_code in {400, 401, 413}
    assert answer.json["error"] in {"invalid_client", "invalid_request"}


@pytest.mark.parametrize(
    "headers", [{"Authorization": "Basic c2loY2UtYTpw8Q=="}, {"Authorization": "Basic c2loY2UtYTrDsQ=="}]
)
def test_two_methods_at_once_are_refused(world: World, headers: dict[str, str]) -> None:
    answer = world.asking.post("/oauth/token", FORM | world.asking.credentials(), headers=headers)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_client_secret_beside_the_assertion_is_refused(world: World) -> None:
    answer = world.asking.post("/oauth/token", FORM | {"client_secret": "ñ"} | world.asking.credentials())
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_nobody_is_not_a_client(world: World) -> None:
    refused(world, {})
    refused(world, {"client_id": "sihce-a"})


def test_an_app_may_leave_out_when_it_signed_and_name_its_registered_keys(world: World) -> None:
    answer = world.app_client.post("/oauth/token", FORM | world.app_client.credentials(iat=None))
    assert answer.status_code == 200
    refused(world, world.app_client.credentials(iat=None, exp=int(time.time()) + 400))
    refused(world, world.app_client.credentials(header={"jku": "https://evil.example/jwks"}))


def register(world: World, member: dict[str, Any], profile: str = "fapi2") -> None:
    statement = update(RecordSystem).where(RecordSystem.client_id == world.holding.client_id)
    world.transact(lambda session: session.execute(statement.values(jwks={"keys": [member]}, profile=profile)))


def sign(world: World, key: Key, algorithm: str, profile: str = "fapi2") -> dict[str, str]:
    now = int(time.time())
    audience = ISSUER if profile == "fapi2" else f"{ISSUER}/oauth/token"
    claims = {"iss": "sihce-b", "sub": "sihce-b", "aud": audience, "iat": now, "exp": now + 60, "jti": uuid.uuid4().hex}
    token = jwt.encode({"alg": algorithm, "kid": "k"}, claims, key, algorithms=[algorithm])
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": token}


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("profile", ["fapi2", "smart"])
@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "PS256", "RS384", "EdDSA", "Ed25519"])
def test_each_profile_takes_its_own_algorithms_and_no_others(world: World, algorithm: str, profile: str) -> None:
    made: dict[str, Key] = {
        "ES256": ECKey.generate_key("P-256"),
        "ES384": ECKey.generate_key("P-384"),
        "EdDSA": OKPKey.generate_key("Ed25519"),
        "Ed25519": OKPKey.generate_key("Ed25519"),
    }
    key = made.get(algorithm) or RSAKey.generate_key(2048)
    register(world, key.as_dict(private=False) | {"kid": "k"}, profile)
    mine = algorithm in {"ES384", "RS384"} if profile == "smart" else algorithm not in {"ES384", "RS384"}
    form = FORM | sign(world, key, algorithm, profile)
    answer = world.holding.post("/oauth/token", form, proved=profile == "fapi2")
    assert answer.status_code == (200 if mine else 401)


@pytest.mark.parametrize("profile", ["fapi2", "smart"])
@pytest.mark.parametrize("algorithm", ["RS256", "PS384", "ES512"])
def test_other_algorithms_do_not_work_at_all(world: World, algorithm: str, profile: str) -> None:
    key: Key = ECKey.generate_key("P-521") if algorithm == "ES512" else RSAKey.generate_key(2048)
    register(world, key.as_dict(private=False) | {"kid": "k"}, profile)
    refused(world, sign(world, key, algorithm, profile))


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_weak_symmetric_encrypting_and_ambiguous_keys_are_never_used(world: World) -> None:
    weak = RSAKey.generate_key(1024)
    register(world, weak.as_dict(private=False) | {"kid": "k"})
    refused(world, sign(world, weak, "PS256"))
    shared = OctKey.generate_key(256)
    register(world, shared.as_dict(private=True) | {"kid": "k"})
    refused(world, sign(world, shared, "HS256"))
    key = ECKey.generate_key("P-256")
    register(world, key.as_dict(private=False) | {"kid": "k", "use": "enc"})
    refused(world, sign(world, key, "ES256"))
    statement = update(RecordSystem).where(RecordSystem.client_id == "sihce-b")
    twice = {
        "keys": [
            key.as_dict(private=False) | {"kid": "k"},
            ECKey.generate_key("P-256").as_dict(private=False) | {"kid": "k"},
        ]
    }
    world.transact(lambda session: session.execute(statement.values(jwks=twice)))
    refused(world, sign(world, key, "ES256"))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"suspended_at": datetime.now(UTC), "suspension_reason": "test"}, "suspended"),
        ({"accredited_until": datetime.now(UTC) - timedelta(days=1)}, "accreditation-ended"),
    ],
)
def test_accreditation_is_checked_on_every_call_and_its_lack_is_in_the_log(
    world: World, values: dict[str, Any], reason: str
) -> None:
    token = world.asking.client_token("access-request")
    mine = RecordSystem.client_id == world.asking.client_id
    before = {
        "suspended_at": None,
        "suspension_reason": None,
        "accredited_until": datetime.now(UTC) + timedelta(days=9),
    }
    world.transact(lambda session: session.execute(update(RecordSystem).where(mine).values(**values)))
    try:
        refused(world, world.asking.credentials())
        call = world.asking.get(f"/api/v1/access-requests/{uuid.uuid4()}", token)
        assert (call.status_code, call.json["code"]) == (403, reason)
    finally:
        world.transact(lambda session: session.execute(update(RecordSystem).where(mine).values(**before)))
    query = select(AuditEvent).where(AuditEvent.reason == reason, AuditEvent.client_id == "sihce-a")
    assert len(world.transact(lambda session: session.scalars(query).all())) == 2
