"""How an error looks on each surface: a page, problem+json, OperationOutcome, or an OAuth error."""

from collections.abc import Sequence
from typing import Any

from flask import Flask, Response, current_app, g, jsonify, request
from markupsafe import escape
from psycopg.errors import InsufficientPrivilege, LockNotAvailable, QueryCanceled, ReadOnlySqlTransaction
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from registry.audit.service import record
from registry.errors import DomainError, Face, Problem
from registry.fhir.formats import Envelope, render
from registry.telemetry import current_request_id, logger

_UNAUTHENTICATED = ('Bearer error="invalid_token"',)
PROBLEMS = "urn:renhice:problem"
"""The system of the codes of what went wrong."""

RETRY_AFTER = 5
"""Seconds a caller is asked to wait when something is down or full."""

_log = logger(__name__)
_PREFIXES = {"/fhir": "fhir", "/exchange": "fhir", "/oauth": "oauth", "/.well-known": "oauth", "/api": "problem",
             "/health": "problem", "/metrics": "problem"}  # fmt: skip
_CODES = {400: "invalid-input", 401: "unauthenticated", 403: "forbidden", 404: "not-found", 405: "method-not-allowed",
          406: "not-acceptable", 409: "conflict", 413: "too-large", 415: "unsupported-media-type", 422: "unprocessable",
          429: "too-many-requests"}  # fmt: skip
_FHIR_CODES = {400: "invalid", 401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported",
               406: "not-supported", 409: "conflict", 413: "too-long", 415: "not-supported", 422: "business-rule",
               429: "throttled", 503: "transient"}  # fmt: skip
_OAUTH_CODES = {
    401: "invalid_client",
    403: "access_denied",
    500: "server_error",
    503: "temporarily_unavailable",
}


def install_faces(app: Flask, page: Face | None) -> None:
    """Register the handlers that turn any exception into the face of the surface it happened on."""
    app.config["FACES"] = {
        "page": page or plain_page,
        "problem": problem,
        "fhir": operation_outcome,
        "oauth": oauth_error,
    }
    app.register_error_handler(DomainError, _domain)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unknown)


def face_for(path: str, blueprint: str | None) -> Face:
    """The face of a request: its blueprint's surface, or the path's where no blueprint matched."""
    surfaces: dict[str, str] = current_app.config.get("SURFACES", {})
    name = surfaces.get(blueprint or "")
    if name is None:
        name = next((surface for prefix, surface in _PREFIXES.items() if path.startswith(prefix)), "page")
    face: Face = current_app.config["FACES"][name]
    return face


def _domain(error: DomainError) -> Any:
    if not _undo_and_audit(error):
        return _show(
            503,
            "unavailable",
            "The service can't record this access now, so nothing was released.",
            retry=True,
        )
    if error.debug:
        _log.info("refused", code=error.error_code, debug=error.debug)
    shown = Problem(
        status=error.status,
        code=error.error_code,
        title=error.message,
        hint=error.hint,
        correlation_id=current_request_id() or "",
        fhir_code=error.fhir_code,
        details=error.details or None,
        retry_after=error.retry_after,
        challenges=error.challenges,
        allow=error.allow,
    )
    return _finish(shown)


def _undo_and_audit(error: DomainError) -> bool:
    """Roll back, then record the refusal in a transaction of its own; False when it can't be recorded."""
    work = g.get("unit_of_work")
    if work is None:
        return True
    work.rollback()
    if error.audit is None:
        return True
    try:
        record(work.session, error.audit)
        work.commit()
    except DBAPIError as failure:
        work.rollback()
        _log.error("audit failed", exc_info=failure)
        return False
    return True


def _http(error: HTTPException) -> Any:
    if error.response is not None or (error.code or 500) < 400:
        return error
    _rollback()
    status = error.code or 500
    response = _show(
        status,
        _CODES.get(status, "error"),
        str(error.description or error.name),
        data=getattr(error, "data", None),
    )
    for name, value in error.get_headers():
        if name.lower() in {"allow", "retry-after", "www-authenticate"}:
            response.headers[name] = value
    return response


