"""What the server says of itself agrees with itself and with what it does: what is advertised works, nothing else."""

from typing import Any

import pytest
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from sqlalchemy import update

from consent_broker.oauth.profiles import FAPI2, PROFILES, SMART, Profile
from registry.directory.models import RecordSystem
from tests.functional.oauth.proofs import Prover
from tests.functional.oauth.world import ISSUER, RECORDS, World, answer_of

BY_PROFILE = {f"{name}_endpoint_auth_signing_alg_values_supported" for name in ("token", "introspection", "revocation")}
FAPI2_ONLY = {"pushed_authorization_request_endpoint", "dpop_signing_alg_values_supported",
              "authorization_details_types_supported"}  # fmt: skip
CREDENTIALS = {"grant_type": "client_credentials", "scope": "system/Patient.rs"}
ALL_ALGORITHMS = sorted({*JWSRegistry.algorithms, "none"})
KEYS: dict[str, Key] = {
    "RSA": RSAKey.generate_key(2048),
    "P-256": ECKey.generate_key("P-256"),
    "P-384": ECKey.generate_key("P-384"),
    "P-521": ECKey.generate_key("P-521"),
    "secp256k1": ECKey.generate_key("secp256k1"),
    "Ed25519": OKPKey.generate_key("Ed25519"),
    "Ed448": OKPKey.generate_key("Ed448"),
    "oct": OctKey.generate_key(512),
}
CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "secp256k1", "EdDSA": "Ed25519"}
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")


def key_for(algorithm: str) -> Key:
    """A key that signs by that algorithm."""
    kind = "oct" if algorithm.startswith("HS") else "RSA" if algorithm[0] in "RP" else CURVES.get(algorithm, algorithm)
    return KEYS.get(kind, KEYS["oct"])


def documents(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    http = world.asking.http
    paths = ("/.well-known/oauth-authorization-server", "/fhir/.well-known/smart-configuration")
    found = [http.get(path) for path in paths]
    assert {answer.mimetype for answer in found} == {"application/json"}
    assert http.get("/exchange/fhir/.well-known/smart-configuration").json == found[1].json
    assert http.get("/.well-known/openid-configuration").json == found[0].json
    return found[0].json, found[1].json


def test_the_documents_agree(world: World) -> None:
    server, smart = documents(world)
    assert server["issuer"] == ISSUER
    common = server.keys() & smart.keys() - BY_PROFILE
    assert {name: smart[name] for name in common} == {name: server[name] for name in common}
    assert server.keys() - smart.keys() == FAPI2_ONLY
    assert smart.keys() - server.keys() == {"capabilities", "management_endpoint"}
    for name in BY_PROFILE:
        assert smart[name] == list(SMART.algorithms)
        assert server[name] == [*FAPI2.algorithms, *SMART.algorithms]


def test_the_smart_document_holds_what_smart_asks_for(world: World) -> None:
    """SMART App Launch 2.2 §9: required, conditional and recommended fields, as far as there is what they name."""
    _, smart = documents(world)
    assert smart.keys() >= {
        "token_endpoint", "grant_types_supported", "capabilities", "code_challenge_methods_supported",
        "authorization_endpoint", "scopes_supported", "response_types_supported", "management_endpoint",
        "introspection_endpoint", "revocation_endpoint", "token_endpoint_auth_methods_supported",
        "token_endpoint_auth_signing_alg_values_supported",
    }  # fmt: skip
    assert set(smart["capabilities"]) == {
        "launch-ehr", "launch-standalone", "client-confidential-asymmetric", "context-ehr-patient",
        "context-standalone-patient", "permission-offline", "permission-patient", "permission-v1", "permission-v2",
    }  # fmt: skip
    assert {"authorization_code", "client_credentials"} <= set(smart["grant_types_supported"])
    page = world.asking.http.get(smart["management_endpoint"].removeprefix(ISSUER))
    assert (page.status_code, page.location.partition("?")[0]) == (303, "/ingresar"), "the patient's own, after sign-in"


def test_every_address_is_served(world: World) -> None:
    server, smart = documents(world)
    addresses = {name: value for name, value in (server | smart).items() if name.endswith(("_endpoint", "_uri"))}
    assert len(addresses) >= 8
    routes = world.app.url_map.bind("")
    for name, address in addresses.items():
        assert address.startswith(f"{ISSUER}/"), name
        assert routes.allowed_methods(address.removeprefix(ISSUER)), name


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda one: one.name)
@pytest.mark.parametrize("algorithm", ALL_ALGORITHMS)
def test_assertions_are_signed_as_the_profiles_document_says(world: World, algorithm: str, profile: Profile) -> None:
    server, smart = documents(world)
    advertised = smart if profile is SMART else server
    works = algorithm in advertised["token_endpoint_auth_signing_alg_values_supported"] and algorithm in (
        profile.algorithms
    )
    party, key = world.holding, key_for(algorithm)
    public = key.as_dict(private=key.key_type == "oct") | {"kid": "k"}
    mine = update(RecordSystem).where(RecordSystem.client_id == party.client_id)
    world.transact(lambda s: s.execute(mine.values(jwks={"keys": [public]}, profile=profile.name)))
    form = CREDENTIALS | party.credentials(key=key, header={"alg": algorithm, "kid": "k"}, aud=profile.audience(ISSUER))
    answer = party.post("/oauth/token", form, proved=profile is FAPI2)
    usual = mine.values(jwks={"keys": [party.key.as_dict(private=False)]}, profile="fapi2")
    world.transact(lambda s: s.execute(usual))
    assert answer.status_code == (200 if works else 401)


