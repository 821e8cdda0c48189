"""What names a withheld item is withheld, also where the answer names it and does not hold it."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from consent_broker.resource_server import GuardMiddleware
from consent_broker.resource_server.beside import MOST, release_beside
from tests.unit.resource_server.serving import NO_PSY, PSY, encounter, served
from tests.unit.resource_server.test_wsgi import GRANT, Recorder


@pytest.mark.parametrize(
    "naming",
    [
        {"reasonReference": [{"reference": "Encounter/b"}]},
        {"partOf": {"reference": "urn:uuid:c0ffee00-0000-4000-8000-000000000001"}},
        {"partOf": {"identifier": {"system": "urn:visits", "value": "1"}}},
        {"identifier": [{"system": "urn:visits", "value": "1"}]},
        {"partOf": {"reference": "Encounter/c"}},
    ],
    ids=["reference", "fullUrl", "logical", "copy", "by-way-of-another"],
)
def test_what_names_a_withheld_entry_is_withheld_and_so_is_what_names_that(naming: dict[str, Any]) -> None:
    """Whatever the other is withheld for: an ordinary item would tell what the sensitive one says."""
    sensitive = encounter("b", "PSY", identifier=[{"system": "urn:visits", "value": "1"}])
    entries = [
        {"resource": encounter("a", **naming)},
        {"resource": sensitive, "fullUrl": "urn:uuid:c0ffee00-0000-4000-8000-000000000001"},
        {"resource": encounter("c", hospitalization={"origin": {"reference": "https://h.example/fhir/Encounter/b"}})},
        {
            "resource": encounter("d", partOf={"reference": "Encounter/e"}),
            "fullUrl": "https://h.example/fhir/Encounter/d",
        },
        {"resource": {"resourceType": "Encounter"}},
    ]
    left = served({"resourceType": "Bundle", "entry": entries}).json["entry"]
    assert [one["resource"].get("id") for one in left] == ["d", None]
    assert len(served({"resourceType": "Bundle", "entry": [entries[0], entries[3]]}).json["entry"]) == 2


@pytest.mark.parametrize(
    ("answered", "left"),
    [
        (Response(json.dumps({"resourceType": "Condition", "id": "9", "meta": {"security": [PSY]}})), ["b"]),
        (Response(json.dumps({"resourceType": "Condition", "id": "9"})), ["a", "b"]),
        (Response("{}", status=404), ["a", "b"]),
        (Response("{}", status=403), ["b"]),
        (Response("{"), ["b"]),
        (Response(json.dumps({"resourceType": "Condition", "id": "another"})), ["b"]),
    ],
    ids=["sensitive", "ordinary", "not-there", "refused", "unreadable", "another"],
)
@pytest.mark.parametrize("classes", [{}, {"class": ["Encounter"]}], ids=["of-all", "of-what-the-token-is-for"])
def test_what_an_answer_names_of_another_type_its_server_is_asked_for(
    answered: Response, left: list[str], classes: dict[str, Any]
) -> None:
    """The token need not be for that type: an encounter tells of its diagnosis all the same."""
    naming = encounter("a", diagnosis=[{"condition": {"reference": "Condition/9", "display": "Depresión"}}])
    bundle = {"resourceType": "Bundle", "entry": [{"resource": naming}, {"resource": encounter("b")}]}
    said = Response(json.dumps(bundle), mimetype="application/fhir+json")
    asked = list[tuple[str, str, str]]()

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"]))
        return (said if len(asked) == 1 else answered)(environ, start_response)

    claims = {"extensions": {"ihe_pcf": {"residual": [NO_PSY | classes]}}}
    guarded = GuardMiddleware(application, Recorder(replace(GRANT, claims=claims)), prefix="/fhir")
    found = Client(guarded).post("/fhir/Encounter/_search", data={"patient": "p"}).json["entry"]
    assert [one["resource"]["id"] for one in found] == left
    assert asked[1:] == [("GET", "/fhir/Condition/9", "")]


def test_what_leads_to_a_withheld_item_over_others_that_are_not_there_is_withheld() -> None:
    """A medicine given in a visit tells of what was diagnosed there, and the token may be for medicines alone."""
    held = [
        encounter("5", diagnosis=[{"condition": {"reference": "Condition/7"}}]),
        {
            "resourceType": "Condition",
            "id": "7",
            "meta": {"security": [PSY]},
            "encounter": {"reference": "Encounter/5"},
        },
        encounter("6", diagnosis=[{"condition": {"reference": "Condition/8"}}]),
        {"resourceType": "Condition", "id": "8"},
    ]
    there = {f"{one['resourceType']}/{one['id']}": {"resource": one} for one in held}
    given = [
        {"resourceType": "MedicationStatement", "id": one, "context": {"reference": f"Encounter/{one}"}}
        for one in ("5", "6", "9")
    ]
    asked = list[str]()

    def look(name: str) -> Any:
        asked.append(name)
        return there.get(name)

    grant = replace(GRANT, claims={"extensions": {"ihe_pcf": {"residual": [NO_PSY]}}})
    left = release_beside([{"resource": one} for one in given], grant, look)
    assert [one["resource"]["id"] for one in left] == ["6", "9"]
    assert asked == ["Encounter/5", "Encounter/6", "Encounter/9", "Condition/7", "Condition/8"]


def test_of_more_than_it_asks_for_nothing_is_known() -> None:
    entries = [{"resource": encounter(str(n), partOf={"reference": f"Condition/{n}"})} for n in range(MOST + 5)]
    grant = replace(GRANT, claims={"extensions": {"ihe_pcf": {"residual": [NO_PSY]}}})
    assert len(release_beside(entries, grant, lambda _: None)) == MOST


@pytest.mark.parametrize("url", ["urn:oid:1.2.3", "https://h.example/registros/77"])
def test_what_names_a_withheld_entry_by_whatever_address_it_has_here_is_withheld(url: str) -> None:
    entries = [
        {"resource": encounter("a", partOf={"reference": url})},
        {"resource": encounter("b", "PSY"), "fullUrl": url},
        {"resource": encounter("c")},
    ]
    left = served({"resourceType": "Bundle", "entry": entries}).json["entry"]
    assert [one["resource"]["id"] for one in left] == ["c"]


@pytest.mark.parametrize("kind", ["Patient", "Practitioner", "Organization"])
def test_what_everything_names_takes_nothing_with_it(kind: str) -> None:
    """A server that sends the patient along, of no date, does not thereby withhold every allergy."""
    since_2020 = {"type": "forbid", "dataPeriod": {"end": "2019-12-31"}}
    allergy = {"resourceType": "AllergyIntolerance", "id": "1", "recordedDate": "2026-03-05"}
    entries = [
        {"resource": {"resourceType": kind, "id": "1"}},
        {"resource": allergy | {"patient": {"reference": f"{kind}/1"}}},
    ]
    left = served({"resourceType": "Bundle", "entry": entries}, [since_2020]).json["entry"]
    assert [one["resource"]["resourceType"] for one in left] == ["AllergyIntolerance"]


@pytest.mark.parametrize("name", ["Condition/.", "Condition/..", f"Condition/{'9' * 65}"])
def test_its_server_is_asked_for_nothing_the_guard_would_refuse(name: str) -> None:
    grant, asked = replace(GRANT, claims={"extensions": {"ihe_pcf": {"residual": [NO_PSY]}}}), list[str]()
    entries = [{"resource": encounter("a", text={"div": f"<div>Véase {name}</div>"})}]
    assert release_beside(entries, grant, asked.append) == entries
    assert asked == []


def test_a_slow_server_is_asked_as_long_as_anybody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else 200 slow answers would keep a thread for many minutes, for one search."""
    moments = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: moments[-1])
    entries = [{"resource": encounter(str(n), partOf={"reference": f"Condition/{n}"})} for n in range(9)]
    grant = replace(GRANT, claims={"extensions": {"ihe_pcf": {"residual": [NO_PSY]}}})
    assert len(release_beside(entries, grant, lambda _: moments.append(moments[-1] + 2))) == 3


def test_a_chain_of_any_length_is_followed() -> None:
    chain = [encounter(str(number), partOf={"reference": f"Encounter/{number + 1}"}) for number in range(3_000)]
    entries = [{"resource": one} for one in [*chain, encounter("3000", "PSY"), encounter("alone")]]
    grant = replace(GRANT, claims={"extensions": {"ihe_pcf": {"residual": [NO_PSY]}}})
    assert [one["resource"]["id"] for one in grant.releases_of(entries)] == ["alone"]
