"""An establishment's administrator sees its files and exports, and nobody else's; calls them off."""

import hashlib
import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from registry.access import Caller
from registry.audit.models import AuditEvent
from registry.bulk.export.models import Export
from registry.bulk.export.service import Wanted, ask
from registry.bulk.models import Import
from registry.bulk.processing import process
from registry.bulk.service import Announced, announce, append, give_up
from sandbox import story
from tests.functional.portal.world import Visitor, World

SECRET = "40718293"


@pytest.fixture(scope="module")
def administrator(world: World) -> Visitor:
    visitor = world.visitor()
    visitor.sign_in("/ingresar?como=establecimiento", story.ESTABLISHMENT_ADMINISTRATOR.person)
    return visitor


def caller_of(world: World, renipress: str) -> Caller:
    place = world.place(renipress)
    return Caller(client_id=f"sihce-{renipress}", establishment_id=place.id, scopes=frozenset(), token_id="-",
                  audience="/api/v1")  # fmt: skip


def upload(world: World, renipress: str, *lines: Any, whole: bool = True) -> UUID:
    """A file of patients, sent whole or in part."""
    caller = caller_of(world, renipress)
    content = b"".join(json.dumps(one).encode() + b"\n" for one in lines)
    sent = content if whole else content[:10]
    with world.renhice.database.unit_of_work() as session:
        wanted = Announced(format="ndjson", size=len(content), sha256=hashlib.sha256(content).hexdigest())
        found, _ = announce(session, caller, wanted)
        append(session, world.renhice.sealer, caller, found.id, 0, sent)
        return found.id


def patient(world: World, number: str, **more: Any) -> dict[str, Any]:
    system = world.place(story.ASKING.renipress).identifier_system
    return {"resourceType": "Patient", "identifier": [{"system": system, "value": number}], **more}


def test_a_file_is_followed_line_by_line(world: World, administrator: Visitor) -> None:
    lines = [patient(world, f"A-{number}") for number in range(3)]
    key = upload(world, story.ASKING.renipress, *lines, patient(world, "A-9", birthDate=SECRET), {"n": SECRET})
    path = f"/establecimiento/archivos/{key}"
    listed = administrator.open("/establecimiento")
    assert f'href="{path}"' in listed.body
    assert 'data-estado="/establecimiento/estado"' in listed.body
    assert "estado.js" in listed.body
    begun = administrator.open(path)
    assert "0 %" in begun.text
    assert f'data-estado="{path}/estado"' in begun.body
    process(world.renhice, key)
    now = administrator.open(f"{path}/estado")
    assert "Terminado" in now.text
    assert "data-estado" not in now.body
    done = administrator.open(path)
    assert "Líneas rechazadas: 2" in done.text
    assert "Patient.birthDate" in done.text
    assert "Personas que el registro no conocía" in done.text
    assert SECRET not in done.body
    assert not done.has_form(f"{path}/cancelar")
    assert "estado.js" not in done.body


def test_a_file_is_called_off(world: World, administrator: Visitor) -> None:
    key = upload(world, story.ASKING.renipress, patient(world, "B-1"), whole=False)
    path = f"/establecimiento/archivos/{key}"
    page = administrator.open(path)
    assert "Llegando" in page.text
    after = administrator.press(page, f"{path}/cancelar")
    assert "Anulado" in after.text
    with world.renhice.database.unit_of_work() as session:
        assert session.get_one(Import, key).status == "cancelled"
        told = select(AuditEvent).where(AuditEvent.detail["import"].astext == str(key))
        event = session.scalars(told.where(AuditEvent.action == "bulk:import:cancelled")).one()
        assert (event.actor_role, event.establishment_id) == (
            "establishment-administrator", world.place(story.ASKING.renipress).id,
        )  # fmt: skip
        assert event.detail["staff"]


def test_a_file_given_up_says_so_and_is_called_off(world: World, administrator: Visitor) -> None:
    key = upload(world, story.ASKING.renipress, patient(world, "C-1"))
    with world.renhice.database.unit_of_work() as session:
        give_up(session, session.get_one(Import, key))
    path = f"/establecimiento/archivos/{key}"
    page = administrator.open(path)
    assert "El registro no pudo terminarlo y dejó de intentarlo." in page.text
    after = administrator.press(page, f"{path}/cancelar")
    assert "Anulado" in after.text
    assert not after.has_form(f"{path}/cancelar")


def test_an_export_is_seen_and_called_off(world: World, administrator: Visitor) -> None:
    with world.renhice.database.unit_of_work() as session:
        key = ask(session, caller_of(world, story.ASKING.renipress), Wanted(request="-")).id
    page = administrator.open("/establecimiento")
    assert "Todos los registros" in page.text
    after = administrator.press(page, f"/establecimiento/exportaciones/{key}/cancelar")
    assert not after.has_form(f"/establecimiento/exportaciones/{key}/cancelar")
    with world.renhice.database.unit_of_work() as session:
        assert session.get_one(Export, key).status == "cancelled"


def test_another_establishments_are_not_there(world: World, administrator: Visitor, physician: Visitor) -> None:
    theirs = upload(world, story.HOLDING.renipress, {"resourceType": "Patient"}, whole=False)
    assert str(theirs) not in administrator.open("/establecimiento").body
    for path in (f"/establecimiento/archivos/{theirs}", f"/establecimiento/archivos/{theirs}/estado"):
        administrator.open(path)
        assert administrator.status == 404
    physician.open("/establecimiento")
    assert physician.status == 403