@pytest.mark.parametrize("algorithm", ALL_ALGORITHMS)
def test_proofs_are_signed_as_the_document_says(world: World, algorithm: str) -> None:
    world.asking.client_token("access-request")
    works = algorithm in documents(world)[0]["dpop_signing_alg_values_supported"]
    prover = Prover(key_for(algorithm), algorithm, world.asking.prover.nonce)
    proof = {"DPoP": prover.proof("POST", f"{ISSUER}/oauth/token")}
    answer = world.asking.post("/oauth/token", CREDENTIALS, headers=proof)
    assert answer.status_code == (200 if works else 400)


NO_GRANTS = ["password", "implicit", "urn:openid:params:grant-type:ciba",
             "urn:ietf:params:oauth:grant-type:saml2-bearer", "Client_Credentials"]  # fmt: skip


def test_the_grants_that_are_advertised_are_those_there_are(world: World) -> None:
    advertised = documents(world)[0]["grant_types_supported"]
    assert not set(NO_GRANTS) & set(advertised)
    for grant_type in [*advertised, *NO_GRANTS]:
        answer = world.asking.post("/oauth/token", {"grant_type": grant_type})
        unsupported = answer.status_code == 400 and answer.json["error"] == "unsupported_grant_type"
        assert unsupported is not (grant_type in advertised), grant_type


@pytest.mark.parametrize(
    ("name", "parameter", "values"),
    [
        ("response_types_supported", "response_type", ["code", "token", "id_token", "code id_token", "none"]),
        ("response_modes_supported", "response_mode", ["query", "fragment", "form_post", "query.jwt", "jwt"]),
        ("code_challenge_methods_supported", "code_challenge_method", ["S256", "plain", "S512"]),
    ],
)
def test_requests_are_made_as_the_document_says(world: World, name: str, parameter: str, values: list[str]) -> None:
    advertised = documents(world)[0][name]
    for value in values:
        assert (world.push(**{parameter: value}).status_code == 201) is (value in advertised), value


def test_every_scope_that_is_advertised_is_known_and_no_other(world: World) -> None:
    """Which of them a client gets is its registration's to say; a scope that is not advertised is known to nobody."""
    advertised = documents(world)[0]["scopes_supported"]
    unknown = ["openid", "fhirUser", "online_access", "launch/encounter", "patient/*.rs", "user/Patient.rs", "Launch"]
    assert not set(unknown) & set(advertised)
    for scope in [*advertised, *unknown]:
        answer = world.asking.post("/oauth/token", CREDENTIALS | {"scope": scope})
        said = answer.json.get("error_description", "")
        assert ("not known" in said) is (scope in unknown), scope
    for scope in RECORDS:
        assert scope in advertised
        assert world.push(scope=scope).status_code == 201


def test_details_are_of_the_types_that_are_advertised(world: World) -> None:
    [known] = documents(world)[0]["authorization_details_types_supported"]
    for kind, status in ((known, 201), ("payment_initiation", 400)):
        text = f'[{{"type": "{kind}", "categories": ["allergies"]}}]'
        assert world.push(scope=None, authorization_details=text).status_code == status


def test_what_is_said_not_to_be_supported_is_not(world: World) -> None:
    server, _ = documents(world)
    assert server["request_parameter_supported"] is server["request_uri_parameter_supported"] is False
    assert world.push(request="eyJhbGciOiJub25lIn0.e30.").json["error"] == "request_not_supported"
    link = world.authorize(world.app_client, request_uri="https://x.example/r.jwt")
    assert answer_of(link.location)["error"] == "request_uri_not_supported"


def test_the_standalone_launch_of_smart_gives_the_patient(world: World) -> None:
    token = world.grant(world.app_client, scope=f"launch/patient {RECORDS[0]}")
    assert (token["patient"], token["scope"]) == (str(world.person_id), RECORDS[0])


def test_the_published_keys_are_public(world: World) -> None:
    keys = world.asking.http.get("/oauth/jwks").json["keys"]
    assert {key["alg"] for key in keys} == {"ES256"}
    assert all("d" not in key for key in keys)
    assert len({key["kid"] for key in keys}) == len(keys)
