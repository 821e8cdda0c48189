"""$match, $ihe-pix and $patient-location over HTTP, with the exact answers of their profiles."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.locator.hiding import hide_links
from tests.functional.fhir.conftest import IDS, SYSTEMS, Call, Json, misspelt, rosa
from tests.functional.fhir.test_feed import issue

Put = Callable[..., TestResponse]
PERSONA = "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/persona"
DNI = "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/dni"
PIX = "/fhir/Patient/$ihe-pix"


@pytest.fixture(scope="module", autouse=True)
def two_records(request: pytest.FixtureRequest) -> dict[str, Json]:
    """Rosa at both establishments, under different numbers."""
    client = request.getfixturevalue("app").test_client()
    kept = {}
    for token, number, patient in (("a", "A-77", rosa()), ("b", "900", misspelt())):
        local = {"system": SYSTEMS[token], "value": number}
        body = patient | {"identifier": [local, *patient["identifier"]]}
        response = client.put(
            "/fhir/Patient",
            json=body,
            query_string={"identifier": f"{SYSTEMS[token]}|{number}"},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert response.status_code == 201
        kept[token] = response.json
    return kept


def person_of(record: Json) -> str:
    return record["link"][0]["other"]["reference"].removeprefix("Patient/")


def asking(patient: Json, **more: Any) -> Json:
    parameters = [{"name": "resource", "resource": patient}]
    for name, value in more.items():
        parameters.append({"name": name, ("valueBoolean" if isinstance(value, bool) else "valueInteger"): value})
    return {"resourceType": "Parameters", "parameter": parameters}


def test_match_finds_the_person_and_shows_only_what_recognising_needs(call: Call, two_records: dict[str, Json]) -> None:
    bundle = call("POST", "/fhir/Patient/$match", asking(misspelt())).json
    entry = bundle["entry"][0]
    assert (bundle["type"], bundle["total"]) == ("searchset", 1)
    assert entry["resource"]["id"] == person_of(two_records["a"])
    assert 0.99 < entry["search"]["score"] <= 1
    assert entry["search"]["mode"] == "match"
    assert entry["search"]["extension"][0]["valueCode"] == "certain"
    assert {"telecom", "address"}.isdisjoint(entry["resource"])
    assert "A-77" not in str(entry)


def test_match_shows_a_document_only_to_who_sent_it(call: Call) -> None:
    sent = call("POST", "/fhir/Patient/$match", asking(rosa())).json
    unsent = call("POST", "/fhir/Patient/$match", asking(rosa(identifier=[{"system": "x", "value": "1"}]))).json
    assert "40718293" in str(sent["entry"][0]["resource"])
    assert unsent["entry"]
    assert "40718293" not in str(unsent)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"name": [{"given": ["Rosa"]}]},
        {"name": [{"family": "Zubiaurre", "given": ["Rosa", "Elvira"]}]},
        {"birthDate": "1951-02-03"},
        {"birthDate": "1984"},
    ],
)
def test_document_number_alone_finds_nobody(call: Call, more: Json) -> None:
    found = call("POST", "/fhir/Patient/$match", {"resourceType": "Patient", "identifier": rosa()["identifier"]} | more)
    assert found.json["total"] == 0
    modes = {entry["search"]["mode"] for entry in found.json.get("entry", [])}
    assert modes == (set() if "birthDate" in more or "family" in str(more) else {"outcome"})


@pytest.mark.parametrize("more", [{"birthDate": "1984-07-19"}, {"name": [{"family": "Guaman"}]}])
def test_document_with_a_surname_or_the_birth_date_finds_its_holder(
    call: Call, two_records: dict[str, Json], more: Json
) -> None:
    patient = {"resourceType": "Patient", "identifier": rosa()["identifier"]} | more
    found = call("POST", "/fhir/Patient/$match", patient).json["entry"]
    assert [entry["resource"]["id"] for entry in found] == [person_of(two_records["a"])]


def test_match_of_a_stranger_is_an_empty_bundle_and_is_audited(call: Call, renhice: Renhice) -> None:
    stranger = rosa(identifier=[], name=[{"family": "Zubiaurre", "given": ["Ana"]}], birthDate="1990-01-02", telecom=[])
    assert call("POST", "/fhir/Patient/$match", asking(stranger)).json["total"] == 0
    with renhice.database.unit_of_work() as session:
        details = session.scalars(select(AuditEvent.detail).where(AuditEvent.action == "identity:person:matched")).all()
    assert {"count": 0} in details


def test_match_with_too_little_says_what_to_send(call: Call) -> None:
    response = call("POST", "/fhir/Patient/$match", {"resourceType": "Patient", "gender": "male"})
    assert response.status_code == 422
    assert "birth date" in issue(response)["diagnostics"]


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Parameters"},
        {"resourceType": "Parameters", "parameter": {}},
        {"resourceType": "Parameters", "parameter": ["x"]},
        {"resourceType": "Parameters", "parameter": [{"name": "resource"}]},
        {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": {"resourceType": "Zzz"}}]},
        {"resourceType": "Observation"},
        asking(rosa(), count=0),
        asking(rosa(), count=True),
        asking(rosa(), onlyCertainMatches=1),
        asking(rosa(contained=[{"resourceType": "Zzz"}])),
        asking(rosa(birthDate="2999-01-01")),
    ],
)
def test_match_refuses_what_is_not_its_input(call: Call, body: Json) -> None:
    response = call("POST", "/fhir/Patient/$match", body)
    assert response.status_code == 400
    assert issue(response)["code"] == "invalid"


def test_pix_gives_the_other_identifiers(call: Call, two_records: dict[str, Json]) -> None:
    query = {"sourceIdentifier": f"{SYSTEMS['a']}|A-77"}
    found = call("GET", PIX, query_string=query).json["parameter"]
    identifiers = {
        (p["valueIdentifier"]["system"], p["valueIdentifier"]["value"]) for p in found if "valueIdentifier" in p
    }
    assert {(SYSTEMS["b"], "900"), (PERSONA, person_of(two_records["a"]))} <= identifiers
    assert (SYSTEMS["a"], "A-77") not in identifiers
    assert two_records["b"]["id"] not in str(found)
    posted = {
        "resourceType": "Parameters",
        "parameter": [{"name": "sourceIdentifier", "valueString": query["sourceIdentifier"]}],
    }
    assert call("POST", PIX, posted).json["parameter"] == found
    form = call(
        "POST",
        PIX,
        f"sourceIdentifier={SYSTEMS['a']}%7CA-77".encode(),
        content_type="application/x-www-form-urlencoded",
    )
    assert form.json["parameter"] == found


def test_pix_by_person_and_target(call: Call, two_records: dict[str, Json]) -> None:
    query = {"sourceIdentifier": f"{PERSONA}|{person_of(two_records['a'])}", "targetSystem": SYSTEMS["b"]}
    found = call("GET", PIX, query_string=query).json["parameter"]
    assert [p["valueIdentifier"]["value"] for p in found if "valueIdentifier" in p] == ["900"]


@pytest.mark.parametrize(
    ("source", "target", "status", "code", "text"),
    [
        (f"{SYSTEMS['a']}|none", None, 404, "not-found", "sourceIdentifier Patient Identifier not found"),
        (f"{SYSTEMS['b']}|900", None, 404, "not-found", "sourceIdentifier Patient Identifier not found"),
        ("https://nowhere.example|1", None, 400, "code-invalid", "sourceIdentifier Assigning Authority not found"),
        (f"{SYSTEMS['a']}|A-77", "https://nowhere.example", 403, "code-invalid", "targetSystem not found"),
        (f"{PERSONA}|not-a-uuid", None, 404, "not-found", "sourceIdentifier Patient Identifier not found"),
        ("nothing", None, 400, "invalid", "sourceIdentifier must be <system>|<value>, once."),
    ],
)
def test_pix_errors_are_those_of_the_profile(
    call: Call, source: str, target: str | None, status: int, code: str, text: str
) -> None:
    query = {"sourceIdentifier": source} | ({"targetSystem": target} if target else {})
    response = call("GET", PIX, query_string=query)
    assert (response.status_code, issue(response)["code"]) == (status, code)
    assert issue(response)["details"]["text"] == text


def test_pix_takes_no_document_number(call: Call) -> None:
    dni = "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/dni|40718293"
    response = call("GET", PIX, query_string={"sourceIdentifier": dni})
    assert response.status_code == 400
    assert "$match" in issue(response)["diagnostics"]


def test_location_names_the_establishments(call: Call, two_records: dict[str, Json]) -> None:
    for patient in (person_of(two_records["a"]), two_records["a"]["id"]):
        found = call("GET", f"/fhir/Patient/{patient}/$patient-location").json["parameter"]
        assert {
            part["valueIdentifier"]["value"] for p in found for part in p["part"] if part["name"] == "identifier"
        } == {
            "00000000",
            "00000001",
        }
    assert call("GET", f"/fhir/Patient/{two_records['b']['id']}/$patient-location").status_code == 404


def test_operations_that_change_nothing_are_asked_by_post_too(call: Call, two_records: dict[str, Json]) -> None:
    """FHIR R4 operations §3.2.0.1: any operation may be invoked by POST, with Parameters."""
    path = f"/fhir/Patient/{two_records['a']['id']}/$patient-location"
    expected = call("GET", path).json
    assert call("POST", path).json == call("POST", path, {"resourceType": "Parameters"}).json == expected
    unknown = {"resourceType": "Parameters", "parameter": [{"name": "count", "valueInteger": 1}]}
    for body in (unknown, {"resourceType": "Patient"}, {"resourceType": "Parameters", "parameter": {}}):
        assert call("POST", path, body).status_code == 400
    source = {"system": SYSTEMS["a"], "value": "A-77"}
    by_query = call("GET", PIX, query_string={"sourceIdentifier": f"{SYSTEMS['a']}|A-77"}).json
    for said in ({"valueIdentifier": source}, {"valueString": f"{SYSTEMS['a']}|A-77"}):
        asked = {"resourceType": "Parameters", "parameter": [{"name": "sourceIdentifier", **said}]}
        assert call("POST", PIX, asked).json == by_query
    for bad in ({"valueIdentifier": {"value": "A-77"}}, {"valueIdentifier": "A-77"}, {"valueBoolean": True}):
        asked = {"resourceType": "Parameters", "parameter": [{"name": "sourceIdentifier", **bad}]}
        assert call("POST", PIX, asked).status_code == 400


def test_a_hidden_link_is_known_to_the_hidden_establishment_alone(
    call: Call, two_records: dict[str, Json], renhice: Renhice
) -> None:
    person = person_of(two_records["a"])
    pix = {"sourceIdentifier": f"{PERSONA}|{person}"}
    location = f"/fhir/Patient/{person}/$patient-location"
    alone = {"sourceIdentifier": f"{SYSTEMS['a']}|A-77", "targetSystem": SYSTEMS["b"]}
    with renhice.database.unit_of_work() as session:
        hide_links(session, UUID(person), {IDS["b"]})
    try:
        seen = [call("GET", location).text, call("GET", PIX, query_string=pix).text]
        assert not any(mark in text for text in seen for mark in ("00000001", "Hospital b", SYSTEMS["b"], "900"))
        assert "valueIdentifier" not in call("GET", PIX, query_string=alone).text
        assert all(mark in call("GET", location, token="b").text for mark in ("00000000", "00000001"))
        assert "A-77" in call("GET", PIX, query_string=pix, token="b").text
    finally:
        with renhice.database.unit_of_work() as session:
            hide_links(session, UUID(person), set())
    assert "00000001" in call("GET", location).text


def test_where_somebody_is_treated_is_told_only_to_who_holds_a_record(call: Call, put: Put, renhice: Renhice) -> None:
    kept = put("A-99", stranger(), token="a").json
    person = person_of(kept)
    answer = call("GET", f"/fhir/Patient/{person}/$patient-location", token="b")
    assert (answer.status_code, issue(answer)["code"]) == (403, "forbidden")
    with renhice.database.unit_of_work() as session:
        rows = session.scalars(select(AuditEvent).where(AuditEvent.reason == "no-record-held")).all()
    assert [(row.client_id, row.outcome, str(row.person_id)) for row in rows] == [("sihce-b", "refused", person)]
    pix = call("GET", PIX, query_string={"sourceIdentifier": f"{PERSONA}|{person}"}, token="b")
    assert (pix.status_code, "A-99" in pix.text, SYSTEMS["a"] in pix.text) == (200, False, False)
    put("B-99", stranger(), token="b")
    assert call("GET", f"/fhir/Patient/{person}/$patient-location", token="b").status_code == 200
    assert "A-99" in call("GET", PIX, query_string={"sourceIdentifier": f"{PERSONA}|{person}"}, token="b").text


@pytest.mark.parametrize("number", ["45671234", "HC-45671234", "4567-1234"])
def test_local_number_that_is_a_document_number_stays_at_home(call: Call, put: Put, number: str) -> None:
    mine = {"identifier": [{"system": DNI, "value": "45671234"}], "birthDate": "1975-05-05"}
    person = person_of(put("A-98", stranger(**mine), token="a").json)
    assert person_of(put(number, stranger(**mine), token="b").json) == person
    query = {"sourceIdentifier": f"{PERSONA}|{person}"}
    assert SYSTEMS["b"] not in call("GET", PIX, query_string=query).text
    assert number in call("GET", PIX, query_string=query, token="b").text


def stranger(**more: Any) -> Json:
    return rosa(identifier=[], name=[{"family": "Zubiaurre", "given": ["Anacleto"]}], birthDate="1990-01-02") | more


def test_read_own_record_version_and_person(call: Call, two_records: dict[str, Json]) -> None:
    own = two_records["a"]
    assert call("GET", f"/fhir/Patient/{own['id']}").json == own
    assert call("GET", f"/fhir/Patient/{own['id']}/_history/1").json == own
    assert call("GET", f"/fhir/Patient/{own['id']}/_history/2").status_code == 404
    assert call("GET", f"/fhir/Patient/{own['id']}", token="b").status_code == 404
    person = call("GET", f"/fhir/Patient/{person_of(own)}").json
    assert person["name"][0]["given"][0] == "Rosa"
    assert "telecom" not in person


def test_every_read_is_audited(call: Call, two_records: dict[str, Json], renhice: Renhice) -> None:
    person = person_of(two_records["a"])
    for path in (two_records["a"]["id"], person, f"{person}/$patient-location"):
        call("GET", f"/fhir/Patient/{path}")
    with renhice.database.unit_of_work() as session:
        rows = session.scalars(select(AuditEvent).where(AuditEvent.client_id == "sihce-a")).all()
    seen = {(row.action, str(row.person_id)) for row in rows}
    assert {
        ("identity:record:read", person),
        ("identity:person:read", person),
        ("locator:person:located", person),
    } <= seen


def test_reaching_for_anothers_record_is_audited_as_refused(
    call: Call, two_records: dict[str, Json], renhice: Renhice
) -> None:
    other = two_records["b"]["id"]
    for path in (other, f"{other}/$patient-location", f"{other}/_history/1"):
        assert call("GET", f"/fhir/Patient/{path}").status_code == 404
    assert call("PUT", f"/fhir/Patient/{other}", rosa(id=other)).status_code == 404
    with renhice.database.unit_of_work() as session:
        rows = session.scalars(select(AuditEvent).where(AuditEvent.outcome == "refused")).all()
    seen = {row.action for row in rows if row.detail.get("requested") == other}
    assert seen == {
        "identity:person:read",
        "locator:person:located",
        "identity:record:read",
        "identity:record:received",
    }


def test_capability_statement_is_public_and_valid(client: Any) -> None:
    statement = client.get("/fhir/metadata").json
    patient = next(one for one in statement["rest"][0]["resource"] if one["type"] == "Patient")
    assert patient["conditionalUpdate"] is True
