"""ITI-104: the patient identity feed over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.functional.fhir.conftest import SYSTEMS, Call, misspelt, rosa

A = SYSTEMS["a"]
DNI = "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/dni"
Put = Callable[..., TestResponse]


def issue(response: TestResponse) -> dict[str, Any]:
    assert response.mimetype == "application/fhir+json"
    assert response.json["resourceType"] == "OperationOutcome"
    return response.json["issue"][0]


def test_first_put_creates_and_the_same_again_changes_nothing(put: Put) -> None:
    first = put("1", rosa())
    assert first.status_code == 201
    assert first.headers["ETag"] == 'W/"1"'
    assert first.headers["Location"].endswith(f"/fhir/Patient/{first.json['id']}/_history/1")
    assert first.headers["Last-Modified"].endswith("GMT")
    assert first.mimetype == "application/fhir+json"
    again = put("1", rosa())
    assert (again.status_code, again.headers["ETag"], again.json) == (200, 'W/"1"', first.json)


def test_kept_record_says_what_was_sent_and_whose_it_is(put: Put) -> None:
    kept = put("2", rosa()).json
    assert kept["name"][0]["family"] == "Huamán"
    assert kept["name"][0]["_family"]["extension"][0]["valueString"] == "Ccahuana"
    assert {"https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/registro", A, DNI} == {
        identifier["system"] for identifier in kept["identifier"]
    }
    assert kept["link"][0]["other"]["reference"].startswith("Patient/")


def test_misspelt_patient_of_another_establishment_is_the_same_person(put: Put) -> None:
    mine, theirs = put("3", rosa()).json, put("900", misspelt(), token="b").json
    assert mine["id"] != theirs["id"]
    assert mine["link"] == theirs["link"]


def test_revision_is_a_new_version(put: Put) -> None:
    put("4", rosa())
    revised = put("4", rosa(gender="unknown"))
    assert (revised.status_code, revised.headers["ETag"]) == (200, 'W/"2"')


def test_preconditions(put: Put) -> None:
    put("5", rosa())
    assert put("5", rosa(gender="male"), headers={"If-Match": 'W/"7"'}).status_code == 412
    assert put("5", rosa(gender="male"), headers={"If-None-Match": "*"}).status_code == 412
    assert put("5", rosa(gender="male"), headers={"If-Match": "x"}).status_code == 400
    assert put("5", rosa(gender="male"), headers={"If-Match": 'W/"1"'}).headers["ETag"] == 'W/"2"'


def test_prefer_minimal_has_no_body(put: Put) -> None:
    response = put("6", rosa(), headers={"Prefer": "return=minimal"})
    assert (response.status_code, response.data) == (201, b"")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "identifier-missing"),
        ({"identifier": ""}, "identifier-missing"),
        ({"identifier": "x"}, "identifier-malformed"),
        ({"identifier": f"{A}|"}, "identifier-malformed"),
        ({"identifier": f"{A}|1|2"}, "identifier-malformed"),
        ({"identifier": f"{A}|" + "9" * 100}, "identifier-malformed"),
        ({"identifier": f"{SYSTEMS['b']}|1"}, "identifier-system-unknown"),
        ({"identifier": f"{DNI}|40718293"}, "identifier-is-a-document"),
        ({"identifier": "urn:oid:2.16.840.1.113883.4.904|40718293"}, "identifier-is-a-document"),
        ({"identifier": "http://hl7.org/fhir/sid/passport-VEN|1"}, "identifier-is-a-document"),
        ({"identifier": [f"{A}|1", f"{A}|2"]}, "identifier-missing"),
    ],
)
def test_identifier_must_be_a_local_number_of_ones_own(call: Call, query: dict[str, Any], code: str) -> None:
    response = call("PUT", "/fhir/Patient", rosa(), query_string=query)
    assert response.status_code == 400
    assert issue(response)["details"]["coding"][0]["code"] == code


def test_body_must_carry_the_identifier_of_the_url(call: Call) -> None:
    response = call("PUT", "/fhir/Patient", rosa(), query_string={"identifier": f"{A}|1"})
    assert response.status_code == 400
    assert issue(response)["expression"] == ["Patient.identifier"]


def test_own_record_is_revised_by_id_and_anothers_is_not_there(put: Put, call: Call) -> None:
    kept = put("7", rosa()).json
    path = f"/fhir/Patient/{kept['id']}"
    assert call("PUT", path, kept | {"gender": "unknown"}).headers["ETag"] == 'W/"2"'
    assert call("PUT", path, kept, token="b").status_code == 404
    assert call("PUT", path, kept | {"id": "x"}).status_code == 400
    assert call("PUT", path, rosa(id=kept["id"])).status_code == 400


def test_scope_and_token_are_asked_for(put: Put) -> None:
    assert put("8", rosa(), token="a-reader").status_code == 403
    assert issue(put("8", rosa(), token="b", headers={"Authorization": "Bearer z"}))["code"] == "login"


def test_errors_name_the_element_and_never_its_value(put: Put) -> None:
    bad = rosa(birthDate="1984-02-31", gender="female", name=[{"family": {"secret": "Huamán"}}])
    response = put("9", bad)
    assert response.status_code == 400
    assert {part["expression"][0] for part in response.json["issue"]} >= {"Patient.birthDate"}
    assert "1984" not in response.text
    assert "Huam" not in response.text
