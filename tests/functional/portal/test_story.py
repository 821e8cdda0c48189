"""The portal's part of the main job, over HTTP with a real ID Perú: ask, grant, read, see, withdraw, take back."""

from sqlalchemy import update

from registry.audit.event import Event
from registry.audit.service import record
from registry.database import new_id
from registry.directory.service import get_establishment
from registry.identity.models import Membership, Person
from sandbox import story
from sandbox.demo.browser import Page
from tests.functional.portal.world import Visitor, World

NAME = "JULIO CESAR VALDIVIA RAMOS"


def ask(world: World, physician: Visitor) -> Page:
    page = physician.open(f"/profesional/persona/{world.person_id}")
    assert "Pedir permiso" in page.text
    form = page.form("/profesional/persona/")
    fields = form.fields | {"categoria": "allergies", "motivo": "TREAT", "dias": "7"}
    return physician.browser.submit(page, form, **fields)


def test_the_patient_sees_where_the_records_are(patient: Visitor) -> None:
    page = patient.open("/mi-historia")
    assert patient.status == 200
    assert story.ASKING.name in page.text
    assert story.HOLDING.name in page.text


def test_ask_grant_read_see_withdraw(world: World, patient: Visitor, physician: Visitor) -> None:
    assert "Ver si ya respondió" in ask(world, physician).text
    home = patient.open("/mi-historia")
    assert f"{NAME} pide ver su historia" in home.text
    link = next(link for link in home.links if link.startswith("/mi-historia/pedidos/"))
    page = patient.open(link)
    for words in (NAME, "CMP 990101", story.ASKING.name, "Alergias", "Para atenderle", "de 20"):
        assert words in page.text
    receipt = patient.press(page, "/pedidos/", "permitir")
    assert patient.status == 200
    assert "/mi-historia/permisos/" in receipt.url.path

    record = physician.open(f"/profesional/persona/{world.person_id}")
    assert "Historia compartida" in record.text
    assert world.holder.asked.count("AllergyIntolerance") == 1
    assert story.HOLDING.name in record.text
    assert "Penicilina" in record.text or "Activa" in record.text

    accesses = patient.open("/mi-historia/accesos")
    for words in (NAME, "CMP 990101", story.ASKING.name, "Alergias", "Para atenderle", "Permitido"):
        assert words in accesses.text

    page = patient.open("/mi-historia/permisos")
    done = patient.press(page, "/retirar")
    assert "Permiso retirado" in done.text
    assert "Pedir permiso" in physician.open(f"/profesional/persona/{world.person_id}").text

    again = patient.press(done, "/reponer")
    assert "Permiso dado" in again.text
    assert "Historia compartida" in physician.open(f"/profesional/persona/{world.person_id}").text
    patient.press(patient.open("/mi-historia/permisos"), "/retirar")


def test_a_denied_request_permits_nothing(world: World, patient: Visitor, physician: Visitor) -> None:
    ask(world, physician)
    link = next(link for link in patient.open("/mi-historia").links if "/pedidos/" in link)
    page = patient.press(patient.open(link), "/pedidos/", "no-permitir")
    assert page.url.path == "/mi-historia"
    assert "No permitido" in physician.open(f"/profesional/persona/{world.person_id}").text
    assert patient.open(link).status == 409


def test_what_does_not_arrive_is_named(world: World, patient: Visitor, physician: Visitor) -> None:
    ask(world, physician)
    link = next(link for link in patient.open("/mi-historia").links if "/pedidos/" in link)
    patient.press(patient.open(link), "/pedidos/", "permitir")
    world.holder.broken = True
    page = physician.open(f"/profesional/persona/{world.person_id}")
    world.holder.broken = False
    assert f"{story.HOLDING.name} no responde ahora" in page.text
    patient.press(patient.open("/mi-historia/permisos"), "/retirar")


def test_an_allergy_against_a_medicine_is_shown_first(world: World, patient: Visitor, physician: Visitor) -> None:
    form_page = physician.open(f"/profesional/persona/{world.person_id}")
    form = form_page.form("/profesional/persona/")
    asked = form.fields | {"categoria": ["allergies", "medications"], "motivo": "TREAT", "dias": "7"}
    physician.browser.submit(form_page, form, **asked)
    link = next(link for link in patient.open("/mi-historia").links if "/pedidos/" in link)
    patient.press(patient.open(link), "/pedidos/", "permitir")
    held = list(world.holder.resources)
    code = {"coding": [{"system": "http://snomed.info/sct", "code": "91936005"}], "text": "Alergia a la penicilina"}
    world.holder.resources[:] = [
        {"resourceType": "AllergyIntolerance", "id": "a", "code": code},
        {"resourceType": "MedicationStatement", "id": "b", "status": "active", "medicationCodeableConcept": {
            "text": "Amoxicilina 500 mg"}},
    ]  # fmt: skip
    text = physician.open(f"/profesional/persona/{world.person_id}").text
    world.holder.resources[:] = held
    alert = "Registra «Alergia a la penicilina» y toma Amoxicilina 500 mg, que es de la misma clase (penicilinas)."
    assert 0 < text.find(alert) < text.rfind("Alergia a la penicilina") - len(alert)
    patient.press(patient.open("/mi-historia/permisos"), "/retirar")


def test_a_document_that_was_read_is_in_her_log(world: World, patient: Visitor) -> None:
    with world.renhice.database.unit_of_work() as session:
        place = get_establishment(session, story.HOLDING.renipress)
        about = {"person_id": world.person_id, "purpose": "TREAT", "establishment_id": place.id, "holder_id": place.id}
        record(session, Event(action="exchange:document:read", detail={"document": str(new_id())}, **about))
    assert f"Un documento de {story.HOLDING.name}" in patient.open("/mi-historia/accesos").text


def test_looking_her_up_is_an_access_too(world: World, patient: Visitor) -> None:
    with world.renhice.database.unit_of_work() as session:
        place = get_establishment(session, story.HOLDING.renipress)
        record(session, Event(action="locator:person:located", person_id=world.person_id, establishment_id=place.id))
    page = patient.open("/mi-historia/accesos")
    for words in (story.HOLDING.name, "Dónde están sus historias", "Para identificarle"):
        assert words in page.text
    filtered = patient.open(f"/mi-historia/accesos?establecimiento={story.HOLDING.renipress}")
    assert "Dónde están sus historias" in filtered.text
    assert NAME not in filtered.text
    assert "No hay accesos con ese filtro" in patient.open("/mi-historia/accesos?hasta=2001-01-01").text


def test_what_was_given_before_a_merge_can_be_withdrawn(world: World, patient: Visitor, physician: Visitor) -> None:
    """Two persons become one while she is signed in: her pages follow her, her permissions stay hers."""
    ask(world, physician)
    link = next(link for link in patient.open("/mi-historia").links if "/pedidos/" in link)
    patient.press(patient.open(link), "/pedidos/", "permitir")
    with world.renhice.database.unit_of_work() as session:
        successor = Person(id=new_id())
        session.add(successor)
        session.flush()
        session.execute(
            update(Membership).where(Membership.person_id == world.person_id).values(person_id=successor.id)
        )
        merged = {"status": "replaced", "replaced_by": successor.id}
        session.execute(update(Person).where(Person.id == world.person_id).values(**merged))
    assert story.HOLDING.name in patient.open("/mi-historia").text
    done = patient.press(patient.open("/mi-historia/permisos"), "/retirar")
    assert "Permiso retirado" in done.text
