"""ID Perú's protocol: strict requests, codes used once, levels of assurance that mean something."""

import time

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from werkzeug.datastructures import MultiDict

from sandbox.citizens import Citizen
from sandbox.openid import (
    AuthenticationRequest,
    Party,
    ProtocolError,
    Provider,
    Session,
    Shelf,
    check_return_address,
    read_request,
    s256,
    usable,
)

CITIZEN = Citizen("94000001", "ROSA", "HUAMAN", "QUISPE", "", "", "", "", "secret", "123456", "654321")
PARTY = Party("portal", "s3cret", ("https://registry.pe/return",))
VERIFIER = "v" * 43
REQUEST = {
    "response_type": "code", "scope": "openid profile", "code_challenge": s256(VERIFIER),
    "code_challenge_method": "S256", "state": "s", "nonce": "n", "acr_values": "2", "max_age": "60",
}  # fmt: skip


@pytest.fixture(scope="module")
def provider() -> Provider:
    key = ECKey.generate_key("P-256", private=True)
    return Provider("https://idperu.test", PARTY, {**key.as_dict(private=True), "kid": "k1"})


def asked(**changes: str) -> AuthenticationRequest:
    return read_request(MultiDict(REQUEST | changes), PARTY.redirect_uris[0])


def redeemable(provider: Provider, **changes: str) -> MultiDict[str, str]:
    code = provider.codes.put((asked(), Session(CITIZEN, 2, int(time.time()))))
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": PARTY.redirect_uris[0]}
    return MultiDict(form | {"code_verifier": VERIFIER} | changes)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"acr_values": "4"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "٣"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "dance"}, "invalid_request"),
        ({"state": "x" * 5000}, "invalid_request"),
        ({"nonce": "\r\nSet-Cookie: a=b"}, "invalid_request"),
    ],
)
def test_bad_requests_are_named(change: dict[str, str], error: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        asked(**change)
    assert caught.value.code == error


def test_repeated_parameters_are_refused() -> None:
    parameters = MultiDict([*REQUEST.items(), ("state", "other")])
    with pytest.raises(ProtocolError):
        read_request(parameters, PARTY.redirect_uris[0])


@pytest.mark.parametrize("address", ["https://registry.pe/return/", "https://evil.pe", "", "javascript:alert(1)"])
def test_only_the_registered_return_address_is_taken(address: str) -> None:
    with pytest.raises(ProtocolError):
        check_return_address(MultiDict({"client_id": "portal", "redirect_uri": address}), PARTY)


def test_a_code_gives_a_signed_id_token_once(provider: Provider) -> None:
    form = redeemable(provider)
    claims = jwt.decode(provider.redeem(form)["id_token"], ECKey.import_key(provider.signing_jwk), ["ES256"]).claims
    assert claims["doc"] == CITIZEN.dni
    assert CITIZEN.dni not in claims["sub"]
    assert (claims["acr"], claims["amr"], claims["nonce"]) == ("2", ["two_factor"], "n")
    assert (claims["iss"], claims["aud"]) == (provider.issuer, "portal")
    with pytest.raises(ProtocolError, match="ya fue usado"):
        provider.redeem(form)


@pytest.mark.parametrize(
    "change",
    [{"code_verifier": "w" * 43}, {"code_verifier": ""}, {"redirect_uri": "https://x"}, {"grant_type": "password"}],
)
def test_a_wrong_redemption_fails_and_spends_the_code(provider: Provider, change: dict[str, str]) -> None:
    form = redeemable(provider, **change)
    with pytest.raises(ProtocolError):
        provider.redeem(form)
    if "grant_type" not in change:
        with pytest.raises(ProtocolError, match="ya fue usado"):
            provider.redeem(MultiDict(form.to_dict() | {"code_verifier": VERIFIER}))


def test_a_session_serves_only_when_strong_and_fresh_enough() -> None:
    now = time.time()
    session = Session(CITIZEN, 2, int(now) - 30)
    assert usable(session, asked(), now)
    assert usable(session, asked(acr_values="3"), now) is None
    assert usable(session, asked(max_age="10"), now) is None
    assert usable(session, asked(max_age="0"), now) is None
    assert usable(session, asked(prompt="login"), now) is None
    assert usable(None, asked(), now) is None


def test_shelves_forget_what_is_old_or_too_much() -> None:
    assert Shelf[int](-1).find(Shelf[int](-1).put(1)) is None
    shelf = Shelf[int](60, size=2)
    first, second, third = (shelf.put(n) for n in range(3))
    assert (shelf.find(first), shelf.take(second), shelf.find(second), shelf.find(third)) == (None, 1, None, 2)
