"""Batch and transaction Bundles: each entry as the request it describes; a transaction whole or not at all."""

from typing import Any

import pytest
from sqlalchemy import select

from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.fhir.xml_format import from_xml, to_xml
from tests.functional.fhir.conftest import SYSTEMS, Call, Json, rosa

A = SYSTEMS["a"]


def numbered(number: str, **more: Any) -> Json:
    return rosa(identifier=[{"system": A, "value": number}], **more)


def entry(method: str, url: str, resource: Json | None = None, full_url: str | None = None, **request: Any) -> Json:
    made: Json = {"request": {"method": method, "url": url} | request}
    made |= {"resource": resource} if resource else {}
    return made | ({"fullUrl": full_url} if full_url else {})


def send(call: Call, kind: str, *entries: Json, **more: Any) -> Any:
    answer = call("POST", "/fhir", {"resourceType": "Bundle", "type": kind, "entry": list(entries)}, **more)
    if answer.status_code == 200:
        assert answer.json["type"] == f"{kind}-response"
    return answer


def statuses(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["response"]["status"] for one in answer.json["entry"]]


def total(call: Call, number: str) -> int:
    found: int = call("GET", "/fhir/Patient", query_string={"identifier": f"{A}|{number}"}).json["total"]
    return found


def test_a_batchs_entries_stand_alone(call: Call, renhice: Renhice) -> None:
    answer = send(
        call, "batch",
        entry("POST", "Patient", numbered("X-1")),
        entry("POST", "Patient", numbered("X-2", birthDate="2999-01-01")),
        entry("PUT", f"Patient?identifier={A}|X-3", numbered("X-3")),
        entry("GET", f"Patient?identifier={A}|X-1"),
        entry("GET", "Patient/00000000-0000-0000-0000-000000000000"),
        entry("GET", "Nothing/1"),
        entry("POST", "Patient/$match", numbered("X-1")),
        entry("DELETE", f"Patient?identifier={A}|X-1"),
        entry("GET", "metadata"),
    )  # fmt: skip
    assert statuses(answer) == ["201", "400", "201", "200", "404", "404", "200", "403", "422"]
    entries = answer.json["entry"]
    assert entries[0]["response"]["etag"] == 'W/"1"'
    assert entries[0]["fullUrl"].endswith(f"/Patient/{entries[0]['resource']['id']}")
    assert entries[1]["response"]["outcome"]["issue"][0]["expression"] == ["Patient.birthDate"]
    assert entries[3]["resource"]["total"] == 1
    assert (total(call, "X-1"), total(call, "X-2"), total(call, "X-3")) == (1, 0, 1)
    with renhice.database.unit_of_work() as session:
        reasons = session.scalars(select(AuditEvent.reason).where(AuditEvent.outcome == "refused")).all()
    assert {"unknown-patient", "insufficient-scope"} <= set(reasons)


def test_a_transaction_is_done_whole_or_not_at_all(call: Call) -> None:
    refused = send(call, "transaction", entry("POST", "Patient", numbered("T-1")), entry("POST", "Patient", rosa()))
    assert (refused.status_code, refused.json["resourceType"]) == (400, "OperationOutcome")
    assert total(call, "T-1") == 0
    one, other = entry("POST", "Patient", numbered("T-1")), entry("POST", "Patient", numbered("T-2"))
    assert statuses(send(call, "transaction", one, other)) == ["201", "201"]
    conditional = entry("POST", "Patient", numbered("T-1"), ifNoneExist=f"identifier={A}|T-1")
    stale = entry("PUT", f"Patient?identifier={A}|T-2", numbered("T-2", gender="male"), ifMatch='W/"9"')
    assert statuses(send(call, "transaction", conditional)) == ["200"]
    assert send(call, "transaction", conditional, stale).status_code == 412


def test_entries_refer_to_each_other_and_are_answered_in_the_order_sent(call: Call) -> None:
    new = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
    made = call("POST", "/fhir/Patient", numbered("T-5")).json
    link = {"other": {"reference": new}, "type": "replaced-by"}
    duplicate = numbered("T-5", active=False, link=[link])
    answer = send(
        call, "transaction",
        entry("GET", f"Patient/{made['id']}"),
        entry("PUT", f"Patient?identifier={A}|T-5", duplicate),
        entry("POST", "Patient", numbered("T-6"), full_url=new),
    )  # fmt: skip
    assert statuses(answer) == ["200", "200", "201"]
    read, replaced, survivor = (one["resource"] for one in answer.json["entry"])
    assert replaced["link"][0]["other"]["reference"] == f"Patient/{survivor['id']}"
    assert read["active"] is False


def test_the_caller_prefers_and_speaks_xml_here_too(call: Call) -> None:
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [entry("POST", "Patient", numbered("X-7"))]}
    headers = {"Prefer": "return=minimal", "Accept": "application/fhir+xml"}
    answer = call("POST", "/fhir/", to_xml(bundle), content_type="application/fhir+xml", headers=headers)
    assert answer.mimetype == "application/fhir+xml"
    made = from_xml(answer.data)["entry"][0]
    assert (made["response"]["status"], "resource" in made) == ("201", False)


