"""Without a mouse and without JavaScript: granting and withdrawing, every stop of the way visible."""

import pytest
from playwright.sync_api import Browser, Page

from sandbox import story
from tests.browser.portal.test_pages import ask, press
from tests.functional.portal.world import World, sign_in_with

pytestmark = pytest.mark.browser


def walk_to(page: Page, words: str) -> None:
    """Press Tab until the control with those words has the focus; each stop must show that it has it."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        text = focused.inner_text() if focused.count() else ""
        if focused.count() and focused.evaluate("e => e.matches('a, button')"):
            style = focused.evaluate("e => { const s = getComputedStyle(e); return s.backgroundColor + s.boxShadow }")
            assert "rgb(255, 201, 74)" in style, f"the focus on {text!r} can't be seen"
        if text.startswith(words):
            return
    pytest.fail(f"no way by keyboard to {words!r}")


def test_grant_and_withdraw_by_keyboard_without_javascript(chromium: Browser, world: World) -> None:
    context = chromium.new_context(color_scheme="light", java_script_enabled=True)
    page = context.new_page()
    sign_in_with(page, world, "/ingresar?nivel=2&volver=/mi-historia", story.PATIENT)
    page.route("**/*.js", lambda route: route.abort())
    page.goto(world.base_url + ask(world))
    walk_to(page, "Permitir")
    page.keyboard.press("Enter")
    page.wait_for_url("**/mi-historia/permisos/**")
    assert page.locator("h1").inner_text() == "Permiso dado"
    walk_to(page, "Mis permisos")
    page.keyboard.press("Enter")
    page.wait_for_url("**/mi-historia/permisos")
    walk_to(page, "Retirar permiso")
    page.keyboard.press("Enter")
    page.wait_for_url("**/mi-historia/permisos/**")
    assert page.locator("h1").inner_text() == "Permiso retirado"
    walk_to(page, "Volver a permitir")
    context.close()


def test_the_first_stop_leads_to_the_content(chromium: Browser, world: World) -> None:
    page = chromium.new_page()
    page.goto(f"{world.base_url}/accesibilidad")
    walk_to(page, "Ir al contenido")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "contenido"
    page.close()


def test_the_search_box_is_ready_to_type(chromium: Browser, world: World) -> None:
    """Two clicks at most from the search to the record: Enter, and the page is there."""
    context = chromium.new_context()
    page = context.new_page()
    sign_in_with(page, world, "/ingresar?como=profesional", story.PHYSICIAN.person)
    page.locator("#dni:focus").wait_for()
    page.keyboard.type(story.PATIENT.document.number)
    page.keyboard.press("Enter")
    page.wait_for_url("**/profesional/persona/**")
    assert page.locator("h1").inner_text() == "Pedir permiso"
    context.close()


def test_the_page_notices_the_answer_by_itself(chromium: Browser, world: World) -> None:
    context, patient_context = chromium.new_context(), chromium.new_context()
    page, patient = context.new_page(), patient_context.new_page()
    sign_in_with(page, world, "/ingresar?como=profesional", story.PHYSICIAN.person)
    path = ask(world)
    page.goto(f"{world.base_url}/profesional/persona/{world.person_id}")
    sign_in_with(patient, world, f"/ingresar?nivel=2&volver={path}", story.PATIENT)
    press(patient, "No permitir")
    page.get_by_text("No permitido").wait_for(timeout=15_000)
    context.close()
    patient_context.close()
