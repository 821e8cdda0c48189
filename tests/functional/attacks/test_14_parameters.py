"""Attack 14: two ways to authenticate, one parameter twice or in two places: two readers see two requests."""

import base64
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.functional.oauth.world import World

ENDPOINTS: dict[str, dict[str, Any]] = {
    "/oauth/token": {"grant_type": "client_credentials", "scope": "system/Patient.rs"},
    "/oauth/par": {"response_type": "code"},
    "/oauth/introspect": {"token": "x"},
    "/oauth/revoke": {"token": "x"},
    "/oauth/device_authorization": {"launch": "x"},
}
BASIC = {"Authorization": f"Basic {base64.b64encode(b'sihce-a:secret').decode()}"}
pytestmark = pytest.mark.parametrize("path", ENDPOINTS)


def refused(answer: TestResponse) -> None:
    assert (answer.status_code, answer.json["error"]) in {(400, "invalid_request"), (401, "invalid_client")}


def form(world: World, path: str) -> dict[str, Any]:
    return ENDPOINTS[path] | world.asking.credentials()


@pytest.mark.parametrize("headers", [BASIC, {"Authorization": "Bearer x"}, {"Authorization": "x"}], ids=str)
def test_two_methods_at_once(world: World, path: str, headers: dict[str, str]) -> None:
    refused(world.asking.http.post(path, data=form(world, path), headers=headers))


def test_a_secret_beside_the_assertion(world: World, path: str) -> None:
    refused(world.asking.http.post(path, data=form(world, path) | {"client_secret": "x"}))


def test_two_assertions(world: World, path: str) -> None:
    both = [world.asking.assertion(), world.holding.assertion()]
    refused(world.asking.http.post(path, data=form(world, path) | {"client_assertion": both}))


def test_another_client_beside_the_assertion(world: World, path: str) -> None:
    refused(world.asking.http.post(path, data=form(world, path) | {"client_id": "sihce-b"}))


@pytest.mark.parametrize("query", ["client_id=sihce-b", "token=y", "x=", "grant_type=password", "%00"])
def test_anything_in_the_query(world: World, path: str, query: str) -> None:
    refused(world.asking.http.post(f"{path}?{query}", data=form(world, path)))


def test_every_parameter_twice(world: World, path: str) -> None:
    good = form(world, path)
    for name, value in good.items():
        refused(world.asking.http.post(path, data=good | {name: [value, value]}))


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", "text/plain", "application/xml", ""])
def test_another_kind_of_body(world: World, path: str, kind: str) -> None:
    refused(world.asking.http.post(path, data=b"client_id=sihce-a", content_type=kind))
    refused(world.asking.http.post(path, json=form(world, path)))
