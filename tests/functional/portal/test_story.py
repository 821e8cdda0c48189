"""The portal's part of the main job, over HTTP with a real ID Perú: ask, grant, read, see, withdraw, take back."""

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
