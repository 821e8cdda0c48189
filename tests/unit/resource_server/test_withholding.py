"""What leaves a holder's server: nothing the residual forbids, and nothing that can't be checked against it."""

import json
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Response

from consent_broker.resource_server import GuardMiddleware
from consent_broker.resource_server.beside import MOST, release_beside
from consent_broker.resource_server.naming import own_names
from consent_broker.resource_server.residual import days_of, flows, labels_of, release
from tests.unit.resource_server.test_wsgi import GRANT, Recorder

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
PSY = {"system": ACT, "code": "PSY"}
NO_PSY = {"type": "forbid", "securityLabel": [{"system": ACT, "code": "PSY"}]}


def encounter(name: str, /, *labels: str, **more: Any) -> dict[str, Any]:
    security = [{"system": ACT, "code": label} for label in labels]
    return {"resourceType": "Encounter", "id": name, "meta": {"security": security}} | more


def served(
    body: Any, residual: Any = (NO_PSY,), method: str = "GET", asking: Any = None, **answer: Any
) -> TestResponse:
    claims = {"extensions": {"ihe_pcf": {"residual": list(residual)}}}
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    said, nothing = Response(text, mimetype="application/fhir+json", **answer), Response(status=404)
    said.add_etag()
    said.accept_ranges = "bytes"

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/fhir/Encounter":
            return nothing(environ, start_response)
        return said.make_conditional(environ, accept_ranges=True, complete_length=len(said.data))(
            environ, start_response
        )

    guarded = GuardMiddleware(application, Recorder(replace(GRANT, claims=claims)), prefix="/fhir")
    return Client(guarded).open("/fhir/Encounter?patient=p", method=method, headers=asking)


def test_forbidden_entries_leave_the_bundle_and_so_does_their_count() -> None:
    held = [encounter("a"), encounter("b", "PSY"), {"resourceType": "OperationOutcome", "issue": []}]
    smuggled = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": encounter("c", "PSY")}]}
    links = [{"relation": one, "url": "?page=9"} for one in ("self", "last")]
    body = {"resourceType": "Bundle", "type": "searchset", "total": 9, "meta": {"security": [PSY]}, "link": links}
    body |= {"entry": [{"resource": one} for one in [*held, smuggled, None]]}
    answer = served(body, headers={"ETag": 'W/"1"', "X-Total-Count": "9", "Link": "<?page=9>", "X-Own": "kept"})
    assert [entry["resource"].get("id") for entry in answer.json["entry"]] == ["a", None]
    assert answer.json.keys() == {"resourceType", "type", "link", "entry"}
    assert answer.json["link"] == links[:1]
    assert not {"ETag", "X-Total-Count", "Link"} & {name for name, _ in answer.headers}
    assert answer.headers["X-Own"] == "kept"
    assert answer.content_length == len(answer.data)


def test_an_outcome_tells_nothing_of_what_is_withheld() -> None:
    told = [
        {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "diagnostics": words}]}
        for words in ("Condition/7 left out", "Unknown parameter")
    ]
    answer = served({"resourceType": "Bundle", "entry": [{"resource": one} for one in told]}, [HIDING])
    assert [entry["resource"] for entry in answer.json["entry"]] == told[1:]
    assert [served(one, [HIDING]).status_code for one in told] == [404, 200]


def test_a_single_resource_is_there_or_is_not() -> None:
    assert served(encounter("a")).json["id"] == "a"
    refused = served(encounter("a", "PSY"))
    assert (refused.status_code, refused.json["resourceType"]) == (404, "OperationOutcome")


@pytest.mark.parametrize("asking", [{"Range": "bytes=0-9"}, {"If-None-Match": "*"}])
def test_nothing_is_learned_of_a_withheld_resource_by_asking_for_less_of_it(asking: dict[str, str]) -> None:
    """A part can't be checked, and that it has not changed says that it is there."""
    assert served(encounter("a", "PSY"), asking=asking).status_code == 404
    assert served(encounter("a"), asking=asking).json["id"] == "a"
    assert served(encounter("a", "PSY"), method="HEAD").status_code == 404
    head = served(encounter("a"), method="HEAD", headers={"Last-Modified": "Thu, 05 Mar 2026 00:00:00 GMT"})
    assert (head.status_code, head.data, "Last-Modified" in head.headers) == (200, b"", False)


@pytest.mark.parametrize("body", [b"", b"<Bundle/>", b"[]", b"null", b"[" * 5000, b"\xff"])
def test_what_can_not_be_checked_is_not_released(body: bytes) -> None:
    assert served(body).status_code == 500
    assert served(body, residual=[]).status_code == 200


