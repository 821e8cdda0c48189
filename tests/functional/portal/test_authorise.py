"""The consent page of an OAuth authorization, from the record system's request to its code."""

import json
from urllib.parse import urlsplit

import pytest

from sandbox import story
from sandbox.demo.browser import Page
from sandbox.demo.record_system import RecordSystem
from sandbox.demo.telling import Teller
from tests.functional.portal.world import Visitor, World

SCOPE = "patient/AllergyIntolerance.rs patient/Encounter.rs"


@pytest.fixture
def asking(world: World) -> RecordSystem:
    known = next(e for e in world.sandbox["establishments"] if e["renipress"] == story.ASKING.renipress)
    return RecordSystem(world.base_url, known, Teller())


def authorization(world: World, asking: RecordSystem, categories: list[str], **more: str) -> tuple[str, str, str]:
    """An address for the patient's browser, the state, and the verifier."""
    wanted = {
        "person": str(world.person_id),
        "professional": {"college": "CMP", "number": "990101"},
        "purpose": "TREAT",
        "categories": categories,
    }
    answer = asking.ask_access(asking.token("access-request"), wanted)
    assert answer.status_code in {200, 201}, answer.text
    made = asking.authorization(answer.json()["id"], SCOPE, **more)
    return made.url.removeprefix(world.base_url), made.state, made.verifier


def press(visitor: Visitor, page: Page, button: str) -> str:
    """Press without following: the client's address isn't served here."""
    form = page.form("/autorizar/")
    values = form.fields | {"decision": button}
    answer = visitor.browser._http.post(f"{visitor.base_url}{form.action}", data=values)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_she_reads_who_asks_for_what_and_grants(world: World, asking: RecordSystem, patient: Visitor) -> None:
    path, state, verifier = authorization(world, asking, ["allergies", "encounters"])
    page = patient.open(path)
    for words in (
        "JULIO CESAR VALDIVIA RAMOS",
        "CMP 990101",
        story.ASKING.name,
        "Alergias",
        "Atenciones",
        "Para atenderle",
    ):
        assert words in page.text
    readable, _, withheld = page.text.partition("Qué no podrá leer")
    for other in ("Vacunas", "Medicación"):
        assert other not in readable
        assert other in withheld
    client = urlsplit(asking._redirect_uri)
    assert (
        f"form-action 'self' {client.scheme}://{client.netloc};" in patient.heard[-1].headers["content-security-policy"]
    )
    location = press(patient, page, "permitir")
    assert location.startswith(asking._redirect_uri)
    answer = dict(pair.split("=", 1) for pair in urlsplit(location).query.split("&"))
    assert answer["state"] == state
    assert asking.redeem(answer["code"], verifier).status_code == 200


def test_what_is_asked_exactly_is_on_the_page(world: World, asking: RecordSystem, patient: Visitor) -> None:
    details = {
        "type": "record-access",
        "categories": ["allergies", "encounters"],
        "establishments": [story.HOLDING.renipress],
        "data_period": {"start": "2020-01-01", "end": "2026-06-30"},
    }
    asked = {"authorization_details": json.dumps([details])}
    path, _, verifier = authorization(world, asking, ["allergies", "encounters", "immunizations"], **asked)
    page = patient.open(path)
    for words in (
        f"Solo lo que guarda: {story.HOLDING.name}.",
        "Solo desde el 1 de enero de 2020.",
        "Solo hasta el 30 de junio de 2026.",
    ):
        assert words in page.text
    assert "Vacunas" not in page.text.partition("Qué no podrá leer")[0]
    answer = dict(pair.split("=", 1) for pair in urlsplit(press(patient, page, "permitir")).query.split("&"))
    said = asking.redeem(answer["code"], verifier).json()["authorization_details"][0]
    assert (said["establishments"], said["data_period"]) == ([story.HOLDING.renipress], details["data_period"])


def test_she_declines_and_the_client_is_told(world: World, asking: RecordSystem, patient: Visitor) -> None:
    path, _, _ = authorization(world, asking, ["allergies", "encounters"])
    assert "error=access_denied" in press(patient, patient.open(path), "no-permitir")


def test_silence_grants_nothing_and_an_answer_counts_once(world: World, asking: RecordSystem, patient: Visitor) -> None:
    path, _, _ = authorization(world, asking, ["allergies", "encounters"])
    page = patient.open(path)
    silent = patient.browser._http.post(
        f"{world.base_url}{page.form('/autorizar/').action}", data=page.form("/autorizar/").fields
    )
    assert silent.status_code == 400
    press(patient, page, "no-permitir")
    assert patient.open(page.url.path).status == 409


def test_another_person_sees_no_request_of_hers(
    world: World, asking: RecordSystem, patient: Visitor, physician: Visitor
) -> None:
    path, _, _ = authorization(world, asking, ["allergies", "encounters"])
    page = patient.open(path)
    stranger = physician.sign_in(page.url.path, story.PHYSICIAN.person)
    assert stranger.status in {403, 404}
    assert "VALDIVIA RAMOS pide" not in stranger.text
