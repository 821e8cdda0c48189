"""`Patient/{person}/$summary` through the gateway: the same token, decision and audit; a silent holder is said so."""

import json
from typing import Any

from sqlalchemy import select
from werkzeug.test import TestResponse
from werkzeug.wrappers import Request, Response

from registry.audit.models import AuditEvent
from registry.fhir.xml_format import from_xml
from tests.functional.exchange.holder import FhirServer, bundle
from tests.functional.exchange.test_gateway import grant, revoke_newest
from tests.functional.oauth.world import World

ATC, SNOMED = "http://www.whocc.no/atc", "http://snomed.info/sct"
ACTIVE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]}
HELD = {
    "AllergyIntolerance": {
        "id": "7",
        "clinicalStatus": ACTIVE,
        "code": {"coding": [{"system": SNOMED, "code": "91936005"}], "text": "Alergia a la penicilina"},
        "recordedDate": "2026-03-04",
    },
    "MedicationStatement": {
        "id": "8",
        "status": "active",
        "medicationCodeableConcept": {"coding": [{"system": ATC, "code": "J01CA04"}], "text": "Amoxicilina"},
        "effectiveDateTime": "2026-11-20",
    },
}


def holds(request: Request) -> Response:
    kind = request.path.rpartition("/")[2]
    held = [{"resourceType": kind} | HELD[kind]] if kind in HELD else []
    return Response(json.dumps(bundle(*held)), mimetype="application/fhir+json")


def summarise(world: World, token: str, person: Any = None, **query: Any) -> TestResponse:
    path = f"/exchange/fhir/Patient/{person or world.person_id}/$summary"
    return world.asking.get(path, token, query_string=query)


def test_a_summary_of_what_was_permitted(world: World, holder: FhirServer) -> None:
    holder.answer = holds
    answer = summarise(world, grant(world))
    assert (answer.status_code, answer.mimetype) == (200, "application/fhir+json"), answer.text
    kinds = [one["resource"]["resourceType"] for one in answer.json["entry"]]
    assert kinds == [
        "Composition", "Patient", "AllergyIntolerance", "MedicationStatement", "DetectedIssue", "Provenance",
        "Provenance",
    ]  # fmt: skip
    assert answer.json["entry"][2]["resource"]["meta"]["source"] == f"{world.holding.endpoint}/AllergyIntolerance/7"
    query = select(AuditEvent).where(AuditEvent.action == "exchange:records:read").order_by(AuditEvent.id.desc())
    event = world.transact(lambda session: session.scalars(query).first())
    assert set(event.detail["categories"]) >= {"allergies", "medications"}


def test_a_summary_in_xml_says_the_same(world: World, holder: FhirServer) -> None:
    holder.answer = holds
    token = grant(world)
    answer = summarise(world, token, _format="xml")
    assert (answer.status_code, answer.mimetype) == (200, "application/fhir+xml"), answer.text
    kinds = [one["resource"]["resourceType"] for one in from_xml(answer.data)["entry"]]
    assert kinds == [one["resource"]["resourceType"] for one in summarise(world, token).json["entry"]]
    assert summarise(world, token, _format="html").status_code == 406


def test_a_silent_holder_leaves_the_sections_unknown(world: World, holder: FhirServer) -> None:
    holder.answer = lambda _request: Response(status=500)
    sections = summarise(world, grant(world)).json["entry"][0]["resource"]["section"]
    asked = [one for one in sections if one["emptyReason"]["coding"][0]["code"] != "notasked"]
    assert [one["emptyReason"]["coding"][0]["code"] for one in asked] == ["unavailable"] * len(asked)
    assert asked[0]["code"]["coding"][0]["code"] == "48765-2"
    assert all("no se sabe qué dice" in one["text"]["div"] for one in asked)


def test_only_what_the_token_is_for_is_asked(world: World, holder: FhirServer) -> None:
    holder.answer = holds
    sections = summarise(world, grant(world, "patient/AllergyIntolerance.rs")).json["entry"][0]["resource"]["section"]
    assert {request.path.rpartition("/")[2] for request in holder.requests} == {"AllergyIntolerance"}
    assert sections[1]["emptyReason"]["coding"][0]["code"] == "notasked"


def test_nobody_elses_and_nothing_without_consent(world: World) -> None:
    token = grant(world)
    assert summarise(world, token, "0199aaaa-0000-7000-8000-000000000000").status_code == 403
    assert summarise(world, token, _count="1").status_code == 400
    revoke_newest(world)
    assert summarise(world, token).status_code in {401, 403}
