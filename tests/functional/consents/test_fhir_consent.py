"""`/fhir/Consent` as IHE PCF has it: search, read, versions, proposing and giving up, in JSON and XML."""

import hashlib
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.consent import Consent
from werkzeug.test import TestResponse

from consent_broker.consents.access_requests import grant_request
from consent_broker.consents.directives import Kind
from consent_broker.consents.fhir_consent import CATEGORY
from consent_broker.consents.models import AccessRequest
from consent_broker.consents.service import Terms, grant_consent, propose_consent, record_objection
from registry.database import now
from tests.functional.oauth.world import Party, World

BASE = "/fhir/Consent"
PERSON = "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/persona"
STATES = "http://hl7.org/fhir/consent-state-codes"
IHE = "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF.consent"
XML = {"Accept": "application/fhir+xml"}


def call(party: Party, method: str, path: str = "", body: Any = None, **more: Any) -> TestResponse:
    token = party.client_token("system/Consent.rs system/Consent.cu")
    if body is not None:
        more |= {"json": body, "content_type": "application/fhir+json"}
    return party.call(method, f"{BASE}{path}", token, **more)


def given(world: World, **changes: Any) -> UUID:
    terms = replace(
        Terms(
            person_id=world.person_id, establishment_id=world.asking.establishment_id,
            professional_id=world.professional_id, categories=frozenset({"allergies"}),
            purposes=frozenset({"TREAT"}), ends_at=now() + timedelta(days=3),
        ),
        **changes,
    )  # fmt: skip

    def act(session: Any) -> UUID:
        proof = world.evidence()
        if terms.kind is Kind.OBJECTION:
            return record_objection(session, terms, proof).id
        return grant_consent(session, propose_consent(session, terms, proof.as_record()), proof).id

    return world.transact(act)


def proposal(world: World, **provision: Any) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem"
    practitioner = {"reference": f"Practitioner/{world.professional_id}"}
    role = {"coding": [{"system": f"{system}/v3-ParticipationType", "code": "IRCP"}]}
    return {
        "resourceType": "Consent",
        "status": "proposed",
        "scope": {"coding": [{"system": f"{system}/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{world.person_id}"},
        "policy": [{"uri": "https://example.pe/politica"}],
        "provision": {
            "type": "permit",
            "purpose": [{"system": f"{system}/v3-ActReason", "code": "TREAT"}],
            "actor": [{"role": role, "reference": practitioner}],
            "modifierExtension": [{"url": CATEGORY, "valueCode": "Encounter"}],
        }
        | provision,
    }


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({"categories": frozenset({"allergies"})}, "Basic"),
        ({"data_from": date(2024, 1, 1), "data_until": date(2024, 12, 31)}, "Intermediate"),
        ({"labels": frozenset({"N", "PSY"})}, "Advanced"),
        ({"professional_id": None, "treating": True}, "Basic"),
    ],
)
def test_a_consent_meets_the_constraints_of_the_profile(world: World, changes: dict[str, Any], level: str) -> None:
    made = call(world.asking, "GET", f"/{given(world, **changes)}")
    body = made.json
    assert body["meta"]["profile"] == [f"{IHE}{level}"]
    assert made.headers["ETag"] == f'W/"{body["meta"]["versionId"]}"'
    for name in ("status", "scope", "category", "patient", "dateTime", "performer", "organization", "sourceReference"):
        assert body[name], name
    assert body["scope"]["coding"][0]["code"] == "patient-privacy"
    assert body["provision"]["type"] == "permit"
    assert {one["role"]["coding"][0]["code"] for one in body["provision"]["actor"]} == {"IRCP"}
    assert not {"class", "code", "action", "provision"} & body["provision"].keys()
    assert "verification" not in body
    if level == "Advanced":
        assert {one["code"] for one in body["provision"]["securityLabel"]} == {"N", "PSY"}
    if level == "Intermediate":
        assert body["provision"]["dataPeriod"] == {"start": "2024-01-01", "end": "2024-12-31"}


