"""Batch and transaction Bundles (FHIR R4 http §3.1.0.11): each entry is the request it describes, by the same caller.

A batch's entries stand alone, each in a transaction of its own. A transaction is done whole or not at all; what must be
spent or told on the way (a search of persons) can't be undone, so it has no place in one.
"""

import json
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import Response, current_app, g, request
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from registry.app import parts
from registry.database import UnitOfWork
from registry.errors import Unprocessable
from registry.fhir.formats import FHIR_JSON
from registry.fhir.resources import declared
from registry.fhir.searching import full_url
from registry.fhir.validation import validate
from registry.fhir.wire import InvalidResource, Json, fail

MOST_ENTRIES = 100
ORDER = ("DELETE", "POST", "PUT", "PATCH", "GET", "HEAD")
CONDITIONS: Mapping[str, str] = MappingProxyType({
    "ifMatch": "If-Match", "ifNoneMatch": "If-None-Match", "ifNoneExist": "If-None-Exist",
    "ifModifiedSince": "If-Modified-Since",
})  # fmt: skip


class Entry(NamedTuple):
    """One entry, and where it stands in the Bundle."""

    position: int
    method: str
    url: str
    headers: Mapping[str, str]
    resource: Json | None
    full_url: str | None

    @property
    def path(self) -> str:
        """The entry in an error."""
        return f"Bundle.entry[{self.position}]"


def process_bundle(bundle: Json) -> Json:
    """Do what a batch or transaction asks for and answer entry by entry, in the order sent.

    Raises InvalidResource, Unprocessable, or whatever refuses an entry of a transaction: then nothing of it was done.
    """
    validate(bundle, "Bundle")
    if bundle["type"] not in {"batch", "transaction"}:
        raise Unprocessable("Only a batch or a transaction is taken here.", code="bundle-not-offered")
    entries = list(_entries(bundle))
    done = _transact(entries) if bundle["type"] == "transaction" else [_alone(entry) for entry in entries]
    made: Json = {"resourceType": "Bundle", "type": f"{bundle['type']}-response"}
    return made | {"entry": done}


def _entries(bundle: Json) -> Iterator[Entry]:
    if not 1 <= len(bundle.get("entry", [])) <= MOST_ENTRIES:
        fail("Bundle.entry", f"must hold 1 to {MOST_ENTRIES} entries")
    for position, one in enumerate(bundle.get("entry", [])):
        asked: dict[str, Any] = one.get("request") or {}
        if not asked:
            fail(f"Bundle.entry[{position}].request", "is required")
        method, path = str(asked["method"]), f"Bundle.entry[{position}].request"
        if method not in ORDER:
            fail(f"{path}.method", f"must be one of {', '.join(ORDER)}")
        for name in CONDITIONS.keys() & asked.keys():
            if not str(asked[name]).isprintable():
                fail(f"{path}.{name}", "must be one line of text")
        headers = {header: str(asked[name]) for name, header in CONDITIONS.items() if name in asked}
        yield Entry(position, method, str(asked["url"]), headers, one.get("resource"), one.get("fullUrl"))


def _transact(entries: list[Entry]) -> list[Json]:
    """In the order of §3.1.0.11.2; what an entry became is known to those that come after it and refer to it."""
    known: dict[str, str] = {}
    done: dict[int, Json] = {}
    written: set[str] = set()
    for entry in sorted(entries, key=lambda one: (ORDER.index(one.method), one.position)):
        resolved = entry._replace(resource=_resolved(entry.resource, known))
        response = _perform(resolved, g.unit_of_work, alone=False)
        done[entry.position] = _answered(response)
        _once(entry, response, written)
        if entry.full_url and "Location" in response.headers:
            known[entry.full_url] = _reference(response.headers["Location"])
    return [done[position] for position in sorted(done)]


def _once(entry: Entry, response: Response, written: set[str]) -> None:
    """Note what an entry wrote; raises InvalidResource where another one did (§3.1.0.11.2)."""
    if entry.method not in {"POST", "PUT", "DELETE"}:
        return
    location = response.headers.get("Location")
    identity = _reference(location) if location else _relative(entry).partition("?")[0]
    if identity in written:
        fail(f"{entry.path}.request.url", "is of a resource that another entry writes too")
    written.add(identity)


