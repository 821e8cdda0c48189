"""The guard as WSGI middleware: refuses by itself, or leaves the grant at `environ["renhice.grant"]`.

What the token's residual forbids is taken out of the application's answer.
"""

import io
import json
import posixpath
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from consent_broker.resource_server.answers import Grant, Refusal
from consent_broker.resource_server.guard import Guard
from consent_broker.resource_server.jwks import KeysUnavailable
from consent_broker.resource_server.revocations import UnusableStatement
from consent_broker.resource_server.withholding import respond

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_FORM = 65_536
EVENT_TYPE = "application/secevent+jwt"
_OTHERWISE = ("HTTP_X_HTTP_METHOD", "HTTP_X_METHOD_OVERRIDE", "HTTP_X_ORIGINAL_U", "HTTP_X_REWRITE_U")
"""Headers by which some servers go instead of the method and the address that were checked."""

_PARAMETERS = re.compile(r";[^/]*")


class GuardMiddleware:
    """Wraps a FHIR application served under `prefix`; paths in `public` (the CapabilityStatement) pass unguarded.

    At `events_path`, when given, it takes the registry's security events (RFC 8935).
    """

    def __init__(
        self,
        application: "WSGIApplication",
        guard: Guard,
        *,
        prefix: str = "",
        public: Callable[[str], bool] = "/metadata".__eq__,
        events_path: str | None = None,
    ) -> None:
        self._application, self._guard = application, guard
        self._prefix, self._public, self._events_path = prefix, public, events_path

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        environ.pop("renhice.grant", None)
        path = environ.get("PATH_INFO", "")
        if path == self._events_path:
            return self._receive(environ, start_response)
        if not self._is_within(path):
            if self._is_within(_resolved(path), self._prefix.lower()):
                return _refuse(Refusal(404, None, "Nothing is served under this spelling"), start_response)
            return self._application(environ, start_response)
        relative = path[len(self._prefix) :]
        if environ["REQUEST_METHOD"] == "GET" and self._public(relative):
            return self._application(environ, start_response)
        answer = self._check(environ, relative)
        if isinstance(answer, Refusal):
            return _refuse(answer, start_response)
        environ = _as_checked(environ) | {"renhice.grant": answer}
        offering = _offering(answer.nonce, start_response)
        response = respond(self._application, environ, offering, answer, self._prefix)
        return _refuse(response, offering) if isinstance(response, Refusal) else response

    def _is_within(self, path: str, prefix: str | None = None) -> bool:
        prefix = self._prefix if prefix is None else prefix
        return not prefix or path == prefix or path.startswith(f"{prefix}/")

    def _receive(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """RFC 8935 §2.2: 202 with no body, or 400 with a code."""
        body = _read_body(environ) if environ["REQUEST_METHOD"] == "POST" else None
        if body is None or environ.get("CONTENT_TYPE", "") != EVENT_TYPE:
            return _answer_event(start_response, HTTPStatus.BAD_REQUEST, "invalid_request")
        try:
            self._guard.receive(body.decode("ascii", "replace"))
        except UnusableStatement:
            return _answer_event(start_response, HTTPStatus.BAD_REQUEST, "authentication_failed")
        except KeysUnavailable:
            return _answer_event(start_response, HTTPStatus.SERVICE_UNAVAILABLE, "invalid_key")
        return _answer_event(start_response, HTTPStatus.ACCEPTED)

    def _check(self, environ: "WSGIEnvironment", path: str) -> Grant | Refusal:
        form = ""
        if environ["REQUEST_METHOD"] == "POST":
            body = _read_body(environ)
            if body is None:
                return Refusal(413, "invalid_request", "The search is too large")
            form = body.decode("utf-8", "replace")
        headers = {
            "Authorization": environ.get("HTTP_AUTHORIZATION", ""),
            "DPoP": environ.get("HTTP_DPOP", ""),
            "Content-Type": environ.get("CONTENT_TYPE", ""),
        }
        return self._guard.check(environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), headers, form)


def _resolved(path: str) -> str:
    """What some server might take a path for: decoded again, its dots and doubled slashes resolved, in any case."""
    plain = _PARAMETERS.sub("", unquote(unquote(path)).replace("\\", "/"))
    return posixpath.normpath(f"/{plain.lstrip('/')}").lower()


def _as_checked(environ: "WSGIEnvironment") -> "WSGIEnvironment":
    """The request without what was not looked at: headers that mean another one, and a body where none belongs."""
    kept = {name: value for name, value in environ.items() if not name.startswith(_OTHERWISE)}
    if environ["REQUEST_METHOD"] == "POST":
        return kept
    kept.pop("HTTP_TRANSFER_ENCODING", None)
    return kept | {"wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0", "wsgi.input_terminated": False}


def _answer_event(start_response: "StartResponse", status: HTTPStatus, error: str | None = None) -> Iterable[bytes]:
    headers = [("Cache-Control", "no-store")] + ([("Content-Type", "application/json")] if error else [])
    start_response(f"{status.value} {status.phrase}", headers)
    return [json.dumps({"err": error, "description": "The event was not taken"}).encode()] if error else []


def _offering(nonce: str, start_response: "StartResponse") -> "StartResponse":
    """Add the nonce that the next proof must carry to whatever the application answers (RFC 9449 §8.2)."""

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], object]:
        return start_response(status, [*headers, ("DPoP-Nonce", nonce)], *more)

    return start if nonce else start_response


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
