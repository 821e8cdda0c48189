"""`/api/v1/imports`: files of records, by FHIR's asynchronous pattern (R4 §3.1.6), uploaded in parts."""

import json
from typing import Any
from uuid import UUID

from flask import Response, jsonify, request
from flask.views import MethodView
from flask_smorest import Blueprint

from registry.access import caller, require_scope
from registry.api import StrictParser, whole_number
from registry.app import parts
from registry.bulk import service
from registry.bulk.models import PROCESSING, UPLOADING, Import
from registry.bulk.schemas import AnnouncedSchema, ImportSchema
from registry.database import session
from registry.errors import InvalidInput, NotFound

SCOPE = "bulk-import"
POLL_SECONDS = 2

blueprint = Blueprint("imports", __name__, description="Files of patients, registered in the background")
blueprint.ARGUMENTS_PARSER = StrictParser()


@blueprint.before_request  # type: ignore[untyped-decorator]  # no types shipped
def require_right() -> None:
    """Every call needs the scope."""
    require_scope(caller(), SCOPE)


@blueprint.route("/api/v1/imports")
class Imports(MethodView):
    """An establishment's imports."""

    @blueprint.response(200, ImportSchema(many=True))  # type: ignore[untyped-decorator]  # no types shipped
    def get(self) -> Any:
        """The newest hundred."""
        return service.list_own(session(), caller())

    @blueprint.arguments(AnnouncedSchema)  # type: ignore[untyped-decorator]
    @blueprint.response(201, ImportSchema)  # type: ignore[untyped-decorator]
    def post(self, wanted: dict[str, Any]) -> Any:
        """Announce a file (NDJSON of Patient resources, or CSV); the same file again is taken up where it is."""
        found, is_new = service.announce(session(), caller(), service.Announced(**wanted))
        return found, 201 if is_new else 200, _headers(found) | {"Location": _url(found)}


@blueprint.route("/api/v1/imports/<uuid:import_id>")
class OneImport(MethodView):
    """One import: upload, poll, call off."""

    def get(self, import_id: UUID) -> Response:
        """202 with X-Progress while it is under way, then 200 with the manifest of what came of it."""
        found = service.get_own(session(), caller(), import_id)
        if found.status in {UPLOADING, PROCESSING}:
            return _answer(found, 202)
        return jsonify(_manifest(found))

    def patch(self, import_id: UUID) -> Response:
        """The next part, with its place in the header Upload-Offset; 204, or 202 when the file is whole."""
        if request.mimetype not in {"application/octet-stream", "application/offset+octet-stream"}:
            raise InvalidInput("Send parts as application/octet-stream.", code="media-type")
        offset = whole_number(request.headers.get("Upload-Offset", ""), "Upload-Offset", most_digits=12)
        content = request.get_data(cache=False)
        found = service.append(session(), parts().sealer, caller(), import_id, offset, content)
        return _answer(found, 202 if found.status == PROCESSING else 204)

    def delete(self, import_id: UUID) -> Response:
        """Call it off; what is registered stays."""
        return _answer(service.cancel(session(), caller(), import_id), 202)


@blueprint.get("/api/v1/imports/<uuid:import_id>/refused")  # type: ignore[untyped-decorator]
def refused(import_id: UUID) -> Response:
    """The refused lines as NDJSON: line, code, and the element at fault; nothing of what they said."""
    found = service.get_own(session(), caller(), import_id)
    if service.count_refusals(found) and not service.tells_refusals(found):
        raise NotFound("Which lines were refused is kept for 90 days.", code="refusals-forgotten")
    lines = (
        json.dumps({"line": one.line, "code": one.code} | ({"expression": one.expression} if one.expression else {}))
        for one in service.list_refusals(session(), found)
    )
    return Response("".join(f"{line}\n" for line in lines), mimetype="application/x-ndjson")


def _answer(found: Import, status: int) -> Response:
    response = Response(status=204, headers=_headers(found))
    if status != 204:
        response = jsonify(ImportSchema().dump(found))
        response.status_code = status
        response.headers.update(_headers(found))
    return response


def _headers(found: Import) -> dict[str, str]:
    sent = {"Upload-Offset": str(found.received), "Upload-Length": str(found.size)}
    if found.status != PROCESSING:
        return sent
    done = f"{found.line} lines" if found.format == "csv" else f"{100 * found.position // found.size} %"
    return sent | {"Content-Location": _url(found), "X-Progress": done, "Retry-After": str(POLL_SECONDS)}


def _manifest(found: Import) -> dict[str, Any]:
    refused = {"type": "refused", "count": service.count_refusals(found), "url": f"{_url(found)}/refused"}
    errors = [refused] if service.tells_refusals(found) else []
    return {
        "transactionTime": found.changed_at.isoformat(timespec="milliseconds"),
        "request": _url(found),
        "requiresAccessToken": True,
        "output": [],
        "error": errors,
        "import": ImportSchema().dump(found),
    }


def _url(found: Import) -> str:
    return f"{parts().settings.base_url}/api/v1/imports/{found.id}"
