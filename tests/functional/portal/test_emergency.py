"""Break-glass in the portal: declared, read, told, disputed, judged; and every way it must not open."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from consent_broker.emergency.models import EmergencyAccess, EmergencySuspension
from consent_broker.emergency.review import statistics
from consent_broker.emergency.service import dispute, end_emergency
from consent_broker.emergency.vocabulary import REVIEW_WITHIN
from registry.audit.models import AuditEvent
from registry.database import now
from sandbox import story
from sandbox.demo.browser import Page
from tests.functional.portal.conftest import DUTY
from tests.functional.portal.test_sms import NUMBER, deliver, outbox
from tests.functional.portal.world import Visitor, World

WORDS = "Llega inconsciente tras un accidente, sin familiares."
FIELDS = {"motivo": "unconscious", "texto": WORDS, "declaro": "si"}
OFFICER = story.WORKERS[5].person


@pytest.fixture(autouse=True)
def _quiet(world: World) -> None:
    """Each test begins with no open case, no suspension and the day's number unspent."""
    with world.renhice.database.unit_of_work() as session:
        session.execute(update(EmergencySuspension).values(lifted_at=now()))
        long_ago = now() - 2 * REVIEW_WITHIN
        declared = update(EmergencyAccess).where(EmergencyAccess.declared_at.is_not(None))
        session.execute(declared.values(declared_at=long_ago, ends_at=long_ago))


def begin(world: World, physician: Visitor) -> Page:
    page = physician.open(f"/profesional/persona/{world.person_id}")
    return physician.press(page, "/profesional/emergencia")


def open_emergency(world: World, physician: Visitor) -> Page:
    return physician.press(begin(world, physician), "/profesional/emergencia/", **FIELDS)


@pytest.fixture
def officer(world: World) -> Visitor:
    """The privacy officer, signed in by two factors."""
    visitor = world.visitor()
    visitor.sign_in("/ingresar?como=privacidad", OFFICER)
    return visitor


def newest(world: World) -> EmergencyAccess:
    with world.renhice.database.unit_of_work() as session:
        query = select(EmergencyAccess).order_by(EmergencyAccess.asked_at.desc()).limit(1)
        return session.scalars(query).one()


def actions(world: World) -> list[str]:
    with world.renhice.database.unit_of_work() as session:
        query = select(AuditEvent.action).where(AuditEvent.purpose == "BTG").order_by(AuditEvent.recorded_at)
        return list(session.scalars(query))


def test_a_declared_emergency_opens_the_basic_information_at_once(world: World, physician: Visitor) -> None:
    page = open_emergency(world, physician)
    assert "Emergencia abierta hasta las" in page.text
    assert {"Alergias", "Medicación", "Diagnósticos"} <= set(page.text.split())
    assert "Atenciones" not in page.text
    assert story.holding_history()[0]["code"]["text"] in page.text
    answered = physician.heard[-1]
    assert answered.text.rstrip().endswith("</html>")
    assert "Content-Length" not in answered.headers
    told = actions(world)
    assert told.index("emergency:access:opened") < told.index("oauth:token:issued") < len(told)


def test_the_person_and_the_officer_are_told_by_text_message(world: World, physician: Visitor) -> None:
    earlier = len(outbox(world))
    open_emergency(world, physician)
    deliver(world)
    newest_first = outbox(world)
    told = {one["to"]: one["text"] for one in newest_first[: len(newest_first) - earlier]}
    assert set(told) == {NUMBER, DUTY}
    assert "JULIO CESAR VALDIVIA RAMOS" in told[NUMBER]
    assert "declaro una emergencia" in told[NUMBER]
    assert "VALDIVIA" not in told[DUTY]
    assert story.PATIENT.paternal_surname not in "".join(told.values())


def test_nothing_opens_without_reason_words_and_declaration(world: World, physician: Visitor) -> None:
    page = begin(world, physician)
    for missing in FIELDS:
        answer = physician.press(page, "/profesional/emergencia/", **{**FIELDS, missing: ""})
        assert physician.status == 422
        assert "Revise lo siguiente" in answer.text
    physician.press(page, "/profesional/emergencia/", **{**FIELDS, "motivo": "curiosity"})
    assert physician.status == 422
    physician.press(page, "/profesional/emergencia/", **{**FIELDS, "texto": "x" * 1001})
    assert physician.status == 422
    assert newest(world).declared_at is None


def test_what_was_written_is_sealed(world: World, physician: Visitor) -> None:
    open_emergency(world, physician)
    assert WORDS.encode() not in (newest(world).sealed_text or b"")


def test_another_professional_can_neither_see_nor_declare_it(world: World, physician: Visitor) -> None:
    page = begin(world, physician)
    other = world.visitor()
    other.sign_in("/ingresar?como=profesional", story.WORKERS[1].person)
    other.open(page.url.path)
    assert other.status == 404


def test_the_person_sees_it_disowns_it_and_it_ends(world: World, physician: Visitor, patient: Visitor) -> None:
    opened = open_emergency(world, physician)
    mine = patient.open("/mi-historia/emergencias")
    assert "JULIO CESAR VALDIVIA RAMOS" in mine.text
    assert "Abierta ahora" in mine.text
    assert "Abrió una emergencia" in patient.open("/mi-historia/accesos").text
    disowned = patient.press(mine, "/desconocer")
    assert "no lo reconoce" in disowned.text
    assert "La emergencia terminó" in physician.open(opened.url.path).text


