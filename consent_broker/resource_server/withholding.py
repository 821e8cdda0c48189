"""The last step before a FHIR answer leaves: what the token's residual forbids is taken out of it."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from consent_broker.resource_server.answers import FHIR_JSON, Grant, Refusal
from consent_broker.resource_server.beside import Look, looking, release_beside
from consent_broker.resource_server.naming import names_in
from consent_broker.resource_server.reading import read_object

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    Headers = list[tuple[str, str]]


_PARTIAL = ("HTTP_RANGE", "HTTP_IF_", "HTTP_ACCEPT_ENCODING")
_OF_THE_WHOLE = frozenset({
    "content-length", "content-location", "etag", "last-modified", "link", "location", "x-total-count",
})  # fmt: skip
"""Headers of an answer that are true of it before anything is taken out."""

_OF_THE_REST = frozenset({"resourceType", "id", "type", "timestamp"})
"""Members of a Bundle that are true of what is left of it: `total`, `meta`, a last page would tell of the rest."""

_LINKS = frozenset({"self", "next", "previous", "prev"})


def respond(
    application: "WSGIApplication",
    environ: "WSGIEnvironment",
    start_response: "StartResponse",
    grant: Grant,
    prefix: str = "",
) -> "Iterable[bytes] | Refusal":
    """The application's answer without what is forbidden, nor what names that; as it is where nothing is.

    It is always asked for all of it, since a part, or that it has not changed, tells of what is withheld. An answer
    that can't be read as FHIR JSON is not released: a Refusal to send instead.
    """
    if not grant.residual:
        return application(environ, start_response)
    only_head, environ = environ["REQUEST_METHOD"] == "HEAD", _unconditional(environ)
    status, headers, body = _collect(application, environ)
    if status.startswith("2"):
        look = looking(lambda asked: _collect(application, asked)[::2], environ, prefix)
        released = _release(body, grant, look)
        if isinstance(released, Refusal):
            return released
        body = released
    elif not _explains(body):
        refusal = Refusal(int(status[:3]), None, "The record system does not give this")
        headers = [one for one in headers if one[0].lower() != "content-type"]
        headers, body = [*headers, ("Content-Type", FHIR_JSON)], json.dumps(refusal.body).encode()
    kept = [(name, value) for name, value in headers if name.lower() not in _OF_THE_WHOLE]
    start_response(status, [*kept, ("Content-Length", str(len(body)))])
    return [] if only_head else [body]


def _unconditional(environ: "WSGIEnvironment") -> "WSGIEnvironment":
    """The request for the whole of what it asks for, in the one format that can be checked; a HEAD as its GET."""
    kept = {name: value for name, value in environ.items() if not name.startswith(_PARTIAL)}
    kept["HTTP_ACCEPT"] = FHIR_JSON
    return kept | ({"REQUEST_METHOD": "GET"} if environ["REQUEST_METHOD"] == "HEAD" else {})


def _collect(application: "WSGIApplication", environ: "WSGIEnvironment") -> "tuple[str, Headers, bytes]":
    answer: list[tuple[str, Headers]] = []
    written: list[bytes] = []

    def start(status: str, headers: "Headers", _exc_info: Any = None) -> Any:
        answer[:] = [(status, headers)]
        return written.append

    chunks = application(environ, start)
    try:
        written.extend(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close:
            close()
    status, headers = answer[0]
    return status, headers, b"".join(written)


def _release(body: bytes, grant: Grant, look: Look) -> bytes | Refusal:
    resource = read_object(body)
    if resource is None:
        return Refusal(500, "server_error", "The answer can not be checked against what the patient restricts")
    if resource.get("resourceType") == "Bundle":
        return json.dumps(_without(resource, grant, look), ensure_ascii=False, separators=(",", ":")).encode()
    alone = {"resource": resource}
    released = _is_outcome(alone) or release_beside([alone], grant, look)
    return body if released else Refusal(404, None, "There is no such resource")


def _without(bundle: dict[str, Any], grant: Grant, look: Look) -> dict[str, Any]:
    """The Bundle without the forbidden entries, and with no count that would tell how many there were."""
    entries = bundle.get("entry")
    read = [one for one in entries if _is_readable(one)] if isinstance(entries, list) else []
    said, told = [one for one in read if not _is_outcome(one)], [one for one in read if _is_outcome(one)]
    kept = [*release_beside(said, grant, look), *told]
    left = {name: value for name, value in bundle.items() if name in _OF_THE_REST}
    stated = bundle.get("link")
    links = [one for one in stated if _is_link(one)] if isinstance(stated, list) else []
    return left | ({"link": links} if links else {}) | ({"entry": kept} if kept else {})


def _is_link(link: Any) -> bool:
    return isinstance(link, dict) and link.get("relation") in _LINKS


def _explains(body: bytes) -> bool:
    """Whether the body of a failure says why and names nothing."""
    resource = read_object(body)
    return resource is not None and _is_outcome({"resource": resource})


def _is_readable(entry: Any) -> bool:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    return isinstance(resource, dict) and resource.get("resourceType") != "Bundle"


def _is_outcome(entry: dict[str, Any]) -> bool:
    """Whether it says how the search went, and so has neither label nor day; one that names an item is as any entry."""
    return entry["resource"].get("resourceType") == "OperationOutcome" and not names_in(entry["resource"])
