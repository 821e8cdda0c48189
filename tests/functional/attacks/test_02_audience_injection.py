"""Attack 2: an assertion made for another server is used here, or one made for here elsewhere (Stuttgart, 2024)."""

from typing import Any

import pytest

from tests.functional.oauth.world import ISSUER, World

ENDPOINTS = {
    "/oauth/token": {"grant_type": "client_credentials", "scope": "system/Patient.rs"},
    "/oauth/par": {"response_type": "code"},
    "/oauth/introspect": {"token": "x"},
    "/oauth/revoke": {"token": "x"},
    "/oauth/device_authorization": {"launch": "x"},
}
TOKEN_URL = f"{ISSUER}/oauth/token"
NEVER: list[Any] = [
    [ISSUER],
    [TOKEN_URL],
    [ISSUER, TOKEN_URL],
    [ISSUER, "https://evil.example"],
    f"{ISSUER}/",
    f"{TOKEN_URL}/",
    f"{ISSUER} {TOKEN_URL}",
    ISSUER.upper(),
    ISSUER.replace("127.0.0.1", "localhost"),
    f"{ISSUER}.evil.example",
    f"{ISSUER}@evil.example",
    "https://evil.example",
    "",
    {"issuer": ISSUER},
    7,
    True,
    None,
]


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("audience", NEVER, ids=str)
def test_no_other_audience_authenticates_anywhere(world: World, path: str, audience: Any) -> None:
    for party in (world.asking, world.app_client):
        answer = party.post(path, ENDPOINTS[path] | party.credentials(aud=audience))
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("path", ENDPOINTS)
def test_each_profile_has_its_own_audience_at_every_endpoint(world: World, path: str) -> None:
    for party, own, other in ((world.asking, ISSUER, TOKEN_URL), (world.app_client, TOKEN_URL, ISSUER)):
        good = party.post(path, ENDPOINTS[path] | party.credentials(aud=own))
        assert good.status_code != 401
        assert party.post(path, ENDPOINTS[path] | party.credentials(aud=other)).status_code == 401


@pytest.mark.parametrize("path", [path for path in ENDPOINTS if path != "/oauth/token"])
def test_an_endpoint_of_its_own_is_no_audience(world: World, path: str) -> None:
    for party in (world.asking, world.app_client):
        answer = party.post(path, ENDPOINTS[path] | party.credentials(aud=f"{ISSUER}{path}"))
        assert answer.status_code == 401
