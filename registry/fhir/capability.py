"""The CapabilityStatement: what this FHIR server does, and nothing it does not."""

from flask import Blueprint, Response

from registry.app import parts
from registry.fhir.answers import answer
from registry.fhir.formats import FHIR_JSON, FHIR_XML, negotiate
from registry.fhir.resources import declared
from registry.fhir.wire import Json

SMART = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
PROCESS_MESSAGE = "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"
RELEASED = "2026-11-22"

blueprint = Blueprint("fhir-metadata", __name__, url_prefix="/fhir")


@blueprint.get("/metadata")
def metadata() -> Response:
    """GET /fhir/metadata (FHIR R4 http §3.1.0.8)."""
    negotiate()
    return answer(capability_statement(parts().settings.base_url))


def capability_statement(base_url: str) -> Json:
    """The statement of this server."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": RELEASED,
        "kind": "instance",
        "software": {"name": "RENHICE"},
        "implementation": {
            "description": "Registro Nacional de Historias Clínicas Electrónicas",
            "url": f"{base_url}/fhir",
        },
        "instantiates": ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"],
        "fhirVersion": "4.0.1",
        "format": [FHIR_JSON, FHIR_XML, "json", "xml"],
        "rest": [
            {
                "mode": "server",
                "security": _security(base_url),
                "resource": [one.as_json() for one in declared()],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
                "operation": [{"name": "process-message", "definition": PROCESS_MESSAGE}],
            }
        ],
    }


def _security(base_url: str) -> Json:
    uris = [
        {"url": "token", "valueUri": f"{base_url}/oauth/token"},
        {"url": "authorize", "valueUri": f"{base_url}/oauth/authorize"},
        {"url": "introspect", "valueUri": f"{base_url}/oauth/introspect"},
        {"url": "revoke", "valueUri": f"{base_url}/oauth/revoke"},
    ]
    return {
        "extension": [{"url": SMART, "extension": uris}],
        "service": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                        "code": "SMART-on-FHIR",
                    }
                ]
            }
        ],
        "description": "OAuth 2.0 client credentials, private_key_jwt; tokens of record systems are bound by DPoP "
        "(RFC 9449); scopes system/Patient.cu, .rs, .d.",
    }
