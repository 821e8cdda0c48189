"""JSON and XML in and out, `Prefer`, `_summary`, `_elements`, conditional reads: the same on every FHIR address."""

from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.patient import Patient
from werkzeug.test import TestResponse

from registry.fhir.xml_format import to_xml
from tests.functional.fhir.conftest import SYSTEMS, Call, Json, rosa

A = SYSTEMS["a"]
XML = "application/fhir+xml"


@pytest.fixture(scope="module")
def kept(request: pytest.FixtureRequest) -> Json:
    """A record that is there, as JSON."""
    client = request.getfixturevalue("app").test_client()
    body = rosa(identifier=[{"system": A, "value": "F-1"}])
    query = {"identifier": f"{A}|F-1"}
    made = client.put("/fhir/Patient", json=body, query_string=query, headers={"Authorization": "Bearer a"})
    assert made.status_code == 201
    found: Json = made.json
    return found


@pytest.mark.parametrize(
    ("how", "mimetype"),
    [
        ({}, "application/fhir+json"),
        ({"headers": {"Accept": "*/*"}}, "application/fhir+json"),
        ({"headers": {"Accept": "application/json"}}, "application/fhir+json"),
        ({"headers": {"Accept": "application/fhir+json;fhirVersion=4.0"}}, "application/fhir+json"),
        ({"headers": {"Accept": XML}}, XML),
        ({"headers": {"Accept": "text/xml"}}, XML),
        ({"headers": {"Accept": "text/html,application/xml;q=0.9,application/json;q=0.8"}}, XML),
        ({"headers": {"Accept": f"{XML};q=0.1, application/fhir+json"}}, "application/fhir+json"),
        ({"headers": {"Accept": "application/json"}, "query_string": {"_format": "xml"}}, XML),
        ({"query_string": "_format=application/fhir+xml"}, XML),
    ],
)
def test_the_caller_chooses_the_format(call: Call, kept: Json, how: dict[str, Any], mimetype: str) -> None:
    for path, model in ((f"/fhir/Patient/{kept['id']}", Patient), ("/fhir/metadata", CapabilityStatement)):
        answer = call("GET", path, **how)
        assert (answer.status_code, answer.mimetype) == (200, mimetype)
        assert "Accept" in answer.vary
        read = model.model_validate_xml if mimetype == XML else model.model_validate_json
        read(answer.data)


@pytest.mark.parametrize(
    "how",
    [{"headers": {"Content-Encoding": "gzip"}}, {"content_type": "application/fhir+json; charset=iso-8859-1"},
     {"content_type": "application/fhir+json; fhirVersion=5.0"}, {"content_type": "text/plain"}],
    ids=str,
)  # fmt: skip
def test_a_body_that_is_written_otherwise_is_not_read(call: Call, kept: Json, how: dict[str, Any]) -> None:
    path = f"/fhir/Patient/{kept['id']}"
    assert call("PUT", path, kept, **how).status_code == 415
    assert call("PUT", path, kept, content_type="application/fhir+json; charset=UTF-8").status_code == 200


@pytest.mark.parametrize(
    "how",
    [{"headers": {"Accept": "text/html"}}, {"query_string": {"_format": "turtle"}}, {"query_string": {"_format": ""}},
     {"headers": {"Accept": "application/fhir+json;fhirVersion=5.0"}}, {"headers": {"Accept": "image/*"}}],
    ids=str,
)  # fmt: skip
def test_another_format_is_not_acceptable(call: Call, kept: Json, how: dict[str, Any]) -> None:
    for path in (f"/fhir/Patient/{kept['id']}", "/fhir/metadata"):
        refused = call("GET", path, **how)
        assert refused.status_code == 406
        assert refused.json["issue"][0]["code"] == "not-supported"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "json", "application/fhir+json;fhirVersion=5.0", "application/x-www-form-urlencoded"]
)
def test_another_content_is_unsupported(call: Call, content_type: str) -> None:
    refused = call("PUT", "/fhir/Patient", b"{}", content_type=content_type, query_string={"identifier": f"{A}|F-9"})
    assert refused.status_code == 415
    assert refused.json["resourceType"] == "OperationOutcome"