def test_a_failure_tells_why_and_nothing_else() -> None:
    why = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "diagnostics": "Busy"}]}
    answer = served(why, status=503, headers={"Retry-After": "1"})
    assert (answer.status_code, answer.json, answer.headers["Retry-After"]) == (503, why, "1")
    for said in (encounter("a", "PSY"), "<html>Condition/7</html>", why | {"id": "x", "text": {"div": "Condition/7"}}):
        answer = served(said, [HIDING], status=410, headers={"Location": "/Condition/7"})
        assert (answer.status_code, answer.json["resourceType"]) == (410, "OperationOutcome")
        assert "Condition" not in answer.text + str(answer.headers)


def test_an_application_is_asked_for_what_can_be_checked() -> None:
    """Whatever the client would rather have: XML could not be checked, and would be refused."""
    asked = list[str]()

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        asked.append(environ["HTTP_ACCEPT"])
        return Response(json.dumps(encounter("a")))(environ, start_response)

    for residual in ([NO_PSY], []):
        claims = {"extensions": {"ihe_pcf": {"residual": residual}}}
        guarded = GuardMiddleware(application, Recorder(replace(GRANT, claims=claims)), prefix="/fhir")
        Client(guarded).get("/fhir/Encounter/a", headers={"Accept": "application/fhir+xml"})
    assert asked == ["application/fhir+json", "application/fhir+xml"]


