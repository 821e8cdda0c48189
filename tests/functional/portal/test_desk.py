"""The desk: a code on the professional's screen, an answer on the patient's phone, and what a hostile hand can't do."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select, update

from consent_broker.desk.models import ShortCode, WrongCode
from consent_broker.desk.short_codes import random_code, read_code, spell
from registry.audit.models import AuditEvent
from registry.database import now
from sandbox import story
from sandbox.clerks import write_down
from sandbox.demo.browser import Page
from tests.functional.portal.world import Visitor, World, register

CODE = re.compile(r"\b[A-Z]{4}-[A-Z]{4}\b")
OTHER = story.WORKERS[1].person


def ask(world: World, physician: Visitor, category: str = "allergies") -> Page:
    """The physician asks, or comes back to what waits already."""
    page = physician.open(f"/profesional/persona/{world.person_id}")
    if not page.has_form("/profesional/persona/"):
        waiting = next(link for link in page.links if link.startswith("/profesional/pedidos/"))
        page = physician.open(waiting)
        return physician.press(page, "/codigo")
    fields = {"categoria": category, "motivo": "TREAT", "dias": "7"}
    return physician.press(page, "/profesional/persona/", **fields)


def code_on(page: Page) -> str:
    found = CODE.search(page.text)
    assert found is not None, page.text
    return found[0]


def settle(patient: Visitor) -> None:
    """Decline whatever waits, so that the next test begins anew."""
    home = patient.open("/mi-historia")
    for link in [link for link in home.links if link.startswith("/mi-historia/pedidos/")]:
        patient.press(patient.open(link), "/pedidos/", "no-permitir")


def forget_wrong_codes(world: World) -> None:
    with world.renhice.database.unit_of_work() as session:
        session.execute(delete(WrongCode))


def type_code(visitor: Visitor, code: str) -> Page:
    return visitor.press(visitor.open("/codigo"), "/codigo", codigo=code)


def test_from_the_code_to_the_record(world: World, patient: Visitor, physician: Visitor) -> None:
    page = ask(world, physician)
    assert page.url.path.startswith("/profesional/pedidos/")
    assert "<svg" in page.body
    assert "Por decidir" in page.text
    question = type_code(patient, code_on(page).lower().replace("-", " "))
    assert question.url.path.startswith("/mi-historia/pedidos/")
    for words in ("JULIO CESAR VALDIVIA RAMOS", "CMP 990101", story.ASKING.name, "Alergias"):
        assert words in question.text
    assert "ya lo abrió" in physician.open(page.url.path + "/estado").text
    patient.press(question, "/pedidos/", "permitir")
    moved_on = physician.open(page.url.path)
    assert moved_on.url.path == f"/profesional/persona/{world.person_id}"
    assert "Historia compartida" in moved_on.text
    patient.press(patient.open("/mi-historia/permisos"), "/retirar")


def test_the_qr_leads_where_the_code_does(world: World, patient: Visitor, physician: Visitor) -> None:
    code = code_on(ask(world, physician))
    stranger = world.visitor()
    stranger.open(f"/codigo/{code}")
    assert "/service/" in str(stranger.heard[-1].url.path), "a phone that isn't signed in goes to ID Perú first"
    assert stranger.sign_in(f"/codigo/{code}", story.PATIENT).url.path.startswith("/mi-historia/pedidos/")
    assert patient.open(f"/codigo/{code}").url.path.startswith("/mi-historia/pedidos/")
    settle(patient)
    assert patient.open(f"/codigo/{code}").status == 422, "answered: it leads nowhere"
    forget_wrong_codes(world)


def test_asking_how_it_stands_is_no_access_and_shows_no_person(
    world: World, patient: Visitor, physician: Visitor
) -> None:
    page = ask(world, physician)
    count = select(func.count()).select_from(AuditEvent)
    with world.renhice.database.unit_of_work() as session:
        before = session.scalar(count)
    status = physician.open(f"{page.url.path}/estado")
    assert story.PATIENT.given_names not in status.body
    assert "Por decidir" in status.text
    with world.renhice.database.unit_of_work() as session:
        assert session.scalar(count) == before
    settle(patient)
    ended = physician.open(page.url.path)
    assert "No permitido" in ended.text
    assert not ended.has_form("/codigo")


def test_a_reload_shows_the_same_code_and_a_new_one_can_be_had(
    world: World, patient: Visitor, physician: Visitor
) -> None:
    page = ask(world, physician)
    code = code_on(page)
    assert code_on(physician.open(page.url.path)) == code
    newer = code_on(physician.press(page, "/codigo"))
    assert newer != code
    assert type_code(patient, code).url.path == type_code(patient, newer).url.path
    elsewhere = world.visitor()
    elsewhere.sign_in("/ingresar?como=profesional", story.PHYSICIAN.person)
    assert CODE.search(elsewhere.open(page.url.path).text) is None, "another session can't derive it"
    with world.renhice.database.unit_of_work() as session:
        session.execute(update(ShortCode).values(expires_at=now() - timedelta(seconds=1)))
    assert "El código venció" in physician.open(page.url.path).text
    assert type_code(patient, newer).status == 422
    settle(patient)
    forget_wrong_codes(world)


def test_a_code_is_nobody_elses(world: World, patient: Visitor, physician: Visitor) -> None:
    """Not a professional's own, though they can read it off the screen: they are a citizen too, and not this one."""
    register(world.renhice, write_down(OTHER, story.HOLDING.renipress, "DESK-1"), story.HOLDING.renipress)
    code = code_on(ask(world, physician))
    stranger = world.visitor()
    page = stranger.sign_in(f"/codigo/{code}", OTHER)
    assert page.status == 422
    assert "Ese código no es de un pedido para usted" in page.text
    assert "VALDIVIA" not in page.text
    settle(patient)


