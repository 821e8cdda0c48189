"""OpenHIE's client registry cases as PMIR messages (ITI-93), sent unchanged. All fourteen run.

The files hold what is sent. What must come of it is in the cases' descriptions, which the HL7 v2 form of them carries.
OHIE-CR-07-10 is the one that is not taken as it is: see its test.
"""

import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.functional.fhir.conftest import Call
from tests.functional.fhir.ihe.conftest import DOMAINS, files_of

Json = dict[str, Any]


def send(call: Call, case: str, token: str) -> TestResponse:
    body = (files_of("ohie-cr-fhir") / f"OHIE-CR-{case}.json").read_bytes()
    return call("POST", "/fhir/$process-message", body, token=token)


def accepted(call: Call, case: str, token: str) -> list[Json]:
    """The case is taken; what became of each Patient."""
    answer = send(call, case, token)
    assert answer.status_code == 200, answer.text
    header = answer.json["entry"][0]["resource"]
    assert (header["resourceType"], header["response"]["code"]) == ("MessageHeader", "ok")
    found: list[Json] = answer.json["entry"][1]["resource"]["entry"]
    return found


def record(call: Call, token: str, number: str) -> Json:
    """One's own record of a local number."""
    query = {"identifier": f"{DOMAINS[token]}|{number}"}
    found = call("GET", "/fhir/Patient", token=token, query_string=query).json
    assert found["total"] == 1
    kept: Json = found["entry"][0]["resource"]
    return kept


def person(kept: Json) -> str:
    found: str = next(one["other"]["reference"] for one in kept["link"] if one["type"] == "refer")
    return found


@pytest.mark.parametrize(
    ("case", "token"),
    [("01-10", "test"), ("03-10", "test"), ("03-20", "test"), ("04-20", "test_b")],
    ids=["without a domain", "an unknown domain", "an unknown OID", "another's domain"],
)
def test_an_identifier_of_no_domain_of_the_senders_is_refused(call: Call, case: str, token: str) -> None:
    refused = send(call, case, token)
    header, outcome = (one["resource"] for one in refused.json["entry"])
    assert (refused.status_code, header["response"]["code"]) == (400, "fatal-error")
    assert outcome["issue"][0]["expression"] == ["Bundle.entry.resource.entry[0].resource.identifier"]


@pytest.mark.parametrize(
    ("case", "token", "number", "family"), [("02-10", "oid", "FHR-403", "OID"), ("02-30", "test", "FHR-404", "URL")]
)
def test_a_domain_is_known_by_oid_and_by_url(call: Call, case: str, token: str, number: str, family: str) -> None:
    assert [one["response"]["status"] for one in accepted(call, case, token)] == ["201"]
    assert record(call, token, number)["name"][0]["family"] == family


def test_a_domain_is_written_by_its_own_establishment_alone(call: Call) -> None:
    accepted(call, "04-10", "test_a")
    accepted(call, "04-30", "test_b")
    assert record(call, "test_b", "FHRB-4736")["name"][0]["family"] == "JONES"
    query = {"identifier": f"{DOMAINS['test_a']}|FHRA-0392"}
    assert call("GET", "/fhir/Patient", token="test_b", query_string=query).json["total"] == 0


def test_a_newborn_is_registered_with_what_is_known(call: Call) -> None:
    answer = send(call, "05-10", "test")
    assert "RelatedPerson" in answer.text
    assert record(call, "test", "FHR-4956")["birthDate"] == "2017-04-03"
    assert [one["response"]["status"] for one in accepted(call, "05-20", "test")] == ["201", "201"]
    baby, mother = record(call, "test", "FHR-4837"), record(call, "test", "FHR-0844")
    assert "name" not in baby
    assert person(baby) != person(mother)


def test_a_full_record_is_taken_and_what_is_not_kept_is_said(call: Call) -> None:
    """As it is sent it is no FHIR R4: two elements are single that are lists. With them mended it is taken."""
    refused = send(call, "07-10", "test")
    assert refused.status_code == 400
    assert [one["expression"][0].rpartition(".")[2] for one in refused.json["issue"]] == ["generalPractitioner", "name"]
    message = json.loads((files_of("ohie-cr-fhir") / "OHIE-CR-07-10.json").read_text(encoding="utf-8-sig"))
    entries = message["entry"][1]["resource"]["entry"]
    for index, name in ((3, "generalPractitioner"), (4, "name")):
        entries[index]["resource"][name] = [entries[index]["resource"][name]]
    answer = call("POST", "/fhir/$process-message", message, token="test")
    assert answer.status_code == 200, answer.text
    kept = record(call, "test", "FHR-070")
    name = kept["name"][0]
    assert (name["family"], name["given"], kept["gender"]) == ("Profile", ["Flynn", "Full"], "male")
    issues = answer.json["entry"][2]["resource"]["issue"]
    assert {one["details"]["text"].split()[0] for one in issues} == {"Organization", "Practitioner", "RelatedPerson"}


def test_a_duplicate_is_resolved(call: Call) -> None:
    accepted(call, "08-10", "test_a")
    accepted(call, "08-20", "test_a")
    accepted(call, "08-30", "test_a")
    stays, gone = record(call, "test_a", "FHRA-080"), record(call, "test_a", "FHRA-081")
    assert (stays["active"], gone["active"]) == (True, False)
    assert gone["link"][0] == {"other": {"reference": f"Patient/{stays['id']}"}, "type": "replaced-by"}
    query = {"sourceIdentifier": f"{DOMAINS['test_a']}|FHRA-081"}
    assert call("GET", "/fhir/Patient/$ihe-pix", token="test_a", query_string=query).status_code == 404
