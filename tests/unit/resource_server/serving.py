"""A server of encounters behind the guard, and what its patient restricts."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Response

from consent_broker.resource_server import GuardMiddleware
from consent_broker.resource_server.naming import own_names
from tests.unit.resource_server.test_wsgi import GRANT, Recorder

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
PSY = {"system": ACT, "code": "PSY"}
NO_PSY = {"type": "forbid", "securityLabel": [{"system": ACT, "code": "PSY"}]}


def encounter(name: str, /, *labels: str, **more: Any) -> dict[str, Any]:
    security = [{"system": ACT, "code": label} for label in labels]
    return {"resourceType": "Encounter", "id": name, "meta": {"security": security}} | more


def served(
    body: Any, residual: Any = (NO_PSY,), method: str = "GET", asking: Any = None, **answer: Any
) -> TestResponse:
    claims = {"extensions": {"ihe_pcf": {"residual": list(residual)}}}
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    said, nothing = Response(text, mimetype="application/fhir+json", **answer), Response(status=404)
    said.add_etag()
    said.accept_ranges = "bytes"

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/fhir/Encounter":
            return nothing(environ, start_response)
        return said.make_conditional(environ, accept_ranges=True, complete_length=len(said.data))(
            environ, start_response
        )

    guarded = GuardMiddleware(application, Recorder(replace(GRANT, claims=claims)), prefix="/fhir")
    return Client(guarded).open("/fhir/Encounter?patient=p", method=method, headers=asking)


PROBLEM = {"system": "urn:hc", "value": "P-7"}
EPISODE = {"system": "urn:episodes", "value": "HC 7&1"}
ORIGIN = "https://origin.example/fhir/Condition/70"
UUID_OF_8 = "0f0e0d0c-0b0a-0908-0706-050403020100"
HIDDEN = {"resourceType": "Condition", "id": "7", "identifier": [PROBLEM, EPISODE], "meta": {"source": ORIGIN}}
NAMES = {*own_names(HIDDEN), f"Condition/{UUID_OF_8}"}


def hiding(names: Iterable[str]) -> dict[str, Any]:
    return {"type": "forbid", "data": [{"meaning": "dependents", "reference": {"reference": one}} for one in names]}


HIDING = hiding(NAMES)