def test_the_policy_is_published_and_its_hash_is_in_the_consent(world: World) -> None:
    uri = call(world.asking, "GET", f"/{given(world)}").json["policy"][0]["uri"]
    address, _, digest = uri.partition("#sha256=")
    page = world.asking.http.get(address.removeprefix(world.broker.issuer))
    assert page.status_code == 200
    assert hashlib.sha256(page.data).hexdigest() == digest
    assert world.asking.http.get("/politicas/otra").status_code == 404


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_a_patients_consents_are_searched_by_both_verbs(world: World, verb: str) -> None:
    mine = str(given(world, categories=frozenset({"problems"})))

    def ids(**query: str) -> set[str]:
        where = {"query_string": query} if verb == "GET" else {"data": query}
        answer = call(world.asking, verb, "" if verb == "GET" else "/_search", **where)
        assert answer.status_code == 200, answer.text
        return {entry["resource"]["id"] for entry in answer.json.get("entry", [])}

    patient = f"Patient/{world.person_id}"
    assert mine in ids(patient=patient, status="active")
    assert mine in ids(patient=str(world.person_id))
    assert mine in ids(**{"patient.identifier": f"{PERSON}|{world.person_id}", "status": "active,proposed"})
    assert mine in ids(patient=patient, actor=f"Practitioner/{world.professional_id}")
    assert mine in ids(patient=patient, actor=f"Organization/{world.asking.establishment_id}", _sort="date")
    assert mine in ids(patient=f"https://renhice.example/fhir/{patient}", status=f"{STATES}|active")
    assert mine in ids(patient=patient, status=f"{STATES}|", actor=str(world.professional_id))
    assert mine in ids(patient=patient, actor=f"https://x.example/fhir/Practitioner/{world.professional_id},b")
    for other in ("inactive", f"{STATES}|inactive", "draft", "entered-in-error,rejected"):
        assert mine not in ids(patient=patient, status=other)
    assert mine not in ids(patient=patient, actor=f"Patient/{world.professional_id}")
    assert not ids(patient=f"Practitioner/{world.person_id}")
    assert mine not in ids(patient=patient, actor=f"Practitioner/{world.person_id}")


@pytest.mark.parametrize(
    "query",
    [{}, {"status": "active"}, {"patient": "a", "patient.identifier": "b"},
     {"patient": "a", "status": "suspended"}, {"patient": "a", "status": "active,Active"},
     {"patient": "a", "status": "urn:x|active"}, {"patient": "a", "status": "|"},
     {"patient.identifier": "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/dni|40718293"}],
    ids=str,
)  # fmt: skip
def test_a_search_names_one_patient_no_document_and_no_unknown_status(world: World, query: dict[str, str]) -> None:
    assert call(world.asking, "GET", query_string=query).status_code == 400
    doubled = "patient=a&patient=b"
    assert call(world.asking, "GET", query_string=doubled).status_code == 400


def test_xml_says_the_same_as_json(world: World) -> None:
    path = f"/{given(world, labels=frozenset({'N', 'HIV'}))}"
    as_json = call(world.asking, "GET", path).json
    as_xml = call(world.asking, "GET", path, headers=XML)
    assert as_xml.mimetype == "application/fhir+xml"
    assert Consent.model_validate_xml(as_xml.data) == Consent.model_validate(as_json)
    found = call(world.asking, "GET", query_string={"patient": str(world.person_id), "_format": "xml"})
    assert Bundle.model_validate_xml(found.data).total >= 1
    assert call(world.asking, "GET", path, headers={"Accept": "text/html"}).status_code == 406


def test_a_proposal_permits_nothing_until_the_patient_answers_and_every_version_is_kept(world: World) -> None:
    made = call(world.asking, "POST", body=proposal(world))
    assert made.status_code == 201, made.text
    assert (made.json["status"], made.json["provision"]["modifierExtension"][0]["valueCode"]) == (
        "proposed",
        "Encounter",
    )
    consent_id = UUID(made.json["id"])
    assert made.headers["Location"].endswith(f"/{consent_id}/_history/1")

    def answer(session: Any) -> None:
        asked = session.query(AccessRequest).filter(AccessRequest.consent_id == consent_id).one()
        grant_request(session, asked.id, world.evidence())

    world.transact(answer)
    assert call(world.asking, "GET", f"/{consent_id}").json["status"] == "active"
    assert call(world.asking, "GET", f"/{consent_id}/_history/1").json["status"] == "proposed"
    revoked = call(world.asking, "POST", f"/{consent_id}/$revokeConsent")
    assert (revoked.status_code, revoked.json["status"]) == (200, "inactive")
    history = call(world.asking, "GET", f"/{consent_id}/_history").json
    versions = [entry["resource"] for entry in history["entry"]]
    assert [one["status"] for one in versions] == ["inactive", "active", "proposed"]
    assert len({one["sourceReference"]["identifier"]["value"] for one in versions}) == 3
    page = call(world.asking, "GET", f"/{consent_id}/_history?_count=2").json
    token = next(one["url"] for one in page["link"] if one["relation"] == "next").partition("_page=")[2]
    rest = call(world.asking, "GET", f"/{consent_id}/_history?_page={token}").json
    assert [one["resource"] for one in rest["entry"]] == versions[2:]
    assert (page["total"], rest["total"], len(page["entry"])) == (3, 3, 2)
    assert call(world.asking, "POST", f"/{consent_id}/$revokeConsent").status_code == 409


