"""The trace an access leaves at the establishment: a FHIR AuditEvent in the shape of IHE BALP's query and read."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from consent_broker.resource_server import Grant
from sandbox.places import REGISTRO, Establishment

CODES = "http://terminology.hl7.org/CodeSystem"
PURPOSES = f"{CODES}/v3-ActReason"


def access_event(grant: Grant, place: Establishment, *, what: str, action: str, at: float) -> dict[str, Any]:
    """Return the AuditEvent of a permitted search (action E) or read (R): who, for what, of whom, by which token."""
    purpose = [{"coding": [{"system": PURPOSES, "code": grant.purpose}]}] if grant.purpose else []
    reader: dict[str, Any] = {"who": {"identifier": {"value": grant.actor or grant.client_id}}, "requestor": True}
    patient = {"type": "Patient", "identifier": {"system": REGISTRO, "value": grant.patient}}
    return {
        "resourceType": "AuditEvent",
        "id": str(uuid4()),
        "type": {"system": f"{CODES}/audit-event-type", "code": "rest", "display": "RESTful Operation"},
        "subtype": [
            {"system": "http://hl7.org/fhir/restful-interaction", "code": "read" if action == "R" else "search"}
        ],
        "action": action,
        "recorded": datetime.fromtimestamp(at, UTC).isoformat(),
        "outcome": "0",
        **({"purposeOfEvent": purpose} if purpose else {}),
        "agent": [
            reader | ({"purposeOfUse": purpose} if purpose else {}),
            {"who": {"identifier": {"value": grant.client_id}}, "requestor": False},
        ],
        "source": {"observer": {"display": place.name}},
        "entity": [
            {"what": patient, "type": _code("audit-entity-type", "1"), "role": _code("object-role", "1")},
            {"what": {"display": what}, "type": _code("audit-entity-type", "2"), "role": _code("object-role", "24")},
            {"what": {"identifier": {"value": grant.token_id}}, "type": _code("audit-entity-type", "4")},
        ],
    }


def _code(system: str, code: str) -> dict[str, str]:
    return {"system": f"{CODES}/{system}", "code": code}
