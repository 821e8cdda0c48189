"""`/fhir/Patient/$export` (Bulk Data Access 2.0, patient level): an establishment's own records, asynchronously."""

import json
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify, request

from registry.access import caller, require_scope
from registry.app import parts
from registry.bulk.export import service
from registry.bulk.export.kickoff import read_kickoff
from registry.bulk.export.models import FAILED, PROCESSING, Export, ExportFault
from registry.bulk.export.reading import READ, compressed, read_file
from registry.database import session
from registry.errors import DomainError, NotFound
from registry.faces import PROBLEMS
from registry.fhir.answers import answer
from registry.fhir.formats import negotiate
from registry.fhir.wire import Json, http_date

NDJSON = "application/fhir+ndjson"
POLL_SECONDS = 5

blueprint = Blueprint("fhir-exports", __name__, url_prefix="/fhir/Patient/$export")


class ExportFailed(DomainError):
    """The export can't be made: it failed too often, or what is kept of too many records can't be opened."""

    code = "export-failed"
    status = 500
    fhir_code = "exception"


@blueprint.before_request
def require_right() -> None:
    """Reading one's own records is what an export does; files are NDJSON whatever else is taken."""
    require_scope(caller(), READ)
    if request.endpoint not in {f"{blueprint.name}.{one.__name__}" for one in (get_file, get_errors)}:
        negotiate()


@blueprint.get("")
@blueprint.post("")
def kick_off() -> Response:
    """Ask for an export: 202 with where it is; 429 beyond what an establishment may have."""
    made = service.ask(session(), caller(), read_kickoff(parts().settings.base_url))
    return answer(None, 202, {"Content-Location": _url(made), "Retry-After": str(POLL_SECONDS)})


@blueprint.get("/<uuid:export_id>")
def get_status(export_id: UUID) -> Response:
    """202 with X-Progress while it is under way, then the manifest; 404 once it was deleted or expired."""
    found = service.get_own(session(), caller(), export_id)
    if found.status == PROCESSING:
        return answer(None, 202, {"X-Progress": f"{found.percent} %", "Retry-After": str(POLL_SECONDS)})
    if found.status == FAILED:
        raise ExportFailed("The export failed.", hint="Ask for another one; if that fails too, tell us.")
    response = jsonify(_manifest(found))
    response.headers["Expires"] = http_date(service.expires_at(found))
    return response


@blueprint.delete("/<uuid:export_id>")
def delete(export_id: UUID) -> Response:
    """Call it off, or delete its files."""
    service.cancel(session(), caller(), export_id)
    return answer(None, 202)


@blueprint.get("/<uuid:export_id>/errors.ndjson")
def get_errors(export_id: UUID) -> Response:
    """The records that could not be exported: an OperationOutcome each."""
    found = service.get_own(session(), caller(), export_id)
    faults = service.list_faults(session(), found) if found.status != PROCESSING else []
    if not faults:
        raise NotFound("The export has no such file.", code="unknown-export")
    service.account(session(), caller(), found, "downloaded", document="errors.ndjson", count=len(faults))
    return Response("".join(f"{json.dumps(_outcome(one))}\n" for one in faults), mimetype=NDJSON)


@blueprint.get("/<uuid:export_id>/<int:number>.ndjson")
def get_file(export_id: UUID, number: int) -> Response:
    """One file, streamed; each time it is fetched is in the log."""
    found = service.get_own(session(), caller(), export_id)
    files = service.list_files(session(), found) if found.status != PROCESSING else []
    file = next((one for one in files if one.number == number), None)
    if file is None:
        raise NotFound("The export has no such file.", code="unknown-export")
    service.account(session(), caller(), found, "downloaded", document=f"{number}.ndjson", count=file.count)
    blocks = read_file(parts(), caller().client_id, found.id, number, file.count)
    packed = request.accept_encodings["gzip"] > 0
    response = Response(compressed(blocks) if packed else blocks, mimetype=NDJSON)
    response.vary.add("Accept-Encoding")
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    return response


def _manifest(found: Export) -> dict[str, Any]:
    files: list[Json] = [
        {"type": "Patient", "url": f"{_url(found)}/{one.number}.ndjson", "count": one.count}
        for one in service.list_files(session(), found)
    ]
    return {
        "transactionTime": service.read_as_of(found).isoformat(timespec="milliseconds"),
        "request": found.request,
        "requiresAccessToken": True,
        "output": files,
        "deleted": [],
        "error": _errors(found),
    }


def _errors(found: Export) -> list[Json]:
    file = {"type": "OperationOutcome", "url": f"{_url(found)}/errors.ndjson", "count": found.left_out}
    return [file] if found.left_out else []


def _outcome(fault: ExportFault) -> Json:
    """What the files lack, by the id reading it would take."""
    said = f"Patient/{fault.record_id} could not be exported: what the registry keeps of it is damaged. Tell us."
    coding = {"system": PROBLEMS, "code": fault.code}
    issue = {"severity": "error", "code": "exception", "details": {"coding": [coding], "text": said}}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _url(found: Export) -> str:
    return f"{parts().settings.base_url}{blueprint.url_prefix}/{found.id}"
