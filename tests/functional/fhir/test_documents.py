"""The document index over MHD: provided, found, superseded and never deleted; the documents stay with their holders."""

import itertools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import settings as quiet
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError
from werkzeug.test import TestResponse

from matching.records import Document, DocumentType
from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.database import new_id
from registry.directory.documents import document_token
from registry.directory.models import Professional
from registry.fhir.document_reading import SIGNATURE
from registry.fhir.xml_format import from_xml, to_xml
from registry.settings import Settings
from tests.functional.fhir.conftest import SYSTEMS, Call, Json, rosa
from tests.functional.fhir.documents import BASE, coded, document, sha256_extension, signed, submission
from tests.functional.fhir.ips import ips
from tests.functional.fhir.test_garbage import JSON
from tests.functional.fhir.test_garbage import QUIET as SIXTY
from tests.unit.locator.signing import authority, professional, sign_jws, sign_xml, write_anchors

CA = authority()
AUTHOR, STRANGER = professional(CA, "PNOPE-45671234", days=36_500), professional(CA, "PNOPE-99887766", days=36_500)
NUMBERS = itertools.count(10)
QUIET = quiet(SIXTY, max_examples=25)
Provide = Callable[..., TestResponse]


@pytest.fixture(scope="module")
def settings(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    anchors = write_anchors(tmp_path_factory.mktemp("anchors"), CA)
    return settings.model_copy(update={"signature_anchors_dir": anchors})


@pytest.fixture
def patient(put: Call) -> Json:
    """A reference to a patient of hospital a, by the record's id."""
    return {"reference": f"Patient/{put('D-1', rosa()).json['id']}"}


@pytest.fixture
def provide(call: Call) -> Provide:
    def send(*documents: Json, token: str = "a-documents", **more: Any) -> TestResponse:
        number = more.pop("number", next(NUMBERS))
        return call("POST", "/fhir", submission(*documents, number=number, **more), token=token)

    return send


@pytest.fixture(scope="module")
def author(renhice: Renhice) -> UUID:
    """A professional of the directory, whose certificate is `AUTHOR`."""
    made = new_id()
    token = document_token(renhice.sealer, Document(DocumentType.DNI, "45671234", "PER"))
    with renhice.database.unit_of_work() as session:
        session.add(
            Professional(
                id=made,
                document_token=token,
                sealed=b"",
                college="CMP",
                number="1",
                able_to_practise=True,
            )
        )
    return made


def ids(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    locations = [entry["response"].get("location", "") for entry in answer.json["entry"]]
    return [one.split("/")[1] for one in locations if one.startswith("DocumentReference/")]


def found(call: Call, **query: str) -> list[str]:
    answer = call("GET", "/fhir/DocumentReference", token="a-documents", query_string=query)
    assert answer.status_code == 200, answer.text
    return [entry["resource"]["id"] for entry in answer.json.get("entry", [])]


def verdict(resource: Json) -> dict[str, Any]:
    [extension] = [one for one in resource["extension"] if one["url"] == SIGNATURE]
    return {one["url"]: next(value for name, value in one.items() if name != "url") for one in extension["extension"]}


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


@pytest.mark.parametrize("kind", ["application/jose", "application/signature+xml"])
def test_a_signature_of_the_author_is_verified(
    call: Call, provide: Provide, patient: Json, author: UUID, kind: str
) -> None:
    number, content = next(NUMBERS), b"%PDF epicrisis"
    signing = {"application/jose": sign_jws, "application/signature+xml": sign_xml}[kind]
    url = f"{BASE}/Binary/doc-{number}"
    data = signing(AUTHOR, {url: content})
    sent = document(patient, number, attachment=sha256_extension(sha256(content).digest()))
    sent["author"] = [{"reference": f"Practitioner/{author}"}]
    [made] = ids(provide(sent, others=[signed(data, kind)]))
    read = call("GET", f"/fhir/DocumentReference/{made}", token="a-documents").json
    assert verdict(read)["estado"] == "verified"
    assert verdict(read)["firmante"] == {"reference": f"Practitioner/{author}"}


WRONG = {
    "other-bytes": (AUTHOR, b"otro", "invalid", "digest-differs"),
    "unknown-signer": (STRANGER, b"x", "unverified", "signer-unknown"),
    "untrusted": (professional(authority("Otra"), days=36_500), b"x", "unverified", "certificate-untrusted"),
}


@pytest.mark.parametrize("wrong", list(WRONG))
@pytest.mark.usefixtures("author")
def test_what_is_wrong_with_a_signature_stays_visible(call: Call, provide: Provide, patient: Json, wrong: str) -> None:
    signer, bytes_signed, state, reason = WRONG[wrong]
    number = next(NUMBERS)
    data = sign_jws(signer, {f"{BASE}/Binary/doc-{number}": bytes_signed})
    sent = document(patient, number, attachment=sha256_extension(sha256(b"x").digest()))
    [made] = ids(provide(sent, others=[signed(data)]))
    read = call("GET", f"/fhir/DocumentReference/{made}", token="a-documents").json
    assert (verdict(read)["estado"], verdict(read)["motivo"]) == (state, reason)


@pytest.mark.usefixtures("author")
def test_a_signature_of_somebody_else_than_the_author_is_invalid(call: Call, provide: Provide, patient: Json) -> None:
    number = next(NUMBERS)
    sent = document(patient, number, author=[{"reference": f"Practitioner/{new_id()}"}])
    [made] = ids(provide(sent, others=[signed(sign_jws(AUTHOR, {f"{BASE}/Binary/doc-{number}": b"x"}))]))
    read = call("GET", f"/fhir/DocumentReference/{made}", token="a-documents").json
    assert (verdict(read)["estado"], verdict(read)["motivo"]) == ("invalid", "signer-not-author")


def test_a_verdict_that_a_sender_claims_is_not_believed(call: Call, provide: Provide, patient: Json) -> None:
    claimed = [{"url": SIGNATURE, "extension": [{"url": "estado", "valueCode": "verified"}]}]
    [made] = ids(provide(document(patient, next(NUMBERS), extension=claimed)))
    assert verdict(call("GET", f"/fhir/DocumentReference/{made}", token="a-documents").json)["estado"] == "unverified"


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


def without(bundle: Json, *path: Any) -> Json:
    inner: Any = json.loads(json.dumps(bundle))
    made = inner
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return dict(made)


DOC, SET = ("entry", 1, "resource"), ("entry", 0, "resource")
REFUSED = [
    (SET, "code"), (SET, "identifier"), (SET, "subject"), (SET, "entry"), (DOC, "masterIdentifier"), (DOC, "subject"),
    (DOC, "status"), (DOC, "content"), (("entry", 1), "fullUrl"), (("entry", 1), "request"), (("entry", 1), "resource"),
    ((*DOC, "content", 0, "attachment"), "url"), ((*DOC, "content", 0, "attachment"), "contentType"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "name"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_must_be_there_is_asked_for_by_name(call: Call, patient: Json, path: Any, name: str) -> None:
    sent = submission(document(patient, next(NUMBERS)), number=next(NUMBERS))
    answer = call("POST", "/fhir", without(sent, *path, name), token="a-documents")
    assert answer.status_code == 400, answer.text
    assert answer.json["issue"][0]["expression"]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"attachment": {"url": "http://169.254.169.254/fhir/Binary/1"}}, 400),
        ({"attachment": {"url": f"{BASE}/../admin/Binary/1"}}, 400),
        ({"attachment": {"url": f"{BASE}/Patient/1"}}, 400),
        ({"attachment": {"url": f"{BASE}/Binary/.."}}, 400),
        ({"attachment": {"data": "YQ=="}}, 422),
        ({"attachment": sha256_extension(b"short")}, 400),
        ({"attachment": {"contentType": "text/plain\nHost: x"}}, 400),
        ({"attachment": {"contentType": "text/señal"}}, 400),
        ({"attachment": {"hash": "ñ"}}, 400),
        ({"status": "superseded"}, 400),
        ({"relatesTo": [{"code": "appends", "target": {"reference": "DocumentReference/1"}}]}, 422),
        ({"subject": {"identifier": {"system": SYSTEMS["b"], "value": "D-1"}}}, 422),
        ({"subject": {"reference": "Patient/0199aaaa-0000-7000-8000-000000000000"}}, 422),
    ],
    ids=[
        "elsewhere",
        "upwards",
        "a-patient",
        "dots",
        "data",
        "hash",
        "header",
        "not-ascii",
        "sha1",
        "status",
        "relation",
        "other-system",
        "unknown",
    ],
)
def test_what_is_refused(provide: Provide, patient: Json, more: Json, status: int) -> None:
    subject = more.pop("subject", patient)
    assert provide(document(subject, next(NUMBERS), **more)).status_code == status


