"""What a record says, read by the patient; single items hidden and shown again in two clicks."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import select

from consent_broker.broker import EXTENSION
from consent_broker.resource_server.naming import own_names
from matching.records import Demographics
from registry.audit.models import AuditEvent
from registry.identity.models import Membership
from registry.identity.service import Content, Registration, engine_of, register_source_record
from registry.locator.service import locate
from sandbox import story
from tests.functional.portal.test_documents import hidden_names
from tests.functional.portal.test_emergency import open_emergency
from tests.functional.portal.test_limits import permission  # noqa: F401  # the physician may read; ends what was put
from tests.functional.portal.world import Visitor, World, holding_resources

RECORDS = "/mi-historia/registros"
PENICILLIN = "AllergyIntolerance/r0"
NUMBER = {"system": "urn:hc", "value": "A-1"}
HIDDEN, OTHER = (one["code"]["text"] for one in holding_resources()[:2])


def record_of(world: World, person: UUID, renipress: str = story.HOLDING.renipress) -> UUID:
    place = world.place(renipress).id
    with world.renhice.database.unit_of_work() as session:
        return next(one.source_record_id for one in locate(session, person) if one.establishment_id == place)


@pytest.fixture
def address(world: World) -> str:
    return f"{RECORDS}/{record_of(world, world.person_id)}"


@pytest.fixture(autouse=True)
def _as_it_was(world: World, app: Flask, permission: object) -> Iterator[None]:  # noqa: F811
    world.holder.resources = holding_resources()
    world.holder.resources[0]["identifier"] = [NUMBER]
    world.holder.resources[4]["diagnosis"] = [{"condition": {"identifier": NUMBER, "display": "Penicilina"}}]
    yield
    world.holder.resources, world.holder.broken = holding_resources(), False
    endpoint = world.place(story.HOLDING.renipress).fhir_endpoint
    app.extensions[EXTENSION].breakers.report(endpoint, success=True)


def hide(patient: Visitor, address: str) -> None:
    patient.press(patient.open(f"{address}/{PENICILLIN}"), "/ocultar")


def test_she_reads_what_a_record_says_hides_an_item_and_shows_it_again(
    world: World, patient: Visitor, address: str
) -> None:
    page = patient.open(RECORDS)
    page = patient.open(next(link for link in page.links if link.endswith(address)))
    assert HIDDEN in page.text
    assert "Oculto" not in page.text
    item = patient.open(next(link for link in page.links if link.endswith(PENICILLIN)))
    assert "Tampoco en una emergencia" in item.text
    hidden = patient.press(item, "/ocultar")
    assert hidden.text.count("Oculto") == 2, "the allergy, and the encounter that names it"
    assert "Nombra a otro dato oculto" in hidden.text
    assert HIDDEN in hidden.text, "she sees what she hides"
    assert hidden_names(world) == sorted(own_names(world.holder.resources[0]))
    assert "A-1" not in str(hidden_names(world)), "it keeps nothing the item says"
    assert "Un documento o dato" in patient.open("/mi-historia/limites").text
    patient.browser.submit(item, item.form("/ocultar"))
    assert patient.status == 409
    shown = patient.open(f"{address}/{PENICILLIN}")
    world.holder.broken = True
    left = patient.press(shown, "/mostrar")
    assert "no responde ahora" in left.text, "to show it again needs nobody's answer"
    assert hidden_names(world) == []
    patient.browser.submit(shown, shown.form("/mostrar"))
    assert patient.status == 409


def test_her_reading_is_in_her_log_and_says_nothing_of_what_was_read(
    world: World, patient: Visitor, address: str
) -> None:
    patient.open(address)
    query = select(AuditEvent).where(AuditEvent.action == "exchange:own:read").order_by(AuditEvent.id.desc())
    with world.renhice.database.unit_of_work() as session:
        event = session.scalars(query).first()
        assert event is not None
        said = (event.actor_role, event.purpose, event.professional_id, event.outcome)
        assert said == ("patient", "PATRQT", None, "success")
        assert HIDDEN not in str(event.detail)
    log = patient.open("/mi-historia/accesos").text
    assert "Porque usted lo pidió" in log
    assert "Usted" in log


def test_what_is_hidden_is_withheld_from_whoever_may_read_without_a_word_and_in_an_emergency(
    world: World, patient: Visitor, physician: Visitor, address: str
) -> None:
    hide(patient, address)
    read = physician.open(f"/profesional/persona/{world.person_id}").body
    assert (HIDDEN in read, OTHER in read, "restringe" in read) == (False, True, False)
    patient.press(patient.open("/mi-historia/permisos"), "/retirar")
    read = open_emergency(world, physician).body
    assert (HIDDEN in read, OTHER in read, "restringe" in read) == (False, True, False)


def test_an_item_of_a_hundred_names_is_hidden_by_all_of_them_and_one_of_more_than_fit_is_not(
    world: World, patient: Visitor, physician: Visitor, address: str
) -> None:
    world.holder.resources[0]["identifier"] = [NUMBER | {"value": str(one)} for one in range(100)]
    world.holder.resources[4]["diagnosis"] = [
        {"condition": {"identifier": NUMBER | {"value": "99"}, "display": "Penicilina"}}
    ]
    hide(patient, address)
    assert len(hidden_names(world)) == 101
    read = physician.open(f"/profesional/persona/{world.person_id}").body
    assert (HIDDEN in read, OTHER in read) == (False, True)
    patient.press(patient.open(f"{address}/{PENICILLIN}"), "/mostrar")
    world.holder.resources[0]["identifier"] = [NUMBER | {"value": str(one)} for one in range(300)]
    refused = patient.press(patient.open(f"{address}/{PENICILLIN}"), "/ocultar")
    assert (patient.status, "demasiados nombres" in refused.text, hidden_names(world)) == (409, True, [])


def test_to_read_and_to_hide_she_proves_who_she_is(world: World, address: str) -> None:
    visitor = world.visitor()
    visitor.sign_in("/ingresar?nivel=1&volver=/mi-historia", story.PATIENT)
    for path in (address, f"{address}/{PENICILLIN}"):
        assert visitor.open(path).has_form("/service/"), "a second factor is asked for"


@pytest.mark.parametrize(
    "name",
    ["AllergyIntolerance/r99", "Patient/r0", "Encounter/r0", "AllergyIntolerance/..", "AllergyIntolerance/r0%00",
     "AllergyIntolerance/" + "x" * 65, "Binary/1"],
)  # fmt: skip
def test_what_the_record_does_not_say_can_not_be_hidden(
    world: World, patient: Visitor, address: str, name: str
) -> None:
    form = patient.open(f"{address}/{PENICILLIN}").form("/ocultar").fields
    answer = patient.browser._http.post(f"{world.base_url}{address}/{name}/ocultar", data=form)
    assert answer.status_code in {400, 404}
    assert hidden_names(world) == []


def test_anothers_record_is_nobodys(world: World, patient: Visitor, address: str) -> None:
    stranger = joined(world, world.place(story.HOLDING.renipress).id, "Zoila", alone=True)
    form = patient.open(f"{address}/{PENICILLIN}").form("/ocultar").fields
    asked = len(world.holder.asked)
    for record in (stranger, uuid4(), "x"):
        for path in (f"{RECORDS}/{record}", f"{RECORDS}/{record}/{PENICILLIN}"):
            patient.open(path)
            assert patient.status == 404
        for act in ("ocultar", "mostrar"):
            path = f"{world.base_url}{RECORDS}/{record}/{PENICILLIN}/{act}"
            assert patient.browser._http.post(path, data=form).status_code == 404
    assert (len(world.holder.asked), hidden_names(world)) == (asked, [])


def test_what_a_record_without_her_document_says_is_not_shown(world: World, patient: Visitor) -> None:
    """It was joined by names; it may be somebody else's."""
    record = joined(world, world.place(story.HOLDING.renipress).id, "Rosa")
    asked = len(world.holder.asked)
    page = patient.open(f"{RECORDS}/{record}")
    assert "no lleva su número de documento" in page.text
    patient.open(f"{RECORDS}/{record}/{PENICILLIN}")
    assert patient.status == 404
    assert len(world.holder.asked) == asked


