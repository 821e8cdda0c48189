"""Operation inputs: a FHIR Parameters resource, a bare resource, or a query, read strictly."""

from dataclasses import dataclass

from flask import request
from werkzeug.datastructures import MultiDict

from registry.errors import InvalidInput
from registry.fhir.formats import read_resource, settle
from registry.fhir.validation import validate
from registry.fhir.wire import Json, fail, is_text

MOST_MATCHES = 50
DEFAULT_MATCHES = 10
MOST_TARGETS = 20
MAX_TOKEN = 500
PIX_PARTS = ("sourceIdentifier", "targetSystem", "_format")
TEXT_VALUES = ("valueString", "valueUri", "valueUrl", "valueCanonical")
NUMBER_VALUES = ("valueInteger", "valueUnsignedInt", "valuePositiveInt")


@dataclass(frozen=True, slots=True)
class MatchQuery:
    """The input of `$match`."""

    patient: Json
    root: str
    count: int
    only_certain: bool


@dataclass(frozen=True, slots=True)
class PixQuery:
    """The input of `$ihe-pix`: a source identifier, and the systems asked for (none is all)."""

    system: str
    value: str
    targets: frozenset[str]


def read_inputs(*names: str) -> dict[str, str]:
    """The inputs of an operation that changes nothing: by GET in the query, by POST as Parameters, if it has any.

    Raises InvalidInput, UnsupportedMediaType.
    """
    if request.method != "POST" or not request.get_data():
        return {name: request.args[name] for name in names if name in request.args}
    return {name: _text(part) for name, part in _parameters(read_resource(), frozenset(names)).items()}


def read_match(body: Json) -> MatchQuery:
    """`$match` from Parameters, or from a Patient alone; raises InvalidResource."""
    if body.get("resourceType") == "Patient":
        return MatchQuery(validate(body, "Patient"), "Patient", DEFAULT_MATCHES, only_certain=False)
    found = _parameters(body, frozenset({"resource", "onlyCertainMatches", "count"}))
    resource = found.get("resource", {}).get("resource")
    if not isinstance(resource, dict):
        fail("Parameters.parameter", "must hold the Patient to look for, named resource")
    root = "Parameters.parameter.resource"
    return MatchQuery(validate(resource, "Patient", root), root, _count(found), _flag(found))


def read_pix(body: Json) -> PixQuery:
    """`$ihe-pix` from Parameters, which may name the format; raises InvalidInput, NotAcceptable."""
    if not isinstance(body.get("parameter"), list):
        fail("Parameters.parameter", "must be a list")
    values: MultiDict[str, str] = MultiDict()
    for part in body["parameter"]:
        if not isinstance(part, dict) or part.get("name") not in PIX_PARTS:
            fail("Parameters.parameter.name", f"must be one of {', '.join(PIX_PARTS)}")
        values.add(part["name"], _text(part))
    if "_format" in values:
        settle(values["_format"])
    return read_pix_query(values)


def read_pix_query(values: MultiDict[str, str]) -> PixQuery:
    """`$ihe-pix` from a query; raises InvalidInput."""
    sources = values.getlist("sourceIdentifier")
    system, bar, value = (sources[0] if len(sources) == 1 else "").partition("|")
    if not bar or not system or not value.strip() or len(sources[0]) > MAX_TOKEN or not is_text(sources[0]):
        raise InvalidInput(
            "sourceIdentifier must be <system>|<value>, once.", code="identifier-malformed", hint="URL-encode the bar."
        )
    targets = [target for text in values.getlist("targetSystem") for target in text.split(",") if target]
    if len(targets) > MOST_TARGETS or not all(len(one) <= MAX_TOKEN and is_text(one) for one in targets):
        raise InvalidInput(f"targetSystem must be the URI of an identifier system, at most {MOST_TARGETS} times.")
    return PixQuery(system, value.strip(), frozenset(target.removesuffix("|") for target in targets))


def _parameters(body: Json, known: frozenset[str]) -> dict[str, Json]:
    if body.get("resourceType") != "Parameters":
        fail("resourceType", "must be Parameters")
    parts = body.get("parameter", [])
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        fail("Parameters.parameter", "must be a list of objects")
    found: dict[str, Json] = {}
    for index, part in enumerate(parts):
        name = part.get("name")
        if not isinstance(name, str) or name not in known or name in found:
            fail(f"Parameters.parameter[{index}].name", f"must be one of {', '.join(sorted(known)) or 'none'}, once")
        found[name] = part
    return found


def _count(found: dict[str, Json]) -> int:
    part = found.get("count")
    if part is None:
        return DEFAULT_MATCHES
    value = next((part[key] for key in NUMBER_VALUES if key in part), None)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        fail("Parameters.parameter.count", "must be a whole number of one or more")
    return min(value, MOST_MATCHES)


def _flag(found: dict[str, Json]) -> bool:
    part = found.get("onlyCertainMatches")
    if part is None:
        return False
    value = part.get("valueBoolean")
    if not isinstance(value, bool):
        fail("Parameters.parameter.onlyCertainMatches", "must be true or false")
    return value


def _text(part: Json) -> str:
    texts = [str(part[key]) for key in TEXT_VALUES if isinstance(part.get(key), str)]
    numbers = [str(part[key]) for key in NUMBER_VALUES if isinstance(part.get(key), int)]
    tokens = [_token(part["valueIdentifier"])] if isinstance(part.get("valueIdentifier"), dict) else []
    found = [*texts, *numbers, *tokens]
    if not found:
        fail("Parameters.parameter.value", "must be a string")
    return found[0]


def _token(identifier: Json) -> str:
    """An Identifier as the token it is in a query: what a token parameter is in Parameters is said both ways."""
    return f"{identifier.get('system') or ''}|{identifier.get('value') or ''}"