def test_errors_come_in_the_format_asked_for(call: Call) -> None:
    for path in ("/fhir/Patient/x", "/fhir/Nada/1", "/fhir/metadata/x"):
        missing = call("GET", path, headers={"Accept": XML})
        assert (missing.status_code, missing.mimetype) == (404, XML)
        assert OperationOutcome.model_validate_xml(missing.data).issue[0].code == "not-found"
    wrong = call("PATCH", "/fhir/metadata", headers={"Accept": XML})
    assert (wrong.status_code, wrong.mimetype) == (405, XML)
    assert "GET" in wrong.headers["Allow"]


def test_xml_goes_in_and_means_what_json_means(call: Call) -> None:
    patient = rosa(identifier=[{"system": A, "value": "F-2"}, *rosa()["identifier"]])
    query = {"identifier": f"{A}|F-2"}
    made = call("PUT", "/fhir/Patient", to_xml(patient), content_type=XML, query_string=query)
    assert made.status_code == 201
    same = call("PUT", "/fhir/Patient", patient, query_string=query, headers={"Accept": XML})
    assert (same.status_code, same.headers["ETag"], same.mimetype) == (200, 'W/"1"', XML)
    assert Patient.model_validate_xml(same.data) == Patient.model_validate(made.json)
    matched = call("POST", "/fhir/Patient/$match", to_xml(patient), content_type=XML, headers={"Accept": XML})
    assert Bundle.model_validate_xml(matched.data).total >= 1


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"<Patient/>", b"<!DOCTYPE a><Patient xmlns='http://hl7.org/fhir'/>", b"\xff\xfe",
     b"<Patient xmlns='http://hl7.org/fhir'><birthDate value='zz'/></Patient>", b"<a>" * 9000, b"x" * 70_000],
    ids=["empty", "json", "no namespace", "document type", "bytes", "no date", "open", "big"],
)  # fmt: skip
def test_xml_garbage_is_a_clear_4xx(call: Call, body: bytes) -> None:
    for path in ("/fhir/Patient/$match", "/fhir/Patient/$ihe-pix"):
        assert call("POST", path, body, content_type=XML).status_code in {400, 413}
    query = {"identifier": f"{A}|F-3"}
    refused = call("PUT", "/fhir/Patient", body, content_type=XML, query_string=query)
    assert refused.status_code in {400, 413}
    assert refused.json["resourceType"] == "OperationOutcome"


def prefer(call: Call, kept: Json, what: str) -> TestResponse:
    return call("PUT", f"/fhir/Patient/{kept['id']}", kept, headers={"Prefer": what})


def test_the_caller_prefers_how_much_is_answered(call: Call, kept: Json) -> None:
    minimal = prefer(call, kept, "return=minimal")
    assert (minimal.status_code, minimal.data, minimal.headers["ETag"]) == (200, b"", 'W/"1"')
    assert minimal.headers["Location"]
    assert prefer(call, kept, "respond-async, return=OperationOutcome").json["resourceType"] == "OperationOutcome"
    for what in ("return=representation", "return=nonsense", "", ";;=,"):
        assert prefer(call, kept, what).json["id"] == kept["id"]


def test_parts_of_a_resource(call: Call, kept: Json) -> None:
    path = f"/fhir/Patient/{kept['id']}"
    some = call("GET", path, query_string={"_elements": "birthDate,Patient.active"}).json
    assert set(some) == {"resourceType", "id", "meta", "birthDate", "active"}
    assert some["meta"]["tag"][0]["code"] == "SUBSETTED"
    summary = call("GET", path, query_string={"_summary": "true"}).json
    assert {"name", "birthDate", "link"} <= set(summary)
    assert "extension" not in summary
    assert set(call("GET", path, query_string={"_summary": "text"}).json) <= {"resourceType", "id", "meta", "text"}
    assert "tag" not in call("GET", path, query_string={"_summary": "false"}).json["meta"]
    for wrong in ({"_summary": "nonsense"}, {"_summary": "true", "_elements": "name"}, {"_elements": "a," * 60}):
        assert call("GET", path, query_string=wrong).status_code == 400


def test_a_version_the_caller_has_is_not_sent_again(call: Call, kept: Json) -> None:
    path = f"/fhir/Patient/{kept['id']}"
    assert call("GET", path, headers={"If-None-Match": 'W/"1"'}).status_code == 304
    assert call("GET", path, headers={"If-None-Match": 'W/"7"'}).status_code == 200
