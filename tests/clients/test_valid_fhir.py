"""Every resource the registry's FHIR surface returns is valid R4 by a validator that did not build it."""

import itertools
import json
from typing import Any
from uuid import UUID

import pytest

from registry.app import Renhice
from registry.bulk.export.writing import write
from registry.database import new_id
from registry.directory.administration import Desk
from registry.directory.loading import load, parse
from tests.clients.validity import Json, Walk, resources, validate
from tests.conftest import settings
from tests.functional.fhir.conftest import IDS, SYSTEMS, Call, app, call, put, rosa
from tests.functional.fhir.documents import BASE, coded, document, sha256_extension, signed, submission
from tests.functional.fhir.ips import ips
from tests.functional.fhir.test_directory import PROFESSIONALS
from tests.functional.fhir.test_messages import entry, message
from tests.functional.hl7v2.conftest import make_system
from tests.unit.locator.signing import authority, professional, sign_jws

__all__ = ["app", "call", "put", "settings"]
NUMBERS = itertools.count(1)
BROKEN: list[Json] = [
    {"resourceType": "Patient", "birthDate": "1984-19-07"},
    {"resourceType": "Patient", "surname": "Huamán"},
    {"resourceType": "OperationOutcome", "issue": []},
    {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": {"resourceType": "Patient", "foo": 1}}]},
    {"resourceType": "Composition", "status": "final"},
    {"resourceType": "Patient", "gender": "mujer"},
    {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "too-wide"}]},
    {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": {"resourceType": "Patient", "gender": "x"}}],
    },
]


def test_the_validator_sees_what_is_wrong(node: str) -> None:
    assert all(validate(node, BROKEN))
    assert validate(node, [rosa()]) == [[]]


@pytest.fixture(scope="module", autouse=True)
def _staffed(request: pytest.FixtureRequest) -> None:
    """A professional who works at hospital a, and the record system there, whose standing a download asks for."""
    renhice: Renhice = request.getfixturevalue("renhice")
    with renhice.database.unit_of_work() as session:
        entries, faults = parse(json.dumps({"professionals": PROFESSIONALS[:1]}).encode())
        assert not faults + load(Desk(session, renhice.sealer, "tests"), entries).faults
        session.add(make_system(new_id(), "sihce-a", IDS["a"]))


@pytest.fixture
def walk() -> Walk:
    return Walk()


def test_everything_the_registry_answers_is_valid(
    node: str, walk: Walk, call: Call, put: Call, renhice: Renhice
) -> None:
    _patients(walk, call, put)
    _exports(walk, call, renhice)
    _documents(walk, call, put)
    _accounts(walk, call, put)
    _bundles(walk, call)
    _refusals(walk, call)
    stated = walk.keep(call("GET", "/fhir/metadata"), 200)
    declared = {one["type"] for one in stated["rest"][0]["resource"]}
    for kind in sorted(declared - ELSEWHERE - {"Patient", "DocumentReference", "List", "Provenance", "AuditEvent"}):
        found = walk.keep(call("GET", f"/fhir/{kind}", token="a-all"), 200)
        walk.keep(call("GET", f"/fhir/{kind}/{found['entry'][0]['resource']['id']}", token="a-all"), 200)
    others = {"Bundle", "CapabilityStatement", "MessageHeader", "OperationOutcome", "Parameters"}
    assert walk.types >= declared - ELSEWHERE | others
    assert walk.faults(node) == {}


ELSEWHERE = {"Consent"}
"""What `test_valid_exchange` has: it takes a patient who consents."""


def _patients(walk: Walk, call: Call, put: Call) -> None:
    mine = walk.keep(put("V-1", rosa(address=[{"line": ["Jr. Puno 1"]}], multipleBirthInteger=1)), 201)
    walk.keep(put("V-1", rosa(telecom=[])), 200)
    walk.keep(put("V-2", rosa(), token="b"), 201)
    person = mine["link"][0]["other"]["reference"]
    for path in (f"Patient/{mine['id']}", person, f"Patient/{mine['id']}/_history/1", f"Patient/{mine['id']}/_history"):
        walk.keep(call("GET", f"/fhir/{path}"), 200)
    described = {"family": "Huamán", "given": "Rosa", "birthdate": "1984-07-19"}
    for query in (described, described | {"_summary": "count"}, {"identifier": f"{SYSTEMS['a']}|V-1"}):
        walk.keep(call("GET", "/fhir/Patient", query_string=query), 200)
    matching = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": rosa()}]}
    walk.keep(call("POST", "/fhir/Patient/$match", matching), 200)
    nameless = rosa(name=[], birthDate=None)
    walk.keep(call("POST", "/fhir/Patient/$match", {k: v for k, v in nameless.items() if v}), 200)
    query = {"sourceIdentifier": f"{SYSTEMS['a']}|V-1"}
    walk.keep(call("GET", "/fhir/Patient/$ihe-pix", query_string=query), 200)
    walk.keep(call("GET", f"/fhir/Patient/{mine['id']}/$patient-location"), 200)
    walk.keep(call("GET", f"/fhir/Patient/{mine['id']}?_elements=name"), 200)


def _exports(walk: Walk, call: Call, renhice: Renhice) -> None:
    """Each line of an export, whole and in part."""
    for query in ("", "?_elements=identifier,link"):
        asked = call("GET", f"/fhir/Patient/$export{query}", headers={"Prefer": "respond-async"})
        where = asked.headers["Content-Location"].removeprefix(renhice.settings.base_url)
        write(renhice, UUID(where.rpartition("/")[2]))
        walk.keep_lines(call("GET", f"{where}/0.ndjson"))
        assert len(walk.answers) > 1
    walk.keep(call("GET", "/fhir/Patient/$export"), 400)