def test_an_application_that_writes_by_itself_is_checked_too_and_closed() -> None:
    closed = []

    class Written:
        def __iter__(self) -> Any:
            return iter([json.dumps(encounter("a", "PSY")).encode()])

        def close(self) -> None:
            closed.append(True)

    def application(_environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        return Written()

    claims = {"extensions": {"ihe_pcf": {"residual": [NO_PSY]}}}
    guarded = GuardMiddleware(application, Recorder(replace(GRANT, claims=claims)), prefix="/fhir")
    assert Client(guarded).get("/fhir/Encounter/a").status_code == 404
    assert closed == [True]


@pytest.mark.parametrize(
    ("security", "labels"),
    [
        (None, {"N"}),
        ([], {"N"}),
        ([{"system": CONFIDENTIALITY, "code": "N"}], {"N"}),
        ([{"system": CONFIDENTIALITY, "code": "R"}], {"R"}),
        ([{"system": CONFIDENTIALITY, "code": "V"}], {"R"}),
        ([{"system": CONFIDENTIALITY, "code": "?"}], {"R"}),
        ([{"system": ACT, "code": "PSY"}, {"system": CONFIDENTIALITY, "code": "R"}], {"PSY"}),
        ([{"system": ACT, "code": "PSY"}, {"system": ACT, "code": "HIV"}], {"PSY", "HIV"}),
        ([{"system": ACT, "code": "TABOO"}], {"R"}),
        ([{"system": "http://example.org/workflow", "code": "x"}], {"N"}),
        ([{"system": ACT, "code": ["PSY"]}, {"system": CONFIDENTIALITY, "code": {}}], {"R"}),
        ("R", {"R"}),
        ([5], {"R"}),
        (..., {"R"}),
    ],
)
def test_sensitivity_is_read_from_meta_security(security: Any, labels: set[str]) -> None:
    meta = {} if security is None else {"meta": [] if security is ... else {"security": security}}
    assert labels_of({"resourceType": "Encounter"} | meta) == labels


@pytest.mark.parametrize(
    ("when", "days"),
    [
        ({"start": "2026-03-05", "end": "2026-03-07"}, (date(2026, 3, 5), date(2026, 3, 7))),
        ({"start": "2026-03-05"}, (date(2026, 3, 5), date(2026, 3, 5))),
        ({"start": "2026-02"}, (date(2026, 2, 1), date(2026, 2, 28))),
        ({"start": "2027", "end": "2028-02"}, (date(2027, 1, 1), date(2028, 2, 29))),
        ({"start": "2026-03-06T03:00:00Z"}, (date(2026, 3, 5), date(2026, 3, 5))),
        ({"start": "2026-03-05T23:59:59-05:00"}, (date(2026, 3, 5), date(2026, 3, 5))),
        ({"start": "2026-12"}, (date(2026, 12, 1), date(2026, 12, 31))),
        ({"start": "2026-03-07", "end": "2026-03-05"}, (date.min, date.max)),
        ({"end": "2026-03-05"}, (date.min, date.max)),
        ({"start": "ayer"}, (date.min, date.max)),
        ({"start": "2026-13-01"}, (date.min, date.max)),
        ({"start": "9999-12"}, (date.min, date.max)),
        ("2026-03-05", (date(2026, 3, 5), date(2026, 3, 5))),
        (5, (date.min, date.max)),
    ],
    ids=str,
)
def test_days_are_those_of_lima_and_unknown_ones_are_all(when: Any, days: tuple[date, date]) -> None:
    assert days_of({"resourceType": "Encounter", "period": when}) == days


def test_a_type_whose_date_nobody_taught_is_of_every_date() -> None:
    rule = {"type": "forbid", "dataPeriod": {"end": "1990-01-01"}}
    observation = {"resourceType": "Observation", "effectiveDateTime": "2026-01-01"}
    assert not flows(observation, [rule])
    assert flows(encounter("a", period={"start": "2026-01-01"}), [rule])


@pytest.mark.parametrize(
    "rule",
    [{"type": "permit"}, {}, {"type": "forbid", "surprise": 1}, {"type": "forbid", "data": [{"meaning": "related"}]}],
)
def test_a_rule_that_says_something_else_forbids(rule: Any) -> None:
    assert not flows(encounter("a"), [rule])


def attached(what: Any) -> list[dict[str, Any]]:
    data = b64encode((what if isinstance(what, str) else "\ufeff" + json.dumps(what)).encode()).decode()
    return [{"resourceType": "DocumentReference", "content": [{"attachment": {"data": f" {data}\n"}}]}]


PROBLEM = {"system": "urn:hc", "value": "P-7"}
EPISODE = {"system": "urn:episodes", "value": "HC 7&1"}
ORIGIN = "https://origin.example/fhir/Condition/70"
UUID_OF_8 = "0f0e0d0c-0b0a-0908-0706-050403020100"
HIDDEN = {"resourceType": "Condition", "id": "7", "identifier": [PROBLEM, EPISODE], "meta": {"source": ORIGIN}}
NAMES = {*own_names(HIDDEN), f"Condition/{UUID_OF_8}"}


def hiding(names: Iterable[str]) -> dict[str, Any]:
    return {"type": "forbid", "data": [{"meaning": "dependents", "reference": {"reference": one}} for one in names]}


HIDING = hiding(NAMES)


@pytest.mark.parametrize(
    "speaking",
    [
        {"diagnosis": [{"condition": {"reference": "Condition/7", "display": "VIH"}}]},
        {"reasonReference": [{"reference": "https://h.example/fhir/Condition/7"}]},
        {"reasonReference": [{"reference": "Condition/7/_history/2"}]},
        {"contained": [{"resourceType": "Condition", "id": "7"}]},
        {"contained": [{"resourceType": "Provenance", "target": [{"reference": "Condition/7"}]}]},
        {"extension": [{"url": "urn:x", "valueUri": "https://h.example/fhir/Condition/7?_format=json"}]},
        {"text": {"div": "<div><a href='Condition/7'>-</a></div>"}},
        {"text": {"div": "<div><a href='Condition&#x2F;7'>-</a></div>"}},
        {"extension": [{"url": "urn:x", "valueUri": "https://h.example/fhir/Condition%2F7"}]},
        {"reasonReference": [{"reference": "Condition?status=active&_id=7"}]},
        {"text": {"div": "<div>Véase Condition/7.</div>"}},
        {"diagnosis": [{"condition": {"type": "Condition", "identifier": PROBLEM}}]},
        {"reasonReference": [{"reference": "Condition?identifier=urn%3Ahc|P-7"}]},
        {"text": {"div": "<a href='Condition?code=x&amp;identifier=urn:episodes|HC%207%261'>-</a>"}},
        {"reasonReference": [{"reference": "https://h.example/FHIR/Condition/7"}]},
        {"contained": attached({"resourceType": "Condition", "id": "7"})},
        {"extension": [{"url": "urn:x", "valueBase64Binary": b64encode(b"<Condition/7>").decode()}]},
        {"contained": attached("<Condition><id value='1'/><a href='Condition/7'/></Condition>")},
        {"extension": [{"url": "urn:x", "valueUri": "https://h.example/?to=%2F%3Fto%3DCondition%252F7"}]},
        {"text": {"div": f"<p>&#{'9' * 5000};&#{'0' * 5000}67;ondition/7</p>"}},
        {"contained": [{"resourceType": "Condition", "id": "c1", "identifier": [PROBLEM]}]},
        {"identifier": [PROBLEM]},
        {"meta": {"source": f"{ORIGIN}/_history/3#42"}},
        {"meta": {"source": f"{ORIGIN}/?x=1"}},
        {"reasonReference": [{"reference": ORIGIN}]},
        {"reasonReference": [{"reference": f"urn:uuid:{UUID_OF_8.upper()}"}]},
    ],
    ids=[
        "reference",
        "absolute",
        "version",
        "contained",
        "provenance",
        "extension",
        "narrative",
        "character-reference",
        "percent-encoded",
        "search",
        "end-of-sentence",
        "logical",
        "conditional",
        "conditional-encoded",
        "base-like-a-type",
        "attached",
        "in-an-extension",
        "attached-text",
        "encoded-twice",
        "numbers-without-end",
        "contained-copy",
        "copy",
        "copy-of-the-same",
        "copy-with-a-slash",
        "original",
        "urn",
    ],
)
def test_what_speaks_of_a_hidden_item_is_withheld_with_it(speaking: dict[str, Any]) -> None:
    assert not flows(encounter("a", **speaking), [HIDING])
    entries = [{"resource": encounter("a", **speaking)}, {"resource": encounter("b")}]
    left = served({"resourceType": "Bundle", "entry": entries}, [HIDING]).json["entry"]
    assert [one["resource"]["id"] for one in left] == ["b"]


def test_a_hidden_item_is_named_by_nothing_it_says() -> None:
    assert sorted(name.rpartition(":")[0] for name in NAMES) == [
        "", "", "urn:renhice:identifier", "urn:renhice:identifier", "urn:renhice:source",
    ]  # fmt: skip
    whose = {"subject": {"identifier": PROBLEM}, "meta": {"source": "https://lab.example/fhir#9"}}
    assert own_names({"resourceType": "Condition", "id": "7", "identifier": [PROBLEM]} | whose) == {"Condition/7"}


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


def test_an_item_is_as_sensitive_as_what_it_contains() -> None:
    inside = {"resourceType": "Condition", "id": "c", "meta": {"security": [PSY]}}
    assert labels_of(encounter("a", contained=[inside, 5])) == {"PSY"}
    assert not flows(encounter("a", contained=[inside]), [NO_PSY])


def test_a_chain_of_any_length_is_followed() -> None:
    chain = [encounter(str(number), partOf={"reference": f"Encounter/{number + 1}"}) for number in range(3_000)]
    entries = [{"resource": one} for one in [*chain, encounter("3000", "PSY"), encounter("alone")]]
    grant = replace(GRANT, claims={"extensions": {"ihe_pcf": {"residual": [NO_PSY]}}})
    assert [one["resource"]["id"] for one in grant.releases_of(entries)] == ["alone"]


@pytest.mark.parametrize("reference", ["Condition/77", "Condition/7-a", "Condition/7.1", "MyCondition/7", "#7", "7"])
def test_what_speaks_of_another_item_is_not(reference: str) -> None:
    assert flows(encounter("7", reasonReference=[{"reference": reference}]), [HIDING])


def test_a_resource_of_any_depth_is_looked_through() -> None:
    deep: Any = {"reference": "Condition/7"}
    for _ in range(5_000):
        deep = [deep]
    assert not flows(encounter("a", note=deep), [HIDING])


def test_a_resource_is_looked_through_once_however_many_items_are_hidden() -> None:
    """Else who holds records decides how long everybody's gateway is busy with 30 hidden items of one person."""

    class Counted(dict[str, Any]):
        looks = 0

        def items(self) -> Any:
            Counted.looks += 1
            return super().items()

    class Read(list[Any]):
        looks = 0

        def __iter__(self) -> Any:
            Read.looks += 1
            return super().__iter__()

    data = [{"meaning": "dependents", "reference": {"reference": f"Condition/{number}"}} for number in range(100, 130)]
    rules = [{"type": "forbid", "data": Read(data[:15])}, {"type": "forbid", "data": Read(data[15:])}, NO_PSY]
    entries = [{"resource": encounter("a", note=[Counted()])}, {"resource": encounter("b", "PSY")}]
    assert release(entries, rules) == entries[:1]
    assert (Counted.looks, Read.looks) == (1, 2)


def test_a_dependent_that_is_no_item_may_be_any() -> None:
    data = [{"meaning": "dependents", "reference": {"reference": "urn:uuid:7"}}]
    assert not flows(encounter("a"), [{"type": "forbid", "data": data}])
