"""Answers of the FHIR surface: what is read with its version, what was stored as the caller prefers to hear it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Response, request

from registry.fhir.formats import render
from registry.fhir.preferences import preferred_return
from registry.fhir.shaping import shape
from registry.fhir.wire import Json, http_date


def answer(body: Json | None, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A FHIR answer in the format and to the extent asked for; without a body for None."""
    return render(shape(body) if body else None, status, headers)


def answer_read(resource: Json) -> Response:
    """A resource with the headers of its version; 304 for a caller that has this version (`If-None-Match`)."""
    response = answer(resource, headers=version_headers(resource))
    if "ETag" in response.headers:
        response.make_conditional(request.environ)
    return response


def answer_stored(resource: Json, location: str, *, created: bool) -> Response:
    """The answer to a create or an update: where the version is, its tag, and what `Prefer: return` asks for."""
    headers = version_headers(resource) | {"Location": location}
    status = 201 if created else 200
    wanted = preferred_return()
    if wanted == "minimal":
        return render(None, status, headers)
    return answer(_done() if wanted == "OperationOutcome" else resource, status, headers)


def version_headers(resource: Json) -> dict[str, str]:
    """ETag and Last-Modified, as far as the resource names its version."""
    meta: dict[str, Any] = resource.get("meta", {})
    headers = {"ETag": f'W/"{meta["versionId"]}"'} if "versionId" in meta else {}
    if "lastUpdated" in meta:
        headers["Last-Modified"] = http_date(datetime.fromisoformat(meta["lastUpdated"]).astimezone(UTC))
    return headers


def _done() -> Json:
    issue = {"severity": "information", "code": "informational", "details": {"text": "Stored."}}
    return {"resourceType": "OperationOutcome", "issue": [issue]}
