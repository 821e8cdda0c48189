"""Clients nobody of this project wrote go the whole way against a running server: by OAuth, SMART and FHIR.

`overrides` in package.json puts another polyfill in the place of isomorphic-webcrypto, whose optional parts bring React
Native with them; fhirclient uses it in browsers only, and runs in node here.
"""

import time
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest
from fhirclient.client import FHIRClient
from fhirclient.models.bundle import Bundle
from fhirclient.models.fhirdate import FHIRDate
from fhirclient.models.organization import Organization
from fhirclient.models.parameters import Parameters
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRNotFoundException
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.clients.conftest import Outside

SCOPES = "system/Patient.cu system/Patient.rs system/Patient.d system/Organization.rs"


@pytest.fixture(scope="module")
def told(outside: Outside) -> Outside:
    """The same world, with a token for FHIR: what a client gets by itself is shown by the OAuth clients."""
    issuer, app = outside.told["issuer"], outside.told["app"]
    claims = {"iss": app["client_id"], "sub": app["client_id"], "aud": f"{issuer}/oauth/token", "jti": str(uuid4()),
              "iat": int(time.time()), "exp": int(time.time()) + 60}  # fmt: skip
    header = {"alg": "ES384", "kid": app["private_jwk"]["kid"], "typ": "JWT"}
    form = {
        "grant_type": "client_credentials",
        "scope": SCOPES,
        "client_id": app["client_id"],
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode(header, claims, ECKey.import_key(app["private_jwk"]), algorithms=["ES384"]),
    }
    answer = httpx.post(f"{issuer}/oauth/token", data=form)
    assert answer.status_code == 200, answer.text
    return replace(outside, told=outside.told | {"bearer": answer.json()["access_token"]})


def test_fhir_kit_client_registers_matches_and_reads(told: Outside) -> None:
    did = told.run("fhir.mjs")
    assert (did["found"], did["siblings"]) == (1, ["201", "201"])
    assert did["person"] == did["match"]
    assert did["grade"] in {"certain", "probable"}
    assert did["pages"][0] != did["pages"][1]
    assert did["refused"] == [404, "OperationOutcome"]
    assert did["removed"] is False


def test_pypi_fhirclient_registers_matches_and_reads(told: Outside) -> None:
    """Its models refuse what is no R4: everything it reads is checked by code of others."""
    client = FHIRClient(settings={"app_id": "sihce", "api_base": f"{told.told['issuer']}/fhir"})
    server = client.server
    assert server.capabilityStatement.fhirVersion == "4.0.1"
    assert server.auth.auth_type == "oauth2"
    server.auth.access_token = told.told["bearer"]
    number, system = f"PY-{uuid4()}", told.told["system"]
    patient = Patient(
        {
            "identifier": [{"system": system, "value": number}],
            "name": [{"family": "Ccallohuanca", "given": ["Teófila"]}],
            "gender": "female",
            "birthDate": "1969-11-02",
        }
    )
    made = patient.create(server)
    assert made["id"]
    kept = Patient.read(made["id"], server)
    assert (kept.name[0].family, kept.birthDate.isostring) == ("Ccallohuanca", "1969-11-02")
    kept.birthDate = FHIRDate("1969-11-03")
    kept.update(server)
    assert Patient.read(made["id"], server).meta.versionId == "2"
    found = Patient.where({"identifier": f"{system}|{number}"}).perform_resources_iter(server)
    assert [one.id for one in found] == [made["id"]]
    asked = Parameters({"parameter": [{"name": "resource", "resource": patient.as_json()}]})
    matches = Bundle(server.post_json("Patient/$match", asked.as_json()).json())
    person = next(Patient.where({"family": "Ccallohuanca", "birthdate": "1969-11-03"}).perform_resources_iter(server))
    assert matches.entry[0].resource.id == person.id
    assert matches.entry[0].search.extension[0].valueCode in {"certain", "probable"}
    assert list(Organization.where({"active": "true"}).perform_resources_iter(server))
    with pytest.raises(FHIRNotFoundException):
        Patient.read(str(uuid4()), server)


def test_openid_client_goes_the_whole_way_of_the_fapi2_profile(outside: Outside) -> None:
    did = outside.run("fapi2.mjs")
    assert did["discovery"] == outside.told["issuer"]
    assert (did["algorithm"], did["mix_up"], did["revocation"]) == ("ES256", "noticed", "ended")
    assert set(did["scope"].split()) == {"offline_access", "patient/AllergyIntolerance.rs", "patient/Encounter.rs"}
    assert did["records"] == 2
    assert "patient/AllergyIntolerance.rs" in did["introspection"]


def test_fhirclient_launches_and_reads_by_the_smart_profile(outside: Outside) -> None:
    did = outside.run("smart.mjs")
    assert did["patient"] == outside.told["access_request"]["person"]
    assert did["records"] == 2
    assert did["token_type"] == "Bearer"
