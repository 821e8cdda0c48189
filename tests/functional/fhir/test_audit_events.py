"""AuditEvent and Provenance: what one's own establishment did and said, and nothing of anybody else's."""

from typing import Any

import pytest

from registry.app import Renhice
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import new_id
from tests.functional.fhir.conftest import IDS, SYSTEMS, Call, Json, rosa


@pytest.fixture
def patient(put: Call) -> Json:
    return dict(put("E-1", rosa()).json)


def events(call: Call, token: str = "a-auditor", **query: Any) -> list[Json]:
    answer = call("GET", "/fhir/AuditEvent", token=token, query_string=query)
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json.get("entry", [])]


def actions(found: list[Json]) -> list[str]:
    return [one["subtype"][0]["code"] for one in found]


def test_ones_own_doings_about_a_patient(call: Call, patient: Json) -> None:
    call("GET", f"/fhir/Patient/{patient['id']}")
    found = events(call, **{"patient.identifier": f"{SYSTEMS['a']}|E-1"})
    assert {"identity:record:received", "identity:record:read"} <= set(actions(found))
    read = next(one for one in found if one["subtype"][0]["code"] == "identity:record:read")
    assert (read["action"], read["outcome"]) == ("R", "0")
    assert read["agent"][0]["who"] == {"reference": f"Organization/{IDS['a']}"}
    assert {"reference": f"Patient/{patient['id']}"} in [one.get("what") for one in read["entity"]]
    assert call("GET", f"/fhir/AuditEvent/{read['id']}", token="a-auditor").json == read


def test_others_doings_look_unknown(call: Call, put: Call, patient: Json) -> None:
    put("F-1", rosa(), token="b")
    theirs = events(call, "b-auditor", **{"patient.identifier": f"{SYSTEMS['b']}|F-1"})
    assert theirs
    mine = events(call, patient=patient["id"])
    assert {one["id"] for one in mine}.isdisjoint(one["id"] for one in theirs)
    assert call("GET", f"/fhir/AuditEvent/{theirs[0]['id']}", token="a-auditor").status_code == 404
    assert call("GET", f"/fhir/AuditEvent/{new_id()}", token="a-auditor").status_code == 404


def test_what_people_do_about_an_establishment_and_why_it_was_refused_is_not_shown(
    call: Call, renhice: Renhice, patient: Json
) -> None:
    person = patient["link"][0]["other"]["reference"].removeprefix("Patient/")
    about = {"person_id": person, "establishment_id": IDS["a"]}
    with renhice.database.unit_of_work() as session:
        hidden = record(session, Event(action="consent:access:decided", outcome="refused", reason="objection", **about))
        record(session, Event(action="exchange:records:read", detail={"withheld": 7, "counts": ["X: 1"]}, **about))
    found = events(call, patient=person)
    assert str(hidden) not in [one["id"] for one in found]
    assert call("GET", f"/fhir/AuditEvent/{hidden}", token="a-auditor").status_code == 404
    details = [one["type"] for event in found for entity in event["entity"] for one in entity.get("detail", [])]
    assert "counts" in details
    assert "withheld" not in details


def test_another_holders_handle_for_its_patient_is_not_shown(call: Call, put: Call, renhice: Renhice) -> None:
    theirs = put("F-7", rosa(birthDate="1951-02-03"), token="b").json
    person = theirs["link"][0]["other"]["reference"].removeprefix("Patient/")
    ids = {"person_id": person, "establishment_id": IDS["a"], "source_record_id": theirs["id"], "holder_id": IDS["b"]}
    with renhice.database.unit_of_work() as session:
        for action in ("exchange:records:read", "exchange:document:read", "oauth:token:issued"):
            record(session, Event(action=action, **ids))
    found = events(call, patient=person)
    assert len(found) >= 3
    assert theirs["id"] not in str(found)


def test_by_time_outcome_and_page(call: Call, patient: Json) -> None:
    assert events(call, date="ge2020-01-01", _count="2")
    assert events(call, date="lt2020-01-01") == []
    assert events(call, date="2020") == []
    call("GET", f"/fhir/Patient/{new_id()}")
    assert {one["outcome"] for one in events(call, date="ge2020", outcome="8")} == {"8"}
    page = call("GET", "/fhir/AuditEvent?date=ge2020&_count=1", token="a-auditor").json
    following = next(link["url"] for link in page["link"] if link["relation"] == "next")
    again = call("GET", following.removeprefix("http://127.0.0.1:8000"), token="a-auditor").json
    assert again["entry"][0]["resource"]["id"] != page["entry"][0]["resource"]["id"]


@pytest.mark.parametrize(
    "query",
    [{}, {"outcome": "0"}, {"date": "ayer"}, {"date": "ap2026"}, {"date": "2025,2026"}, {"patient": ["1", "2"]}],
)
def test_a_search_says_of_whom_or_when(call: Call, query: Any) -> None:
    assert call("GET", "/fhir/AuditEvent", token="a-auditor", query_string=query).status_code == 400


def test_scopes(call: Call) -> None:
    assert call("GET", "/fhir/AuditEvent?date=2026", token="a").status_code == 403
    assert call("GET", "/fhir/Provenance?target=Patient/1", token="a").status_code == 403


def provenance(call: Call, target: str, token: str = "a-documents") -> list[Json]:
    answer = call("GET", "/fhir/Provenance", token=token, query_string={"target": target})
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json.get("entry", [])]


def test_every_version_of_a_record_says_who_said_it(call: Call, put: Call) -> None:
    first = put("E-2", rosa(birthDate="1971-02-03")).json["id"]
    put("E-2", rosa(birthDate="1971-03-02"))
    newest, oldest = provenance(call, f"Patient/{first}")
    assert [one["activity"]["coding"][0]["code"] for one in (newest, oldest)] == ["UPDATE", "CREATE"]
    assert newest["agent"][0]["who"] == {"reference": f"Organization/{IDS['a']}"}
    assert provenance(call, f"Patient/{first}/_history/1") == [oldest]
    assert call("GET", f"/fhir/Provenance/{newest['id']}", token="a-documents").json == newest


def test_nothing_of_others(call: Call, put: Call) -> None:
    other = put("F-2", rosa(birthDate="1971-02-03"), token="b").json["id"]
    assert provenance(call, f"Patient/{other}") == []
    assert provenance(call, f"DocumentReference/{new_id()}") == []
    for name in (f"{other}.1", f"{other}.9", str(new_id()), "x", "-" * 36):
        assert call("GET", f"/fhir/Provenance/{name}", token="a-documents").status_code == 404
    for target in ("x", "Organization/1", "Patient/1"):
        answer = call("GET", "/fhir/Provenance", token="a-documents", query_string={"target": target})
        assert answer.status_code == 400
