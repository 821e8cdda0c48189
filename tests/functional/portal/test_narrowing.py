"""The patient permits less than was asked, in the portal and on the way to a record system."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from consent_broker.consents.access_requests import Asking, request_access
from consent_broker.consents.models import ConsentVersion
from consent_broker.consents.vocabulary import end_of_day
from registry.calendar import LIMA
from registry.database import now
from registry.directory.service import get_professional_by_registration
from sandbox import story
from sandbox.demo.browser import Form, Page
from tests.functional.portal.test_authorise import asking, authorization
from tests.functional.portal.world import Visitor, World

__all__ = ["asking"]


def ask(world: World, physician: Visitor, categories: list[str]) -> None:
    """Ask for thirty days, unless a request waits already."""
    page = physician.open(f"/profesional/persona/{world.person_id}")
    if not page.has_form("/profesional/persona/"):
        return
    form = page.form("/profesional/persona/")
    data = form.fields | {"motivo": "TREAT", "dias": "30"}
    physician.browser._http.post(f"{world.base_url}{form.action}", data={**data, "categoria": categories})


def question(patient: Visitor) -> Page:
    home = patient.open("/mi-historia")
    return patient.open(next(link for link in home.links if link.startswith("/mi-historia/pedidos/")))


def part(page: Page, action: str) -> Form:
    return next(form for form in page.forms if action in form.action and ("decision", "permitir-parte") in form.buttons)


def post(visitor: Visitor, form: Form, **typed: Any) -> Any:
    data = form.fields | {"decision": "permitir-parte"} | typed
    return visitor.browser._http.post(f"{visitor.base_url}{form.action}", data=data)


def newest(world: World) -> ConsentVersion:
    with world.renhice.database.unit_of_work() as session:
        found = session.scalars(select(ConsentVersion).order_by(ConsentVersion.recorded_at.desc())).first()
        assert found is not None
        return found


def test_nothing_is_ticked_and_the_shortest_period_comes_first(
    world: World, patient: Visitor, physician: Visitor
) -> None:
    ask(world, physician, ["allergies", "medications"])
    form = part(question(patient), "/pedidos/")
    assert "categoria" not in form.fields
    assert form.fields["hasta"] == "0"


@pytest.mark.parametrize(
    "typed",
    [
        {},
        {"categoria": ["problems"]},
        {"categoria": ["allergies", "problems"]},
        {"categoria": ["\x00"]},
        {"categoria": ["allergies"], "hasta": "90"},
        {"categoria": ["allergies"], "hasta": ""},
        {"categoria": ["allergies"], "hasta": "9" * 400},
    ],
)
def test_more_than_was_asked_or_nothing_is_not_permitted(
    world: World, patient: Visitor, physician: Visitor, typed: dict[str, Any]
) -> None:
    ask(world, physician, ["allergies", "medications"])
    page = question(patient)
    before = newest(world)
    answer = post(patient, part(page, "/pedidos/"), **typed)
    assert answer.status_code in {400, 422}
    assert newest(world).recorded_at == before.recorded_at
    assert question(patient).status == 200


GOOD = {"categoria": ["allergies"], "hasta": "3"}


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"datos-desde": "ayer"}, "datos-desde", "Escriba una fecha como"),
        ({"datos-hasta": "9" * 400}, "datos-hasta", "Escriba una fecha como"),
        ({"datos-desde": "0001-01-01"}, "datos-desde", "de este siglo"),
        ({"datos-desde": "2024-02-01", "datos-hasta": "2024-01-01"}, "datos-hasta", "va después"),
        ({"hasta": "otro"}, "ultimo-dia", "Escriba un día desde hoy"),
        ({"hasta": "otro", "ultimo-dia": "2020-01-01"}, "ultimo-dia", "Escriba un día desde hoy"),
        ({"hasta": "otro", "ultimo-dia": "2199-01-01"}, "ultimo-dia", "Escriba un día desde hoy"),
        ({"hasta": "otro", "ultimo-dia": "\x00"}, "ultimo-dia", "Escriba una fecha como"),
    ],
    ids=str,
)
def test_a_wrong_date_is_said_beside_its_field_and_loses_nothing_else(
    world: World, patient: Visitor, physician: Visitor, typed: dict[str, str], field: str, words: str
) -> None:
    ask(world, physician, ["allergies", "medications"])
    answer = post(patient, part(question(patient), "/pedidos/"), **GOOD | {"datos-desde": "2023-05-06"} | typed)
    assert answer.status_code == 422
    page = patient.browser._arrive(answer)
    assert words in page.text
    assert f'href="#{field}"' in page.body
    kept = part(page, "/pedidos/").fields
    assert kept["categoria"] == "allergies"
    assert kept["hasta"] == typed.get("hasta", "3")
    assert kept["datos-desde"] == typed.get("datos-desde", "2023-05-06")[:40]


def test_she_permits_some_days_of_the_records_until_a_day_of_hers(
    world: World, patient: Visitor, physician: Visitor
) -> None:
    ask(world, physician, ["allergies", "medications"])
    last = (now().astimezone(LIMA) + timedelta(days=2)).date()
    typed = {"hasta": "otro", "ultimo-dia": str(last), "datos-desde": "2023-05-06", "datos-hasta": "2024-01-31"}
    answer = post(patient, part(question(patient), "/pedidos/"), **GOOD | typed)
    assert answer.status_code == 303
    granted = newest(world)
    assert (str(granted.data_from), str(granted.data_until)) == ("2023-05-06", "2024-01-31")
    assert granted.ends_at == end_of_day(last)
    assert "Solo desde el 6 de mayo de 2023" in patient.open("/mi-historia/permisos").text
    patient.press(patient.open("/mi-historia/permisos"), "/retirar")


def test_on_the_way_to_a_record_system_the_days_are_hers_too(world: World, asking: Any, patient: Visitor) -> None:
    path, _, verifier = authorization(world, asking, ["allergies", "encounters"])
    answer = post(patient, part(patient.open(path), "/autorizar/"), **GOOD | {"datos-desde": "2023-05-06"})
    assert answer.status_code == 303
    code = answer.headers["location"].split("code=")[1].split("&")[0]
    assert asking.redeem(code, verifier).status_code == 200
    assert str(newest(world).data_from) == "2023-05-06"
    patient.press(patient.open("/mi-historia/permisos"), "/retirar")


def test_she_permits_allergies_until_tonight(world: World, patient: Visitor, physician: Visitor) -> None:
    ask(world, physician, ["allergies", "medications"])
    form = part(question(patient), "/pedidos/")
    answer = post(patient, form, categoria=["allergies"])
    assert answer.status_code == 303
    granted = newest(world)
    assert (granted.status, granted.categories) == ("active", ["allergies"])
    assert granted.ends_at is not None
    assert granted.ends_at.astimezone(LIMA).hour == 0
    assert 0 < (granted.ends_at - now()).total_seconds() <= 24 * 3600
    record = physician.open(f"/profesional/persona/{world.person_id}")
    assert "Alergias" in record.text
    assert "Medicación" not in record.text
    patient.press(patient.open("/mi-historia/permisos"), "/retirar")


def test_the_record_system_gets_what_she_permitted(world: World, asking: Any, patient: Visitor) -> None:
    path, _, verifier = authorization(world, asking, ["allergies", "encounters"])
    answer = post(patient, part(patient.open(path), "/autorizar/"), categoria=["encounters"], hasta="3")
    assert answer.status_code == 303
    code = answer.headers["location"].split("code=")[1].split("&")[0]
    token = asking.redeem(code, verifier)
    assert token.json()["scope"] == "patient/Encounter.rs"
    patient.press(patient.open("/mi-historia/permisos"), "/retirar")


@pytest.mark.parametrize(
    ("decision", "ticked", "labels"),
    [("permitir", [], ["N", "PSY"]), ("permitir-parte", [], None), ("permitir-parte", ["PSY"], ["N", "PSY"])],
    ids=str,
)
def test_what_is_sensitive_is_shown_by_name_and_left_out_unless_it_is_wanted(
    world: World, patient: Visitor, physician: Visitor, decision: str, ticked: list[str], labels: list[str] | None
) -> None:
    with world.renhice.database.unit_of_work() as session:
        asking = Asking(
            establishment_id=world.place(story.ASKING.renipress).id,
            professional_id=get_professional_by_registration(session, "CMP", "990101").id,
            person_id=world.person_id,
            purpose="COC",
            categories=frozenset({"allergies"}),
            labels=frozenset({"PSY"}),
        )
        request = request_access(session, asking).request.id
    page = patient.open(f"/mi-historia/pedidos/{request}")
    assert "También: Salud mental" in page.text
    form = part(page, "/pedidos/")
    assert "reservado" not in form.fields
    extra = {"reservado": "HIV"}
    assert post(patient, form, categoria=["allergies"], **extra).status_code == 400
    answer = post(patient, form, categoria=["allergies"], reservado=ticked, decision=decision)
    assert answer.status_code == 303
    assert newest(world).labels == labels
