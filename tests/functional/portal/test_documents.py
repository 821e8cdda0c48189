"""The patient's documents: seen by her whatever she hides, and hidden and shown again in two clicks."""

from base64 import b64encode
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from consent_broker.consents.service import list_consents
from registry.locator.service import locate
from registry.locator.submitting import NewDocument, Submission, submit
from sandbox import story
from tests.functional.portal.world import Visitor, World

DOCUMENTS = "/mi-historia/documentos"
PSY = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY"}


def index(world: World, title: str, *labels: dict[str, str], person: UUID | None = None) -> UUID:
    """The holding establishment says that it keeps a document of the patient."""
    place = world.place(story.HOLDING.renipress)
    url = f"{place.fhir_endpoint}/Binary/{uuid4()}"
    attachment = {"contentType": "application/pdf", "url": url, "title": title}
    described: dict[str, Any] = {
        "resource": {
            "resourceType": "DocumentReference", "status": "current", "securityLabel": [{"coding": [*labels]}],
            "type": {"coding": [{"system": "http://loinc.org", "code": "57833-6"}]},
            "content": [{"attachment": attachment}],
            "context": {"period": {"start": "2026-03-01", "end": "2026-03-02"}},
        },
        "provenance": None, "signature": None, "sha256": b64encode(sha256(b"-").digest()).decode(),
    }  # fmt: skip
    with world.renhice.database.unit_of_work() as session:
        record = next(one for one in locate(session, person or world.person_id) if one.establishment_id == place.id)
        document = NewDocument(f"urn:uuid:{uuid4()}", described)
        handed_in = Submission(
            place.id, record.source_record_id, "sihce-test", f"urn:uuid:{uuid4()}", {"resourceType": "List"},
            (document,), url.encode(),
        )  # fmt: skip
        return submit(session, world.renhice.sealer, handed_in).document_ids[0]


def hidden_names(world: World) -> list[str]:
    with world.renhice.database.unit_of_work() as session:
        active = [one.terms for one in list_consents(session, [world.person_id]) if one.status == "active"]
        return sorted(name for terms in active if terms.hides for name in terms.items or ())


def test_she_hides_a_document_and_shows_it_again(world: World, patient: Visitor) -> None:
    document = index(world, "Receta <b>de</b> amoxicilina")
    page = patient.open(DOCUMENTS)
    assert "Receta <b>de</b> amoxicilina" in page.text
    assert "del 1 de marzo de 2026 al 2 de marzo de 2026" in page.text
    assert "Oculto" not in page.text
    page = patient.open(next(link for link in page.links if link.endswith(str(document))))
    assert "Tampoco en una emergencia" in page.text
    hidden = patient.press(page, "/ocultar")
    assert f"Solo usted y {story.HOLDING.name} saben que este documento existe" in hidden.text
    [name] = hidden_names(world)
    assert name.startswith("Binary/")
    assert "Oculto" in patient.open(DOCUMENTS).text
    assert "Un documento o dato" in patient.open("/mi-historia/limites").text
    patient.browser.submit(page, page.form("/ocultar"))
    assert patient.status == 409, "it is hidden already"
    shown = patient.press(hidden, "/mostrar")
    assert "Ocultar este documento" in shown.text
    assert hidden_names(world) == []
    patient.browser.submit(hidden, hidden.form("/mostrar"))
    assert patient.status == 409


def test_to_hide_and_to_show_she_proves_who_she_is(world: World) -> None:
    document = index(world, "Receta")
    visitor = world.visitor()
    visitor.sign_in("/ingresar?nivel=1&volver=/mi-historia", story.PATIENT)
    page = visitor.open(f"{DOCUMENTS}/{document}")
    led = visitor.press(page, "/ocultar")
    assert led.has_form("/service/"), "a second factor is asked for"
    assert hidden_names(world) == []


def test_anothers_document_is_nobodys(world: World, patient: Visitor) -> None:
    page = patient.open(f"{DOCUMENTS}/{index(world, 'Receta')}")
    for identifier in (uuid4(), "x"):
        patient.open(f"{DOCUMENTS}/{identifier}")
        assert patient.status == 404
        fields = page.form("/ocultar").fields
        answer = patient.browser._http.post(f"{world.base_url}{DOCUMENTS}/{identifier}/ocultar", data=fields)
        assert answer.status_code == 404
