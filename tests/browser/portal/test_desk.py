"""The desk in real browsers: a QR on one screen, an answer on a phone, and the first screen moves on by itself."""

import pytest
from playwright.sync_api import Browser, Page

from sandbox import story
from tests.browser.portal.test_pages import inspect, press
from tests.functional.portal.world import World, sign_in_with

pytestmark = pytest.mark.browser
PHONE = {"width": 320, "height": 640}


@pytest.fixture
def physician(chromium: Browser, world: World) -> Page:
    context = chromium.new_context()
    page = context.new_page()
    sign_in_with(page, world, "/ingresar?como=profesional", story.PHYSICIAN.person)
    yield page
    context.close()


def ask(page: Page, world: World, *labels: str) -> str:
    """Ask for categories; returns the code shown."""
    page.goto(f"{world.base_url}/profesional/persona/{world.person_id}")
    for label in labels:
        page.get_by_label(label).check()
    page.get_by_role("button", name="Pedir permiso").click()
    return page.locator(".rh-short-code").inner_text()


def test_the_phone_answers_a_part_and_the_screen_moves_on(chromium: Browser, world: World, physician: Page) -> None:
    code = ask(physician, world, "Alergias", "Medicación")
    inspect(physician, physician.url)
    context = chromium.new_context(viewport=PHONE)
    phone = context.new_page()
    sign_in_with(phone, world, f"/codigo/{code}", story.PATIENT)
    physician.get_by_text("La persona ya lo abrió").wait_for(timeout=20_000)
    inspect(phone, phone.url)
    phone.get_by_text("Permitir solo una parte").click()
    assert phone.get_by_label("Alergias").is_checked() is False
    phone.get_by_role("button", name="Permitir solo esto").click()
    assert phone.get_by_role("alert").inner_text().endswith("Marque al menos una parte de su historia.")
    inspect_open(phone)
    phone.get_by_label("Medicación").check()
    phone.get_by_role("button", name="Permitir solo esto").click()
    phone.wait_for_url("**/mi-historia/permisos/**")
    physician.wait_for_url("**/profesional/persona/**", timeout=20_000)
    assert physician.locator("h2").all_inner_texts().count("Medicación") == 1
    assert "Alergias" not in physician.locator("main").inner_text()
    press(phone, "Retirar permiso")
    context.close()


def inspect_open(page: Page) -> None:
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_without_scripts_the_link_does_the_same(chromium: Browser, world: World) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in_with(page, world, "/ingresar?como=profesional", story.PHYSICIAN.person)
    code = ask(page, world, "Vacunas")
    phone_context = chromium.new_context(viewport=PHONE, java_script_enabled=False)
    phone = phone_context.new_page()
    sign_in_with(phone, world, "/ingresar?nivel=2&volver=/codigo", story.PATIENT)
    phone.get_by_label("Código").fill(code)
    phone.keyboard.press("Enter")
    press(phone, "No permitir")
    phone.wait_for_url("**/mi-historia")
    page.get_by_role("link", name="Ver si ya respondió").click()
    assert "El pedido terminó" in page.locator("h1").inner_text()
    context.close()
    phone_context.close()


def test_the_page_where_a_code_is_typed(chromium: Browser, world: World) -> None:
    context = chromium.new_context()
    page = context.new_page()
    sign_in_with(page, world, "/ingresar?nivel=2&volver=/codigo", story.PATIENT)
    inspect(page, f"{world.base_url}/codigo")
    inspect(page, f"{world.base_url}/codigo/BCDF-GHJK", 422)
    context.close()


def test_the_pages_of_help(world: World, physician: Page) -> None:
    ask(physician, world, "Atenciones")
    address = physician.url
    press(physician, "Enviarle un código")
    inspect(physician, address)
    inspect(physician, f"{address}/con-ayuda")
    physician.get_by_label("Atenciones").check()
    physician.get_by_label("Firmó el formulario").check()
    scan = {"name": "form.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"}
    physician.get_by_label("Formulario escaneado").set_input_files(files=[scan])
    physician.get_by_label("Número del documento").fill(story.PATIENT.document.number)
    physician.get_by_role("button", name="Anotar y pedir confirmación").click()
    physician.wait_for_url("**/por-confirmar/**")
    inspect(physician, physician.url)
    inspect(physician, f"{world.base_url}/profesional/por-confirmar")
