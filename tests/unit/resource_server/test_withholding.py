"""What leaves a holder's server: nothing the residual forbids, and nothing that can't be checked against it."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from consent_broker.resource_server import GuardMiddleware
from consent_broker.resource_server.residual import days_of, flows, labels_of
from tests.unit.resource_server.serving import ACT, HIDING, NO_PSY, PSY, encounter, served
from tests.unit.resource_server.test_wsgi import GRANT, Recorder

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


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


def test_an_item_is_as_sensitive_as_what_it_contains() -> None:
    inside = {"resourceType": "Condition", "id": "c", "meta": {"security": [PSY]}}
    assert labels_of(encounter("a", contained=[inside, 5])) == {"PSY"}
    assert not flows(encounter("a", contained=[inside]), [NO_PSY])
