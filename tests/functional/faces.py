"""What an error looks like on each surface, held against the standard of that surface."""

import re
from typing import Any, Protocol

from fhir.resources.R4B.operationoutcome import OperationOutcome
from flask import Flask
from werkzeug.exceptions import HTTPException

from registry.fhir.xml_format import from_xml

# the registered ones: RFC 6749 §4.1.2.1 and §5.2, RFC 6750, 7009, 8628, 8707, 9101, 9396, 9449
OAUTH_ERRORS = {
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
    "unsupported_response_type", "invalid_scope", "access_denied", "server_error", "temporarily_unavailable",
    "invalid_token", "insufficient_scope", "unsupported_token_type", "invalid_target", "authorization_pending",
    "slow_down", "expired_token", "invalid_dpop_proof", "use_dpop_nonce", "invalid_authorization_details",
    "invalid_request_uri", "invalid_request_object", "request_not_supported", "request_uri_not_supported",
}  # fmt: skip
FHIR_ISSUES = {
    "invalid", "structure", "required", "value", "invariant", "security", "login", "unknown", "expired", "forbidden",
    "suppressed", "processing", "not-supported", "duplicate", "multiple-matches", "not-found", "deleted", "too-long",
    "code-invalid", "extension", "too-costly", "business-rule", "conflict", "transient", "lock-error", "no-store",
    "exception", "timeout", "incomplete", "throttled", "informational",
}  # fmt: skip
PREFIXES = {"/fhir": "fhir", "/exchange": "fhir", "/oauth": "oauth", "/.well-known": "oauth", "/api": "problem",
            "/health": "problem", "/metrics": "problem"}  # fmt: skip
_DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+")
_LEAKS = re.compile(r"Traceback|psycopg|sqlalchemy|File \"/|/site-packages/|werkzeug", re.IGNORECASE)


class Answer(Protocol):
    """What werkzeug's test client and httpx have in common."""

    status_code: int
    headers: Any

    @property
    def text(self) -> str: ...


def surface_of(app: Flask, path: str, method: str) -> str:
    """Whose face an error at this address has: the room's that answers, else the one its path begins with."""
    by_path = next((surface for prefix, surface in PREFIXES.items() if path.startswith(prefix)), "page")
    try:
        endpoint, _ = app.url_map.bind("").match(path, method)
    except HTTPException:
        return by_path
    found: str = app.config["SURFACES"][endpoint.rpartition(".")[0]]
    return found


def check_face(answer: Answer, surface: str, body: Any) -> None:
    """Hold an error against its surface's standard; `body` is the answer's JSON, None where it has none."""
    status, headers = answer.status_code, answer.headers
    assert 400 <= status < 500, status
    assert headers["X-Request-Id"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert not _LEAKS.search(answer.text)
    assert status != 401 or surface == "oauth" or headers["WWW-Authenticate"]
    assert status != 405 or headers["Allow"]
    assert status != 429 or int(headers["Retry-After"]) > 0
    {"page": _page, "problem": _problem, "fhir": _outcome, "oauth": _oauth}[surface](answer, body)


def _page(answer: Answer, _body: Any) -> None:
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.text.count("<h1") == 1
    assert '<html lang="es-PE"' in answer.text
    assert "Qué hacer ahora" in answer.text or "Revise lo siguiente" in answer.text
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def _problem(answer: Answer, body: Any) -> None:
    """RFC 9457 §3.1."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert body["type"] == f"urn:renhice:problem:{body['code']}"
    assert body["status"] == answer.status_code
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == f"urn:renhice:request:{answer.headers['X-Request-Id']}"


def _outcome(answer: Answer, body: Any) -> None:
    kind = answer.headers["Content-Type"].partition(";")[0]
    assert kind in {"application/fhir+json", "application/fhir+xml"}
    body = from_xml(answer.text.encode()) if kind.endswith("xml") else body
    OperationOutcome.model_validate(body)
    assert {issue["severity"] for issue in body["issue"]} <= {"error", "fatal"}
    assert {issue["code"] for issue in body["issue"]} <= FHIR_ISSUES
    assert all(issue["details"]["text"] for issue in body["issue"])


def _oauth(answer: Answer, body: Any) -> None:
    """RFC 6749 §5.2."""
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert body["error"] in OAUTH_ERRORS
    assert _DESCRIPTION.fullmatch(body.get("error_description", "-"))