STATUSES = ("draft", "proposed", "active", "rejected", "inactive", "entered-in-error", "suspended")


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_a_client_may_send_has_a_clear_answer(world: World, status: str) -> None:
    """Those of R4, and one of R5 that R4 has not."""
    told = {"proposed": None}.get(status, (422, "patient-decides"))
    assert refused(call(world.asking, "POST", body=proposal(world) | {"status": status})) == told
    made = call(world.asking, "POST", body=proposal(world)).json
    told = (409, "consent-state") if status == "inactive" else (422, "patient-decides")
    assert refused(call(world.asking, "PUT", f"/{made['id']}", made | {"status": status})) == told
    path = f"/{given(world)}"
    body = call(world.asking, "GET", path).json
    told = None if status == "inactive" else (422, "patient-decides")
    assert refused(call(world.asking, "PUT", path, body | {"status": status})) == told
    assert call(world.asking, "GET", path).json["status"] == ("active" if told else "inactive")


def refused(answer: TestResponse) -> tuple[int, str] | None:
    if answer.status_code < 400:
        return None
    [issue] = answer.json["issue"]
    assert issue["details"]["text"]
    return answer.status_code, issue["details"]["coding"][0]["code"]


def test_only_the_patient_makes_a_consent_active(world: World) -> None:
    made = call(world.asking, "POST", body=proposal(world) | {"status": "active"})
    assert (made.status_code, made.json["issue"][0]["details"]["coding"][0]["code"]) == (422, "patient-decides")
    consent_id = given(world)
    body = call(world.asking, "GET", f"/{consent_id}").json
    assert call(world.asking, "PUT", f"/{consent_id}", body).status_code == 422
    assert call(world.asking, "PUT", f"/{consent_id}", body | {"id": str(world.person_id)}).status_code == 400
    given_up = call(world.asking, "PUT", f"/{consent_id}", body | {"status": "inactive"})
    assert (given_up.status_code, given_up.json["status"]) == (200, "inactive")


def test_an_update_may_say_which_version_it_is_meant_for(world: World) -> None:
    consent_id = given(world)
    read = call(world.asking, "GET", f"/{consent_id}")
    assert read.headers["ETag"] == 'W/"2"'
    path, body = f"/{consent_id}", read.json | {"status": "inactive"}
    for headers, status in (
        ({"If-Match": 'W/"1"'}, 412),
        ({"If-Match": 'W/"3"'}, 412),
        ({"If-None-Match": "*"}, 412),
        ({"If-Match": "2"}, 400),
        ({"If-Match": 'W/"2", W/"1"'}, 400),
        ({"If-None-Match": 'W/"1"'}, 400),
    ):
        refused = call(world.asking, "PUT", path, body, headers=headers)
        assert refused.status_code == status, headers
    assert call(world.asking, "GET", path).headers["ETag"] == 'W/"2"'
    assert call(world.holding, "PUT", path, body, headers={"If-Match": 'W/"1"'}).status_code == 404, (
        "not theirs to know"
    )
    given_up = call(world.asking, "PUT", path, body, headers={"If-Match": 'W/"2"'})
    assert (given_up.status_code, given_up.headers["ETag"]) == (200, 'W/"3"')
    assert call(world.asking, "PUT", path, body, headers={"If-Match": 'W/"2"'}).status_code == 412


@pytest.mark.parametrize(
    "provision",
    [
        {"type": "deny"},
        {"actor": []},
        {"actor": [{"role": {"text": "x"}, "reference": {"reference": "Practitioner/1"}}]},
        {"purpose": []},
        {"purpose": [{"code": "HMARKT"}]},
        {"modifierExtension": []},
        {"modifierExtension": [{"url": CATEGORY, "valueCode": "Observation"}]},
        {"modifierExtension": [{"url": "https://example.pe/otra", "valueCode": "Encounter"}]},
        {"period": {"end": "2026-12-31"}},
        {"period": {"end": "2020-01-01T00:00:00-05:00"}},
        {"class": "x"},
    ],
    ids=str,
)
def test_a_proposal_that_says_something_else_is_a_clear_4xx(world: World, provision: dict[str, Any]) -> None:
    answer = call(world.asking, "POST", body=proposal(world, **provision))
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"resourceType":"Patient"}', b"x" * 70_000])
def test_garbage_is_a_clear_4xx(world: World, body: bytes) -> None:
    token = world.asking.client_token("system/Consent.cu")
    answer = world.asking.call("POST", BASE, token, data=body, content_type="application/fhir+json")
    assert answer.status_code in {400, 413, 422}
    assert answer.json["resourceType"] == "OperationOutcome"


def test_the_statement_says_so(world: World) -> None:
    statement = world.asking.http.get("/fhir/metadata").json
    found = next(one for one in statement["rest"][0]["resource"] if one["type"] == "Consent")
    assert {one["name"] for one in found["searchParam"]} == {"patient", "patient.identifier", "actor", "status"}
    assert found["operation"][0]["name"] == "revokeConsent"