WRONG: dict[str, Json] = {
    "a patient": rosa(),
    "another kind": {"resourceType": "Bundle", "type": "collection"},
    "no request": {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": rosa()}]},
    "no method": {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"url": "Patient"}}]},
    "a search": {"resourceType": "Bundle", "type": "transaction", "entry": [entry("GET", "Patient?family=x")]},
    "an operation": {"resourceType": "Bundle", "type": "transaction", "entry": [entry("POST", "Patient/$match", {})]},
    "nothing": {"resourceType": "Bundle", "type": "transaction"},
    "too many": {"resourceType": "Bundle", "type": "batch", "entry": [entry("GET", "Patient/1")] * 101},
}  # fmt: skip


@pytest.mark.parametrize("body", list(WRONG.values()), ids=list(WRONG))
def test_what_is_no_batch_is_a_clear_4xx(call: Call, body: Json) -> None:
    refused = call("POST", "/fhir", body)
    assert refused.status_code in {400, 422}
    assert refused.json["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("url", ["https://example.pe/Patient", "../api/v1/access-requests", "/mi-historia", "//[x"])
def test_no_entry_leads_out_of_fhir(call: Call, url: str) -> None:
    assert statuses(send(call, "batch", entry("GET", url)))[0] in {"400", "404"}
    assert send(call, "transaction", entry("GET", url)).status_code in {400, 404}


def test_a_bundle_in_a_bundle_goes_nowhere(call: Call) -> None:
    inner = {"resourceType": "Bundle", "type": "batch", "entry": []}
    for url in ("", "?x=1", "$process-message"):
        answer = send(call, "batch", entry("POST", url or " ", inner))
        assert answer.status_code == 400 or statuses(answer) in (["404"], ["422"], ["405"])


@pytest.mark.parametrize("url", ["Patient/%24match", "Patient/%5Fsearch?family=Huaman&given=Rosa"])
def test_no_spelling_of_a_search_commits_half_a_transaction(call: Call, url: str) -> None:
    made = entry("POST", "Patient", numbered("T-half"))
    answer = send(call, "transaction", made, entry("POST", url, rosa()), entry("GET", "Patient/unknown"))
    assert (answer.status_code, answer.json["issue"][0]["details"]["coding"][0]["code"]) == (
        422,
        "not-in-a-transaction",
    )
    assert total(call, "T-half") == 0


@pytest.mark.parametrize("kind", ["batch", "transaction"])
@pytest.mark.parametrize(
    ("request_", "at"),
    [
        ({"method": "BREW", "url": "Patient"}, "method"),
        ({"method": "get", "url": "Patient/1"}, "method"),
        ({"method": "GET", "url": "Patient/1", "ifNoneMatch": 'W/"1"\nHost: x'}, "ifNoneMatch"),
    ],
    ids=["unknown method", "small letters", "two lines"],
)
def test_what_is_no_request_is_named(call: Call, kind: str, request_: Json, at: str) -> None:
    answer = send(call, kind, {"request": request_})
    assert answer.status_code == 400, "a Bundle that is none, whatever else it holds"
    assert answer.json["issue"][0]["expression"] == [f"Bundle.entry[0].request.{at}"]


def test_an_entry_cant_choose_a_format_of_its_own(call: Call) -> None:
    found, unknown = entry("GET", f"Patient?identifier={A}|X-1&_format=xml"), entry("GET", "Nothing/1")
    assert statuses(send(call, "batch", found, unknown, entry("GET", "Patient/1?_format=ttl"))) == ["200", "404", "406"]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [found, unknown]}
    read = from_xml(call("POST", "/fhir", bundle, headers={"Accept": "application/fhir+xml"}).data)
    assert [one["response"]["status"] for one in read["entry"]] == ["200", "404"]


def test_one_address_that_is_none_stops_no_other_entry_of_a_batch(call: Call) -> None:
    kept = call("PUT", "/fhir/Patient", numbered("U-1"), query_string={"identifier": f"{A}|U-1"}).json["id"]
    answer = send(
        call, "batch",
        entry("GET", f"https://elsewhere.example/fhir/Patient/{kept}"),
        entry("GET", f"/Patient/{kept}"),
        entry("GET", f"//elsewhere/Patient/{kept}"),
        entry("GET", f"http://127.0.0.1:8000/fhir/Patient/{kept}"),
    )  # fmt: skip
    assert statuses(answer) == ["400", "200", "400", "200"]
    assert answer.json["entry"][0]["response"]["outcome"]["issue"][0]["expression"] == ["Bundle.entry[0].request.url"]
    assert answer.json["entry"][1]["response"]["lastModified"].endswith("+00:00")
    assert send(call, "transaction", entry("GET", f"//elsewhere/Patient/{kept}")).status_code == 400


def test_a_transaction_writes_each_resource_once(call: Call) -> None:
    twice = [entry("PUT", f"Patient?identifier={A}|U-{number}", numbered(f"U-{number}")) for number in (2, 3, 2)]
    answer = send(call, "transaction", *twice)
    assert (answer.status_code, answer.json["issue"][0]["expression"]) == (400, ["Bundle.entry[2].request.url"])
    assert (total(call, "U-2"), total(call, "U-3")) == (0, 0)
    assert statuses(send(call, "batch", *twice)) == ["201", "201", "200"]