def test_a_stranger_can_not_disown_it(world: World, physician: Visitor) -> None:
    open_emergency(world, physician)
    stranger = world.visitor()
    stranger.sign_in("/ingresar?nivel=2&volver=/mi-historia", story.PHYSICIAN.person)
    page = stranger.open("/")
    token = next((form.fields["csrf"] for form in page.forms if "csrf" in form.fields), "")
    stranger.browser._http.post(
        f"{world.base_url}/mi-historia/emergencias/{newest(world).id}/desconocer", data={"csrf": token}
    )
    assert newest(world).disputed_at is None


def test_who_refused_emergencies_is_not_read(world: World, physician: Visitor, patient: Visitor) -> None:
    patient.press(patient.open("/mi-historia/emergencias"), "/no-permitir")
    answer = open_emergency(world, physician)
    assert physician.status == 403
    assert "No se puede abrir esta emergencia" in answer.text
    patient.press(patient.open("/mi-historia/emergencias"), "/emergencias/permitir")
    assert "Emergencia abierta" in open_emergency(world, physician).text


def test_a_professional_has_a_number_a_day(world: World, physician: Visitor) -> None:
    for _ in range(world.renhice.settings.emergencies_per_day):
        physician.press(open_emergency(world, physician), "/terminar")
    open_emergency(world, physician)
    assert physician.status == 429


def test_misuse_ends_it_and_suspends_until_lifted(world: World, physician: Visitor, officer: Visitor) -> None:
    opened = open_emergency(world, physician)
    case = newest(world)
    page = officer.open(f"/privacidad/{case.id}")
    assert WORDS in page.text
    officer.press(page, "/privacidad/", resultado="misuse", nota="")
    assert officer.status == 422
    queue = officer.press(page, "/privacidad/", resultado="misuse", nota="No había ninguna emergencia ese día.")
    assert "La emergencia terminó" in physician.open(opened.url.path).text
    physician.press(physician.open(f"/profesional/persona/{world.person_id}"), "/profesional/emergencia")
    assert physician.status == 403
    officer.press(queue, "/levantar", porque="Se revisó con su jefatura.")
    assert "Emergencia abierta" in open_emergency(world, physician).text


def test_misuse_ends_whatever_else_they_have_open(world: World, physician: Visitor, officer: Visitor) -> None:
    open_emergency(world, physician)
    case = newest(world)
    with world.renhice.database.unit_of_work() as session:
        end_emergency(session, session.get_one(EmergencyAccess, case.id), "ended-by-professional")
    other = open_emergency(world, physician)
    assert "Emergencia abierta" in other.text
    page = officer.open(f"/privacidad/{case.id}")
    queue = officer.press(page, "/privacidad/", resultado="misuse", nota="No había ninguna emergencia ese día.")
    assert "La emergencia terminó" in physician.open(other.url.path).text
    officer.press(queue, "/levantar", porque="Se revisó con su jefatura.")


def test_the_queue_begins_with_what_is_disowned_and_the_figures_count_what_is_late(
    world: World, physician: Visitor, patient: Visitor, officer: Visitor
) -> None:
    """Of four of one person: one due and never judged, one judged in time, one the person disowns, one too many."""
    place = world.place(story.ASKING.renipress)
    before = figures(world, place.id)
    cases = []
    for _ in range(4):
        open_emergency(world, physician)
        cases.append(newest(world))
        with world.renhice.database.unit_of_work() as session:
            end_emergency(session, session.get_one(EmergencyAccess, cases[-1].id), "ended-by-professional")
    late, judged, disowned, fourth = (case.id for case in cases)
    assert cases[0].review_due_at is not None
    assert cases[0].declared_at is not None
    assert cases[0].review_due_at - cases[0].declared_at == REVIEW_WITHIN
    with world.renhice.database.unit_of_work() as session:
        due = update(EmergencyAccess).where(EmergencyAccess.id == late).values(review_due_at=now() - timedelta(hours=1))
        session.execute(due)
        dispute(session, session.get_one(EmergencyAccess, disowned))
    page = officer.open(f"/privacidad/{judged}")
    queue = officer.press(page, "/privacidad/", resultado="justified", nota="Así consta en la emergencia.")
    listed = [link.rpartition("/")[2] for link in queue.links if link.startswith("/privacidad/")]
    assert str(judged) not in listed
    assert listed.index(str(disowned)) < listed.index(str(fourth)) < listed.index(str(late))
    assert "De esta persona, en un día 4" in officer.open(f"/privacidad/{fourth}").text
    after = figures(world, place.id)
    assert tuple(b - a for a, b in zip(before, after, strict=True)) == (4, 1, 1, 0, 1)
    assert f"{place.name} {' '.join(map(str, after))}" in queue.text


def figures(world: World, establishment_id: UUID) -> tuple[int, ...]:
    """Declared, disowned, justified, misuse, late."""
    with world.renhice.database.unit_of_work() as session:
        found = statistics(session, now() - timedelta(days=90))
    one = next((row for row in found if row.establishment_id == establishment_id), None)
    return (one.declared, one.disputed, one.justified, one.misuse, one.overdue) if one else (0, 0, 0, 0, 0)


def test_only_a_privacy_officer_judges(world: World, physician: Visitor, patient: Visitor) -> None:
    open_emergency(world, physician)
    for visitor in (physician, patient):
        visitor.open(f"/privacidad/{newest(world).id}")
        assert visitor.status == 403


def test_a_case_never_declared_lapses(world: World, physician: Visitor) -> None:
    page = begin(world, physician)
    with world.renhice.database.unit_of_work() as session:
        session.execute(
            update(EmergencyAccess).where(EmergencyAccess.id == newest(world).id).values(declare_until=now())
        )
    physician.press(page, "/profesional/emergencia/", **FIELDS)
    assert physician.status == 409
    assert "Pasó el tiempo" in physician.open(page.url.path).text
