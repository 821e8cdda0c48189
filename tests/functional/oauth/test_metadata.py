"""What the server says of itself agrees with itself; how it does what it says is shown by the tests of each part."""

from typing import Any

from consent_broker.oauth.profiles import FAPI2, SMART
from tests.functional.oauth.world import ISSUER, World

BY_PROFILE = {f"{name}_endpoint_auth_signing_alg_values_supported" for name in ("token", "introspection", "revocation")}


def documents(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    http = world.asking.http
    paths = ("/.well-known/oauth-authorization-server", "/fhir/.well-known/smart-configuration")
    found = [http.get(path) for path in paths]
    assert {answer.mimetype for answer in found} == {"application/json"}
    assert http.get("/exchange/fhir/.well-known/smart-configuration").json == found[1].json
    return found[0].json, found[1].json


def test_the_documents_agree(world: World) -> None:
    server, smart = documents(world)
    assert server["issuer"] == ISSUER
    assert server["code_challenge_methods_supported"] == ["S256"]
    common = server.keys() & smart.keys() - BY_PROFILE
    assert {name: smart[name] for name in common} == {name: server[name] for name in common}
    assert smart["management_endpoint"].startswith(ISSUER)
    for name in BY_PROFILE:
        assert smart[name] == list(SMART.algorithms)
        assert server[name] == [*FAPI2.algorithms, *SMART.algorithms]


def test_the_published_keys_are_public(world: World) -> None:
    keys = world.asking.http.get("/oauth/jwks").json["keys"]
    assert {key["alg"] for key in keys} == {"ES256"}
    assert all("d" not in key for key in keys)
    assert len({key["kid"] for key in keys}) == len(keys)
