"""Parts of resources: `_summary` and `_elements` (FHIR R4 search §3.1.1.5.8), on what is read and what is found."""

from collections.abc import Collection
from typing import Literal, get_args

from fhir.resources.R4B import get_fhir_model_class
from flask import request

from registry.errors import InvalidInput
from registry.fhir.wire import Json

Summary = Literal["true", "text", "data", "count", "false"]
SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules"})
MOST_ELEMENTS = 50


def shape(body: Json) -> Json:
    """The part of an answer that the caller asked for, marked as such; raises InvalidInput."""
    nothing = "count" if _control("_count") == "0" else "false"  # §3.1.1.5.7: none of them is asked for
    summary, elements = _control("_summary") or nothing, _control("_elements")
    if summary not in get_args(Summary):
        raise InvalidInput(f"_summary must be one of {', '.join(get_args(Summary))}.")
    if elements is not None and (summary != "false" or len(elements.split(",")) > MOST_ELEMENTS):
        raise InvalidInput(f"Send _elements with up to {MOST_ELEMENTS} names, and without _summary.")
    wanted = {name.strip().rpartition(".")[2] for name in elements.split(",")} if elements else None
    if summary == "false" and wanted is None:
        return body
    if body["resourceType"] != "Bundle":
        return _part(body, summary, wanted)
    if summary == "count":
        return {name: value for name, value in body.items() if name != "entry"}
    entries = [_entry(one, summary, wanted) for one in body.get("entry", [])]
    return body | ({"entry": entries} if entries else {})


def _entry(entry: Json, summary: str, wanted: Collection[str] | None) -> Json:
    found = "resource" in entry and entry.get("search", {}).get("mode") != "outcome"
    return entry | {"resource": _part(entry["resource"], summary, wanted)} if found else entry


def part_of(resource: Json, elements: Collection[str]) -> Json:
    """A resource with those elements and what it must have, marked as a part."""
    return _part(resource, "false", elements)


def _part(resource: Json, summary: str, wanted: Collection[str] | None) -> Json:
    if resource["resourceType"] == "OperationOutcome":
        return resource
    kept = _kept(resource, summary, wanted)
    part = {name: value for name, value in resource.items() if name.removeprefix("_") in kept}
    meta = resource.get("meta", {})
    return part | {"meta": meta | {"tag": [*meta.get("tag", []), SUBSETTED]}}


def _kept(resource: Json, summary: str, wanted: Collection[str] | None) -> Collection[str]:
    model = get_fhir_model_class(resource["resourceType"])
    fields = [(field.alias or name, field) for name, field in model.model_fields.items()]
    required = {name for name, field in fields if field.is_required() or _must(field.json_schema_extra)}
    if wanted is not None:
        return ALWAYS | required | set(wanted)
    if summary == "text":
        return ALWAYS | required | {"text"}
    if summary == "data":
        return resource.keys() - {"text"}
    return ALWAYS | required | set(model.summary_elements_sequence())


def _must(extra: object) -> bool:
    return isinstance(extra, dict) and bool(extra.get("element_required"))


def _control(name: str) -> str | None:
    return request.args.get(name) or request.form.get(name)
