"""What is taken away is gone at the next click, in sessions that are already open; and nobody becomes somebody else."""

from dataclasses import replace

from sqlalchemy import select

from consent_broker.consents.models import ConsentVersion
from matching.records import Document, DocumentType
from portal.models import PortalSession
from registry.directory.administration import Desk, end_role
from sandbox import story
from tests.functional.portal.world import Visitor, World, register

ESTABLISHMENT = "00990003"


def test_an_ended_role_ends_in_open_sessions(world: World) -> None:
    analyst = world.visitor()
    analyst.sign_in("/ingresar?como=analista", story.ANALYST.person)
    analyst.open("/estadisticas")
    assert analyst.status == 200
    document = Document(DocumentType.DNI, story.ANALYST.person.document.number)
    with world.renhice.database.unit_of_work() as session:
        end_role(Desk(session, world.renhice.sealer, "tests"), document, "analyst", "moved away")
    assert [_status(analyst, path) for path in ("/estadisticas", "/estadisticas/region.csv")] == [403, 403]


def test_a_record_with_her_number_and_another_name_does_not_lock_her_out(world: World) -> None:
    stray = replace(
        story.asking_record(),
        given_names="DIEGO",
        paternal_surname="PEREZ",
        maternal_surname="SOTO",
        local_number="STRAY-1",
    )
    register(world.renhice, stray, ESTABLISHMENT)
    patient = world.visitor()
    patient.sign_in("/ingresar?nivel=2&volver=/mi-historia", story.PATIENT)
    assert _status(patient, "/mi-historia") == 200


def test_a_citizen_whose_number_was_written_on_her_record_does_not_become_her(world: World) -> None:
    other = story.WORKERS[3].person
    first = replace(story.asking_record(), local_number="ATTACK-1")
    register(world.renhice, first, ESTABLISHMENT)
    swapped = replace(first, document=other.document, given_names=f"{first.given_names} {other.given_names}")
    register(world.renhice, swapped, ESTABLISHMENT)
    attacker = world.visitor()
    attacker.sign_in("/ingresar?nivel=2&volver=/mi-historia", other)
    assert _status(attacker, "/mi-historia") == 403


def test_a_consent_says_which_human_signed_it_in_which_session(
    world: World, physician: Visitor, patient: Visitor
) -> None:
    asking = physician.open(f"/profesional/persona/{world.person_id}")
    form = asking.form("/profesional/persona/")
    physician.browser.submit(asking, form, **(form.fields | {"categoria": "allergies", "motivo": "TREAT", "dias": "7"}))
    link = next(link for link in patient.open("/mi-historia").links if "/pedidos/" in link)
    patient.press(patient.open(link), "/pedidos/", "permitir")
    with world.renhice.database.unit_of_work() as session:
        newest = session.scalars(select(ConsentVersion).order_by(ConsentVersion.recorded_at.desc())).first()
        opened = session.scalars(select(PortalSession)).all()
    assert newest is not None
    signed = (newest.evidence["session_id"], newest.evidence["subject_token"])
    assert signed in {(str(one.id), one.subject.hex()) for one in opened}


def _status(visitor: Visitor, path: str) -> int:
    visitor.open(path)
    return visitor.status
