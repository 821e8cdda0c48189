"""Which pages of which sites may read what: an app's its own tokens and records, a record system's nothing."""

import pytest
from werkzeug.test import TestResponse

from tests.functional.oauth.world import Party, World

APP, ELSEWHERE = "https://app.example", "https://evil.example"
SCOPE = {"grant_type": "client_credentials", "scope": "system/Patient.rs"}


def allowed(answer: TestResponse) -> str | None:
    return answer.headers.get("Access-Control-Allow-Origin")


def token(party: Party, origin: str) -> TestResponse:
    return party.post("/oauth/token", SCOPE, headers={"Origin": origin})


@pytest.mark.parametrize(
    "path", ["/.well-known/oauth-authorization-server", "/exchange/fhir/.well-known/smart-configuration", "/oauth/jwks"]
)
def test_discovery_is_for_every_page(world: World, path: str) -> None:
    assert allowed(world.asking.http.get(path, headers={"Origin": ELSEWHERE})) == "*"


def test_a_token_is_read_by_its_apps_own_pages_only(world: World) -> None:
    assert allowed(token(world.app_client, APP)) == APP
    assert allowed(token(world.app_client, ELSEWHERE)) is None
    assert allowed(token(world.asking, "https://sihce.example")) is None
    assert "Origin" in token(world.app_client, APP).headers["Vary"]


@pytest.mark.parametrize(
    "path", ["/oauth/token", "/exchange/fhir/AllergyIntolerance", "/exchange/fhir/Encounter/_search"]
)
def test_a_preflight_is_answered_for_apps_alone(world: World, path: str) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    http = world.asking.http
    answer = http.options(path, headers={"Origin": APP} | asked)
    assert (answer.status_code, allowed(answer)) == (204, APP)
    assert "DPoP" not in answer.headers["Access-Control-Allow-Headers"]
    for origin in (ELSEWHERE, "https://sihce.example", "null", "", "https://app.example.evil.example"):
        assert allowed(http.options(path, headers={"Origin": origin} | asked)) is None


@pytest.mark.parametrize("path", ["/oauth/authorize", "/oauth/introspect", "/oauth/revoke", "/api/v1/access-requests"])
def test_nothing_else_is_for_pages_of_other_sites(world: World, path: str) -> None:
    for method in ("OPTIONS", "GET", "POST"):
        answer = world.asking.http.open(path, method=method, headers={"Origin": APP})
        assert not [name for name in dict(answer.headers) if name.startswith("Access-Control")]
