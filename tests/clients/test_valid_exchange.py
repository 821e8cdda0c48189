"""Every resource the gateway and the consent registry return is valid R4 by a validator that did not build it."""

import json
from typing import Any

from werkzeug.wrappers import Request, Response

from tests.clients.validity import Walk
from tests.functional.consents.test_fhir_consent import given
from tests.functional.exchange.conftest import _fresh, holder, settings, world
from tests.functional.exchange.holder import FhirServer, bundle
from tests.functional.exchange.test_documents import index
from tests.functional.exchange.test_gateway import grant
from tests.functional.exchange.test_summary import HELD
from tests.functional.oauth.world import World

__all__ = ["_fresh", "holder", "settings", "world"]


def test_everything_the_broker_answers_in_fhir_is_valid(node: str, world: World, holder: FhirServer) -> None:
    walk, token = Walk(), grant(world)
    patient = {"query_string": {"patient": str(world.person_id)}}

    def holds(request: Request) -> Response:
        kind = request.path.rpartition("/")[2]
        about = {"subject" if kind == "MedicationStatement" else "patient": {"reference": "Patient/1"}}
        held = [{"resourceType": kind} | about | HELD[kind]] if kind in HELD else []
        return Response(json.dumps(bundle(*held)), mimetype="application/fhir+json")

    def down(_request: Request) -> Response:
        return Response(status=500)

    document = index(world)
    for answer in (holds, down):
        holder.answer = answer
        world.broker.breakers.report(world.holding.endpoint, success=True)
        walk.keep(world.asking.get("/exchange/fhir/AllergyIntolerance", token, **patient), 200)
        summary = f"/exchange/fhir/Patient/{world.person_id}/$summary"
        walk.keep(world.asking.get(summary, token), 200)
        walk.keep(world.asking.get("/exchange/fhir/DocumentReference", token, **patient), 200)
    walk.keep(world.asking.get(f"/exchange/fhir/Binary/{document}", token), 502)
    walk.keep(world.asking.get("/exchange/fhir/Nothing", token, **patient), 404)
    _consents(walk, world)
    assert walk.types >= {
        "AllergyIntolerance", "Bundle", "Composition", "Consent", "DetectedIssue", "DocumentReference",
        "MedicationStatement", "OperationOutcome", "Patient", "Provenance",
    }  # fmt: skip
    assert walk.faults(node) == {}


def _consents(walk: Walk, world: World) -> None:
    token = world.asking.client_token("system/Consent.rs")
    made = [
        given(world),
        given(world, labels=frozenset({"N", "PSY"})),
        given(world, sources=frozenset({world.holding.establishment_id})),
    ]
    query: Any = {"patient": str(world.person_id)}
    walk.keep(world.asking.get("/fhir/Consent", token, query_string=query), 200)
    for one in made:
        walk.keep(world.asking.get(f"/fhir/Consent/{one}", token), 200)
    walk.keep(world.asking.get(f"/fhir/Consent/{made[0]}/_history", token), 200)
