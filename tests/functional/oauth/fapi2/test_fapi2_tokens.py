"""Modules of the OpenID FAPI 2.0 suite about codes, proofs and tokens; each test has its module's name."""

import time
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from sqlalchemy import update
from werkzeug.test import TestResponse

from consent_broker.oauth.models import AuthorizationCode
from registry.database import now
from tests.functional.oauth.moments import After, resolve
from tests.functional.oauth.proofs import Prover
from tests.functional.oauth.world import RECORDS, World, answer_of, claims_of, pkce

URL = "/oauth/token"


def error(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]


def redeem_with(world: World, proof: str | None, code: tuple[str, str] | None = None) -> TestResponse:
    """Redeem a code with that proof, or with none."""
    redeemed, verifier = code or world.code()
    form = {"grant_type": "authorization_code", "code": redeemed, "code_verifier": verifier,
            "redirect_uri": world.asking.redirect_uri}  # fmt: skip
    headers = {"DPoP": proof} if proof is not None else {}
    return world.asking.post(URL, form, headers=headers, proved=proof is not None)


@pytest.fixture
def proved(world: World) -> World:
    """The client knows a nonce that is good."""
    world.asking.client_token("access-request")
    return world


def read(world: World, token: str, scheme: str = "DPoP") -> TestResponse:
    path = f"/exchange/fhir/Encounter?patient={world.person_id}"
    headers = {"Authorization": f"{scheme} {token}", "DPoP": world.asking.proof("GET", path, token)}
    return world.asking.http.get(path, headers=headers)


def code_bound(world: World, prover: Prover, **changes: Any) -> tuple[str, str]:
    """A code of a request that names that key (dpop_jkt), and its verifier."""
    return world.code(dpop_jkt=prover.thumbprint, **changes)


def code_pushed_with(world: World, prover: Prover, **changes: Any) -> tuple[str, str]:
    """A code of a request that was pushed with a proof of that key, and its verifier."""
    verifier, challenge = pkce()
    asked = world.asked(world.asking, code_challenge=challenge)
    proof = prover.proof("POST", f"{world.asking.issuer}/oauth/par", nonce=world.asking.prover.nonce, **changes)
    pushed = world.asking.post("/oauth/par", asked, headers={"DPoP": proof})
    assert pushed.status_code == 201, pushed.text
    query = {"client_id": world.asking.client_id, "request_uri": pushed.json["request_uri"]}
    page = world.asking.http.get("/oauth/authorize", query_string=query)
    return answer_of(world.accept(page.location.rpartition("/")[2]))["code"], verifier


def test_fapi2_access_token_type_header_case_sensitivity(proved: World) -> None:
    token = proved.grant()["access_token"]
    assert {read(proved, token, scheme).status_code for scheme in ("DPoP", "dpop", "DPOP", "dPoP")} == {200}


def test_fapi2_attempt_reuse_authorization_code_after_one_second(world: World) -> None:
    code = world.code()
    token = world.asking.redeem(*code).json["access_token"]
    time.sleep(1)
    assert error(world.asking.redeem(*code)) == (400, "invalid_grant")
    assert read(world, token).status_code == 401


def test_fapi2_ensure_token_endpoint_fails_with_expired_auth_code(world: World) -> None:
    code = world.code()
    world.transact(lambda session: session.execute(update(AuthorizationCode).values(expires_at=now())))
    assert error(world.asking.redeem(*code)) == (400, "invalid_grant")


def test_fapi2_ensure_authorization_code_is_bound_to_client(world: World) -> None:
    code = world.code()
    assert error(world.holding.redeem(*code)) == (400, "invalid_grant")
    assert world.asking.redeem(*code).status_code == 200


def test_fapi2_ensure_client_id_in_token_endpoint(world: World) -> None:
    """The assertion names the client; a `client_id` beside it must be the same."""
    code = world.code()
    assert error(world.asking.redeem(*code, client_id="sihce-b")) == (401, "invalid_client")
    assert world.asking.redeem(*code, client_id="sihce-a").status_code == 200


def test_fapi2_ensure_holder_of_key_required(world: World) -> None:
    assert error(redeem_with(world, None)) == (400, "invalid_dpop_proof")
    form = {"grant_type": "client_credentials", "scope": "system/Patient.rs"}
    assert error(world.asking.post(URL, form, proved=False)) == (400, "invalid_dpop_proof")


