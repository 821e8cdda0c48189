"""Limits in the portal: shown before they are put, in force at once, taken back with a click."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from consent_broker.consents.access_requests import Asking, request_access
from consent_broker.consents.evidence import Evidence
from consent_broker.consents.service import (
    Terms,
    grant_consent,
    list_consents,
    propose_consent,
    revoke_consent,
)
from portal.dates import long_day
from registry.database import now
from registry.directory.service import get_professional_by_registration
from sandbox import story
from sandbox.demo.browser import Page
from tests.functional.portal.world import Visitor, World

LIMITS = "/mi-historia/limites"
NEW = f"{LIMITS}/nuevo"


@pytest.fixture(autouse=True)
def permission(world: World) -> Iterator[Any]:
    """The physician may read allergies and medication; afterwards every directive is taken back."""
    own = Evidence(actor_person_id=world.person_id, acr=2, auth_time=now(), channel="test", text="-")
    with world.renhice.database.unit_of_work() as session:
        terms = Terms(
            person_id=world.person_id,
            establishment_id=world.place(story.ASKING.renipress).id,
            professional_id=get_professional_by_registration(session, "CMP", "990101").id,
            categories=frozenset({"allergies", "medications"}),
            purposes=frozenset({"TREAT"}),
            ends_at=now() + timedelta(days=2),
        )
        made = grant_consent(session, propose_consent(session, terms, own.as_record()), own)
    yield made
    with world.renhice.database.unit_of_work() as session:
        for one in list_consents(session, [world.person_id]):
            if one.status == "active":
                revoke_consent(session, one.id, own)


def fill(patient: Visitor, page: Page, step: str = "", **typed: str) -> Page:
    return patient.press(page, NEW, step, **typed)


def place(world: World) -> str:
    return str(world.place(story.ASKING.renipress).id)


def physician_id(world: World) -> str:
    with world.renhice.database.unit_of_work() as session:
        return str(get_professional_by_registration(session, "CMP", "990101").id)


def reads(physician: Visitor, world: World) -> str:
    return physician.open(f"/profesional/persona/{world.person_id}").text


def test_a_limit_is_previewed_put_seen_to_hold_and_taken_back(
    world: World, patient: Visitor, physician: Visitor
) -> None:
    assert "Alergias" in reads(physician, world)
    page = fill(patient, patient.open(NEW), quien="profesional", profesional=physician_id(world), categoria="allergies")
    assert "Esto es lo que verán" in page.text
    assert "Leerá Medicación" in page.text
    receipt = fill(patient, page, "poner")
    assert "Límite puesto" in receipt.text
    shown = reads(physician, world)
    assert "Alergias: la persona lo restringe" in shown
    gone = patient.press(receipt, "/quitar")
    assert "Límite quitado" in gone.text
    assert "la persona lo restringe" not in reads(physician, world)
    again = patient.press(gone, "/reponer")
    assert "Límite puesto" in again.text
    assert "la persona lo restringe" in reads(physician, world)


def test_each_permission_says_when_it_was_last_used(world: World, patient: Visitor, physician: Visitor) -> None:
    assert "Última lectura Nadie leyó nada todavía" in patient.open("/mi-historia/permisos").text
    reads(physician, world)
    page = patient.open("/mi-historia/permisos").text
    assert f"Última lectura {long_day(now())}" in page
    assert "Nadie leyó" not in page


def test_objecting_to_everything_leaves_the_more_specific_and_says_so(
    world: World, patient: Visitor, physician: Visitor
) -> None:
    page = patient.open(f"{LIMITS}/todo")
    assert "seguirá leyendo Alergias, Medicación" in page.text
    fill(patient, page, "poner")
    assert "Historia compartida" in reads(physician, world)
    listed = patient.open(LIMITS)
    assert "Todos los establecimientos" in listed.text


def test_a_limit_to_the_same_professional_withdraws_the_permission(
    world: World, patient: Visitor, physician: Visitor, permission: Any
) -> None:
    page = fill(patient, patient.open(NEW), quien="establecimiento", establecimiento=place(world))
    assert "seguirá leyendo" in page.text
    fill(patient, page, "poner")
    assert "Historia compartida" in reads(physician, world)
    page = fill(patient, patient.open(NEW), quien="profesional", profesional=physician_id(world))
    assert "Ya no podrá leer nada" in page.text
    fill(patient, page, "poner")
    assert "Pedir permiso" in reads(physician, world)
    assert "Permiso retirado" in patient.open(f"/mi-historia/permisos/{permission.id}").text


def put(patient: Visitor, **typed: str) -> Page:
    return fill(patient, fill(patient, patient.open(NEW), **typed), "poner")


def test_the_consent_page_says_what_would_stay_unread(world: World, patient: Visitor) -> None:
    with world.renhice.database.unit_of_work() as session:
        asking = Asking(
            establishment_id=world.place(story.ASKING.renipress).id,
            professional_id=get_professional_by_registration(session, "CMP", "990101").id,
            person_id=world.person_id,
            purpose="CAREMGT",
            categories=frozenset({"allergies", "problems"}),
        )
        path = f"/mi-historia/pedidos/{request_access(session, asking).request.id}"
    page = patient.open(path)
    assert "No lo pide: Medicación, Atenciones, Vacunas." in page.text
    assert "límite suyo" not in page.text
    put(patient, quien="profesional", profesional=physician_id(world), categoria="problems")
    assert "Límites suyos que no lo impiden" not in patient.open(path).text
    put(patient, quien="todos", categoria="immunizations")
    put(patient, quien="todos", categoria="allergies")
    put(patient, quien="todos", categoria="allergies", origen=str(world.place(story.HOLDING.renipress).id))
    put(patient, quien="profesional", profesional=physician_id(world), hasta="2019-12-31")
    patient.press(patient.open("/mi-historia"), f"/ocultar/{world.place(story.HOLDING.renipress).id}")
    page = patient.open(path)
    assert "Nada de esto, por un límite suyo: Diagnósticos." in page.text
    assert "Por un límite suyo: Toda la historia, hasta el 31 de diciembre de 2019." in page.text
    assert f"Nada de lo que guarda {story.HOLDING.name}: usted lo oculta" in page.text
    assert "límite suyo: Vacunas" not in page.text, "they were not asked for"
    assert "Usted no permite a todos los establecimientos: Alergias. Este permiso es más preciso" in page.text
    assert f"Por un límite suyo: Alergias, de {story.HOLDING.name}" in page.text, "that one names where they are from"
    assert page.text.count("Este permiso es más preciso") == 1
    granted = patient.press(page, path, "permitir")
    assert "Permiso dado" in granted.text
    patient.press(granted, "/retirar")


def test_a_limit_is_changed_in_one_step(world: World, patient: Visitor) -> None:
    page = fill(patient, patient.open(NEW), quien="todos", categoria="problems", hasta="2019-12-31")
    receipt = fill(patient, page, "poner")
    old = receipt.url.path.rpartition("/")[2]
    change = patient.open(f"{LIMITS}/{old}/cambiar")
    form = change.form(f"{LIMITS}/{old}/cambiar")
    assert (form.fields["quien"], form.fields["categoria"], form.fields["hasta"]) == ("todos", "problems", "2019-12-31")
    preview = patient.browser.submit(change, form, **form.fields | {"hasta": "2020-12-31"})
    receipt = patient.press(preview, f"{LIMITS}/{old}/cambiar", "poner")
    assert "31 de diciembre de 2020" in receipt.text
    with world.renhice.database.unit_of_work() as session:
        states = {str(one.id): one.status for one in list_consents(session, [world.person_id])}
    assert states[old] == "revoked"


def test_hiding_a_holder_leaves_no_trace_for_the_professional_and_stays_with_the_patient(
    world: World, patient: Visitor, physician: Visitor
) -> None:
    assert story.HOLDING.name in reads(physician, world)
    holding = world.place(story.HOLDING.renipress)
    receipt = patient.press(patient.open("/mi-historia"), f"/ocultar/{holding.id}")
    assert f"nadie sabe que {holding.name}" in receipt.text
    shown = reads(physician, world)
    assert "Historia compartida" in shown
    assert story.HOLDING.name not in shown
    assert "restringe" not in shown
    home = patient.open("/mi-historia")
    assert holding.name in home.text
    assert "Oculto" in home.text
    patient.press(patient.open(LIMITS), "/quitar")
    assert story.HOLDING.name in reads(physician, world)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({}, "Elija a quién le pone el límite"),
        ({"quien": "establecimiento"}, "Elija uno de la lista"),
        ({"quien": "establecimiento", "establecimiento": "01a21584-0000-7000-8000-00"}, "Elija uno de la lista"),
        ({"quien": "nivel", "nivel": "IV"}, "Elija uno de la lista"),
        ({"quien": "todos", "desde": "ayer"}, "Escriba una fecha"),
        ({"quien": "todos", "desde": "0001-01-01"}, "de este siglo"),
        ({"quien": "todos", "desde": "2020-02-01", "hasta": "2020-01-01"}, "va después"),
        ({"quien": "todos", "origen": "x" * 900}, "de dónde vienen"),
    ],
    ids=str,
)
def test_what_is_missing_or_wrong_is_said_beside_the_field(patient: Visitor, typed: dict[str, str], words: str) -> None:
    page = fill(patient, patient.open(NEW), **typed)
    assert patient.status == 422
    assert words in page.text


@pytest.mark.parametrize("typed", [{"categoria": "todo"}, {"reservado": "XXX"}, {"reservado": "N"}], ids=str)
def test_what_no_form_offers_is_refused(patient: Visitor, typed: dict[str, str]) -> None:
    fill(patient, patient.open(NEW), quien="todos", **typed)
    assert patient.status == 400


def test_anothers_limit_is_nobodys(patient: Visitor, physician: Visitor) -> None:
    page = fill(patient, patient.open(NEW), quien="todos", categoria="problems")
    receipt = fill(patient, page, "poner")
    for path in (receipt.url.path, f"{receipt.url.path}/cambiar"):
        physician.open(path)
        assert physician.status in {403, 404}
    for path in (f"{LIMITS}/{uuid4()}", f"{LIMITS}/{uuid4()}/cambiar"):
        patient.open(path)
        assert patient.status == 404
