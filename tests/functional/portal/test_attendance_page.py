"""What she permits beforehand to whoever attends her: said by two factors, shown as it counts, taken back as easily."""

import pytest
from sqlalchemy import select

from consent_broker.desk.models import AttendancePolicy
from sandbox import story
from tests.functional.portal.world import Visitor, World

PAGE = "/mi-historia/atencion"


def said(world: World) -> list[list[str]]:
    with world.renhice.database.unit_of_work() as session:
        query = select(AttendancePolicy.categories).order_by(AttendancePolicy.recorded_at)
        return [list(one) for one in session.scalars(query)]


def test_she_permits_and_takes_back(world: World, patient: Visitor) -> None:
    page = patient.open(PAGE)
    assert "Le preguntan cada vez" in page.text
    assert "categoria" not in page.form(PAGE).fields, "nothing is ticked beforehand"
    done = patient.press(page, PAGE, "permitir", categoria="allergies")
    assert "Quien le atiende puede leer" in done.text
    patient.press(done, PAGE, "preguntarme")
    assert "Le preguntan cada vez" in patient.open(PAGE).text
    assert said(world)[-2:] == [["allergies"], []]


@pytest.mark.parametrize("typed", [{"decision": "permitir"}, {"decision": "permitir", "categoria": "x"}, {}])
def test_silence_and_nonsense_permit_nothing(world: World, patient: Visitor, typed: dict[str, str]) -> None:
    before = said(world)
    token = patient.open(PAGE).form("/salir").fields["csrf"]
    answer = patient.browser._http.post(f"{world.base_url}{PAGE}", data={"csrf": token} | typed)
    assert answer.status_code == 400
    assert said(world) == before


def test_one_factor_is_not_enough(world: World) -> None:
    visitor = world.visitor()
    visitor.sign_in("/ingresar?como=paciente", story.PATIENT)
    before = said(world)
    page = visitor.press(visitor.open(PAGE), PAGE, "permitir", categoria="allergies")
    assert "/service/" in page.url.path
    assert said(world) == before