def test_fapi2_ensure_pkce_code_verifier_required(world: World) -> None:
    assert error(world.asking.redeem(*world.code(), code_verifier=None)) in {
        (400, "invalid_grant"),
        (400, "invalid_request"),
    }


def test_fapi2_incorrect_pkce_code_verifier_rejected(world: World) -> None:
    code, _ = world.code()
    assert error(world.asking.redeem(code, pkce()[0])) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"nbf": After(-5), "exp": After(60)}, 200),
        ({"nbf": After(5)}, 200),
        ({"exp": After(-60)}, 400),
        ({"nbf": After(60)}, 400),
        ({"exp": "soon"}, 400),
    ],
    ids=str,
)
def test_fapi2_check_dpop_proof_nbf_exp(proved: World, claims: dict[str, Any], status: int) -> None:
    answer = redeem_with(proved, proved.asking.proof("POST", URL, **resolve(claims)))
    assert answer.status_code == status
    assert status == 200 or answer.json["error"] == "invalid_dpop_proof"


ED25519 = OKPKey.generate_key("Ed25519")
WEAK = {"kty": "RSA", "e": "AQAB", "n": "s" * 171}
NEGATIVE = {
    "typ absent": {"header": {"typ": None}},
    "typ JWT": {"header": {"typ": "JWT"}},
    "jwk absent": {"header": {"jwk": None}},
    "jwk of another key": {"header": {"jwk": ECKey.generate_key("P-256").as_dict(private=False)}},
    "jwk private": {"header": {"jwk": ECKey.generate_key("P-256").as_dict(private=True)}},
    "jwk symmetric": {"header": {"jwk": OctKey.generate_key(256).as_dict(private=True)}},
    "jwk weak": {"header": {"jwk": WEAK}},
    "jwk of another kind": {"header": {"jwk": ED25519.as_dict(private=False)}},
    "jwk no object": {"header": {"jwk": "x"}},
    "jku": {"header": {"jku": "https://evil.example/jwks"}},
    "crit": {"header": {"crit": ["exp"]}},
    "htm absent": {"htm": None},
    "htm of another method": {"htm": "GET"},
    "htm in another case": {"htm": "post"},
    "htu absent": {"htu": None},
    "htu of another endpoint": {"htu": "http://127.0.0.1:8000/oauth/par"},
    "htu of another server": {"htu": "https://evil.example/oauth/token"},
    "htu no address": {"htu": "http://[/"},
    "htu with a user": {"htu": "http://u@127.0.0.1:8000/oauth/token"},
    "iat absent": {"iat": None},
    "iat a minute ago": {"iat": After(-62)},
    "iat in a minute": {"iat": After(60)},
    "iat no number": {"iat": "now"},
    "iat true": {"iat": True},
    "jti absent": {"jti": None},
    "jti empty": {"jti": ""},
    "jti long": {"jti": "x" * 300},
    "nonce no text": {"nonce": 7},
}


@pytest.mark.parametrize("name", NEGATIVE)
def test_fapi2_dpop_negative_tests(proved: World, name: str) -> None:
    code, changes = proved.code(), resolve(NEGATIVE[name])
    proof = proved.asking.proof("POST", URL, **changes)
    assert error(redeem_with(proved, proof, code)) == (400, "invalid_dpop_proof")
    assert proved.asking.redeem(*code).status_code == 200, "a bad proof costs no code"


def test_fapi2_dpop_negative_tests_of_signature_size_and_reuse(proved: World) -> None:
    good = proved.asking.proof("POST", URL)
    header, payload, signature = good.split(".")
    unsigned = f"eyJhbGciOiJub25lIiwidHlwIjoiZHBvcCtqd3QifQ.{payload}."
    swapped = f"{header}.{proved.asking.proof('POST', URL).split('.')[1]}.{signature}"
    for proof in ("", "x", "a.b.c", unsigned, swapped, f"{good}={'x' * 9000}", f"{good},{good}"):
        assert error(redeem_with(proved, proof)) == (400, "invalid_dpop_proof"), proof[:40]
    assert redeem_with(proved, good).status_code == 200
    assert error(redeem_with(proved, good)) == (400, "invalid_dpop_proof")


def test_fapi2_dpop_negative_tests_of_the_nonce(proved: World) -> None:
    code = proved.code()
    for nonce in (None, "stale", proved.asking.prover.nonce[::-1]):  # type: ignore[index]
        answer = redeem_with(proved, proved.asking.proof("POST", URL, nonce=nonce), code)
        assert error(answer) == (400, "use_dpop_nonce")
        assert answer.headers["DPoP-Nonce"] == proved.asking.prover.nonce
    assert proved.asking.redeem(*code).status_code == 200


