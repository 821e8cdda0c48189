"""The CapabilityStatement against the routes there are, both ways: nothing is promised in vain, nothing goes unsaid."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from flask import Flask
from flask.testing import FlaskClient

from registry.fhir.resources import declared
from tests.functional.fhir.conftest import Call, Json

Said = tuple[str, str]
SAMPLES = {
    "token": "a|b",
    "string": "x",
    "reference": "00000000-0000-0000-0000-000000000000",
    "date": "ge2026-01-01",
    "uri": "urn:x",
    "number": "1",
}
TYPES = [one.type for one in declared()]
UNSUPPORTED = "unsupported-parameter"
INTERACTIONS = (
    (r"", {"GET": "search-type", "POST": "create", "PUT": "conditionalUpdate", "DELETE": "conditionalDelete"}),
    (r"/_search", {"POST": "search-type by POST"}),
    (r"/_history", {"GET": "history-type"}),
    (r"/<[^/]+>", {"GET": "read", "PUT": "update", "DELETE": "delete", "PATCH": "patch"}),
    (r"/<[^/]+>/_history", {"GET": "history-instance"}),
    (r"/<[^/]+>/_history/<[^/]+>", {"GET": "vread"}),
)
SYSTEM = {
    ("POST", "/fhir"): ("", "bundles"),
    ("POST", "/fhir/"): ("", "bundles"),
    ("POST", "/fhir/$process-message"): ("", "$process-message"),
    ("GET", "/fhir/metadata"): ("", "capabilities"),
    ("GET", "/fhir/.well-known/smart-configuration"): ("", "capabilities"),
}


@pytest.fixture(scope="module")
def statement(request: pytest.FixtureRequest) -> Json:
    client: FlaskClient = request.getfixturevalue("app").test_client()
    found: Json = client.get("/fhir/metadata").json
    CapabilityStatement.model_validate(found)
    return found


def served(app: Flask) -> Iterator[Said]:
    """What each route under /fhir is, in the words of the statement; fails for one that FHIR has no word for."""
    for rule in app.url_map.iter_rules():
        if rule.rule != "/fhir" and not rule.rule.startswith("/fhir/"):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield SYSTEM.get((method, rule.rule)) or _interaction(method, rule.rule)


def _interaction(method: str, rule: str) -> Said:
    found = re.fullmatch(r"/fhir/([A-Z]\w+)(.*)", rule)
    assert found, rule
    operation = re.fullmatch(r"(?:/<[^/]+>)?/(\$[\w-]+)(?:/<.*)?", found[2])
    if operation:
        return found[1], operation[1]
    named = next((methods.get(method) for path, methods in INTERACTIONS if re.fullmatch(path, found[2])), None)
    assert named, f"{method} {rule}"
    return found[1], named


def promised(statement: Json) -> Iterator[Said]:
    rest = statement["rest"][0]
    yield "", "capabilities"
    assert [one["code"] for one in rest["interaction"]] == ["transaction", "batch"]
    yield "", "bundles"
    yield from (("", f"${one['name']}") for one in rest["operation"])
    for resource in rest["resource"]:
        name = resource["type"]
        codes = [one["code"] for one in resource["interaction"]]
        yield from ((name, code) for code in codes)
        yield from ((name, f"${one['name']}") for one in resource.get("operation", []))
        if "search-type" in codes:
            yield name, "search-type by POST"
        if resource["conditionalUpdate"]:
            yield name, "conditionalUpdate"
        if resource["conditionalDelete"] != "not-supported":
            yield name, "conditionalDelete"


def test_every_route_is_promised_and_every_promise_has_its_route(app: Flask, statement: Json) -> None:
    assert set(served(app)) == set(promised(statement))


def parameters(statement: Json, name: str) -> list[dict[str, str]]:
    resource = next(one for one in statement["rest"][0]["resource"] if one["type"] == name)
    found: list[dict[str, str]] = resource.get("searchParam", [])
    return found


def refused_as_unknown(call: Call, path: str, name: str, value: str) -> bool:
    strict = {"Prefer": "handling=strict"}
    got = call("GET", path, query_string={name: value}, token="a-all", headers=strict)
    form = f"{name}={value}".encode()
    kind = "application/x-www-form-urlencoded"
    posted = call("POST", f"{path}/_search", form, content_type=kind, token="a-all", headers=strict)
    assert got.status_code == posted.status_code
    assert got.status_code < 500
    return UNSUPPORTED in got.text


@pytest.mark.parametrize("name", TYPES)
def test_every_search_parameter_that_is_promised_is_understood_and_no_other(
    call: Call, statement: Json, name: str
) -> None:
    path = f"/fhir/{name}"
    for parameter in parameters(statement, name):
        assert not refused_as_unknown(call, path, parameter["name"], SAMPLES[parameter["type"]]), parameter
    for unknown in ("zzz", "_text", "patient.name"):
        assert refused_as_unknown(call, path, unknown, "x")


def test_what_is_not_promised_of_a_resource_is_405(app: Flask, statement: Json, call: Call) -> None:
    said = set(promised(statement))
    methods = {"create": ("POST", ""), "update": ("PUT", "/00000000-0000-0000-0000-000000000000")}
    for name in TYPES:
        for interaction, (method, path) in methods.items():
            if (name, interaction) not in said:
                answer = call(method, f"/fhir/{name}{path}", {}, token="a-all")
                assert answer.status_code == 405, (name, interaction)
                assert answer.json["issue"][0]["code"] == "not-supported"
                assert method not in answer.headers["Allow"]


def test_patients_conditions_are_kept(statement: Json) -> None:
    """What they do is shown by test_create, test_feed, test_formats and test_duplicates."""
    patient: Any = next(one for one in statement["rest"][0]["resource"] if one["type"] == "Patient")
    conditions = {name: value for name, value in patient.items() if name.startswith("conditional")}
    assert conditions == {
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "single",
    }
    assert patient["versioning"] == "versioned-update"
