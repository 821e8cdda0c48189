"""Two record systems that speak FHIR to the product, with tokens that need no broker."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent_broker.oauth.scopes import SYSTEM_SCOPES
from registry.access import Caller, Presented
from registry.app import Renhice
from registry.database import new_id, now
from registry.directory.models import Establishment
from registry.errors import Unauthenticated
from registry.settings import Settings
from tests.functional.r4 import valid
from wsgi import create_app

Json = dict[str, Any]
Call = Callable[..., TestResponse]
SYSTEMS = {
    "a": "https://hospital-a.example.pe/historia",
    "b": "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/hc-b",
}
IDS = {name: new_id() for name in SYSTEMS}
SCOPES = {
    "": frozenset({"system/Patient.cu", "system/Patient.rs"}),
    "-reader": frozenset({"system/Patient.rs"}),
    "-remover": frozenset({"system/Patient.d"}),
    "-all": frozenset(scope for scope in SYSTEM_SCOPES if scope.startswith("system/")),
    "-documents": frozenset(
        {"system/DocumentReference.cu", "system/DocumentReference.rs", "system/List.rs", "system/Provenance.rs"}
    ),
    "-directory": frozenset({"system/Organization.rs", "system/Location.rs"}),
    "-auditor": frozenset({"system/AuditEvent.rs"}),
}
MOTHERS_FAMILY = "http://hl7.org/fhir/StructureDefinition/humanname-mothers-family"


def authenticate(presented: Presented, audience: str) -> Caller:
    """Tokens `a`, `b` that read and write, `a-reader` and `a-remover` that do one thing, `a-all` that does all."""
    name, dash, rest = (presented.authorization or "").removeprefix("Bearer ").partition("-")
    if name not in IDS:
        raise Unauthenticated("This call needs an access token.")
    return Caller(
        client_id=f"sihce-{name}",
        establishment_id=IDS[name],
        scopes=SCOPES[dash + rest],
        token_id="token",
        audience=audience,
    )


@pytest.fixture(scope="module")
def app(settings: Settings) -> Iterator[Flask]:
    application = create_app(settings, authenticate)
    parts: Renhice = application.extensions["renhice"]
    with parts.database.unit_of_work() as session:
        for number, (name, system) in enumerate(SYSTEMS.items()):
            session.add(
                Establishment(
                    id=IDS[name],
                    renipress=f"0000000{number}",
                    name=f"Hospital {name}",
                    category="III-1",
                    sector="MINSA",
                    region="Cusco",
                    ubigeo="080101",
                    fhir_endpoint=f"http://127.0.0.1:900{number}/fhir",
                    identifier_system=system,
                    active=True,
                    updated_at=now(),
                )
            )
    yield application
    parts.database.engine.dispose()


@pytest.fixture
def call(client: FlaskClient) -> Call:
    """`call("PUT", "/fhir/Patient", body, token="a", ...)`."""

    def send(method: str, path: str, body: Any = None, *, token: str = "a", **more: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"} | more.pop("headers", {})
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        content_type = more.pop("content_type", "application/fhir+json" if data is not None else None)
        sent = client.open(path, method=method, data=data, headers=headers, content_type=content_type, **more)
        return valid(path, sent)

    return send


@pytest.fixture
def put(call: Call) -> Call:
    """Register a patient under a local number of the token's establishment."""

    def send(number: str, patient: Json, *, token: str = "a", **more: Any) -> TestResponse:
        system = SYSTEMS[token[0]]
        local = {"system": system, "value": number}
        body = patient | {"identifier": [local, *patient.get("identifier", [])]}
        return call(
            "PUT", "/fhir/Patient", body, token=token, query_string={"identifier": f"{system}|{number}"}, **more
        )

    return send


def rosa(**more: Any) -> Json:
    """An invented patient in the shape of PE Core."""
    country = {"url": "https://www.gob.pe/minsa/RENHICE/fhir/StructureDefinition/pe-pais", "valueCode": "PER"}
    coding = {"system": "https://www.gob.pe/minsa/RENHICE/fhir/CodeSystem/IdspersonaPeru", "code": "1"}
    return {
        "resourceType": "Patient",
        "identifier": [{"type": {"extension": [country], "coding": [coding]}, "value": "40718293"}],
        "name": [
            {
                "family": "Huamán",
                "_family": {"extension": [{"url": MOTHERS_FAMILY, "valueString": "Ccahuana"}]},
                "given": ["Rosa", "Elvira"],
            }
        ],
        "gender": "female",
        "birthDate": "1984-07-19",
        "telecom": [{"system": "phone", "value": "984112233"}],
    } | more


def misspelt() -> Json:
    """The same person as another clerk wrote her."""
    name = {
        "family": "Guaman",
        "_family": {"extension": [{"url": MOTHERS_FAMILY.replace("http:", "https:"), "valueString": "Ccawana"}]},
        "given": ["Rosa"],
    }
    return rosa(name=[name], telecom=[])
