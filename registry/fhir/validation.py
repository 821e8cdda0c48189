"""Validation against FHIR R4, with errors that name the element and never quote what was in it."""

from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from registry.fhir.plain_patient import is_plain
from registry.fhir.wire import MAX_PATH, InvalidResource, Json, fail

MOST_ISSUES = 20
CONTAINING = frozenset({"Composition", "DocumentReference", "List", "Provenance"})
STUMBLES = (AttributeError, KeyError, TypeError)
"""What the library raises, besides ValidationError, at a type that does not exist and at an address that is no text."""
MESSAGES = {
    "extra_forbidden": "is not an element of this resource",
    "missing": "is required",
    "string_type": "must be a string",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "string_pattern_mismatch": "does not have the form of its type",
    "date_from_datetime_parsing": "is not a date",
    "date_from_datetime_inexact": "is not a date",
    "date_parsing": "is not a date",
    "datetime_parsing": "is not a date and time",
}


def validate(body: Json, resource_type: str, root: str | None = None) -> Json:
    """Check a resource of that type and return it; raises InvalidResource with a path for each element at fault.

    `root` is how the path begins, where the resource is a part of something.
    """
    root = root or resource_type
    if body.get("resourceType") != resource_type:
        fail(f"{root}.resourceType", f"must be {resource_type}")
    if "contained" in body and resource_type not in CONTAINING:
        fail(f"{root}.contained", "is not taken here")
    if resource_type == "Patient" and is_plain(body):
        return body
    try:
        get_fhir_model_class(resource_type).model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise InvalidResource([_issue(one, root) for one in found[:MOST_ISSUES]]) from None
    except STUMBLES:
        fail(root, "holds what is no resource of FHIR R4, or an address that is no string")
    return body


def _issue(error: ErrorDetails, root: str) -> dict[str, str]:
    message = MESSAGES.get(error["type"], "is not valid")
    if "value is expected from this list" in error["msg"]:
        message = "has several values where FHIR allows one"
    return {"expression": _path(root, error["loc"])[:MAX_PATH], "message": message}


def _path(root: str, location: tuple[Any, ...]) -> str:
    path = root
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else "" if step in {"root", "resource_type"} else f".{step}"
    return path