def test_the_document_itself_is_not_taken(provide: Provide, patient: Json) -> None:
    binary = {"resourceType": "Binary", "contentType": "application/pdf", "data": "YQ=="}
    answer = provide(document(patient, next(NUMBERS)), others=[("urn:uuid:1", binary)])
    assert (answer.status_code, answer.json["issue"][0]["details"]["coding"][0]["code"]) == (422, "not-kept-here")


def test_a_search_names_its_patient_and_no_document_number(call: Call) -> None:
    for query in ({}, {"type": "x"}, {"patient.identifier": "https://www.gob.pe/x/dni|40718293"}):
        assert call("GET", "/fhir/DocumentReference", token="a-documents", query_string=query).status_code == 400


@pytest.mark.parametrize("path", ["/fhir/DocumentReference?patient=1", "/fhir/List?patient=1"])
def test_scopes_are_asked_for(call: Call, patient: Json, path: str) -> None:
    assert call("GET", path, token="a-reader").status_code == 403
    assert call("POST", "/fhir", submission(document(patient)), token="a-reader").status_code == 403


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


def test_anchors_that_can_not_be_read_judge_nothing(provide: Provide, settings: Settings, patient: Json) -> None:
    assert settings.signature_anchors_dir
    spoilt = settings.signature_anchors_dir / "z.pem"
    spoilt.write_text("no certificate")
    try:
        assert provide(document(patient, next(NUMBERS)), others=[signed(b"x")]).status_code == 503
    finally:
        spoilt.unlink()


