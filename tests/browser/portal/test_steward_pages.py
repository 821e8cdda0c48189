"""The steward's pages and the patient's claims, on a phone and a desk, by keyboard alone; axe finds nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page

from consent_broker.consents.states import count_with_consent
from matching.model import Model
from registry.identity.reresolution.report import report
from registry.identity.reresolution.shadow import judge_slices, start
from registry.identity.service import engine_of
from sandbox import story
from tests.browser.portal.test_keyboard import walk_to
from tests.browser.portal.test_pages import inspect, press
from tests.functional.portal.steward_world import human, open_doubt, register_facts
from tests.functional.portal.world import World, sign_in_with

pytestmark = pytest.mark.browser


@contextmanager
def page_of(chromium: Browser, world: World, path: str, person: object) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    sign_in_with(page, world, path, person)
    yield page
    context.close()


@pytest.fixture(scope="module")
def change(world: World) -> str:
    """A model's report with something to look at; returns one of its changes."""
    engine = engine_of(world.renhice)
    limits = {**engine.model.document["thresholds"], "link": 200.0, "review": 200.0}
    timid = replace(engine, model=Model.from_document({**engine.model.document, "thresholds": limits}))
    for place in (story.ASKING, story.HOLDING):
        register_facts(world.renhice, human(50), place.renipress, engine=timid)
    with world.renhice.database.unit_of_work() as session:
        run = start(session, engine.model, timid.model.hash, "operator test")
    list(judge_slices(world.renhice.database, engine, run.id))
    with world.renhice.database.unit_of_work() as session:
        reported = report(session, count_with_consent, run.id)
        assert reported is not None
        assert reported.report is not None
        return str(reported.report["sample"][0])


@pytest.fixture(scope="module")
def case(world: World) -> tuple[UUID, UUID]:
    """An open case and the person it may be."""
    case_id, home, _ = open_doubt(world.renhice, human(51))
    return case_id, home.person_id


def test_pages_of_the_steward(chromium: Browser, world: World, case: tuple[UUID, UUID], change: str) -> None:
    with page_of(chromium, world, "/ingresar?como=gestor", story.STEWARD.person) as page:
        for path in (
            "/gestion",
            f"/gestion/casos/{case[0]}",
            f"/gestion/personas/{case[1]}",
            "/gestion/modelo",
            f"/gestion/modelo/cambios/{change}",
        ):
            inspect(page, world.base_url + path)


def test_a_case_is_decided_by_keyboard_and_undone(chromium: Browser, world: World, case: tuple[UUID, UUID]) -> None:
    with page_of(chromium, world, "/ingresar?como=gestor", story.STEWARD.person) as page:
        page.goto(f"{world.base_url}/gestion/casos/{case[0]}")
        page.get_by_label("Son distintas").focus()
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.type("Los nombres")
        walk_to(page, "Ver qué pasaría")
        page.keyboard.press("Enter")
        page.wait_for_url("**/revisar")
        assert "No se volverá a preguntar" in page.inner_text("main")
        walk_to(page, "Confirmar")
        page.keyboard.press("Enter")
        page.wait_for_url("**/decisiones/*")
        inspect(page, page.url)


def test_pages_of_a_patient_who_claims(chromium: Browser, world: World) -> None:
    with page_of(chromium, world, "/ingresar?nivel=2&volver=/mi-historia", story.PATIENT) as page:
        page.goto(f"{world.base_url}/mi-historia/registros")
        page.get_by_role("link", name="Este registro no es mío").first.click()
        inspect(page, page.url)
        page.get_by_label("Nunca me atendieron allí").check()
        press(page, "Avisar")
        inspect(page, f"{world.base_url}/mi-historia/registros")
        press(page, "Sí es mío")
        assert "Usted retiró el aviso" in page.inner_text("main")