def _alone(entry: Entry) -> Json:
    work = parts().database.begin()
    try:
        response = _perform(entry, work, alone=True)
        work.commit()
    except InvalidResource as error:  # an address that is none: the other entries are done all the same
        response = current_app.make_response(current_app.handle_user_exception(error))
    finally:
        work.close()
    return _answered(response)


def _perform(entry: Entry, work: UnitOfWork, *, alone: bool) -> Response:
    """The request of an entry, made inside this process; where it stands alone, an error is its answer."""
    outer, form = g.pop("unit_of_work"), g.get("fhir_format")
    try:
        with current_app.request_context(_environ(entry)):
            g.unit_of_work, g.fhir_format = work, "json"
            try:
                return _dispatch(alone=alone)
            finally:
                g.pop("unit_of_work")  # the end of the inner request must not close it
    finally:
        g.unit_of_work, g.fhir_format = outer, form


def _dispatch(*, alone: bool) -> Response:
    if not alone:
        _refuse_searches()
        return _handled()
    try:
        return _handled()
    except Exception as error:  # noqa: BLE001  # the faces know every error; an unknown one is logged there
        return current_app.make_response(current_app.handle_user_exception(error))


def _refuse_searches() -> None:
    """By the request as it is routed: an address can be written in several ways."""
    searches = request.method in {"GET", "HEAD"} and request.query_string
    if searches or "$" in request.path or "_search" in request.path:
        raise Unprocessable("Searches and operations have no place in a transaction.", code="not-in-a-transaction")


def _handled() -> Response:
    """The blueprint's own checks, then the handler; the caller was authenticated with the Bundle.

    Only what is declared as a resource can be asked for.
    """
    if request.blueprint is not None and request.blueprint not in {f"fhir-{one.type.lower()}" for one in declared()}:
        raise Unprocessable("This can't be asked for in a Bundle.", code="not-in-a-bundle")
    for check in current_app.before_request_funcs.get(request.blueprint, []):
        check()
    g.fhir_format = "json"  # whatever an entry asks for: the Bundle has one format
    return current_app.make_response(current_app.dispatch_request())


def _relative(entry: Entry) -> str:
    """The address of an entry from the server's base; a slash before it, as many write, changes nothing."""
    return entry.url.removeprefix(_base()).removeprefix("/")


def _base() -> str:
    return f"{parts().settings.base_url}/fhir/"


def _environ(entry: Entry) -> dict[str, Any]:
    try:
        split = urlsplit(_relative(entry))
    except ValueError:
        fail(f"{entry.path}.request.url", "is no address")
    if split.scheme or split.netloc or split.path.startswith("/") or ".." in split.path:
        fail(f"{entry.path}.request.url", f"must be relative to {_base()}")
    headers = Headers({"Accept": FHIR_JSON, **entry.headers})
    for name in ("Prefer", "X-Request-Id"):
        if name in request.headers:
            headers[name] = request.headers[name]
    body = None if entry.resource is None else json.dumps(entry.resource).encode()
    builder = EnvironBuilder(
        path=f"/fhir/{split.path}", method=entry.method, base_url=parts().settings.base_url, headers=headers,
        query_string=split.query, data=body, content_type=FHIR_JSON if body else None,
    )  # fmt: skip
    return builder.get_environ()


def _answered(response: Response) -> Json:
    text = response.get_data(as_text=True)
    body: Json | None = json.loads(text) if text else None
    said: Json = {"status": str(response.status_code)}
    for name, header in (("location", "Location"), ("etag", "ETag")):
        if header in response.headers:
            said[name] = response.headers[header]
    if "Last-Modified" in response.headers:
        said["lastModified"] = parsedate_to_datetime(response.headers["Last-Modified"]).isoformat()
    if body is not None and body["resourceType"] == "OperationOutcome":
        said["outcome"] = body
        body = None
    made: Json = {"response": said}
    if body is not None and body["resourceType"] != "Bundle" and "id" in body:
        made["fullUrl"] = full_url(body)
    return made | ({"resource": body} if body is not None else {})


def _reference(location: str) -> str:
    return "/".join(location.partition("/fhir/")[2].split("/")[:2])


def _resolved(value: Any, known: Mapping[str, str]) -> Any:
    """A resource with the addresses of other entries replaced by what those became."""
    if isinstance(value, list):
        return [_resolved(one, known) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: known.get(one, one) if name == "reference" and isinstance(one, str) else _resolved(one, known)
        for name, one in value.items()
    }