@QUIET
@given(body=JSON)
def test_any_json_as_a_submission(app: Flask, body: Any) -> None:
    headers = {"Authorization": "Bearer a-documents"}
    for sent in (body, {"resourceType": "Bundle", "type": "transaction", "entry": body}):
        answer = app.test_client().post("/fhir", json=sent, headers=headers)
        assert answer.status_code in {400, 413, 415, 422}, answer.text
    document_bundle = {"resourceType": "Bundle", "type": "document", "entry": body}
    checked = app.test_client().post("/fhir/DocumentReference/$check-ips", json=document_bundle, headers=headers)
    assert checked.status_code in {200, 400}


PLACES = [
    (*DOC, "content"), (*DOC, "subject"), (*DOC, "context"), (*DOC, "relatesTo"), (*DOC, "masterIdentifier"),
    (*SET, "identifier"), (*SET, "code"), (*SET, "entry"), ("entry", 1, "request"), ("entry", 1, "fullUrl"),
]  # fmt: skip


@QUIET
@given(place=st.sampled_from(PLACES), value=JSON)
def test_any_element_of_a_submission_replaced(app: Flask, place: Any, value: Any) -> None:
    sent: Any = submission(document({"reference": "Patient/0199aaaa-0000-7000-8000-000000000000"}))
    inner = sent
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    answer = app.test_client().post("/fhir", json=sent, headers={"Authorization": "Bearer a-documents"})
    assert answer.status_code in {400, 413, 422}, answer.text


def test_the_signatures_are_read_as_they_were_sent(call: Call, provide: Provide, patient: Json) -> None:
    number = next(NUMBERS)
    data = sign_jws(AUTHOR, {f"{BASE}/Binary/doc-{number}": b"x"})
    [made] = ids(provide(document(patient, number), others=[signed(data)]))
    read = call("GET", f"/fhir/Provenance/{made}", token="a-documents").json
    assert read["target"] == [{"reference": f"DocumentReference/{made}"}]
    assert read["signature"] == signed(data)[1]["signature"]
    query = {"target": f"DocumentReference/{made}"}
    assert call("GET", "/fhir/Provenance", token="a-documents", query_string=query).json["total"] == 1
