"""Attack 11: a JWT is believed for the wrong key, the wrong algorithm or the wrong purpose.

Keys that are weak, symmetric or ambiguous in a client's own set: tests/functional/oauth/test_client_authentication.py;
in a set it publishes: test_12_ssrf.py.
"""

import time
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from tests.functional.oauth.proofs import sign
from tests.functional.oauth.world import ASSERTION_TYPE, ISSUER, World, claims_of

PATH = "/api/v1/access-requests/01920000-0000-7000-8000-000000000000"


def _resign(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Callable[[World, str], str]:
    """A token changed and signed again with our own key: only the check in question stands between."""

    def forge(world: World, token: str) -> str:
        signing = world.broker.keys.current()
        head = {"alg": "ES256", "typ": "at+jwt", "kid": signing.kid}
        claims = claims_of(token)
        change(head, claims)
        return jwt.encode(head, claims, signing.key, algorithms=["ES256"], default_type=None)

    return forge


def _foreign(world: World, token: str) -> str:
    key = ECKey.generate_key("P-256")
    head = {"alg": "ES256", "typ": "at+jwt", "kid": world.broker.keys.current().kid}
    return jwt.encode(head, claims_of(token), key, algorithms=["ES256"])


def _symmetric(world: World, token: str) -> str:
    jwk = world.asking.http.get("/oauth/jwks").json["keys"][0]
    key = OctKey.import_key(urlsafe_b64decode(jwk["x"] + "=="))
    head = {"alg": "HS256", "typ": "at+jwt", "kid": jwk["kid"]}
    return jwt.encode(head, claims_of(token), key, algorithms=["HS256"])


def _unsigned(_world: World, token: str) -> str:
    head = urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
    return f"{head}.{token.split('.')[1]}."


def _assertion(world: World, _token: str) -> str:
    return world.asking.assertion()


FORGERIES: dict[str, Callable[[World, str], str]] = {
    "foreign key": _foreign,
    "public key as secret": _symmetric,
    "unsigned": _unsigned,
    "client assertion": _assertion,
    "padded": lambda _world, token: f"{token}=",
    "with a space": lambda _world, token: f"{token} x",
    "truncated": lambda _world, token: token[:-3],
    "typ absent": _resign(lambda head, _: head.pop("typ")),
    "typ JWT": _resign(lambda head, _: head.update(typ="JWT")),
    "kid absent": _resign(lambda head, _: head.pop("kid")),
    "kid a path": _resign(lambda head, _: head.update(kid="../../dev/null")),
    "own jwk": _resign(lambda head, _: head.update(jwk={"kty": "EC"})),
    "other issuer": _resign(lambda _, claims: claims.update(iss="https://evil.example")),
    "other audience": _resign(lambda _, claims: claims.update(aud=f"{ISSUER}/fhir")),
    "two audiences": _resign(lambda _, claims: claims.update(aud=[f"{ISSUER}/api/v1", "x"])),
    "unknown jti": _resign(lambda _, claims: claims.update(jti=str(uuid.uuid4()))),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_token_opens_nothing(world: World, name: str) -> None:
    forged = FORGERIES[name](world, world.asking.client_token("access-request"))
    answer = world.asking.get(f"/api/v1/access-requests/{uuid.uuid4()}", forged)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith(("Bearer", "DPoP"))


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_token_is_no_active_one(world: World, name: str) -> None:
    forged = FORGERIES[name](world, world.asking.client_token("access-request"))
    for party in (world.asking, world.holding):
        assert party.introspect(forged) == {"active": False}


HEADERS: list[dict[str, Any]] = [
    {"jwk": ECKey.generate_key("P-256").as_dict(private=False)},
    {"jku": "https://evil.example/jwks"},
    {"x5u": "https://evil.example/cert"},
    {"x5c": ["AA"]},
    {"crit": ["exp"]},
    {"b64": False},
    {"zip": "DEF"},
    {"kid": "../../../../dev/null"},
    {"kid": "' UNION SELECT 1 --"},
    {"kid": ["signing"]},
    {"kid": None},
    {"typ": None},
    {"typ": "JWT"},
    {"typ": "dpop+jwt"},
    {"typ": "oauth-authz-req+jwt"},
    {"cty": "JWT"},
]


@pytest.mark.parametrize("header", HEADERS)
def test_a_token_whose_header_says_more_than_ours_do_opens_nothing(world: World, header: dict[str, Any]) -> None:
    """Signed by our own key: only what the header says stands between."""
    signing = world.broker.keys.current()
    head = {"alg": "ES256", "typ": "at+jwt", "kid": signing.kid} | header
    head = {name: value for name, value in head.items() if value is not None}
    forged = sign(head, claims_of(world.asking.client_token("access-request")), signing.key)
    assert world.asking.get(PATH, forged).status_code == 401


def request_object(world: World) -> str:
    """What a client signs to ask for authorization (RFC 9101): its own key, its own claims."""
    claims = world.asked(world.asking) | {"iss": "sihce-a", "sub": "sihce-a", "aud": ISSUER, "jti": uuid.uuid4().hex}
    times = {"iat": int(time.time()), "exp": int(time.time()) + 60}
    return sign(
        {"alg": "ES256", "typ": "oauth-authz-req+jwt", "kid": world.asking.key.kid}, claims | times, world.asking.key
    )


def id_token(world: World) -> str:
    """What an OpenID Provider with our key would sign."""
    signing = world.broker.keys.current()
    claims = claims_of(world.asking.client_token("access-request"))
    return sign({"alg": "ES256", "typ": "JWT", "kid": signing.kid}, claims, signing.key)


JWTS: dict[str, Callable[[World], str]] = {
    "access token": lambda world: world.asking.client_token("access-request"),
    "client assertion": lambda world: world.asking.assertion(),
    "proof": lambda world: world.asking.proof("POST", "/oauth/token"),
    "request object": request_object,
    "ID token": id_token,
}


def as_token(world: World, value: str) -> bool:
    return world.asking.get(PATH, value).status_code != 401


def as_assertion(world: World, value: str) -> bool:
    form = {"grant_type": "client_credentials", "scope": "access-request", "client_assertion_type": ASSERTION_TYPE}
    return world.asking.post("/oauth/token", form | {"client_assertion": value}).status_code == 200


def as_proof(world: World, value: str) -> bool:
    form = {"grant_type": "client_credentials", "scope": "access-request"}
    return world.asking.post("/oauth/token", form, headers={"DPoP": value}).status_code == 200


ROLES: dict[str, Callable[[World, str], bool]] = {
    "access token": as_token,
    "client assertion": as_assertion,
    "proof": as_proof,
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", JWTS)
def test_each_jwt_serves_its_own_purpose_alone(world: World, kind: str, role: str) -> None:
    world.asking.client_token("access-request")
    assert ROLES[role](world, JWTS[kind](world)) is (kind == role)