def test_fapi2_ensure_dpop_auth_code_binding_success(proved: World) -> None:
    code = code_bound(proved, proved.asking.prover)
    assert redeem_with(proved, proved.asking.proof("POST", URL), code).status_code == 200


def test_fapi2_ensure_dpopproof_at_par_endpoint_binding_success(proved: World) -> None:
    code = code_pushed_with(proved, proved.asking.prover)
    assert redeem_with(proved, proved.asking.proof("POST", URL), code).status_code == 200


def test_fapi2_ensure_dpopproof_with_iat_10seconds_after_succeeds(proved: World) -> None:
    later = {"iat": int(time.time()) + 10}
    code = code_pushed_with(proved, proved.asking.prover, **later)
    assert redeem_with(proved, proved.asking.proof("POST", URL, **later), code).status_code == 200


def test_fapi2_ensure_dpopproof_with_iat_10seconds_before_succeeds(proved: World) -> None:
    earlier = {"iat": int(time.time()) - 10}
    code = code_pushed_with(proved, proved.asking.prover, **earlier)
    assert redeem_with(proved, proved.asking.proof("POST", URL, **earlier), code).status_code == 200


def test_fapi2_ensure_mismatched_dpop_jkt_fails(proved: World) -> None:
    asked = proved.asked(proved.asking, dpop_jkt=Prover().thumbprint)
    answer = proved.asking.post("/oauth/par", asked, headers={"DPoP": proved.asking.proof("POST", "/oauth/par")})
    assert error(answer) == (400, "invalid_dpop_proof")
    assert error(proved.push(dpop_jkt="short")) == (400, "invalid_request")


def test_fapi2_ensure_token_endpoint_fails_with_mismatched_dpop_jkt(proved: World) -> None:
    code = code_bound(proved, Prover())
    assert error(redeem_with(proved, proved.asking.proof("POST", URL), code)) == (400, "invalid_grant")


def test_fapi2_ensure_token_endpoint_fails_with_mismatched_dpop_proof_jkt(proved: World) -> None:
    code = code_pushed_with(proved, Prover())
    assert error(redeem_with(proved, proved.asking.proof("POST", URL), code)) == (400, "invalid_grant")


def test_fapi2_refresh_token(proved: World) -> None:
    first = proved.grant(scope=f"{RECORDS[0]} offline_access")
    for _ in range(2):
        again = proved.asking.refresh(first["refresh_token"])
        assert (again.status_code, "refresh_token" in again.json) == (200, False), "it stays, and is not rotated"
        assert claims_of(again.json["access_token"])["cnf"] == {"jkt": proved.asking.prover.thumbprint}
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    thief = Prover(nonce=proved.asking.prover.nonce)
    stolen = {"DPoP": thief.proof("POST", f"{proved.asking.issuer}{URL}")}
    assert error(proved.asking.post(URL, form, headers=stolen)) == (400, "invalid_grant")
    assert error(proved.holding.refresh(first["refresh_token"])) == (400, "invalid_grant")


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (RSAKey.generate_key(2048), "PS256"),
        (ED25519, "EdDSA"),
        (ED25519, "Ed25519"),
        (ECKey.generate_key("P-256"), "ES256"),
    ],
    ids=["PS256", "EdDSA", "Ed25519", "ES256"],
)
def test_proofs_are_signed_with_what_is_advertised(proved: World, key: Any, algorithm: str) -> None:
    prover = Prover(key, algorithm, proved.asking.prover.nonce)
    answer = redeem_with(proved, prover.proof("POST", f"{proved.asking.issuer}{URL}"))
    assert claims_of(answer.json["access_token"])["cnf"] == {"jkt": prover.thumbprint}


@pytest.mark.parametrize(("algorithm", "curve"), [("ES384", "P-384"), ("RS256", None)])
def test_and_with_nothing_else(proved: World, algorithm: str, curve: str | None) -> None:
    key = ECKey.generate_key(curve) if curve else RSAKey.generate_key(2048)
    prover = Prover(key, algorithm, proved.asking.prover.nonce)
    answer = redeem_with(proved, prover.proof("POST", f"{proved.asking.issuer}{URL}"))
    assert error(answer) == (400, "invalid_dpop_proof")
