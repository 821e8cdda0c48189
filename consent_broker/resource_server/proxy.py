"""The guard as a reverse proxy, for FHIR servers in any language: they see only what was permitted.

`gunicorn "consent_broker.resource_server.proxy:application()"`, told by the environment variables of NAMES. The server
behind it must be reachable by this process alone.
"""

import json
import os
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import httpx

from consent_broker.resource_server.answers import FHIR_JSON, Grant
from consent_broker.resource_server.guard import FORM_TYPE, Guard
from consent_broker.resource_server.wsgi import GuardMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NAMES = ("GUARD_ISSUER", "GUARD_AUDIENCE", "GUARD_CLIENT_ID", "GUARD_KEY_FILE", "GUARD_UPSTREAM")
"""The registry's base URL, one's FHIR base as the directory has it, one's client and its private JWK, the server."""

SECONDS = 10
MAX_BYTES = 32 * 1024 * 1024


class Forwarding:
    """Passes permitted requests on to `upstream`, with the grant in headers; nothing else of the request goes along.

    Without a grant only the CapabilityStatement passes: what lies outside the guard's prefix is nothing to forward.
    """

    def __init__(self, upstream: str, prefix: str, http: httpx.Client | None = None) -> None:
        self._upstream, self._prefix = upstream.rstrip("/"), prefix
        self._http = http or httpx.Client(timeout=SECONDS, follow_redirects=False, trust_env=False)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        try:
            status, content_type, body = self._ask(environ) if self._may_pass(environ) else _UNKNOWN
        except httpx.HTTPError:
            status, content_type, body = HTTPStatus.BAD_GATEWAY, FHIR_JSON, _UNREACHABLE
        start_response(f"{status} {_phrase(status)}", [("Content-Type", content_type), ("Cache-Control", "no-store")])
        return [body]

    def _may_pass(self, environ: "WSGIEnvironment") -> bool:
        public = environ["REQUEST_METHOD"] == "GET" and environ.get("PATH_INFO") == f"{self._prefix}/metadata"
        return public or "renhice.grant" in environ

    def _ask(self, environ: "WSGIEnvironment") -> tuple[int, str, bytes]:
        """Query and form are written anew, so that the server reads in them what the guard read."""
        path = quote(environ.get("PATH_INFO", "").removeprefix(self._prefix), safe="/$")
        query = _again(environ.get("QUERY_STRING", ""))
        url = f"{self._upstream}{path}" + (f"?{query}" if query else "")
        posted = environ["REQUEST_METHOD"] == "POST"
        form = _again(environ["wsgi.input"].read().decode("utf-8", "replace")) if posted else None
        with self._http.stream(environ["REQUEST_METHOD"], url, headers=_headers(environ), content=form) as answer:
            body = bytearray()
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise httpx.ReadError("too large")
            return answer.status_code, answer.headers.get("Content-Type", FHIR_JSON), bytes(body)


def _headers(environ: "WSGIEnvironment") -> dict[str, str]:
    grant: Grant | None = environ.get("renhice.grant")  # none for the CapabilityStatement, which anybody may read
    accept = environ.get("HTTP_ACCEPT", FHIR_JSON)
    said = {"Accept": accept if accept.isascii() else FHIR_JSON}
    if environ["REQUEST_METHOD"] == "POST":
        said["Content-Type"] = FORM_TYPE
    if grant is not None:
        told = {"Patient": grant.patient, "Actor": grant.actor, "Purpose": grant.purpose, "Token": grant.token_id}
        said |= {f"X-Renhice-{name}": value for name, value in told.items() if value}
    return said


def _again(parameters: str) -> str:
    return urlencode(parse_qsl(parameters, keep_blank_values=True))


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unknown"


def _outcome(code: str, diagnostics: str) -> bytes:
    issue = {"severity": "error", "code": code, "diagnostics": diagnostics}
    return json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode()


_UNREACHABLE = _outcome("transient", "The record system does not answer")
_UNKNOWN = (int(HTTPStatus.NOT_FOUND), FHIR_JSON, _outcome("not-found", "Nothing is served here"))


def application(environment: Mapping[str, str] = os.environ, http: httpx.Client | None = None) -> "WSGIApplication":
    """The proxy as those variables say; raises SystemExit naming each that is missing."""
    missing = [name for name in NAMES if not environment.get(name)]
    if missing:
        raise SystemExit(f"Set {', '.join(missing)}.")
    issuer, audience, client_id, key_file, upstream = (environment[name] for name in NAMES)
    guard = Guard(issuer, audience, client_id, json.loads(Path(key_file).read_text(encoding="utf-8")))
    prefix = urlsplit(audience).path.rstrip("/")
    return GuardMiddleware(Forwarding(upstream, prefix, http), guard, prefix=prefix, events_path="/events")
