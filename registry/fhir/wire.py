"""What travels: JSON in with limits, FHIR JSON out, content negotiation."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, NoReturn

from flask import Request, Response, current_app

from registry.errors import DomainError, InvalidInput, TooLarge

Json = dict[str, Any]
FHIR_JSON = "application/fhir+json"
ACCEPTED = frozenset({FHIR_JSON, "application/json", "text/json", "application/*", "*/*"})
FORMATS = frozenset({"json", FHIR_JSON, "application/json", "text/json"})
CONTENT_TYPES = frozenset({FHIR_JSON, "application/json", "text/json"})
MAX_RESOURCE_BYTES = 65_536
MAX_DEPTH = 16
MAX_TEXT = 20_000
MAX_PATH = 200
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class NotAcceptable(DomainError):
    """Only JSON is spoken here."""

    code = "not-acceptable"
    status = 406
    fhir_code = "not-supported"


class UnsupportedMediaType(DomainError):
    """Only JSON is read here."""

    code = "unsupported-media-type"
    status = 415
    fhir_code = "not-supported"


class InvalidResource(InvalidInput):
    """A resource that does not say what it must; `details` names each element at fault."""

    code = "invalid-resource"

    def __init__(self, details: Sequence[Mapping[str, str]]) -> None:
        super().__init__(f"{details[0]['expression']}: {details[0]['message']}")
        self.details = details


def fail(expression: str, message: str) -> NoReturn:
    """Refuse one element; raises InvalidResource."""
    raise InvalidResource([{"expression": expression[:MAX_PATH], "message": message}])


def negotiate(request: Request) -> None:
    """Raise NotAcceptable unless the caller takes JSON (`_format` outranks Accept, FHIR R4 http §2.21.0.9)."""
    wanted = request.args.get("_format")
    if wanted is not None:
        if wanted.replace(" ", "+").partition(";")[0].strip().lower() not in FORMATS:
            raise NotAcceptable("_format must be json.")
        return
    offered = [value.partition(";")[0].strip().lower() for value, _ in request.accept_mimetypes]
    if offered and not ACCEPTED.intersection(offered):
        raise NotAcceptable("Only application/fhir+json is served.")


def read_json(request: Request) -> Json:
    """The body as a JSON object; raises UnsupportedMediaType, TooLarge or InvalidInput."""
    if request.mimetype not in CONTENT_TYPES:
        raise UnsupportedMediaType("Send application/fhir+json.")
    if (request.content_length or 0) > MAX_RESOURCE_BYTES:
        raise TooLarge(f"A resource has at most {MAX_RESOURCE_BYTES} bytes.")
    body = request.get_data(cache=False)
    if len(body) > MAX_RESOURCE_BYTES:
        raise TooLarge(f"A resource has at most {MAX_RESOURCE_BYTES} bytes.")
    return parse(body)


def parse(body: bytes) -> Json:
    """A JSON object of bounded depth and text, without the characters no text may hold; raises InvalidInput."""
    try:
        parsed = json.loads(body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The body is not JSON in UTF-8.", code="not-json", debug=type(error).__name__) from None
    if not isinstance(parsed, dict):
        raise InvalidInput("The body must be one JSON object.", code="not-json")
    _check(parsed, "", 0)
    return parsed


def answer(body: Json | None, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A FHIR JSON response; without a body for None."""
    text = "" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    response: Response = current_app.response_class(text, status, dict(headers or {}), mimetype=FHIR_JSON)
    return response


def http_date(moment: datetime) -> str:
    """A moment as HTTP writes it (RFC 9110 §5.6.7)."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _no_constant(_name: str) -> NoReturn:
    raise ValueError


def _no_duplicates(pairs: list[tuple[str, Any]]) -> Json:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made


def _check(value: Any, path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidInput(f"The JSON is nested deeper than {MAX_DEPTH} levels.", code="too-deep")
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key, path)
            if item is None:
                fail(f"{path}.{key}" if path else key, "is null, which FHIR does not allow")
            _check(item, f"{path}.{key}" if path else key, depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, f"{path}[{index}]", depth + 1)


def _check_text(value: str, path: str) -> None:
    if len(value) > MAX_TEXT:
        fail(path, f"is longer than {MAX_TEXT} characters")
    if not is_text(value):
        fail(path, "holds a character that no text may hold")


def is_text(value: str) -> bool:
    """Whether a string holds only characters that text may hold: no control characters, no half of a pair."""
    return _FORBIDDEN.search(value) is None
