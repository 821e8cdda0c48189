"""An audit event as FHIR R4 AuditEvent, after the patterns of IHE Basic Audit (BALP); pure, ids only."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from registry.audit.models import AuditEvent
from registry.fhir.systems import BASE
from registry.fhir.wire import Json

HL7 = "http://terminology.hl7.org/CodeSystem"
BALP = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
ACTIONS = f"{BASE}/CodeSystem/suceso"
"""What happened, as the registry names it: `source:subject:verb`."""

SHOWN = (
    "identity:record:received", "identity:record:read", "identity:person:read", "identity:person:matched",
    "locator:person:located", "locator:document:provided", "locator:document:read", "locator:document:searched",
    "consent:directive:read", "consent:directive:searched", "consent:access:requested",
    "exchange:records:read", "exchange:documents:found", "exchange:document:read",
    "bulk:export:requested", "bulk:export:downloaded", "bulk:export:cancelled",
    "oauth:token:issued", "oauth:scope:required", "audit:event:read", "audit:event:searched",
)  # fmt: skip
"""What an establishment's record systems do. Not what people do about the establishment, nor why a consent refused it:
that somebody objected is not the reader's to know."""

TOLD = frozenset({"count", "counts", "categories", "document", "documents", "faults", "new", "requested", "scope",
                  "scopes", "signatures", "submission"})  # fmt: skip
"""The details shown; how much was withheld, and what records were compared with, are not among them."""

OUTCOMES = MappingProxyType({"success": "0", "failure": "4", "refused": "8"})
READS = frozenset(
    {"read", "downloaded", "searched", "matched", "located", "viewed", "found", "decided", "required", "listed"}
)
CREATES = frozenset({"provided", "issued", "granted", "proposed", "asked", "declared", "linked", "made", "added"})
DELETES = frozenset({"removed", "erased", "ended"})


def audit_event(event: AuditEvent, base_url: str) -> Json:
    """One event as its own establishment may see it."""
    verb = event.action.rpartition(":")[2]
    made: Json = {
        "resourceType": "AuditEvent",
        "id": str(event.id),
        "meta": {"versionId": "1", "lastUpdated": _moment(event)},
        "type": {"system": f"{HL7}/audit-event-type", "code": "rest"},
        "subtype": [{"system": ACTIONS, "code": event.action}],
        "action": _action(verb),
        "recorded": _moment(event),
        "outcome": OUTCOMES.get(event.outcome, "4"),
        "outcomeDesc": event.reason,
        "purposeOfEvent": _purpose(event.purpose),
        "agent": list(_agents(event)),
        "source": {
            "observer": {"identifier": {"system": "urn:ietf:rfc:3986", "value": base_url}, "display": "RENHICE"}
        },
        "entity": list(_entities(event)),
    }
    return {name: value for name, value in made.items() if value not in (None, [])}


def _moment(event: AuditEvent) -> str:
    return event.recorded_at.isoformat(timespec="milliseconds")


def _action(verb: str) -> str:
    if verb in READS:
        return "R"
    if verb in CREATES:
        return "C"
    return "D" if verb in DELETES else "U"


def _purpose(purpose: str | None) -> list[Json]:
    return [{"coding": [{"system": f"{HL7}/v3-ActReason", "code": purpose}]}] if purpose else []


def _agents(event: AuditEvent) -> Iterator[Json]:
    """Who acted, the establishment they act for, and the system they used; the one who asked is the requestor."""
    human = event.professional_id is not None
    if event.professional_id:
        yield _agent("IRCP", {"reference": f"Practitioner/{event.professional_id}"}, requestor=True)
    if event.establishment_id:
        yield _agent("CST", {"reference": f"Organization/{event.establishment_id}"}, requestor=not human)
    if event.client_id:
        kind = {"coding": [{"system": DCM, "code": "110153", "display": "Source Role ID"}]}
        requestor = not human and event.establishment_id is None
        who = {"identifier": {"system": f"{BASE}/NamingSystem/cliente", "value": event.client_id}}
        yield {"type": kind, "who": who, "requestor": requestor}
    if not human and event.establishment_id is None and event.client_id is None:
        yield {"who": {"display": event.actor_role or "RENHICE"}, "requestor": True}


def _agent(code: str, who: Json, *, requestor: bool) -> Json:
    return {
        "type": {"coding": [{"system": f"{HL7}/v3-ParticipationType", "code": code}]},
        "who": who,
        "requestor": requestor,
    }


def _entities(event: AuditEvent) -> Iterator[Json]:
    record_id = event.source_record_id if event.holder_id in {None, event.establishment_id} else None
    patient = record_id or event.person_id  # another holder's handle for its patient is between it and the registry
    if patient:
        yield _entity(f"Patient/{patient}", "1", "1", "Patient")
    if event.consent_id and event.outcome == "success":
        yield _entity(f"Consent/{event.consent_id}", "2", "13", "Security Resource")
    if event.holder_id:
        yield _entity(f"Organization/{event.holder_id}", "3", "8", "Stakeholder")
    if event.request_id:
        identifier = {"value": event.request_id}
        yield {"what": {"identifier": identifier}, "type": {"system": BALP, "code": "XrequestId"}}
    details = [
        {"type": name, "valueString": _text(value)} for name, value in sorted(event.detail.items()) if name in TOLD
    ]
    told = [one for one in details if one["valueString"]]
    if told:
        yield {"name": event.action, "detail": told}


def _entity(reference: str, kind: str, role: str, display: str) -> Json:
    return {
        "what": {"reference": reference},
        "type": {"system": f"{HL7}/audit-entity-type", "code": kind},
        "role": {"system": f"{HL7}/object-role", "code": role, "display": display},
    }


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
