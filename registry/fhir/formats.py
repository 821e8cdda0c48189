"""The two formats of FHIR R4, JSON and XML, in and out: chosen in one place for every FHIR surface (http §3.1.1.7)."""

import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Literal

from flask import Response, current_app, g, request

from registry.errors import DomainError, TooLarge
from registry.fhir.wire import MAX_RESOURCE_BYTES, Json, check, parse
from registry.fhir.xml_format import from_xml, to_xml

Format = Literal["json", "xml"]
FHIR_JSON, FHIR_XML = "application/fhir+json", "application/fhir+xml"
FORM = "application/x-www-form-urlencoded"
UTF8 = frozenset({"utf-8", "utf8", "us-ascii"})
R4 = frozenset({"4.0", "4.0.1"})
FORMATS: Mapping[str, Format] = MappingProxyType({
    "json": "json", FHIR_JSON: "json", "application/json": "json", "text/json": "json",
    "xml": "xml", FHIR_XML: "xml", "application/xml": "xml", "text/xml": "xml",
})  # fmt: skip
ANY = frozenset({"*/*", "application/*"})
Envelope = Callable[[Json, int], Json]
"""What wraps the OperationOutcome of a refusal, by its HTTP status; a request that has one puts it in `g`."""

MIME_TYPES: Mapping[Format, str] = MappingProxyType({"json": FHIR_JSON, "xml": FHIR_XML})
READERS: Mapping[Format, Callable[[bytes], Json]] = MappingProxyType({"json": parse, "xml": from_xml})


class NotAcceptable(DomainError):
    """Only JSON and XML of FHIR R4 are spoken here."""

    code = "not-acceptable"
    status = 406
    fhir_code = "not-supported"


class UnsupportedMediaType(DomainError):
    """Only JSON and XML of FHIR R4 are read here, in UTF-8 and as they are."""

    code = "unsupported-media-type"
    status = 415
    fhir_code = "not-supported"


def negotiate() -> None:
    """Raise NotAcceptable unless the caller takes JSON or XML of R4; asked before anything is done."""
    posted = request.form.get("_format") if request.mimetype == FORM else None
    settle(request.args.get("_format", posted))


def settle(wanted: str | None) -> None:
    """Answer in the format named, or as the Accept header says for None; raises NotAcceptable."""
    g.fhir_format = _choose(wanted)
    if g.fhir_format is None:
        raise NotAcceptable("Only application/fhir+json and application/fhir+xml of FHIR 4.0 are served.")


def _choose(wanted: str | None) -> Format | None:
    """What the caller takes, JSON where all the same; `_format` outranks Accept. None for anything else."""
    if wanted is not None:
        return FORMATS.get(wanted.replace(" ", "+").partition(";")[0].strip().lower())
    if not request.accept_mimetypes:
        return "json"
    return next(_offered(), None)


def read_resource(limit: int = MAX_RESOURCE_BYTES) -> Json:
    """The body as the JSON form of a resource; raises UnsupportedMediaType, TooLarge or InvalidInput."""
    sent = FORMATS.get(request.mimetype) if "/" in request.mimetype else None
    if sent is None or request.mimetype_params.get("fhirversion", "4.0") not in R4:
        raise UnsupportedMediaType("Send application/fhir+json or application/fhir+xml of FHIR 4.0.")
    if request.content_encoding not in {None, "", "identity"}:
        raise UnsupportedMediaType("Send the body as it is, without a Content-Encoding.")
    if request.mimetype_params.get("charset", "utf-8").lower() not in UTF8:
        raise UnsupportedMediaType("FHIR is written in UTF-8.")
    if (request.content_length or 0) > limit:
        raise TooLarge(f"At most {limit} bytes are taken here.")
    body = request.get_data(cache=False)
    if len(body) > limit:
        raise TooLarge(f"At most {limit} bytes are taken here.")
    read = READERS[sent](body)
    check(read)
    return read


def render(body: Json | None, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A FHIR answer in the format asked for; without a body for None. An error is JSON where nothing else was."""
    form = g.get("fhir_format") or _choose(request.args.get("_format")) or "json"
    if body is None:
        content: str | bytes = ""
    elif form == "xml":
        content = to_xml(body)
    else:
        indent = 2 if request.args.get("_pretty") == "true" else None
        content = json.dumps(body, ensure_ascii=False, separators=None if indent else (",", ":"), indent=indent)
    response: Response = current_app.response_class(content, status, dict(headers or {}), mimetype=MIME_TYPES[form])
    response.vary.add("Accept")
    return response


def _offered() -> Iterator[Format]:
    for value, quality in request.accept_mimetypes:
        kind, _, parameters = value.lower().partition(";")
        version = parameters.replace(" ", "").partition("fhirversion=")[2].partition(";")[0]
        if quality <= 0 or (version and version not in R4):
            continue
        if kind.strip() in ANY:
            yield "json"
        elif "/" in kind and kind.strip() in FORMATS:
            yield FORMATS[kind.strip()]
