"""Every page in light and dark, on a phone and a desk: it opens, says what it is, and axe finds nothing."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page

from consent_broker.consents.access_requests import Asking, request_access
from registry.bulk.processing import process
from registry.directory.service import get_establishment, get_professional_by_registration
from registry.statistics.tasks import rebuild_facts
from sandbox import story
from tests.functional.portal.test_documents import index
from tests.functional.portal.test_items import PENICILLIN, record_of
from tests.functional.portal.test_transfers import patient, upload
from tests.functional.portal.world import World, sign_in_with

pytestmark = pytest.mark.browser
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
STYLES = Path(__file__).parents[3] / "portal" / "static" / "renhice.css"
WIDTHS = (320, 1280)
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"], "resultTypes": ["violations"]}
Theme = Literal["light", "dark"]
LOOKS: list[tuple[Theme, int, dict[str, Any]]] = [
    *(("light", width, RULES) for width in WIDTHS),
    *(("dark", width, COLOURS) for width in WIDTHS),
]
"""The themes differ in colours only (`test_a_theme_is_colours_and_nothing_else`): the dark one is asked no more."""
PUBLIC = ["/", "/ingresar", "/accesibilidad"]
PATIENT = [
    "/mi-historia",
    "/mi-historia/accesos",
    "/mi-historia/permisos",
    "/cuenta/sesiones",
    "/mi-historia/limites",
    "/mi-historia/limites/nuevo",
    "/mi-historia/limites/todo",
    "/mi-historia/representados",
]
JSON = dict[str, Any]


@contextmanager
def at(browser: Browser, storage: JSON | None = None) -> Iterator[Page]:
    """A page in a context of its own."""
    context = browser.new_context(storage_state=storage)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, world: World) -> dict[str, JSON]:
    """The cookies of the patient, the physician and the analyst, with something to see on each page."""
    rebuild_facts(world.renhice)
    found = {}
    for role, person, path in (
        ("patient", story.PATIENT, "/ingresar?nivel=2&volver=/mi-historia"),
        ("professional", story.PHYSICIAN.person, "/ingresar?como=profesional"),
        ("analyst", story.ANALYST.person, "/ingresar?como=analista"),
        ("administrator", story.ESTABLISHMENT_ADMINISTRATOR.person, "/ingresar?como=establecimiento"),
    ):
        context = chromium.new_context()
        sign_in_with(context.new_page(), world, path, person)
        found[role] = context.storage_state()
        context.close()
    return found


def ask(world: World) -> str:
    """A request of the physician, asked as the portal asks; returns where the patient decides it."""
    with world.renhice.database.unit_of_work() as session:
        asking = Asking(
            establishment_id=get_establishment(session, story.ASKING.renipress).id,
            professional_id=get_professional_by_registration(session, "CMP", "990101").id,
            person_id=world.person_id,
            purpose="TREAT",
            categories=frozenset({"allergies", "medications", "encounters"}),
        )
        return f"/mi-historia/pedidos/{request_access(session, asking).request.id}"


def inspect(page: Page, address: str, status: int = 200) -> None:
    """Status and heading first: axe is as happy with an error page."""
    response = page.goto(address)
    assert response is not None
    assert response.status == status
    assert page.locator("h1").count() == 1
    assert page.title().endswith(" – RENHICE")
    look_over(page, address)


def press(page: Page, name: str, *, exact: bool = False) -> None:
    """Press a button, and wait until what it sends is answered: leaving a page sooner takes it back."""
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=exact).click()


def look_over(page: Page, address: str) -> None:
    """The page as it stands, in every look."""
    page.evaluate(AXE_SCRIPT)
    for theme, width, rules in LOOKS:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (address, width)
        found = page.evaluate("rules => axe.run(rules)", rules)["violations"]
        shown = [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]
        assert not shown, (address, theme, width)


def test_a_theme_is_colours_and_nothing_else() -> None:
    themes = re.findall(
        r"@media [^{]*prefers-color-scheme[^{]*\{(.*?)^\}", STYLES.read_text(), re.DOTALL | re.MULTILINE
    )
    said = [one for theme in themes for one in re.findall(r"([\w-]+):\s*([^;{]+);", theme)]
    assert len(said) > 10
    strange = [
        one
        for one in said
        if one[0] != "color-scheme" and not re.fullmatch(r"--rh-[\w-]+: (#[0-9a-f]+|none)", ": ".join(one))
    ]
    assert not strange


def test_public_pages(chromium: Browser, world: World) -> None:
    with at(chromium) as page:
        for path in PUBLIC:
            inspect(page, world.base_url + path)
        inspect(page, f"{world.base_url}/no-existe", 404)


def test_pages_of_the_patient(chromium: Browser, world: World, signed_in: dict[str, JSON]) -> None:
    path = ask(world)
    with at(chromium, signed_in["patient"]) as page:
        for one in [*PATIENT, path]:
            inspect(page, world.base_url + one)
        page.get_by_text("Permitir solo una parte").click()
        page.get_by_label("Hasta otro día").check()
        page.get_by_label("Lo escrito desde").fill("2024-05-06")
        page.get_by_role("button", name="Permitir solo esto").click()
        assert page.get_by_role("alert").inner_text().count("\n") >= 2, "what to tick, and the day that is missing"
        assert page.get_by_label("Lo escrito desde").input_value() == "2024-05-06"
        look_over(page, path)
        press(page, "Permitir", exact=True)
        for one in (page.url, f"{world.base_url}/mi-historia/permisos"):
            inspect(page, one)
        press(page, "Retirar permiso")
        inspect(page, page.url)


def test_a_document_is_hidden_and_shown_again_in_two_clicks(
    chromium: Browser, world: World, signed_in: dict[str, JSON]
) -> None:
    index(world, "Receta de amoxicilina")
    with at(chromium, signed_in["patient"]) as page:
        inspect(page, f"{world.base_url}/mi-historia/documentos")
        page.get_by_role("link", name=re.compile("Ocultar a los demás")).click()
        press(page, "Ocultar este documento")
        assert "Oculto" in page.inner_text("main")
        look_over(page, page.url)
        page.get_by_role("link", name="Mis documentos").click()
        page.get_by_role("link", name=re.compile("Mostrar de nuevo")).click()
        press(page, "Mostrar de nuevo")
        assert "Ocultar este documento" in page.inner_text("main")


def test_a_record_is_read_and_an_item_hidden_and_shown_again(
    chromium: Browser, world: World, signed_in: dict[str, JSON]
) -> None:
    record = f"/mi-historia/registros/{record_of(world, world.person_id)}"
    with at(chromium, signed_in["patient"]) as page:
        inspect(page, f"{world.base_url}/mi-historia/registros")
        inspect(page, world.base_url + record)
        page.locator(f'a[href$="{PENICILLIN}"]').click()
        look_over(page, page.url)
        press(page, "Ocultar este dato")
        assert "Oculto" in page.inner_text("main")
        look_over(page, page.url)
        inspect(page, world.base_url + ask(world))
        page.goto(f"{world.base_url}{record}/{PENICILLIN}")
        press(page, "Mostrar de nuevo")
        assert "Oculto" not in page.inner_text("main")


def test_pages_of_the_professional(chromium: Browser, world: World, signed_in: dict[str, JSON]) -> None:
    person = f"{world.base_url}/profesional/persona/{world.person_id}"
    with at(chromium, signed_in["professional"]) as page, at(chromium, signed_in["patient"]) as patient:
        inspect(page, f"{world.base_url}/profesional")
        inspect(page, person)
        patient.goto(world.base_url + ask(world))
        inspect(page, person)
        press(patient, "Permitir", exact=True)
        inspect(page, person)
        patient.goto(f"{world.base_url}/mi-historia/permisos")
        press(patient, "Retirar permiso")


def test_a_slow_establishment_keeps_no_other_waiting(
    chromium: Browser, world: World, signed_in: dict[str, JSON]
) -> None:
    """On a phone, without scripts: what has answered is read while the rest is waited for."""
    context = chromium.new_context(
        storage_state=signed_in["professional"], java_script_enabled=False, viewport={"width": 320, "height": 640}
    )
    page = context.new_page()
    with at(chromium, signed_in["patient"]) as patient:
        patient.goto(world.base_url + ask(world))
        press(patient, "Permitir", exact=True)
        world.holder.answering.clear()
        page.goto(f"{world.base_url}/profesional/persona/{world.person_id}", wait_until="commit")
        allergies = page.get_by_role("table", name=f"Alergias · {story.HOLDING.name}")
        allergies.get_by_text("Penicilina").wait_for()
        said = page.get_by_role("log")
        assert said.get_attribute("aria-live") == "polite"
        waiting = said.get_by_text(f"Esperando la respuesta de {story.ASKING.name}")
        assert waiting.is_visible()
        assert page.get_by_text(f"{story.HOLDING.name} respondió.").is_visible()
        world.holder.answering.set()
        page.get_by_text("No se espera a nadie más").wait_for()
        assert not waiting.is_visible()
        headings = page.locator("h2").all_inner_texts()
        assert headings.index("Alergias") < headings.index("Medicación") < headings.index("Atenciones")
        medicines = page.get_by_role("table", name=f"Medicación · {story.HOLDING.name}")
        below = page.get_by_role("heading", name="Medicación")
        assert allergies.bounding_box()["y"] < below.bounding_box()["y"] < medicines.bounding_box()["y"]
        patient.goto(f"{world.base_url}/mi-historia/permisos")
        press(patient, "Retirar permiso")
    context.close()


def test_page_of_the_analyst(chromium: Browser, world: World, signed_in: dict[str, JSON]) -> None:
    with at(chromium, signed_in["analyst"]) as page:
        inspect(page, f"{world.base_url}/estadisticas")
        page.wait_for_function("document.images[0].complete && document.images[0].naturalWidth > 0")  # each theme's own


def test_pages_of_an_establishments_administrator(chromium: Browser, world: World, signed_in: dict[str, JSON]) -> None:
    """What moves is shown in its place, and whoever is on a button stays there."""
    lines = [patient(world, f"N-{number}") for number in range(3)]
    key = upload(world, story.ASKING.renipress, *lines, patient(world, "N-9", birthDate="x"))
    path = f"{world.base_url}/establecimiento/archivos/{key}"
    with at(chromium, signed_in["administrator"]) as page:
        inspect(page, f"{world.base_url}/establecimiento")
        inspect(page, path)
        page.get_by_role("button", name="Anular el envío").focus()
        process(world.renhice, key, seconds=0, chunk=1)
        page.locator("dd", has_text=re.compile(r"2[0-9] %")).wait_for(timeout=15_000)
        assert page.locator(":focus").inner_text() == "Anular el envío"
        process(world.renhice, key)
        page.get_by_text("Líneas rechazadas: 1").wait_for(timeout=15_000)
        inspect(page, path)


@pytest.mark.parametrize("size", ["150", "200"])
def test_larger_letters_do_not_overflow_a_phone(
    chromium: Browser, world: World, signed_in: dict[str, JSON], size: str
) -> None:
    with at(chromium, signed_in["patient"]) as page:
        page.set_viewport_size({"width": 320, "height": 800})
        page.context.add_cookies([{"name": "renhice_texto", "value": size, "url": world.base_url}])
        for path in [*PATIENT, "/"]:
            page.goto(world.base_url + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, path


def test_targets_are_large_enough(chromium: Browser, world: World, signed_in: dict[str, JSON]) -> None:
    """WCAG 2.5.8: 24 px, links inside a sentence apart."""
    with at(chromium, signed_in["patient"]) as page:
        page.set_viewport_size({"width": 320, "height": 800})
        for path in PATIENT:
            page.goto(world.base_url + path)
            small = page.eval_on_selector_all(
                "button, input:not([type=hidden]), select, nav a",
                "all => all.filter(e => e.getBoundingClientRect().height < 24).map(e => e.outerHTML)",
            )
            assert not small