def _documents(walk: Walk, call: Call, put: Call) -> None:
    patient = {"reference": f"Patient/{put('V-1', rosa()).json['id']}"}
    url, bundle = ips()
    number = next(NUMBERS)
    signer = professional(authority(), days=36_500)
    data = sign_jws(signer, {f"{BASE}/Binary/doc-{number}": b"x"})
    one = document(patient, number, attachment=sha256_extension(b"1" * 32), securityLabel=[])
    del one["securityLabel"]
    two = document(patient, next(NUMBERS), type=coded("60591-5"), attachment={"url": url}) | {
        "relatesTo": [{"code": "replaces", "target": {"identifier": one["masterIdentifier"]}}]
    }
    send: Any = {"token": "a-documents"}
    answer = walk.keep(call("POST", "/fhir", submission(one, others=[signed(data)]), **send), 200)
    first = answer["entry"][1]["response"]["location"].split("/")[1]
    walk.keep(call("POST", "/fhir", submission(two, number=2, others=[(url, bundle)]), **send), 200)
    walk.keep(call("POST", "/fhir", submission(two, number=3, others=[ips(section=[])]), **send), 422)
    for kind in ("DocumentReference", "List"):
        found = walk.keep(call("GET", f"/fhir/{kind}", query_string={"patient": patient["reference"]}, **send), 200)
        assert found["total"] == 2
        walk.keep(call("GET", f"/fhir/{kind}/{found['entry'][0]['resource']['id']}", **send), 200)
    walk.keep(call("GET", f"/fhir/Provenance/{first}", **send), 200)
    for target in (f"DocumentReference/{first}", patient["reference"]):
        walk.keep(call("GET", "/fhir/Provenance", query_string={"target": target}, **send), 200)
    for checked in (bundle, ips(section=[], custodian=None)[1]):
        sent = json.loads(json.dumps(checked), object_hook=lambda one: {k: v for k, v in one.items() if v is not None})
        walk.keep(call("POST", "/fhir/DocumentReference/$check-ips", sent, **send), 200)


def _accounts(walk: Walk, call: Call, put: Call) -> None:
    patient = put("V-1", rosa()).json["id"]
    call("GET", f"/fhir/Patient/{new_id()}")
    call("GET", "/fhir/Patient/$ihe-pix", token="a-documents")
    found = walk.keep(call("GET", "/fhir/AuditEvent?date=ge2020&_count=100", token="a-auditor"), 200)
    kinds = {one["subtype"][0]["code"] for one in resources(found) if one["resourceType"] == "AuditEvent"}
    assert len(kinds) > 5
    assert {one["outcome"] for one in resources(found) if one["resourceType"] == "AuditEvent"} == {"0", "8"}
    walk.keep(call("GET", "/fhir/AuditEvent", query_string={"patient": patient}, token="a-auditor"), 200)
    one = found["entry"][0]["resource"]["id"]
    walk.keep(call("GET", f"/fhir/AuditEvent/{one}", token="a-auditor"), 200)


def _bundles(walk: Walk, call: Call) -> None:
    walk.keep(call("POST", "/fhir/$process-message", message(entry("V-8"))), 200)
    walk.keep(call("POST", "/fhir/$process-message", message(entry("V-8", birthDate="2999-01-01"))), 400)
    reads = [
        {"request": {"method": "GET", "url": url}} for url in ("Patient/x", f"Patient?identifier={SYSTEMS['a']}|V-1")
    ]
    walk.keep(call("POST", "/fhir", {"resourceType": "Bundle", "type": "batch", "entry": reads}, token="a-all"), 200)
    topic = "https://www.gob.pe/minsa/RENHICE/fhir/SubscriptionTopic/link"
    channel = {
        "type": "rest-hook",
        "endpoint": "https://hospital-a.example.pe/avisos",
        "payload": "application/fhir+json",
    }
    wanted = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "índice",
        "criteria": topic,
        "channel": channel,
    }
    made = walk.keep(call("POST", "/fhir/Subscription", wanted, token="a-all"), 201)
    for path in ("$status", "_history", "_history/1"):
        walk.keep(call("GET", f"/fhir/Subscription/{made['id']}/{path}", token="a-all"), 200)


def _refusals(walk: Walk, call: Call) -> None:
    walk.keep(call("GET", "/fhir/Patient/x"), 404)
    walk.keep(call("GET", "/fhir/Nothing/x"), 404)
    walk.keep(call("GET", "/fhir/Patient/x", token="nobody"), 401)
    walk.keep(call("GET", "/fhir/DocumentReference?patient=1"), 403)
    walk.keep(call("DELETE", "/fhir/metadata"), 405)
    walk.keep(call("GET", "/fhir/metadata", headers={"Accept": "text/html"}), 406)
    walk.keep(call("POST", "/fhir/Patient/$match", b"x", content_type="text/plain"), 415)
    walk.keep(call("POST", "/fhir/Patient/$match", {"resourceType": "Patient", "birthDate": "x", "foo": 1}), 400)
    walk.keep(call("POST", "/fhir", {"resourceType": "Bundle", "type": "transaction"}, token="a-documents"), 400)
