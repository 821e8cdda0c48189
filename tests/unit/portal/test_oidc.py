"""What ID Perú's answer must prove, and everything that must not pass for proof."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from portal.errors import SignInFailed, SignInUnavailable
from portal.oidc import IdPeru, Registration
from portal.session import derive, new_secret

ISSUER = "https://idperu.example"
OURS = Registration(
    issuer=ISSUER, client_id="renhice", client_secret="s3cret", redirect_uri="https://r.example/ingresar/retorno"
)
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/service/auth",
    "token_endpoint": f"{ISSUER}/service/token",
    "jwks_uri": f"{ISSUER}/service/jwks",
}
KEY = ECKey.generate_key("P-256", {"kid": "one"})
SECRET = new_secret()


def claims(**changes: Any) -> dict[str, Any]:
    moment = int(time.time())
    made = {
        "iss": ISSUER,
        "aud": "renhice",
        "sub": "x",
        "exp": moment + 60,
        "iat": moment,
        "auth_time": moment,
        "acr": "2",
        "nonce": derive(SECRET, "nonce"),
        "doc": "45678901",
        "first_name": "Rosa",
    }
    return {name: value for name, value in (made | changes).items() if value is not ...}


def sign(body: dict[str, Any], key: Any = KEY, alg: str = "ES256") -> str:
    return jwt.encode({"alg": alg, "kid": key.kid}, body, key, algorithms=[alg])


def provider(
    token: str = "", *, keys: list[Any] | None = None, broken: Callable[[str], httpx.Response | None] | None = None
) -> IdPeru:
    def answer(request: httpx.Request) -> httpx.Response:
        if broken and (response := broken(request.url.path)):
            return response
        if request.url.path.endswith("openid-configuration"):
            return httpx.Response(200, json=METADATA)
        if request.url.path.endswith("jwks"):
            return httpx.Response(200, json=KeySet(keys or [KEY]).as_dict(private=False))
        sent = parse_qs(request.content.decode())
        assert sent["code_verifier"] == [derive(SECRET, "verifier")]
        assert sent["client_secret"] == ["s3cret"]
        return httpx.Response(200, json={"id_token": token})

    return IdPeru(OURS, httpx.Client(transport=httpx.MockTransport(answer)))


def test_a_good_answer_names_the_person() -> None:
    found = provider(sign(claims())).identify("code", SECRET, 2, None)
    assert (found.document, found.name, found.acr) == ("45678901", "Rosa", 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.example"},
        {"aud": "other"},
        {"aud": ["renhice", "other"]},
        {"exp": int(time.time()) - 120},
        {"exp": "tomorrow"},
        {"exp": ...},
        {"iat": int(time.time()) + 86_400},
        {"iat": ...},
        {"nonce": "replayed"},
        {"nonce": ...},
        {"acr": "1"},
        {"acr": "9"},
        {"acr": ...},
        {"auth_time": ...},
        {"auth_time": True},
        {"auth_time": int(time.time()) + 86_400},
        {"doc": "1234567"},
        {"doc": "٤٥٦٧٨٩٠١"},
        {"doc": ...},
        {"doc": ["45678901"]},
    ],
    ids="".join,  # a claim's name: every process that collects them finds the same
)
def test_a_wrong_claim_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SignInFailed):
        provider(sign(claims(**wrong))).identify("code", SECRET, 2, None)


def test_an_old_sign_in_does_not_pass_for_a_recent_one() -> None:
    old = sign(claims(auth_time=int(time.time()) - 3600))
    assert provider(old).identify("code", SECRET, 2, None).acr == 2
    with pytest.raises(SignInFailed):
        provider(old).identify("code", SECRET, 2, 900)


def test_another_key_a_shared_secret_and_garbage_are_refused() -> None:
    stranger = ECKey.generate_key("P-256", {"kid": "one"})
    shared = OctKey.import_key("x" * 32, {"kid": "one"})
    unsigned = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0."
    for token in (sign(claims(), stranger), sign(claims(), shared, "HS256"), unsigned, "", "a.b.c", "é"):
        with pytest.raises(SignInFailed):
            provider(token).identify("code", SECRET, 2, None)


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/service/token", "/service/jwks"])
@pytest.mark.parametrize(
    "response",
    [httpx.Response(503, text="mantenimiento"), httpx.Response(200, text="<html>"), httpx.Response(200, json=[])],
)
def test_a_broken_provider_is_unavailable(path: str, response: httpx.Response) -> None:
    failing = provider(sign(claims()), broken=lambda asked: response if asked == path else None)
    with pytest.raises(SignInUnavailable):
        failing.identify("code", SECRET, 2, None)


def test_metadata_of_another_issuer_is_not_used() -> None:
    other = httpx.Response(200, json=METADATA | {"issuer": "https://evil.example"})
    with pytest.raises(SignInUnavailable):
        provider(broken=lambda path: other if "openid" in path else None).authorization_url(SECRET, 1, None)


def test_the_request_hides_the_verifier_and_asks_for_the_level() -> None:
    query = parse_qs(urlsplit(provider().authorization_url(SECRET, 3, 0)).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["acr_values"] == ["3"]
    assert query["max_age"] == ["0"]
    assert derive(SECRET, "verifier") not in str(query)
    assert SECRET not in str(query)


@pytest.mark.parametrize("status", [503, 404])
def test_a_provider_that_is_down_is_not_asked_for_each_token_that_anybody_sends(status: int) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(status, json={})

    ours = IdPeru(OURS, httpx.Client(transport=httpx.MockTransport(answer)))
    for _ in range(5):
        with pytest.raises(SignInUnavailable):
            ours.verified(sign(claims()))
    assert len(asked) == 1
