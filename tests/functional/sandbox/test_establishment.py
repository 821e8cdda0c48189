"""An establishment over HTTP: it registers its patients whatever happens, and shows nothing without a right."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhir.resources.R4B import get_fhir_model_class

from sandbox import story
from sandbox.establishment.app import Configuration, create_app
from sandbox.establishment.store import Store
from sandbox.layout import Layout
from sandbox.places import REGISTRO
from tests.functional.sandbox.conftest import FakeRegistry, Json, Start, free_port, serving

Search = Callable[..., httpx.Response]
CODE = story.HOLDING.renipress


@pytest.fixture(autouse=True)
def healthy(registry: FakeRegistry) -> None:
    registry.broken = registry.revoked = False


@pytest.fixture(scope="module")
def place(registry: FakeRegistry, summary: Json, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The holding establishment in this process, its story patient registered as sr-0."""
    known = next(e for e in summary["establishments"] if e["renipress"] == CODE)
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}/fhir"
    database = tmp_path_factory.mktemp("place") / "place.sqlite"
    app = create_app(
        Configuration(
            renipress=CODE, registry=registry.url, fhir_endpoint=endpoint, client_id=known["client"]["client_id"],
            private_jwk=known["client"]["private_jwk"], control_token="control", database=database,
        )
    )  # fmt: skip
    store: Store = app.extensions["sandbox"]["store"]
    store.add([({"resourceType": "Patient"}, story.HOLDING_NUMBER, story.holding_history())])
    store.keep(story.holding_document())
    queue = app.extensions["sandbox"]["queue"]
    queue.send()
    queue.forward()
    with serving(app, port):
        yield endpoint
    store.close()


@pytest.fixture(scope="module")
def patient(registry: FakeRegistry, place: str) -> str:
    identifier = f"{story.HOLDING.identifier_system}|{story.HOLDING_NUMBER}"
    assert place
    return f"sr-{list(registry.patients).index(identifier)}"


@pytest.fixture(scope="module")
def http(registry: FakeRegistry) -> Iterator[httpx.Client]:
    """The gateway: it proves the key its tokens are bound to."""
    with httpx.Client(auth=registry.gateway) as client:
        yield client


@pytest.fixture(scope="module")
def search(place: str, http: httpx.Client) -> Search:
    def ask(headers: Json, kind: str = "AllergyIntolerance", **query: str) -> httpx.Response:
        return http.get(f"{place}/{kind}", params=query, headers=headers)

    return ask


def test_a_granted_search_gives_a_valid_bundle(
    registry: FakeRegistry, place: str, patient: str, http: httpx.Client, search: Search
) -> None:
    named = {"patient.identifier": f"{REGISTRO}|{patient}"}
    for kind, count in (("AllergyIntolerance", 2), ("MedicationStatement", 2), ("Encounter", 3), ("Condition", 0)):
        headers = registry.grant(place, patient, f"patient/{kind}.rs")
        bundle = search(headers, kind, **named).raise_for_status().json()
        get_fhir_model_class("Bundle").model_validate(bundle)
        assert bundle["total"] == count
        by_form = http.post(f"{place}/{kind}/_search", data=named, headers=headers).json()
        assert by_form["total"] == count
        assert story.HOLDING_NUMBER not in str(bundle)


def test_a_resource_is_read_by_its_id_and_only_by_its_patient(
    registry: FakeRegistry, place: str, patient: str, http: httpx.Client, search: Search
) -> None:
    bundle = search(registry.grant(place, patient), patient=patient).json()
    url = bundle["entry"][0]["fullUrl"]
    assert http.get(url, headers=registry.grant(place, patient)).json() == bundle["entry"][0]["resource"]
    assert http.get(url, headers=registry.grant(place, "sr-77")).status_code == 404


def test_a_document_is_read_whole_by_the_token_for_it_and_only_by_its_patient(
    registry: FakeRegistry, place: str, patient: str, http: httpx.Client
) -> None:
    kept = story.holding_document()
    url, scope = f"{place}/Binary/{kept.id}", "patient/Binary.r"
    answer = http.get(url, headers=registry.grant(place, patient, scope))
    assert (answer.status_code, answer.headers["Content-Type"], answer.content) == (
        200,
        kept.content_type,
        kept.content,
    )
    assert http.get(url, headers=registry.grant(place, "sr-77", scope)).status_code == 404
    assert http.get(f"{place}/Binary/other", headers=registry.grant(place, patient, scope)).status_code == 404
    assert http.get(url, headers=registry.grant(place, patient)).status_code == 403


def test_no_other_right_opens_it(registry: FakeRegistry, place: str, patient: str, search: Search) -> None:
    assert search({}, patient=patient).status_code == 401
    assert search(registry.grant("http://other/fhir", patient), patient=patient).status_code == 401
    assert search(registry.grant(place, patient, exp=1), patient=patient).status_code == 401
    assert search(registry.grant(place, patient), "Encounter", patient=patient).status_code == 403
    assert search(registry.grant(place, "sr-77"), patient=patient).status_code == 403
    stolen = httpx.get(
        f"{place}/AllergyIntolerance", params={"patient": patient}, headers=registry.grant(place, patient)
    )
    assert stolen.status_code == 401
    registry.revoked = True
    assert search(registry.grant(place, patient), patient=patient).status_code == 401


