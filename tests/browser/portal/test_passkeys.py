"""A passkey from end to end in a real browser, with the authenticator Chromium simulates (WebAuthn Level 2 §11)."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from portal.session import Identity, life_of, open_session
from registry.database import now
from sandbox import story
from tests.browser.portal.test_keyboard import walk_to
from tests.browser.portal.test_pages import inspect, press
from tests.functional.portal.world import World

pytestmark = pytest.mark.browser
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


HOST = "localhost"


@pytest.fixture(scope="module")
def host() -> str:
    """A passkey belongs to a name; an address is none."""
    return HOST


@pytest.fixture
def physician(chromium: Browser, world: World) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    tools = context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    identity = Identity(
        document=story.PHYSICIAN.person.document.number, name="JULIO VALDIVIA", acr=3, auth_time=now(), staff=True
    )
    with world.renhice.database.unit_of_work() as session:
        life = life_of(world.renhice.settings, staff=True)
        secret = open_session(session, world.renhice.sealer, identity, "Chrome/1", life)
    context.add_cookies([{"name": "renhice_session", "value": secret, "domain": HOST, "path": "/"}])
    page.goto(f"{world.base_url}/profesional")
    yield page
    context.close()


def test_added_used_and_taken_away(physician: Page, world: World) -> None:
    """By keyboard where it matters; what a phone and a screen reader meet is inspected on the way."""
    page = physician
    page.get_by_role("link", name="Mi cuenta").click()
    page.get_by_role("link", name="Llaves de acceso").click()
    page.get_by_role("link", name="Agregar una llave").click()
    inspect(page, page.url)
    page.get_by_label("¿Cómo la llamará?").fill("Laptop del consultorio")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Laptop del consultorio").wait_for()
    assert page.get_by_text("Todo, también para atender").count() == 1
    inspect(page, page.url)

    press(page, "Salir")
    page.goto(f"{world.base_url}/profesional")
    assert page.locator("h1").inner_text() == "Ingresar con llave de acceso"
    inspect(page, page.url)
    page.emulate_media(color_scheme="light")
    walk_to(page, "Usar mi llave")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{world.base_url}/profesional")
    page.goto(f"{world.base_url}/cuenta/sesiones")
    assert page.get_by_text("Con llave de acceso").count() == 1

    page.goto(f"{world.base_url}/cuenta/llaves")
    press(page, "Quitar")
    page.get_by_role("button", name="Usar mi llave").click()
    page.locator("#sin-llave, h1:has-text('no sirvió')").first.wait_for()
    page.goto(f"{world.base_url}/profesional")
    assert page.locator("h1").inner_text() == "Ingresar con llave de acceso", "the session it opened is over"


def test_without_a_key_the_page_says_so_and_offers_the_other_way(chromium: Browser, world: World) -> None:
    context = chromium.new_context()
    page = context.new_page()
    tools = context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR | {"isUserVerified": False}})
    page.goto(f"{world.base_url}/ingresar")
    page.get_by_role("link", name="Ingresar con llave").click()
    page.get_by_role("button", name="Usar mi llave").click()
    page.locator("#sin-llave:focus").wait_for(timeout=70_000)
    page.get_by_role("link", name="Ingresar con mi clave").click()
    assert page.locator("h1").inner_text() == "Ingresar"
    context.close()


def test_without_a_script_the_page_still_leads_on(chromium: Browser, world: World) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{world.base_url}/ingresar/llave?como=profesional")
    assert page.get_by_text("Este navegador no puede usar llaves").is_visible()
    assert not page.get_by_role("button", name="Usar mi llave").is_visible()
    other = page.get_by_role("link", name="Ingresar con mi clave").get_attribute("href")
    assert other == "/ingresar?como=profesional&proveedor=1"
    context.close()
