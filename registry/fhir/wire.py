"""What travels: JSON of bounded size, depth and text, and the errors that name an element and never quote it."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, NoReturn

from registry.errors import InvalidInput

Json = dict[str, Any]
MAX_RESOURCE_BYTES = 65_536
MAX_DEPTH = 16
MAX_FOREIGN_DEPTH = 32
MAX_TEXT = 20_000
MAX_PATH = 200
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class InvalidResource(InvalidInput):
    """A resource that does not say what it must; `details` names each element at fault."""

    code = "invalid-resource"

    def __init__(self, details: Sequence[Mapping[str, str]]) -> None:
        super().__init__(f"{details[0]['expression']}: {details[0]['message']}")
        self.details = details


def fail(expression: str, message: str) -> NoReturn:
    """Refuse one element; raises InvalidResource."""
    raise InvalidResource([{"expression": expression[:MAX_PATH], "message": message}])


def parse(body: bytes) -> Json:
    """A JSON object of bounded depth and text, without the characters no text may hold; raises InvalidInput."""
    try:
        parsed = json.loads(body.decode("utf-8-sig"), parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The body is not JSON in UTF-8.", code="not-json", debug=type(error).__name__) from None
    if not isinstance(parsed, dict):
        raise InvalidInput("The body must be one JSON object.", code="not-json")
    check(parsed)
    return parsed


def check(parsed: Json, root: str = "") -> None:
    """Refuse what no resource may hold: depth, long text, null, forbidden characters; raises InvalidInput.

    `root` is how the path of an element at fault begins.
    """
    _check(parsed, root, 0)


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


def is_sound(value: Any, depth: int = MAX_FOREIGN_DEPTH) -> bool:
    """Whether JSON that somebody else made can be shown and sent on as JSON or XML: its depth, numbers and text."""
    if isinstance(value, str):
        return is_text(value)
    if isinstance(value, dict):
        return depth > 0 and all(is_text(key) and is_sound(item, depth - 1) for key, item in value.items())
    if isinstance(value, list):
        return depth > 0 and all(is_sound(item, depth - 1) for item in value)
    return not isinstance(value, float) or math.isfinite(value)


def is_text(value: str) -> bool:
    """Whether a string holds only characters that text may hold, in JSON and in XML: no controls, no half of a pair."""
    return _FORBIDDEN.search(value) is None
