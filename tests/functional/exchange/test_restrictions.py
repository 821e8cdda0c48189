"""What the patient restricts stays away: at the holder's guard, at the gateway, and from what the reader is told."""

import json
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse
from werkzeug.wrappers import Request, Response

from consent_broker.consents.directives import Kind
from consent_broker.consents.service import Terms, list_consents, record_objection, revoke_consent
from consent_broker.resource_server.naming import own_names
from registry.fhir.systems import SOURCE_RECORD
from tests.functional.exchange.holder import FhirServer, bundle
from tests.functional.exchange.test_gateway import events
from tests.functional.oauth.test_rar import details, granted
from tests.functional.oauth.world import World, claims_of

PSY = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY"}
UNHEARD = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "SURPRISE"}


def item(identifier: str, day: str = "2026-03-05", *security: Any) -> dict[str, Any]:
    return {
        "resourceType": "AllergyIntolerance", "id": identifier, "recordedDate": day, "meta": {"security": [*security]},
    }  # fmt: skip


HELD = [
    item("plain"),
    item("old", "2019-01-01"),
    item("year", "2019"),
    item("mind", "2026-03-05", PSY),
    item("unheard", "2026-03-05", UNHEARD, {"system": UNHEARD["system"], "code": ["PSY"]}),
    item("huge", "2026-03-05", PSY) | {"text": {"status": "generated", "div": f"<div>&#{'9' * 5000};</div>"}},
    {"resourceType": "AllergyIntolerance", "id": "undated"},
]


@pytest.fixture(autouse=True)
def _holding(world: World, holder: FhirServer) -> None:
    """The holder has all of it and filters nothing by itself; each test starts without any directive."""

    def answer(request: Request) -> Response:
        kind = request.path.rpartition("/")[2]
        held = HELD if kind == "AllergyIntolerance" else []
        return Response(json.dumps(bundle(*held, total=len(held))), mimetype="application/fhir+json")

    holder.answer = answer
    world.transact(lambda session: _end_all(session, world))


def _end_all(session: Any, world: World) -> None:
    for one in list_consents(session, [world.person_id]):
        if one.status == "active":
            revoke_consent(session, one.id, world.evidence())


def objection(world: World, **changes: Any) -> Terms:
    said: dict[str, Any] = {"establishment_id": None, "categories": None, "purposes": None, "ends_at": None} | changes
    return Terms(person_id=world.person_id, kind=Kind.OBJECTION, **said)


def object_to(world: World, **changes: Any) -> None:
    world.transact(lambda session: record_objection(session, objection(world, **changes), world.evidence()))


def token(world: World) -> str:
    request = world.request_access()
    return str(world.grant(launch=request["id"])["access_token"])


def read(world: World, access_token: str, kind: str = "AllergyIntolerance") -> TestResponse:
    query = {"patient": str(world.person_id)}
    return world.asking.get(f"/exchange/fhir/{kind}", access_token, query_string=query)


def names(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    resources = [entry["resource"] for entry in answer.json.get("entry", [])]
    return [one["id"] for one in resources if one["resourceType"] == "AllergyIntolerance"]


def told(answer: TestResponse) -> list[str]:
    resources = [entry["resource"] for entry in answer.json.get("entry", [])]
    return [one["issue"][0]["code"] for one in resources if one["resourceType"] == "OperationOutcome"]


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "careless-holder"])
def test_what_is_sensitive_does_not_flow_unless_it_was_named(world: World, holder: FhirServer, guarded: bool) -> None:
    if not guarded:
        holder.go_careless()
    answer = read(world, token(world))
    assert names(answer) == ["plain", "old", "year", "undated"]
    assert told(answer) == []
    assert "PSY" not in answer.text


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "careless-holder"])
def test_a_period_withholds_what_is_of_it_or_may_be(world: World, holder: FhirServer, guarded: bool) -> None:
    if not guarded:
        holder.go_careless()
    object_to(world, data_until=date(2019, 6, 30))
    answer = read(world, token(world))
    assert names(answer) == ["plain"]
    assert told(answer) == ["suppressed"]


def test_the_reader_is_told_the_same_whether_or_not_something_was_withheld(world: World, holder: FhirServer) -> None:
    object_to(world, data_until=date(1990, 1, 1))
    assert told(read(world, token(world))) == ["suppressed"]
    holder.answer = holder.searchset
    assert told(read(world, token(world))) == ["suppressed"]


def test_a_source_objected_to_is_neither_asked_nor_named(world: World, holder: FhirServer) -> None:
    object_to(world, sources=frozenset({world.holding.establishment_id}))
    access = token(world)
    holder.requests.clear()
    answer = read(world, access)
    assert holder.requests == []
    assert (names(answer), told(answer)) == ([], ["suppressed"])
    assert "Hospital 00000002" not in answer.text
    assert world.holding.endpoint not in answer.text


def test_a_hidden_source_leaves_no_trace_at_all(world: World, holder: FhirServer) -> None:
    object_to(world, sources=frozenset({world.holding.establishment_id}), hides=True)
    answer = read(world, token(world))
    assert answer.json.get("entry", []) == []


