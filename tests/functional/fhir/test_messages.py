"""ITI-93: what a message may not say, that it is done whole or not at all, and what each entry's scope is."""

from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from registry.fhir import patient_messages
from registry.fhir.xml_format import from_xml, to_xml
from tests.functional.fhir.conftest import SYSTEMS, Call, Json, rosa

A = SYSTEMS["a"]
PATH = "/fhir/$process-message"
EVENT = "urn:ihe:iti:pmir:2019:patient-feed"


def entry(number: str, method: str = "POST", **more: Any) -> Json:
    patient = rosa(identifier=[{"system": A, "value": number}], **more)
    return {"fullUrl": f"Patient/{number}", "resource": patient, "request": {"method": method, "url": "Patient"}}


def message(*entries: Json, **header: Any) -> Json:
    about = {
        "resourceType": "MessageHeader",
        "id": "m1",
        "eventUri": EVENT,
        "source": {"endpoint": "https://hospital-a.example.pe"},
        "focus": [{"reference": "Bundle/h"}],
    } | header
    history = {"resourceType": "Bundle", "id": "h", "type": "history", "entry": list(entries)}
    wrapped = [{"fullUrl": "MessageHeader/m1", "resource": about}, {"fullUrl": "Bundle/h", "resource": history}]
    return {"resourceType": "Bundle", "type": "message", "entry": wrapped}


def total(call: Call, number: str) -> int:
    found: int = call("GET", "/fhir/Patient", query_string={"identifier": f"{A}|{number}"}).json["total"]
    return found


def test_one_entry_refused_undoes_the_others(call: Call) -> None:
    refused = call("POST", PATH, message(entry("M-1"), entry("M-2", birthDate="2999-01-01")))
    assert refused.status_code == 400
    assert total(call, "M-1") == 0
    done = call("POST", PATH, message(entry("M-1"), entry("M-2")))
    assert done.status_code == 200
    assert (total(call, "M-1"), total(call, "M-2")) == (1, 1)
    assert done.json["entry"][0]["resource"]["response"] == {"identifier": "m1", "code": "ok"}


def test_a_message_travels_in_xml_too(call: Call) -> None:
    sent = to_xml(message(entry("M-3")))
    answer = call("POST", PATH, sent, content_type="application/fhir+xml", headers={"Accept": "application/fhir+xml"})
    assert from_xml(answer.data)["entry"][1]["resource"]["entry"][0]["response"]["status"] == "201"


def test_removing_needs_its_own_scope_and_a_patient_that_is_there(call: Call) -> None:
    removal = {"fullUrl": "Patient/x", "request": {"method": "DELETE", "url": f"Patient?identifier={A}|M-4"}}
    removal["response"] = {"status": "204"}
    assert call("POST", PATH, message(removal)).status_code == 403
    assert call("POST", PATH, message(removal), token="a-remover").status_code == 404
    assert call("POST", PATH, message(entry("M-4")), token="a-remover").status_code == 403
    assert call("POST", PATH, message(entry("M-4"))).status_code == 200
    assert call("POST", PATH, message(removal), token="a-remover").status_code == 200
    kept = call("GET", "/fhir/Patient", query_string={"identifier": f"{A}|M-4"}).json["entry"][0]["resource"]
    assert kept["active"] is False
    by_id = removal | {"request": {"method": "DELETE", "url": f"https://example.pe/Patient/{kept['id']}"}}
    assert call("POST", PATH, message(by_id), token="a-remover").status_code == 200


def test_a_record_is_resolved_by_its_id_without_a_number(call: Call) -> None:
    made = call("POST", PATH, message(entry("M-6"), entry("M-7"))).json["entry"][1]["resource"]["entry"]
    stays, gone = (one["fullUrl"].rpartition("/")[2] for one in made)
    link = {"other": {"reference": f"Patient/{stays}"}, "type": "replaced-by"}
    duplicate = {"resourceType": "Patient", "id": gone, "active": False, "link": [link]}
    merge = {
        "fullUrl": f"Patient/{gone}",
        "resource": duplicate,
        "request": {"method": "PUT", "url": f"Patient/{gone}"},
    }
    answer = call("POST", PATH, message(merge))
    assert answer.status_code == 200, answer.text
    assert call("GET", f"/fhir/Patient/{gone}").json["link"][0] == link


WRONG: dict[str, Json] = {
    "no message": {"resourceType": "Bundle", "type": "transaction"},
    "no entries": {"resourceType": "Bundle", "type": "message"},
    "no header": {"resourceType": "Bundle", "type": "message", "entry": [{"resource": {"resourceType": "Patient"}}]},
    "no history": message(),
    "another event": message(entry("M-9"), eventUri="urn:other"),
    "no request": message({"fullUrl": "Patient/1", "resource": rosa()}),
    "another method": message(entry("M-9", "GET")),
    "no patient": message({"fullUrl": "Patient/1", "request": {"method": "PUT", "url": "Patient/1"}}),
    "another's number": message(entry("M-9") | {"resource": rosa(identifier=[{"system": SYSTEMS["b"], "value": "1"}])}),
    "not FHIR": message(entry("M-9", gender=["x"])),
    "a patient": rosa(),
    "too many": message(*(entry(f"M-{number}") for number in range(201))),
}


NO_MESSAGE = {"no message", "no entries", "no header", "not FHIR", "a patient"}
"""What can't be read as a message has no answer that names one."""


@pytest.mark.parametrize(("case", "body"), list(WRONG.items()), ids=list(WRONG))
def test_what_is_no_feed_is_a_clear_4xx(call: Call, case: str, body: Json) -> None:
    refused = call("POST", PATH, body)
    assert refused.status_code in {400, 422}
    assert total(call, "M-9") == 0
    if case in NO_MESSAGE:
        assert refused.json["resourceType"] == "OperationOutcome"
        return
    header, outcome = (one["resource"] for one in refused.json["entry"])
    assert (header["eventUri"], header["response"]["identifier"]) == (f"{EVENT}-response", "m1")
    assert header["response"]["code"] == "fatal-error"
    assert header["response"]["details"] == {"reference": refused.json["entry"][1]["fullUrl"]}
    assert outcome["issue"][0]["severity"] == "error"


def test_a_refusal_says_whether_to_send_it_again(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("", {}, Exception())

    monkeypatch.setattr(patient_messages, "feed_number", fail)
    refused = call("POST", PATH, to_xml(message(entry("M-8"))), content_type="application/fhir+xml",
                   headers={"Accept": "application/fhir+xml"})  # fmt: skip
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    header, outcome = (one["resource"] for one in from_xml(refused.data)["entry"])
    assert (header["response"]["code"], outcome["issue"][0]["code"]) == ("transient-error", "transient")
    # what follows on the same connection is answered as ever
    assert call("GET", "/fhir/Patient/x").json["resourceType"] == "OperationOutcome"