def joined(world: World, place: UUID, given: str, *, alone: bool = False) -> UUID:
    """Another record there without any document; of hers unless `alone`."""
    known = Demographics(paternal_surname="Cusi", maternal_surname="Rojas", given_names=given)
    with world.renhice.database.unit_of_work() as session:
        content = Content("https://example.pe/hc", str(uuid4()), known)
        registration = Registration(establishment_id=place, client_id="sihce-test", content=content)
        record = register_source_record(session, engine_of(world.renhice), registration).source_record_id
        if not alone:
            session.get_one(Membership, record).person_id = world.person_id
    return record


def test_a_silent_holder_is_said_so_and_hides_nothing(world: World, patient: Visitor, address: str) -> None:
    item = patient.open(f"{address}/{PENICILLIN}")
    world.holder.broken = True
    assert "no responde ahora" in patient.open(address).text
    patient.browser.submit(item, item.form("/ocultar"))
    assert patient.status == 503
    assert hidden_names(world) == []


@pytest.mark.parametrize(("limit", "room"), [("MOST_HIDDEN", 1), ("MOST_CHARACTERS", 200)])
def test_one_holder_is_not_told_more_than_a_token_has_room_for(
    world: World, patient: Visitor, address: str, monkeypatch: pytest.MonkeyPatch, limit: str, room: int
) -> None:
    monkeypatch.setattr("portal.hiding." + limit, room)
    hide(patient, address)
    assert hidden_names(world)
    other = patient.open(f"{address}/AllergyIntolerance/r1")
    refused = patient.press(other, "/ocultar")
    assert patient.status == 409
    assert "Ya oculta muchos datos" in refused.text
