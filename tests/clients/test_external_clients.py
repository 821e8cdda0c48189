"""Clients nobody of this project wrote go the whole way against a running server.

`overrides` in package.json puts another polyfill in the place of isomorphic-webcrypto, whose optional parts bring React
Native with them; fhirclient uses it in browsers only, and runs in node here.
"""

from tests.clients.conftest import Outside


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
