"""The document index over MHD: provided, found, superseded and never deleted; the documents stay with their holders."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError

from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.database import new_id
from registry.fhir.xml_format import from_xml, to_xml
from tests.functional.fhir.conftest import SYSTEMS, Call, Json, rosa
from tests.functional.fhir.documents import BASE, coded, document, submission
from tests.functional.fhir.ips import ips
from tests.functional.fhir.mhd.conftest import NUMBERS, Provide, found, ids, verdict


def test_a_document_is_provided_found_and_read(call: Call, provide: Provide, patient: Json) -> None:
    answer = provide(document(patient, next(NUMBERS)))
    assert [entry["response"]["status"] for entry in answer.json["entry"]] == ["201 Created", "201 Created"]
    [made] = ids(answer)
    assert made in found(call, patient=patient["reference"].removeprefix("Patient/"), type="http://loinc.org|18842-5")
    read = call("GET", f"/fhir/DocumentReference/{made}", token="a-documents").json
    assert (read["status"], read["subject"]) == ("current", patient)
    assert read["content"][0]["attachment"]["url"].startswith(f"{BASE}/Binary/doc-")
    assert (verdict(read)["estado"], verdict(read)["motivo"]) == ("unverified", "no-signature")


def test_the_same_submission_again_changes_nothing(provide: Provide, patient: Json) -> None:
    number, one = next(NUMBERS), document(patient, next(NUMBERS))
    first, again = provide(one, number=number), provide(one, number=number)
    assert ids(first) == ids(again)
    assert again.json["entry"][0]["response"]["status"] == "200 OK"
    other = provide(document(patient, next(NUMBERS)), number=number)
    assert (other.status_code, other.json["issue"][0]["details"]["coding"][0]["code"]) == (
        409, "submission-identifier-taken",
    )  # fmt: skip
    assert provide(one).status_code == 409


def test_a_correction_supersedes_and_nothing_is_deleted(call: Call, provide: Provide, patient: Json) -> None:
    number = next(NUMBERS)
    [old] = ids(provide(document(patient, number)))
    master = {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:1.2.3.{number}"}
    related = [{"code": "replaces", "target": {"identifier": master}}]
    [new] = ids(provide(document(patient, next(NUMBERS), relatesTo=related)))
    read = call("GET", f"/fhir/DocumentReference/{old}", token="a-documents").json
    assert (read["status"], read["meta"]["versionId"]) == ("superseded", "2")
    assert call("GET", f"/fhir/DocumentReference/{new}", token="a-documents").json["relatesTo"] == [
        {"code": "replaces", "target": {"reference": f"DocumentReference/{old}"}}
    ]
    query = {"patient": patient["reference"]}
    assert old in found(call, status="superseded", **query)
    assert old not in found(call, status="current", **query)
    target = {"reference": f"DocumentReference/{old}"}
    again = provide(document(patient, next(NUMBERS), relatesTo=[{"code": "replaces", "target": target}]))
    assert again.status_code == 409
    assert call("DELETE", f"/fhir/DocumentReference/{old}", token="a-documents").status_code == 405


def test_the_database_lets_nobody_change_the_index(renhice: Renhice) -> None:
    for statement in ("DELETE FROM document_references", "UPDATE document_submissions SET client_id = 'x'"):
        with pytest.raises(ProgrammingError, match="permission denied"), renhice.database.engine.begin() as connection:
            connection.execute(text(statement))


SEARCHES = {
    "type": ("http://loinc.org|18842-5", "http://loinc.org|60591-5"),
    "category": ("11503-0", "x"),
    "status": ("current", "superseded"),
    "period": ("2026-11", "lt2026-11-01"),
    "date": ("ge2026-11-20", "2026-11-21"),
    "creation": ("2026-11-20", "gt2026-12-01"),
    "facility": ("urn:x|HOSP", "urn:y|HOSP"),
    "security-label": ("N", "R"),
    "contenttype": ("application/pdf", "text/plain"),
    "author.family": ("quis", "mamani"),
    "author": ("#autor", "Practitioner/1"),
}


@pytest.mark.parametrize("name", list(SEARCHES))
def test_documents_are_found_by_what_they_are(call: Call, provide: Provide, patient: Json, name: str) -> None:
    contained = [{"resourceType": "Practitioner", "id": "autor", "name": [{"family": "Quispe"}]}]
    [made] = ids(provide(document(patient, next(NUMBERS), contained=contained, author=[{"reference": "#autor"}])))
    yes, no = SEARCHES[name]
    query = {"patient": patient["reference"]}
    assert made in found(call, **query, **{name: yes})
    assert made not in found(call, **query, **{name: no})
    assert made in found(call, **query, **{name: f"{no},{yes}"})


def test_submission_sets_are_found_and_name_their_documents(call: Call, provide: Provide, patient: Json) -> None:
    number = next(NUMBERS)
    made = ids(provide(document(patient, next(NUMBERS)), document(patient, next(NUMBERS)), number=number))
    query = {
        "patient.identifier": f"{SYSTEMS['a']}|D-1",
        "code": "submissionset",
        "identifier": f"urn:oid:1.2.9.{number}",
    }
    answer = call("GET", "/fhir/List", token="a-documents", query_string=query)
    [entry] = answer.json["entry"]
    assert [one["item"]["reference"] for one in entry["resource"]["entry"]] == [
        f"DocumentReference/{one}" for one in made
    ]
    read = call("GET", f"/fhir/List/{entry['resource']['id']}", token="a-documents")
    assert read.json == entry["resource"]


def test_pages_of_documents(call: Call, provide: Provide, put: Call) -> None:
    reference = {"reference": f"Patient/{put('D-9', rosa(birthDate='1960-01-01')).json['id']}"}
    made = ids(provide(*(document(reference, next(NUMBERS)) for _ in range(3))))
    url, seen = f"/fhir/DocumentReference?patient={reference['reference']}&_count=2", []
    while url:
        page = call("GET", url.removeprefix("http://127.0.0.1:8000"), token="a-documents").json
        assert page["total"] == 3
        seen += [entry["resource"]["id"] for entry in page["entry"]]
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    assert sorted(seen) == sorted(made)


def test_documents_of_a_duplicate_are_found_under_the_record_that_stays(
    call: Call, provide: Provide, put: Call
) -> None:
    facts = rosa(birthDate="1949-01-02")
    duplicate, stays = (put(number, facts).json["id"] for number in ("D-20", "D-21"))
    [made] = ids(provide(document({"reference": f"Patient/{duplicate}"}, next(NUMBERS))))
    link = [{"other": {"reference": f"Patient/{stays}"}, "type": "replaced-by"}]
    assert put("D-20", facts | {"active": False, "link": link}).status_code == 200
    assert made in found(call, patient=stays)
    assert made in found(call, **{"patient.identifier": f"{SYSTEMS['a']}|D-21"})
    related = [{"code": "replaces", "target": {"reference": f"DocumentReference/{made}"}}]
    [new] = ids(provide(document({"reference": f"Patient/{stays}"}, next(NUMBERS), relatesTo=related)))
    assert found(call, patient=stays, status="current") == [new]


def test_others_documents_look_unknown(call: Call, provide: Provide, put: Call, patient: Json) -> None:
    [made] = ids(provide(document(patient, next(NUMBERS))))
    put("B-1", rosa(), token="b")
    assert call("GET", f"/fhir/DocumentReference/{made}", token="b-documents").status_code == 404
    unknown = call("GET", f"/fhir/DocumentReference/{new_id()}", token="b-documents")
    assert unknown.status_code == 404
    mine = call("GET", "/fhir/DocumentReference", token="b-documents", query_string={"patient": patient["reference"]})
    assert (mine.status_code, mine.json.get("entry")) == (200, None)
    target = {"reference": f"DocumentReference/{made}"}
    theirs = {"reference": f"Patient/{put('B-1', rosa(), token='b').json['id']}"}
    url = {"url": "http://127.0.0.1:9001/fhir/Binary/1"}
    taking = document(theirs, next(NUMBERS), attachment=url, relatesTo=[{"code": "replaces", "target": target}])
    assert provide(taking, token="b-documents").status_code == 422


def test_an_ips_is_looked_at_and_not_kept(renhice: Renhice, provide: Provide, patient: Json) -> None:
    url, bundle = ips()
    sent = document(patient, next(NUMBERS), attachment={"url": url, "contentType": "application/fhir+json"})
    answer = provide(sent | {"type": coded("60591-5")}, others=[(url, bundle)])
    outcome = answer.json["entry"][2]["response"]["outcome"]
    assert "tiene el contenido mínimo" in outcome["text"]["div"]
    lacking = provide(sent, others=[ips(section=[])])
    assert lacking.status_code == 422
    assert {one["details"]["text"] for one in lacking.json["issue"]} == {
        "Falta la sección «Alergias».", "Falta la sección «Medicación».",
        "Falta la sección «Diagnósticos y problemas».",
    }  # fmt: skip


def test_a_report_on_an_ips_without_providing_it(call: Call) -> None:
    answer = call("POST", "/fhir/DocumentReference/$check-ips", ips(status="preliminary")[1], token="a-documents")
    assert answer.status_code == 200
    assert [one["severity"] for one in answer.json["issue"]] == ["error"]
    assert "El documento debe estar terminado" in answer.json["text"]["div"]


def test_reading_is_in_the_log(call: Call, provide: Provide, renhice: Renhice, patient: Json) -> None:
    [made] = ids(provide(document(patient, next(NUMBERS))))
    call("GET", f"/fhir/DocumentReference/{made}", token="a-documents")
    with renhice.database.unit_of_work() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.action.like("locator:document:%"))).all()
    about = [one for one in events if made in json.dumps(one.detail)]
    assert [one.action for one in about] == ["locator:document:provided", "locator:document:read"]
    assert all(one.person_id for one in about)


def test_documents_in_xml(call: Call, patient: Json) -> None:
    sent = to_xml(submission(document(patient, next(NUMBERS)), number=next(NUMBERS)))
    body = sent.encode() if isinstance(sent, str) else sent
    xml = {"Accept": "application/fhir+xml"}
    answer = call("POST", "/fhir", body, token="a-documents", content_type="application/fhir+xml", headers=xml)
    assert answer.status_code == 200, answer.text
    location = from_xml(answer.data)["entry"][1]["response"]["location"]
    read = from_xml(call("GET", f"/fhir/{location}", token="a-documents", headers=xml).data)
    for name in ("id", "status", "type", "content", "subject"):
        assert read[name] == call("GET", f"/fhir/{location}", token="a-documents").json[name]


def at_once(app: Flask, *bodies: Json) -> list[int]:
    """Send submissions at the same moment; their statuses in order."""
    start = Barrier(len(bodies))

    def send(body: Json) -> int:
        start.wait()
        headers = {"Authorization": "Bearer a-documents"}
        return int(app.test_client().post("/fhir", json=body, headers=headers).status_code)

    with ThreadPoolExecutor(len(bodies)) as pool:
        return sorted(pool.map(send, bodies))


def test_one_of_two_simultaneous_corrections_takes_the_place(app: Flask, provide: Provide, patient: Json) -> None:
    [old] = ids(provide(document(patient, next(NUMBERS))))
    related = [{"code": "replaces", "target": {"reference": f"DocumentReference/{old}"}}]
    bodies = [submission(document(patient, next(NUMBERS), relatesTo=related), number=next(NUMBERS)) for _ in range(4)]
    assert at_once(app, *bodies) == [200, 409, 409, 409]


def test_the_same_submission_at_the_same_moment_is_made_once(app: Flask, call: Call, patient: Json) -> None:
    number = next(NUMBERS)
    body = submission(document(patient, number), number=number)
    assert at_once(app, *[body] * 4) == [200] * 4
    query = {"patient": patient["reference"], "identifier": f"urn:oid:1.2.3.{number}"}
    assert len(found(call, **query)) == 1
