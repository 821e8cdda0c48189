"""Whatever JSON, or no JSON, is sent: a clear 4xx as OperationOutcome, never a 500."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.functional.fhir.conftest import SYSTEMS, Call, Json, rosa

HEADERS = {"Authorization": "Bearer a"}
QUERY = {"identifier": f"{SYSTEMS['a']}|G-1"}
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WORDS = st.sampled_from([
    "resourceType", "Patient", "Parameters", "identifier", "system", "value", "name", "family", "_family", "given",
    "use", "extension", "url", "valueString", "birthDate", "gender", "type", "coding", "code", "telecom", "address",
    "link", "multipleBirthInteger", "contained", "parameter", "resource", "count", SYSTEMS["a"], "G-1", "official",
    "maiden",
    "http://hl7.org/fhir/StructureDefinition/humanname-mothers-family", "1984-02-30", "\x00", "\ud800", "ñ" * 300,
])  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | WORDS | st.text(max_size=20)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5), max_leaves=25
)


def answered(response: Any) -> None:
    assert response.status_code in {200, 201, 400, 413, 415, 422}, response.text
    if response.status_code >= 400:
        assert response.json["resourceType"] == "OperationOutcome"
        assert response.json["issue"][0]["details"]["text"]


def patched(path: list[str | int], value: Any) -> Json:
    """A good Patient with one element replaced."""
    local = {"system": SYSTEMS["a"], "value": "G-1"}
    body = json.loads(json.dumps(rosa(identifier=[local], address=[{"line": ["x"]}], extension=[{"url": "http://x"}])))
    inner = body
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return body


PLACES: list[list[str | int]] = [
    ["identifier"], ["identifier", 0], ["identifier", 0, "value"], ["identifier", 0, "type"], ["name"], ["name", 0],
    ["name", 0, "family"], ["name", 0, "_family"], ["name", 0, "given"], ["name", 0, "text"], ["gender"], ["birthDate"],
    ["_birthDate"], ["telecom", 0], ["address", 0], ["address", 0, "extension"], ["address", 0, "_city"], ["extension"],
    ["multipleBirthInteger"], ["active"], ["link"], ["meta"], ["text"], ["id"], ["contact"], ["photo"],
]  # fmt: skip


@QUIET
@given(body=JSON)
def test_any_json_to_the_feed(app: Flask, body: Any) -> None:
    answered(app.test_client().put("/fhir/Patient", query_string=QUERY, json=body, headers=HEADERS))


@settings(QUIET, max_examples=150)
@given(place=st.sampled_from(PLACES), value=JSON)
def test_one_element_replaced(app: Flask, place: list[str | int], value: Any) -> None:
    body = json.dumps(patched(place, value))
    client = app.test_client()
    answered(
        client.put("/fhir/Patient", query_string=QUERY, data=body, headers=HEADERS, content_type="application/json")
    )
    answered(client.post("/fhir/Patient/$match", data=body, headers=HEADERS, content_type="application/json"))


@pytest.mark.parametrize("url", [False, 5, [], {}])
def test_an_address_that_is_no_string(app: Flask, url: Any) -> None:
    body = patched(["photo"], [{"url": url}])
    answer = app.test_client().put("/fhir/Patient", query_string=QUERY, json=body, headers=HEADERS)
    assert answer.status_code == 400, answer.text


@QUIET
@given(body=JSON)
def test_any_json_to_the_operations(app: Flask, body: Any) -> None:
    parameters = {"resourceType": "Parameters", "parameter": body}
    for path in ("/fhir/Patient/$match", "/fhir/Patient/$ihe-pix"):
        for sent in (body, parameters):
            response = app.test_client().post(path, json=sent, headers=HEADERS)
            assert response.status_code in {200, 400, 403, 404, 413, 415, 422}


@QUIET
@given(body=st.binary(max_size=300))
def test_any_bytes(app: Flask, body: bytes) -> None:
    for kind in ("application/fhir+json", "application/json; charset=utf-16", "text/plain"):
        answered(
            app.test_client().put("/fhir/Patient", query_string=QUERY, data=body, headers=HEADERS, content_type=kind)
        )


HOSTILE = [
    "\x00",
    "\ud800",
    "a\x00|1",
    "\x7f|\x1b[2J",
    "%00|%00",
    "'; DROP TABLE persons; --|1",
    "|" * 500,
    "ñ" * 4000 + "|1",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_parameters(app: Flask, text: str) -> None:
    raw = quote(text, errors="surrogatepass")
    client, path = app.test_client(), "/fhir/Patient/$ihe-pix"
    own = quote(f"{SYSTEMS['a']}|1")
    for query in (f"sourceIdentifier={raw}", f"sourceIdentifier={own}&targetSystem={raw}"):
        sent = client.get(f"{path}?{query}", headers=HEADERS)
        posted = client.post(path, data=query, headers=HEADERS, content_type="application/x-www-form-urlencoded")
        assert {sent.status_code, posted.status_code} <= {400, 403, 404, 414}
    assert client.put(f"/fhir/Patient?identifier={raw}", json=rosa(), headers=HEADERS).status_code == 400
    patient = quote(text, safe="", errors="surrogatepass")
    assert client.get(f"/fhir/Patient/{patient}", headers=HEADERS).status_code in {400, 404}


@pytest.mark.parametrize(
    "query", [{"sourceIdentifier": "\x00|\x00"}, {"sourceIdentifier": f"{SYSTEMS['a']}|" + "9" * 3000}]
)
def test_hostile_queries(app: Flask, query: dict[str, str]) -> None:
    response = app.test_client().get("/fhir/Patient/$ihe-pix", query_string=query, headers=HEADERS)
    assert response.status_code in {400, 404}


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 50_000,
        b'{"a":' * 20_000,
        b"{" + b" " * 70_000 + b"}",
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":' + b"9" * 6000 + b"}",
    ],
)
def test_deep_big_and_double(app: Flask, body: bytes) -> None:
    response = app.test_client().put(
        "/fhir/Patient", query_string=QUERY, data=body, headers=HEADERS, content_type="application/fhir+json"
    )
    assert response.status_code in {400, 413}


@pytest.mark.parametrize("kind", ["Nothing", "", 5, ["Patient"], None], ids=repr)
def test_resources_whose_type_does_not_exist(call: Call, kind: Any) -> None:
    """Within a Bundle, where the library that validates looks the type up and falls."""
    resource = {} if kind is None else {"resourceType": kind}
    request = {"method": "POST", "url": "Patient"}
    for path, bundle in (("/fhir", "transaction"), ("/fhir", "batch"), ("/fhir/$process-message", "message")):
        entry = {"resource": resource} | ({"request": request} if path == "/fhir" else {})
        sent = {"resourceType": "Bundle", "type": bundle, "entry": [entry]}
        refused = call("POST", path, sent, token="a-all")
        inner = refused.json.get("entry", [{}])[0].get("response", {}).get("status", "")
        assert refused.status_code == 400 or inner == "400", (bundle, refused.text)
    document = {"resourceType": "Bundle", "type": "document", "entry": [{"resource": resource}]}
    assert call("POST", "/fhir/DocumentReference/$check-ips", document, token="a-all").status_code in {200, 400}