def test_a_hidden_item_is_withheld_and_nothing_is_said(world: World) -> None:
    sources = frozenset({world.holding.establishment_id})
    object_to(world, sources=sources, items=frozenset({"AllergyIntolerance/plain"}), hides=True)
    answer = read(world, token(world))
    assert names(answer) == ["old", "year", "undated"]
    assert told(answer) == []


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "careless-holder"])
def test_a_copy_of_a_hidden_item_and_what_names_it_otherwise_is_withheld(
    world: World, holder: FhirServer, guarded: bool
) -> None:
    if not guarded:
        holder.go_careless()
    number = {"system": "urn:hc", "value": "A-1"}
    hidden = item("hidden") | {"identifier": [number]}
    visit = {"resourceType": "Encounter", "id": "visit", "reasonReference": [{"identifier": number}]}
    held = {"AllergyIntolerance": [hidden, hidden | {"id": "copy"}, item("plain")], "Encounter": [visit]}
    holder.answer = lambda request: Response(json.dumps(bundle(*held[request.path.rpartition("/")[2]])))
    access = token(world)
    assert names(read(world, access)) == ["hidden", "copy", "plain"]
    object_to(world, sources=frozenset({world.holding.establishment_id}), items=own_names(hidden), hides=True)
    assert names(read(world, access)) == ["plain"]
    assert read(world, access, "Encounter").json.get("entry", []) == []


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "careless-holder"])
def test_what_names_something_sensitive_of_another_type_is_withheld_with_it(
    world: World, holder: FhirServer, guarded: bool
) -> None:
    if not guarded:
        holder.go_careless()
    naming = {"reasonReference": [{"reference": "AllergyIntolerance/mind", "display": "Delirio"}]}
    held = {
        "AllergyIntolerance": [item("mind", "2026-03-05", PSY)],
        "MedicationStatement": [medicine("for-it", **naming), medicine("other")],
    }

    def answer(request: Request) -> Response:
        kind, _, name = request.path.removeprefix("/fhir/").partition("/")
        found = [one for one in held.get(kind, []) if name in {"", one["id"]}]
        return Response(json.dumps(found[0] if name else bundle(*found)), mimetype="application/fhir+json")

    holder.answer = answer
    summary = world.asking.get(f"/exchange/fhir/Patient/{world.person_id}/$summary", token(world))
    assert (summary.status_code, "Delirio" in summary.text, "for-it" in summary.text) == (200, False, False)
    assert "other" in summary.text
    assert last_reading(world)["withheld"] == (0 if guarded else 2)


def medicine(name: str, **more: Any) -> dict[str, Any]:
    drug = {"coding": [{"system": "http://www.whocc.no/atc", "code": "A"}], "text": name}
    return {"resourceType": "MedicationStatement", "id": name, "status": "active", "medicationCodeableConcept": drug,
            "effectiveDateTime": "2026-03-05"} | more  # fmt: skip


def test_a_restriction_that_comes_later_ends_the_tokens_that_do_not_know_it(world: World, holder: FhirServer) -> None:
    read(world, token(world))
    kept = holder.requests[-1].headers["Authorization"].partition(" ")[2]
    assert world.holding.introspect(kept)["active"] is True
    rules = claims_of(kept)["extensions"]["ihe_pcf"]["residual"]
    assert [rule["type"] for rule in rules] == ["forbid"]
    object_to(world, data_until=date(2000, 1, 1))
    assert world.holding.introspect(kept) == {"active": False}


def test_a_restriction_of_a_category_narrows_only_that_one(world: World, holder: FhirServer) -> None:
    object_to(world, categories=frozenset({"encounters"}), data_until=date(2000, 1, 1))
    access = token(world)
    answer = read(world, access)
    assert (len(names(answer)), told(answer)) == (4, [])
    assert told(read(world, access, "Encounter")) == ["suppressed"]


def last_reading(world: World) -> dict[str, Any]:
    return dict(events(world, action="exchange:records:read")[0].detail)


def test_what_a_careless_holder_sends_beyond_the_days_is_dropped_and_in_the_log(
    world: World, holder: FhirServer
) -> None:
    holder.go_careless()
    object_to(world, data_until=date(2019, 6, 30))
    assert names(read(world, token(world))) == ["plain"]
    counted = last_reading(world)
    assert (counted["counts"], counted["withheld"]) == (["AllergyIntolerance: 1"], len(HELD) - 1)


def test_what_nobody_asked_a_careless_holder_for_is_dropped_and_in_the_log(world: World, holder: FhirServer) -> None:
    """Another category, another patient; what tells no patient is believed, as the guard's rules say."""
    holder.go_careless()
    theirs = {"identifier": {"system": SOURCE_RECORD, "value": str(uuid4())}}
    hers = {"identifier": {"system": SOURCE_RECORD, "value": str(world.record_at_holder)}}
    sent = [
        item("hers") | {"patient": hers},
        item("theirs") | {"patient": theirs},
        {"resourceType": "Condition", "id": "unasked", "subject": hers},
        {"resourceType": "OperationOutcome", "issue": []},
    ]
    holder.answer = lambda _request: Response(json.dumps(bundle(*sent)))
    answer = read(world, token(world))
    assert names(answer) == ["hers"]
    assert "unasked" not in answer.text
    assert last_reading(world)["unasked"] == 2


def test_a_careless_holder_does_not_widen_what_was_asked_exactly(world: World, holder: FhirServer) -> None:
    """The days and categories of `authorization_details` (RFC 9396) hold at the gateway by themselves."""
    holder.go_careless()
    asked = details(categories=["allergies"], data_period={"start": "2020-01-01"}, establishments=["00000002"])
    access = str(granted(world, asked)["access_token"])
    assert names(read(world, access)) == ["plain"]
    assert read(world, access, "Encounter").status_code == 403
    assert last_reading(world)["withheld"] == len(HELD) - 1
