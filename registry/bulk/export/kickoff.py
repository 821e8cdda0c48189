"""The kick-off request of an export (Bulk Data Access 2.0, Bulk Data Kick-off Request), read strictly."""

from datetime import datetime

from flask import request
from werkzeug.datastructures import MultiDict

from registry.bulk.export.service import Wanted
from registry.calendar import read_instant
from registry.errors import InvalidInput
from registry.fhir.formats import read_resource
from registry.fhir.parameters import TEXT_VALUES
from registry.fhir.preferences import asynchronous, lenient
from registry.fhir.wire import Json, fail, is_text

FORMATS = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
PARAMETERS = ("_outputFormat", "_since", "_type", "_elements")
CONTROLS = frozenset({"_format", "_pretty"})
VALUES = (*TEXT_VALUES, "valueInstant", "valueCode")
MOST_PARAMETERS, MAX_VALUE, MOST_ELEMENTS = 20, 500, 20


def read_kickoff(base: str) -> Wanted:
    """What this request asks to export; raises InvalidInput for what is not offered, unless lenience is preferred."""
    if not asynchronous():
        raise InvalidInput("Exports are made in the background only: send Prefer: respond-async.", code="not-async")
    values = _posted(read_resource()) if request.method == "POST" else MultiDict(request.args)
    address = f"{base}{request.full_path.rstrip('?')}" if request.method == "GET" else f"{base}{request.path}"
    if len(values) > MOST_PARAMETERS or not all(
        len(text) <= MAX_VALUE and is_text(text) for _, text in values.items(multi=True)
    ):
        raise InvalidInput(f"At most {MOST_PARAMETERS} parameters of {MAX_VALUE} characters are taken.")
    _require_known(values)
    _require_format(values.getlist("_outputFormat"))
    _require_patients([one for text in values.getlist("_type") for one in text.split(",")])
    return Wanted(
        request=address,
        since=_instant(values.getlist("_since")),
        elements=_elements([one for text in values.getlist("_elements") for one in text.split(",")]),
    )


def _posted(body: Json) -> MultiDict[str, str]:
    """The parameters of a Parameters resource."""
    found: MultiDict[str, str] = MultiDict()
    parts = body.get("parameter", [])
    if body.get("resourceType") != "Parameters" or not isinstance(parts, list):
        fail("Parameters", "must be a Parameters resource")
    for index, one in enumerate(parts):
        said = one if isinstance(one, dict) else {}
        name, texts = said.get("name"), [said[key] for key in VALUES if isinstance(said.get(key), str)]
        if not isinstance(name, str) or len(texts) != 1:
            fail(f"Parameters.parameter[{index}]", "must have a name and one value")
        found.add(name, texts[0])
    return found


def _require_known(values: MultiDict[str, str]) -> None:
    if not lenient() and values.keys() - {*PARAMETERS, *CONTROLS}:
        raise InvalidInput(
            "This export takes _outputFormat, _since, _type and _elements.",
            code="unsupported-parameter",
            hint="With Prefer: handling=lenient what is not known is left out.",
        )


def _require_format(formats: list[str]) -> None:
    if len(formats) > 1 or any(one.replace(" ", "+") not in FORMATS for one in formats):
        raise InvalidInput("Exports are application/fhir+ndjson.", code="unsupported-format")


def _require_patients(types: list[str]) -> None:
    others = {one for one in types if one != "Patient"}
    if others and not (lenient() and "Patient" in types):
        raise InvalidInput("Only Patients are exported here.", code="unsupported-type", hint="Send _type=Patient.")


def _elements(wanted: list[str]) -> str | None:
    """Names of elements, `Patient.` before them or not."""
    names = [one.strip().removeprefix("Patient.") for one in wanted if one.strip()]
    if len(names) > MOST_ELEMENTS or not all(one.isascii() and one.isalpha() for one in names):
        raise InvalidInput(f"_elements holds up to {MOST_ELEMENTS} names of elements of Patient.")
    return ",".join(names) or None


def _instant(texts: list[str]) -> datetime | None:
    if not texts:
        return None
    moment = read_instant(texts[0].replace(" ", "+"))
    if len(texts) > 1 or moment is None:
        raise InvalidInput("_since is one instant with its time zone.", code="instant-malformed")
    return moment
