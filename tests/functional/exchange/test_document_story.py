"""A prescription goes the whole way: indexed by its hospital, permitted by the patient, fetched by another hospital."""

from dataclasses import replace
from uuid import UUID

from werkzeug.wrappers import Response

from tests.functional.exchange.holder import FhirServer
from tests.functional.exchange.test_documents import find, listed, retrieve
from tests.functional.exchange.test_gateway import grant
from tests.functional.fhir.conftest import Json, rosa
from tests.functional.fhir.documents import coded, document, submission
from tests.functional.oauth.world import World

PDF = b"%PDF-1.7 receta de amoxicilina"


def register(world: World) -> Json:
    """The holder's patient, by the feed."""
    party, system = world.holding, "urn:hc:00000002"
    body = rosa() | {"identifier": [{"system": system, "value": "R-1"}, *rosa()["identifier"]]}
    query = {"identifier": f"{system}|R-1"}
    token = party.client_token("system/Patient.cu")
    answer = party.call(
        "PUT", "/fhir/Patient", token, json=body, query_string=query, content_type="application/fhir+json"
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


def test_indexed_permitted_found_and_fetched(world: World, holder: FhirServer) -> None:
    record = register(world)
    sent = document({"reference": f"Patient/{record['id']}"}, type=coded("57833-6"))
    sent["content"][0]["attachment"] = {
        "contentType": "application/pdf", "url": f"{world.holding.endpoint}/Binary/receta-1", "size": len(PDF),
    }  # fmt: skip
    token = world.holding.client_token("system/DocumentReference.cu")
    provided = world.holding.call("POST", "/fhir", token, json=submission(sent), content_type="application/fhir+json")
    assert provided.status_code == 200, provided.text
    made = provided.json["entry"][1]["response"]["location"].removeprefix("DocumentReference/")
    person = UUID(record["link"][0]["other"]["reference"].removeprefix("Patient/"))
    hers = replace(world, person_id=person)
    reading = grant(hers)
    assert made in listed(find(hers, reading, type="57833-6", status="current"))
    holder.answer = lambda _request: Response(PDF)
    answer = retrieve(hers, reading, made)
    assert (answer.status_code, answer.mimetype, answer.data) == (200, "application/pdf", PDF)
    assert [request.path for request in holder.requests] == ["/fhir/Binary/receta-1"]
