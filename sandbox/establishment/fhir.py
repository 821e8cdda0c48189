"""The establishment's FHIR R4 server: reads and searches of one patient at a time, behind the registry's guard.

Each access leaves an AuditEvent before anything is shown; the traces are searched like the records.
"""

import time
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from consent_broker.resource_server import Grant
from sandbox.clinical import TYPES
from sandbox.establishment.store import Store
from sandbox.establishment.trace import access_event
from sandbox.places import REGISTRO, Establishment

Json = dict[str, Any]
PATIENT_ELEMENT = {"AllergyIntolerance": "patient", "Immunization": "patient"}  # `subject` for the others
MAX_COUNT = 500
blueprint = Blueprint("fhir", __name__, url_prefix="/fhir")


class SearchError(Exception):
    """The search can't be understood; the message says which part."""


def fhir_json(body: Json, status: int = 200) -> Response:
    """Return a FHIR answer that no cache keeps."""
    response = jsonify(body)
    response.status_code = status
    response.content_type = "application/fhir+json"
    response.headers["Cache-Control"] = "no-store"
    return response


def outcome(status: int, code: str, text: str) -> Response:
    """Return an OperationOutcome."""
    issue = {"severity": "error", "code": code, "diagnostics": text}
    return fhir_json({"resourceType": "OperationOutcome", "issue": [issue]}, status)


@blueprint.get("/metadata")
def metadata() -> Response:
    """Say what this server does (CapabilityStatement)."""
    return fhir_json(_capability(_place()))


@blueprint.get("/AuditEvent")
def search_traces() -> Response:
    """Search who read the patient of the token, since a moment (`date=ge…`)."""
    parameters, patient = request.args.to_dict(), _grant().patient
    try:
        _check_patient(parameters, patient)
        since = _since(parameters.get("date", ""))
    except SearchError as error:
        return outcome(400, "invalid", str(error))
    return fhir_json(_bundle("AuditEvent", patient, _store().accesses(patient, since), MAX_COUNT))


@blueprint.get("/<kind>")
def search(kind: str) -> Response:
    """Search one type for the patient of the token."""
    return _search(kind, request.args.to_dict())


@blueprint.post("/<kind>/_search")
def search_by_form(kind: str) -> Response:
    """Search with the parameters in the body, out of the logs' sight."""
    return _search(kind, request.args.to_dict() | request.form.to_dict())


@blueprint.get("/Binary/<document_id>")
def read_document(document_id: str) -> Response:
    """Return a document as it is (ITI-68); another patient's looks like none. The guard decided about all of it."""
    found = _store().document(document_id, _grant().patient)
    _note(f"Binary/{document_id}", "R")
    if found is None:
        return outcome(404, "not-found", "No such document")
    response = Response(found.content, mimetype=found.content_type)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Disposition"] = "attachment"
    return response


@blueprint.get("/<kind>/<resource_id>")
def read(kind: str, resource_id: str) -> Response:
    """Read one resource; another patient's looks like none."""
    patient = _grant().patient
    found = _store().read(kind, resource_id, patient)
    _note(f"{kind}/{resource_id}", "R")
    return fhir_json(_about(found, patient)) if found else outcome(404, "not-found", "No such resource")


def _search(kind: str, parameters: dict[str, str]) -> Response:
    if kind not in TYPES:
        return outcome(404, "not-supported", f"This server holds {', '.join(TYPES)}")
    patient = _grant().patient
    try:
        _check_patient(parameters, patient)
        count = _count(parameters.get("_count", ""))
    except SearchError as error:
        return outcome(400, "invalid", str(error))
    _note(kind, "E")
    return fhir_json(_bundle(kind, patient, _store().search(kind, patient), count))


def _note(what: str, action: str) -> None:
    now = time.time()
    event = access_event(_grant(), _place(), what=what, action=action, at=now)
    _store().note_access(event, _grant().patient, now)


def _since(text: str) -> float:
    if not text:
        return 0.0
    try:
        moment = datetime.fromisoformat(text.removeprefix("ge"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not text.startswith("ge"):
        raise SearchError("date takes ge and a moment with its time zone")
    return moment.timestamp()


def _check_patient(parameters: dict[str, str], patient: str) -> None:
    """Take only the handle shared with the registry: no local number, no document."""
    asked = parameters.get("patient.identifier")
    if asked is not None and asked != f"{REGISTRO}|{patient}":
        raise SearchError(f"patient.identifier takes {REGISTRO}|<source record id>")
    if asked is None and "patient" not in parameters:
        raise SearchError("Name the patient: patient.identifier or patient")


def _count(text: str) -> int:
    if not text:
        return MAX_COUNT
    if not (text.isascii() and text.isdecimal()) or len(text) > 4:
        raise SearchError("_count takes a whole number")
    return min(int(text), MAX_COUNT)


def _bundle(kind: str, patient: str, found: list[Json], count: int) -> Json:
    base = f"{request.host_url}fhir"
    entries = [
        {"fullUrl": f"{base}/{kind}/{r['id']}", "resource": _shown(r, patient), "search": {"mode": "match"}}
        for r in found[:count]
    ]
    bundle: Json = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(found),
        "link": [{"relation": "self", "url": f"{base}/{kind}?patient.identifier={REGISTRO}|{patient}"}],
    }
    return bundle | ({"entry": entries} if entries else {})


def _shown(resource: Json, patient: str) -> Json:
    """Return a record with its reference to the patient; a trace has it where AuditEvent has it."""
    return resource if resource["resourceType"] == "AuditEvent" else _about(resource, patient)


def _about(resource: Json, patient: str) -> Json:
    """Return the resource with the reference the registry and the holder share for the patient."""
    place = _place()
    element = PATIENT_ELEMENT.get(resource["resourceType"], "subject")
    reference = {"type": "Patient", "identifier": {"system": REGISTRO, "value": patient}}
    meta = resource["meta"] | {"source": f"urn:renhice:ipress:{place.renipress}"}
    return resource | {"meta": meta, element: reference}


def _capability(place: Establishment) -> Json:
    search = [{"name": "patient", "type": "reference"}, {"name": "patient.identifier", "type": "token"}]
    resources = [
        {"type": kind, "interaction": [{"code": "read"}, {"code": "search-type"}], "searchParam": search}
        for kind in TYPES
    ]
    dated = [*search, {"name": "date", "type": "date"}]
    resources.append({"type": "AuditEvent", "interaction": [{"code": "search-type"}], "searchParam": dated})
    resources.append({"type": "Binary", "interaction": [{"code": "read"}]})
    oauth = {"system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "OAuth"}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-06-30",
        "kind": "instance",
        "implementation": {"description": place.name, "url": f"{request.host_url}fhir"},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{"mode": "server", "security": {"service": [{"coding": [oauth]}]}, "resource": resources}],
    }


def _grant() -> Grant:
    """Return the grant the guard left; the blueprint is never served without it."""
    grant: Grant = request.environ["renhice.grant"]
    return grant


def _store() -> Store:
    store: Store = current_app.extensions["sandbox"]["store"]
    return store


def _place() -> Establishment:
    place: Establishment = current_app.extensions["sandbox"]["place"]
    return place
