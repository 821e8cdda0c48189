"""What a feed must do when the registry stumbles, judged from the calls it made."""

import time
from collections.abc import Mapping
from typing import Any

import pytest
from joserfc.jwk import KeySet

from conformance.bench import Bench, Plan
from conformance.checks.feed import FEED
from conformance.gateway import Gateway
from conformance.lines import Finding, Untested
from conformance.registry.app import create_app
from conformance.registry.keys import make_key, prove, sign
from conformance.registry.state import State, Submission

SYSTEM = "https://example.pe/hc"
CHECKS = {line.id.removeprefix("feed."): check for line, check in FEED.checks}
PATIENT = {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": "1"}]}


def call(status: int, at: float, content: Mapping[str, Any] = PATIENT, **more: str) -> Submission:
    known = {"identifier": f"{SYSTEM}|1", "content_type": "application/fhir+json", "if_match": ""} | more
    return Submission(content=content, status=status, at=at, **known)


def seen(name: str, *calls: Submission) -> Finding:
    state = State("http://kit", "http://candidate/fhir", "sihce", KeySet([make_key()]))
    state.submissions.extend(calls)
    gateway = Gateway("http://candidate/fhir")
    try:
        return CHECKS[name](Bench(Plan(base="http://candidate/fhir"), state, gateway, lambda _: None))
    finally:
        gateway.close()


@pytest.mark.parametrize(
    ("name", "calls", "status"),
    [
        ("retries", [call(503, 0), call(201, 1.2)], "passed"),
        ("retries", [call(503, 0), call(201, 0.1)], "warning"),
        ("retries", [call(503, 0), call(201, 5, identifier=f"{SYSTEM}|2")], "failed"),
        ("renews-token", [call(401, 0), call(201, 1)], "passed"),
        ("renews-token", [call(401, 0), call(401, 1)], "failed"),
        ("repeats", [call(504, 0), call(200, 1)], "passed"),
        ("repeats", [call(504, 0), call(200, 1, PATIENT | {"active": True})], "warning"),
        ("repeats", [call(504, 0)], "failed"),
        ("patient", [call(201, 0)], "passed"),
        ("patient", [call(201, 0, PATIENT | {"birthDate": "ayer"})], "failed"),
        ("patient", [call(201, 0, identifier=f"{SYSTEM}|2")], "failed"),
        ("patient", [call(201, 0, content_type="application/json")], "warning"),
        ("no-document", [call(201, 0)], "passed"),
        (
            "no-document",
            [call(201, 0, identifier="https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/dni|1")],
            "failed",
        ),
        ("if-match", [call(200, 0, if_match='W/"1"')], "passed"),
        ("if-match", [call(412, 0, if_match='W/"9"')], "failed"),
    ],
)
def test_a_feed_is_judged_by_what_it_sent(name: str, calls: list[Submission], status: str) -> None:
    assert seen(name, *calls).status == status


@pytest.mark.parametrize("name", ["retries", "renews-token", "repeats", "patient", "no-document"])
def test_what_never_came_is_not_judged(name: str) -> None:
    with pytest.raises(Untested):
        seen(name)


def test_the_played_registry_blames_what_the_real_one_refuses() -> None:
    key = make_key()
    state = State("http://kit", "http://candidate/fhir", "sihce", KeySet([key]))
    client = create_app(state).test_client()
    url, now = "http://kit/oauth/token", int(time.time())
    good = {"iss": "sihce", "sub": "sihce", "aud": "http://kit", "iat": now, "exp": now + 60, "jti": "1"}
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

    def ask(proof: str, **changes: Any) -> dict[str, Any]:
        form = {"grant_type": "client_credentials", "client_assertion_type": kind}
        form["client_assertion"] = sign(key, good | changes, "JWT")
        found: dict[str, Any] = client.post("/oauth/token", data=form, headers={"DPoP": proof}).get_json()
        return found

    assert ask("x.y.z")["error"] == "invalid_dpop_proof"
    assert ask(prove(key, "GET", url))["error"] == "invalid_dpop_proof"
    assert ask(prove(key, "POST", url))["error"] == "use_dpop_nonce"
    proved = {"nonce": "conformance-1"}
    assert ask(prove(key, "POST", url, **proved))["token_type"] == "DPoP"
    for wrong in ({}, {"aud": url, "jti": "2"}, {"exp": now + 4000, "jti": "3"}, {"iss": "other", "jti": "4"}):
        assert ask(prove(key, "POST", url, **proved), **wrong)["error"] == "invalid_client"
    assert len(state.faults) == 6
    for body in (b"{", b"[]", b"[" * 50_000, b"\xff"):
        headers = {"Authorization": "DPoP x", "Content-Type": "application/fhir+json"}
        assert client.put("/fhir/Patient?identifier=a|1", data=body, headers=headers).status_code in {401, 503}