@pytest.mark.parametrize(
    "query",
    [{}, {"patient.identifier": "sr-0"}, {"patient.identifier": "http://x|sr-0"}, {"patient": "sr-0", "_count": "٣"}],
)
def test_a_search_it_can_not_understand_is_refused(
    registry: FakeRegistry, place: str, patient: str, search: Search, query: Json
) -> None:
    response = search(registry.grant(place, patient), **query)
    assert 400 <= response.status_code < 500
    assert response.json()["resourceType"] == "OperationOutcome"


def test_an_access_leaves_a_trace_of_who_read_what_for_what(
    registry: FakeRegistry, place: str, patient: str, search: Search
) -> None:
    claims = {"act": {"sub": "CMP 012345"}, "extensions": {"ihe_iua": {"purpose_of_use": [{"code": "TREAT"}]}}}
    search(registry.grant(place, patient, **claims), patient=patient).raise_for_status()
    asking = registry.grant(place, patient, "patient/AuditEvent.rs")
    bundle = search(asking, "AuditEvent", patient=patient, date="ge2026-01-01T00:00:00Z").raise_for_status().json()
    get_fhir_model_class("Bundle").model_validate(bundle)
    newest = bundle["entry"][0]["resource"]
    assert newest["agent"][0]["who"]["identifier"]["value"] == "CMP 012345"
    assert newest["purposeOfEvent"][0]["coding"][0]["code"] == "TREAT"
    assert newest["entity"][1]["what"]["display"] == "AllergyIntolerance"
    assert search(asking, "AuditEvent", patient=patient, date="ge2999-01-01T00:00:00Z").json()["total"] == 0
    for date in ("yesterday", "ge2026-01-01", "2026-01-01T00:00:00Z"):
        assert search(asking, "AuditEvent", patient=patient, date=date).status_code == 400


def test_anyone_may_read_what_the_server_does(place: str) -> None:
    statement = httpx.get(f"{place}/metadata").json()
    get_fhir_model_class("CapabilityStatement").model_validate(statement)


def test_the_controls_need_the_token(place: str) -> None:
    base = place.removesuffix("/fhir")
    assert httpx.get(f"{base}/sihce/status").status_code == 401
    assert httpx.post(f"{base}/sihce/send", headers={"Authorization": "Bearer ñ".encode()}).status_code == 401
    assert httpx.post(f"{base}/sihce/rehearse", json={"act": "correct"}).status_code == 401
    for body in (b"{", b"[]", b'{"act": ["correct"]}', b'{"act": "dance"}'):
        headers = {"Authorization": "Bearer control", "Content-Type": "application/json"}
        assert httpx.post(f"{base}/sihce/rehearse", content=body, headers=headers).status_code == 400
    status = httpx.get(f"{base}/sihce/status", headers={"Authorization": "Bearer control"}).json()
    assert (status["pending"], status["sent"], status["error"]) == (0, 1, 0)


def test_the_callback_shows_neither_the_code_nor_markup(place: str) -> None:
    base = place.removesuffix("/fhir")
    shown = httpx.get(f"{base}/sihce/callback", params={"code": "SECRET-CODE", "state": "s"})
    assert (shown.status_code, "SECRET-CODE" in shown.text) == (200, False)
    assert "<b>" not in httpx.get(f"{base}/sihce/callback", params={"error": "<b>"}).text
    assert httpx.get(f"{base}/sihce/callback").status_code == 400


def wait_for(check: Any, seconds: float = 40) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.1)


def test_kill_and_downtime_lose_and_double_nothing(
    registry: FakeRegistry, layout: Layout, summary: Json, start: Start
) -> None:
    known = next(e for e in summary["establishments"] if e["renipress"] == story.ASKING.renipress)
    token = {"Authorization": f"Bearer {summary['control_token']}"}
    status = f"{known['base_url']}/sihce/status"
    run = ("sandbox.establishment", known["renipress"])

    def mine() -> set[str]:
        return {i for i in registry.patients if i.startswith(f"{known['identifier_system']}|")}

    registry.broken = True
    with start(*run, url=status) as process:
        total = sum(httpx.get(status, headers=token).json()[name] for name in ("pending", "sent", "error"))
        httpx.post(f"{known['base_url']}/sihce/send", headers=token).raise_for_status()
        wait_for(lambda: httpx.get(status, headers=token).json()["problems"])
        registry.broken = False
        wait_for(mine)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with start(*run, url=status):
        wait_for(lambda: httpx.get(status, headers=token).json()["sent"] == total)
    assert len(mine()) == total
    assert Path(layout.database(known["renipress"])).exists()
