"""The guard as WSGI middleware: refuses by itself, or leaves the grant at `environ["renhice.grant"]`."""

import io
import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from consent_broker.resource_server.answers import Grant, Refusal
from consent_broker.resource_server.guard import Guard

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_FORM = 65_536


class GuardMiddleware:
    """Wraps a FHIR application served under `prefix`; paths in `public` (the CapabilityStatement) pass unguarded."""

    def __init__(
        self,
        application: "WSGIApplication",
        guard: Guard,
        *,
        prefix: str = "",
        public: Callable[[str], bool] = "/metadata".__eq__,
    ) -> None:
        self._application, self._guard = application, guard
        self._prefix, self._public = prefix, public

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        environ.pop("renhice.grant", None)
        path = environ.get("PATH_INFO", "")
        if self._prefix and not (path == self._prefix or path.startswith(f"{self._prefix}/")):
            return self._application(environ, start_response)
        relative = path[len(self._prefix) :]
        if environ["REQUEST_METHOD"] == "GET" and self._public(relative):
            return self._application(environ, start_response)
        answer = self._check(environ, relative)
        if isinstance(answer, Refusal):
            return _refuse(answer, start_response)
        environ["renhice.grant"] = answer
        return self._application(environ, start_response)

    def _check(self, environ: "WSGIEnvironment", path: str) -> Grant | Refusal:
        form = ""
        if environ["REQUEST_METHOD"] == "POST":
            body = _read_body(environ)
            if body is None:
                return Refusal(413, "invalid_request", "The search is too large")
            form = body.decode("utf-8", "replace")
        headers = {
            "Authorization": environ.get("HTTP_AUTHORIZATION", ""),
            "Content-Type": environ.get("CONTENT_TYPE", ""),
        }
        return self._guard.check(environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), headers, form)


def _read_body(environ: "WSGIEnvironment") -> bytes | None:
    """Read the whole body within the limit, and put it back for the application."""
    body: bytes = environ["wsgi.input"].read(min(_length(environ), MAX_FORM + 1))
    if len(body) > MAX_FORM:
        return None
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    return body


def _length(environ: "WSGIEnvironment") -> int:
    text = environ.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isascii() and text.isdigit() else 0


def _refuse(refusal: Refusal, start_response: "StartResponse") -> Iterable[bytes]:
    status = f"{refusal.status} {HTTPStatus(refusal.status).phrase}"
    start_response(status, list(refusal.headers.items()))
    return [json.dumps(refusal.body).encode()]