def _unknown(error: Exception) -> Any:
    _rollback()
    cause = getattr(error, "orig", None)
    if isinstance(error, OperationalError | PoolTimeoutError) or isinstance(cause, LockNotAvailable | QueryCanceled):
        _log.warning("database away", exc_info=error)
        return _show(503, "unavailable", "The service is busy or restarting; nothing was changed.", retry=True)
    if isinstance(cause, InsufficientPrivilege | ReadOnlySqlTransaction):
        _log.error("the database takes no writing", exc_info=error)
        return _show(503, "unavailable", "Nothing can be recorded now, so nothing was done.", retry=True)
    if isinstance(error, DataError | UnicodeEncodeError):  # JSON may say half of a character, which no text can hold
        _log.warning("a value the database can't hold", exc_info=error)
        return _show(400, "invalid-input", "A value can't be stored: it holds forbidden characters or is out of range.")
    _log.error("unexpected", exc_info=error)
    return _show(500, "internal", "Something failed on our side; nothing was changed.")


def _rollback() -> None:
    work = g.get("unit_of_work")
    if work is not None:
        work.rollback()


def _show(status: int, code: str, title: str, *, retry: bool = False, data: Any = None) -> Response:
    details = (data or {}).get("messages") if isinstance(data, dict) else None
    hint = "Try again in a few seconds." if retry else None
    fhir_code = _FHIR_CODES.get(status, "exception" if status >= 500 else "processing")
    return _finish(Problem(status, code, title, hint, current_request_id() or "", fhir_code, details))


def _finish(shown: Problem) -> Response:
    made = face_for(request.path, request.blueprint)(shown)
    response: Response = current_app.make_response(made)
    response.status_code = shown.status
    wait = shown.retry_after or (RETRY_AFTER if shown.status == 503 else None)
    if wait:
        response.headers["Retry-After"] = str(wait)
    if shown.allow:
        response.headers["Allow"] = shown.allow
    for challenge in shown.challenges or (_UNAUTHENTICATED if shown.status == 401 else ()):
        response.headers.add("WWW-Authenticate", challenge)
    return response


def plain_page(shown: Problem) -> Response:
    """The page of last resort, in Spanish, where the portal is not mounted."""
    return Response(
        f"<!doctype html><html lang=es><title>RENHICE</title><h1>No se pudo completar</h1>"
        f"<p>Código {escape(shown.correlation_id)}",
        mimetype="text/html",
    )


def problem(shown: Problem) -> Response:
    """RFC 9457 problem details: the title is the same for every problem of a type, the detail is this one's."""
    body = {
        "type": f"{PROBLEMS}:{shown.code}",
        "title": shown.code.replace("-", " ").capitalize(),
        "status": shown.status,
        "detail": shown.title,
        "instance": f"urn:renhice:request:{shown.correlation_id}",
        "code": shown.code,
        "hint": shown.hint,
        "correlation_id": shown.correlation_id,
        "errors": shown.details,
    }
    response = jsonify({key: value for key, value in body.items() if value is not None})
    response.mimetype = "application/problem+json"
    return response


def operation_outcome(shown: Problem) -> Response:
    """FHIR R4 OperationOutcome, one issue for each element at fault; the correlation id travels as diagnostics.

    Where the request was a message, the outcome travels in one (`fhir_envelope`).
    """
    issue: dict[str, Any] = {
        "severity": "fatal" if shown.status >= 500 else "error",
        "code": shown.fhir_code,
        "details": {"coding": [{"system": PROBLEMS, "code": shown.code}], "text": shown.title},
        "diagnostics": " ".join(filter(None, (shown.hint, f"correlation id {shown.correlation_id}"))),
    }
    parts = shown.details if isinstance(shown.details, Sequence) else ()
    elements = [
        issue | {"details": {**issue["details"], "text": part["message"]}, "expression": [part["expression"]]}
        for part in parts
    ]
    outcome = {"resourceType": "OperationOutcome", "issue": elements or [issue]}
    envelope: Envelope | None = g.get("fhir_envelope")
    return render(envelope(outcome, shown.status) if envelope else outcome)


def oauth_error(shown: Problem) -> Response:
    """RFC 6749 §5.2; a code with a hyphen is ours and is shown as the nearest registered one."""
    code = shown.code if "_" in shown.code else _OAUTH_CODES.get(shown.status, "invalid_request")
    return jsonify({"error": code, "error_description": shown.title})