@pytest.mark.parametrize("typed", ["", "x", "BCDF-GHJK", "AEIO-UAEI", "é" * 8, "B" * 5000, "' OR 1=1", "<b>BCDFGHJK"])
def test_a_wrong_code_says_the_same_whatever_it_is(world: World, patient: Visitor, typed: str) -> None:
    page = type_code(patient, typed)
    assert page.status == 422
    assert "Ese código no es de un pedido para usted" in page.text
    assert "<b>" not in page.body
    forget_wrong_codes(world)


def test_guessing_ends_after_five_in_any_of_ones_sessions(world: World, patient: Visitor, physician: Visitor) -> None:
    code = code_on(ask(world, physician))
    again = world.visitor()
    again.sign_in("/ingresar?nivel=2&volver=/codigo", story.PATIENT)
    answers = [type_code(visitor, random_code()).status for visitor in (patient, again, patient, again, patient)]
    assert answers == [422] * 5
    assert type_code(again, code).status == 429, "the right one too"
    assert patient.open(f"/codigo/{code}").status == 429
    forget_wrong_codes(world)
    assert type_code(patient, code).status == 200
    settle(patient)


def test_a_code_is_posted_with_the_sessions_token(world: World, patient: Visitor) -> None:
    answer = patient.browser._http.post(f"{world.base_url}/codigo", data={"codigo": "BCDFGHJK"})
    assert answer.status_code == 403


@pytest.mark.parametrize("suffix", ["", "/estado"])
def test_a_request_is_its_professionals(world: World, patient: Visitor, physician: Visitor, suffix: str) -> None:
    path = ask(world, physician).url.path
    other = world.visitor()
    other.sign_in("/ingresar?como=profesional", OTHER)
    assert other.open(f"{path}{suffix}").status == 404
    assert patient.open(f"{path}{suffix}").status in {200, 403}
    assert "Por decidir" not in patient.open(f"{path}{suffix}").text
    form = {"csrf": other.open("/profesional").form("/salir").fields["csrf"]}
    assert other.browser._http.post(f"{world.base_url}{path}/codigo", data=form).status_code == 404
    settle(patient)


def test_two_tabs_do_not_cross(world: World, patient: Visitor, physician: Visitor) -> None:
    """Each answer is to the request of its own page, whichever was opened last."""
    first = type_code(patient, code_on(ask(world, physician, "allergies")))
    second_physician = world.visitor()
    second_physician.sign_in("/ingresar?como=profesional", OTHER)
    second = type_code(patient, code_on(ask(world, second_physician, "medications")))
    assert first.url.path != second.url.path
    granted = patient.press(first, "/pedidos/", "permitir")
    assert "VALDIVIA" in granted.text
    assert "CCORIMANYA" not in granted.text
    assert patient.open(second.url.path).status == 200, "the other still waits"
    settle(patient)
    patient.press(patient.open("/mi-historia/permisos"), "/retirar")


def test_codes_are_spelt_and_read_back() -> None:
    for _ in range(200):
        code = random_code()
        assert read_code(spell(code).lower()) == code
    assert read_code("vcdf ghjk") == "BCDFGHJK", "V is said like B"
