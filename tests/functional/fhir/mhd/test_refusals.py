"""Submissions and searches the index refuses, garbage among them."""

import json
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import settings as quiet
from hypothesis import strategies as st

from tests.functional.fhir.conftest import SYSTEMS, Call, Json
from tests.functional.fhir.documents import BASE, document, sha256_extension, submission
from tests.functional.fhir.mhd.conftest import NUMBERS, Provide
from tests.functional.fhir.test_garbage import JSON
from tests.functional.fhir.test_garbage import QUIET as SIXTY

QUIET = quiet(SIXTY, max_examples=25)


def without(bundle: Json, *path: Any) -> Json:
    inner: Any = json.loads(json.dumps(bundle))
    made = inner
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return dict(made)


DOC, SET = ("entry", 1, "resource"), ("entry", 0, "resource")
REFUSED = [
    (SET, "code"), (SET, "identifier"), (SET, "subject"), (SET, "entry"), (DOC, "masterIdentifier"), (DOC, "subject"),
    (DOC, "status"), (DOC, "content"), (("entry", 1), "fullUrl"), (("entry", 1), "request"), (("entry", 1), "resource"),
    ((*DOC, "content", 0, "attachment"), "url"), ((*DOC, "content", 0, "attachment"), "contentType"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "name"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_must_be_there_is_asked_for_by_name(call: Call, patient: Json, path: Any, name: str) -> None:
    sent = submission(document(patient, next(NUMBERS)), number=next(NUMBERS))
    answer = call("POST", "/fhir", without(sent, *path, name), token="a-documents")
    assert answer.status_code == 400, answer.text
    assert answer.json["issue"][0]["expression"]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"attachment": {"url": "http://169.254.169.254/fhir/Binary/1"}}, 400),
        ({"attachment": {"url": f"{BASE}/../admin/Binary/1"}}, 400),
        ({"attachment": {"url": f"{BASE}/Patient/1"}}, 400),
        ({"attachment": {"url": f"{BASE}/Binary/.."}}, 400),
        ({"attachment": {"data": "YQ=="}}, 422),
        ({"attachment": sha256_extension(b"short")}, 400),
        ({"attachment": {"contentType": "text/plain\nHost: x"}}, 400),
        ({"attachment": {"contentType": "text/señal"}}, 400),
        ({"attachment": {"hash": "ñ"}}, 400),
        ({"status": "superseded"}, 400),
        ({"relatesTo": [{"code": "appends", "target": {"reference": "DocumentReference/1"}}]}, 422),
        ({"subject": {"identifier": {"system": SYSTEMS["b"], "value": "D-1"}}}, 422),
        ({"subject": {"reference": "Patient/0199aaaa-0000-7000-8000-000000000000"}}, 422),
    ],
    ids=[
        "elsewhere",
        "upwards",
        "a-patient",
        "dots",
        "data",
        "hash",
        "header",
        "not-ascii",
        "sha1",
        "status",
        "relation",
        "other-system",
        "unknown",
    ],
)
def test_what_is_refused(provide: Provide, patient: Json, more: Json, status: int) -> None:
    subject = more.pop("subject", patient)
    assert provide(document(subject, next(NUMBERS), **more)).status_code == status


def test_the_document_itself_is_not_taken(provide: Provide, patient: Json) -> None:
    binary = {"resourceType": "Binary", "contentType": "application/pdf", "data": "YQ=="}
    answer = provide(document(patient, next(NUMBERS)), others=[("urn:uuid:1", binary)])
    assert (answer.status_code, answer.json["issue"][0]["details"]["coding"][0]["code"]) == (422, "not-kept-here")


def test_a_search_names_its_patient_and_no_document_number(call: Call) -> None:
    for query in ({}, {"type": "x"}, {"patient.identifier": "https://www.gob.pe/x/dni|40718293"}):
        assert call("GET", "/fhir/DocumentReference", token="a-documents", query_string=query).status_code == 400


@pytest.mark.parametrize("path", ["/fhir/DocumentReference?patient=1", "/fhir/List?patient=1"])
def test_scopes_are_asked_for(call: Call, patient: Json, path: str) -> None:
    assert call("GET", path, token="a-reader").status_code == 403
    assert call("POST", "/fhir", submission(document(patient)), token="a-reader").status_code == 403


@QUIET
@given(body=JSON)
def test_any_json_as_a_submission(app: Flask, body: Any) -> None:
    headers = {"Authorization": "Bearer a-documents"}
    for sent in (body, {"resourceType": "Bundle", "type": "transaction", "entry": body}):
        answer = app.test_client().post("/fhir", json=sent, headers=headers)
        assert answer.status_code in {400, 413, 415, 422}, answer.text
    document_bundle = {"resourceType": "Bundle", "type": "document", "entry": body}
    checked = app.test_client().post("/fhir/DocumentReference/$check-ips", json=document_bundle, headers=headers)
    assert checked.status_code in {200, 400}


PLACES = [
    (*DOC, "content"), (*DOC, "subject"), (*DOC, "context"), (*DOC, "relatesTo"), (*DOC, "masterIdentifier"),
    (*SET, "identifier"), (*SET, "code"), (*SET, "entry"), ("entry", 1, "request"), ("entry", 1, "fullUrl"),
]  # fmt: skip


@QUIET
@given(place=st.sampled_from(PLACES), value=JSON)
def test_any_element_of_a_submission_replaced(app: Flask, place: Any, value: Any) -> None:
    sent: Any = submission(document({"reference": "Patient/0199aaaa-0000-7000-8000-000000000000"}))
    inner = sent
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    answer = app.test_client().post("/fhir", json=sent, headers={"Authorization": "Bearer a-documents"})
    assert answer.status_code in {400, 413, 422}, answer.text
