"""The steward's pages: the worklist, a case side by side, a verdict with its effects, a second pair of eyes, undo."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from consent_broker.consents.states import count_with_consent
from matching.model import Model
from registry.audit.models import AuditEvent
from registry.identity.models import Membership, PossibleMatch
from registry.identity.reresolution.models import OPEN
from registry.identity.reresolution.report import report
from registry.identity.reresolution.runs import cancel, get_run
from registry.identity.reresolution.shadow import judge_slices, start
from registry.identity.service import engine_of
from sandbox import story
from sandbox.demo.browser import Page
from tests.functional.portal.steward_world import human, open_doubt, register_facts
from tests.functional.portal.world import Visitor, World

NAMES = {"motivo": "names", "nota": ""}


@pytest.fixture(scope="module")
def seeds() -> Callable[[], int]:
    """Every test its own people."""
    numbers = iter(range(1000))
    return lambda: next(numbers)


@pytest.fixture
def steward(world: World) -> Visitor:
    visitor = world.visitor()
    visitor.sign_in("/ingresar?como=gestor", story.STEWARD.person)
    return visitor


@pytest.fixture
def second(world: World) -> Visitor:
    visitor = world.visitor()
    visitor.sign_in("/ingresar?como=gestor", story.SECOND_STEWARD.person)
    return visitor


@pytest.fixture
def case(world: World, seeds: Callable[[], int]) -> tuple[UUID, UUID, UUID]:
    """An open case, the person it may be, and the doubtful record."""
    case_id, home, placed = open_doubt(world.renhice, human(seeds()))
    return case_id, home.person_id, placed.source_record_id


def where(world: World, record_id: UUID) -> UUID:
    with world.renhice.database.unit_of_work() as session:
        return session.scalars(select(Membership.person_id).where(Membership.source_record_id == record_id)).one()


def review(visitor: Visitor, case_id: UUID, **typed: str) -> Page:
    page = visitor.open(f"/gestion/casos/{case_id}")
    return visitor.press(page, f"/gestion/casos/{case_id}/revisar", **(NAMES | typed))


def decide(visitor: Visitor, case_id: UUID, **typed: str) -> Page:
    page = review(visitor, case_id, **typed)
    return visitor.press(page, f"/gestion/casos/{case_id}/decidir")


def test_the_worklist_names_nobody_and_leads_to_the_case(
    steward: Visitor, case: tuple[UUID, UUID, UUID], world: World
) -> None:
    page = steward.open("/gestion?motivo=possible-match&orden=nuevos")
    assert page.url.path == "/gestion"
    assert f"/gestion/casos/{case[0]}" in page.body
    assert "Se parecen, sin certeza" in page.text
    assert story.HOLDING.name in page.text
    assert all(name not in page.text for name in ("Melquiades", "Zevallos"))
    only_there = steward.open(f"/gestion?establecimiento={story.ASKING.renipress}")
    assert f"/gestion/casos/{case[0]}" not in only_there.body
    assert "No hay casos con estos filtros" in steward.open("/gestion?establecimiento=00099999").text


def test_a_case_shows_both_sides_in_words_and_masks_what_is_sensitive(
    steward: Visitor, world: World, seeds: Callable[[], int]
) -> None:
    facts = human(seeds())
    case_id, _, _ = open_doubt(world.renhice, facts)
    page = steward.open(f"/gestion/casos/{case_id}")
    assert "¿El registro es de la persona con la que se compara?" in page.text
    assert "Igual" in page.text
    assert "Falta" in page.text
    assert "Antes de comparar" in page.text
    assert world.place(story.ASKING.renipress).name in page.text
    assert "según el modelo peru-" in page.text
    assert str(facts.paternal_surname) in page.text


def test_what_is_masked_is_shown_when_asked_for_and_the_person_sees_that(
    steward: Visitor, world: World, seeds: Callable[[], int]
) -> None:
    facts = human(seeds())
    register_facts(world.renhice, facts)
    case_id, home, _ = open_doubt(world.renhice, facts)
    number = facts.documents[0].number
    with world.renhice.database.unit_of_work() as session:
        session.execute(text("UPDATE possible_matches SET rivals = ARRAY[:key]::uuid[] WHERE id = :case"),
                        {"key": str(home.person_id), "case": case_id})  # fmt: skip
    page = steward.open(f"/gestion/casos/{case_id}")
    assert number not in page.body
    shown = steward.press(page, f"/gestion/casos/{case_id}/ver", campo="documents")
    assert number in shown.text or "No consta" in shown.text
    with world.renhice.database.unit_of_work() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.action == "identity:case:revealed")).all()
        assert any(one.detail["fields"] == ["documents"] and one.person_id == home.person_id for one in events)
    assert all(number not in str(answer.url) for answer in steward.heard)


def test_one_takes_a_case_and_the_other_cannot_decide_it(
    steward: Visitor, second: Visitor, case: tuple[UUID, UUID, UUID]
) -> None:
    page = steward.open(f"/gestion/casos/{case[0]}")
    taken = steward.press(page, f"/gestion/casos/{case[0]}/tomar")
    assert "De quién: Usted" in " ".join(taken.text.split())
    theirs = second.open(f"/gestion/casos/{case[0]}")
    assert not theirs.has_form(f"/gestion/casos/{case[0]}/revisar")
    assert "Otra persona del equipo trabaja en este caso" in theirs.text
    released = steward.press(taken, f"/gestion/casos/{case[0]}/soltar")
    assert released.url.path == "/gestion"
    assert second.open(f"/gestion/casos/{case[0]}").has_form(f"/gestion/casos/{case[0]}/revisar")


def test_same_shows_what_will_happen_and_then_joins(
    steward: Visitor, world: World, case: tuple[UUID, UUID, UUID]
) -> None:
    before = where(world, case[2])
    page = review(steward, case[0], veredicto="same")
    assert "Dos personas se unen" in page.text
    assert "Se avisa a" in page.text
    assert where(world, case[2]) == before
    done = steward.press(page, f"/gestion/casos/{case[0]}/decidir")
    assert done.url.path.startswith("/gestion/decisiones/")
    assert "Es la misma persona" in done.text
    assert where(world, case[2]) == case[1]


def test_what_was_joined_is_undone_exactly(steward: Visitor, world: World, case: tuple[UUID, UUID, UUID]) -> None:
    before = where(world, case[2])
    page = decide(steward, case[0], veredicto="same")
    undone = steward.press(page, f"{page.url.path}/deshacer", motivo="typing-error", nota="me equivoqué")
    assert "Deshacer" in undone.text
    assert "me equivoqué" in undone.text
    assert where(world, case[2]) == before
    assert "Se deshizo" in steward.open(page.url.path).text


def test_different_is_remembered_and_nothing_moves(
    steward: Visitor, world: World, case: tuple[UUID, UUID, UUID]
) -> None:
    before = where(world, case[2])
    page = review(steward, case[0], veredicto="different", motivo="relatives")
    assert "No se volverá a preguntar" in page.text
    steward.press(page, f"/gestion/casos/{case[0]}/decidir")
    assert where(world, case[2]) == before
    with world.renhice.database.unit_of_work() as session:
        assert session.get_one(PossibleMatch, case[0]).status == "settled"


def test_who_cannot_tell_gives_it_back(steward: Visitor, case: tuple[UUID, UUID, UUID]) -> None:
    decide(steward, case[0], veredicto="unknown")
    assert "Alguien respondió «No sé» 1 vez" in steward.open("/gestion?motivo=possible-match").text


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"veredicto": ""}, "Elija una respuesta."),
        ({"veredicto": "merge"}, "Elija una respuesta."),
        ({"veredicto": "same", "motivo": ""}, "Elija en qué se basa."),
        ({"veredicto": "same", "motivo": "other"}, "Explique en qué se basa."),
        ({"veredicto": "same", "nota": "x" * 1001}, "hasta 1000 letras"),
    ],
)
def test_what_is_missing_is_said_and_nothing_happens(
    steward: Visitor, world: World, case: tuple[UUID, UUID, UUID], typed: dict[str, str], said: str
) -> None:
    before = where(world, case[2])
    for step in ("revisar", "decidir"):
        page = steward.open(f"/gestion/casos/{case[0]}")
        form = page.form(f"/gestion/casos/{case[0]}/revisar")
        answer = steward.browser._http.post(
            f"{world.base_url}/gestion/casos/{case[0]}/{step}", data={**form.fields, **NAMES, **typed}
        )
        assert answer.status_code == 422
        assert said in answer.text
    assert where(world, case[2]) == before


def test_many_records_wait_for_a_second_steward(
    steward: Visitor, second: Visitor, world: World, seeds: Callable[[], int]
) -> None:
    facts = human(seeds())
    case_id, home, placed = open_doubt(world.renhice, facts)
    with world.renhice.database.unit_of_work() as session:
        session.execute(
            text("UPDATE memberships SET person_id = :person WHERE source_record_id IN (SELECT source_record_id FROM "
                 "memberships WHERE person_id <> :person AND source_record_id <> :record LIMIT 6)"),
            {"person": home.person_id, "record": placed.source_record_id},
        )  # fmt: skip
    page = review(steward, case_id, veredicto="same")
    assert "otra persona del equipo tiene que confirmarlo" in page.text
    proposed = steward.press(page, f"/gestion/casos/{case_id}/decidir")
    assert "Espera a otra persona" in proposed.text
    assert not proposed.has_form(f"{proposed.url.path}/confirmar")
    assert where(world, placed.source_record_id) == placed.person_id
    theirs = second.open(proposed.url.path)
    confirmed = second.press(theirs, f"{proposed.url.path}/confirmar")
    assert "Hecho" in confirmed.text
    assert where(world, placed.source_record_id) == where(world, home.source_record_id)


def test_a_person_has_a_history_and_a_past(steward: Visitor, world: World, seeds: Callable[[], int]) -> None:
    facts = human(seeds())
    first, second = (register_facts(world.renhice, facts, place.renipress) for place in (story.ASKING, story.HOLDING))
    assert first.person_id == second.person_id
    path = f"/gestion/personas/{first.person_id}"
    page = steward.open(path)
    assert "un registro se vinculó" in page.text
    assert "Evidencia fuerte" in page.text
    assert facts.documents[0].number not in page.body
    shown = steward.press(page, f"{path}/ver", campo="documents")
    assert facts.documents[0].number in shown.text
    assert "todavía no existía aquí" in steward.open(f"{path}?dia=2024-03-05&hora=10:00").text
    assert "un día que ya pasó" in steward.open(f"{path}?dia=2999-01-01").text
    assert "un día que ya pasó" in steward.open(f"{path}?dia=ayer").text


def test_records_that_do_not_belong_are_separated_and_brought_back(
    steward: Visitor, world: World, seeds: Callable[[], int]
) -> None:
    facts = human(seeds())
    first, other = (register_facts(world.renhice, facts, place.renipress) for place in (story.ASKING, story.HOLDING))
    path = f"/gestion/personas/{first.person_id}"
    page = steward.open(path)
    nothing = steward.press(page, f"{path}/separar", **NAMES)
    assert steward.status == 422
    assert "alguno, y no todos" in nothing.text
    done = steward.press(page, f"{path}/separar", registro=str(other.source_record_id), **NAMES)
    assert "Son distintas" in done.text
    assert where(world, other.source_record_id) != first.person_id
    steward.press(done, f"{done.url.path}/deshacer", **NAMES)
    assert where(world, other.source_record_id) == first.person_id


def test_a_record_of_somebody_else_is_not_separated(steward: Visitor, world: World, seeds: Callable[[], int]) -> None:
    facts = human(seeds())
    first, _ = (register_facts(world.renhice, facts, place.renipress) for place in (story.ASKING, story.HOLDING))
    stranger = register_facts(world.renhice, human(seeds()))
    path = f"/gestion/personas/{first.person_id}"
    steward.press(steward.open(path), f"{path}/separar", registro=str(stranger.source_record_id), **NAMES)
    assert steward.status == 422
    assert where(world, stranger.source_record_id) == stranger.person_id


@pytest.fixture
def run(world: World, seeds: Callable[[], int]) -> Iterator[UUID]:
    """A run of the model in force, reported; two persons of one human were kept apart."""
    engine = engine_of(world.renhice)
    limits = {**engine.model.document["thresholds"], "link": 200.0, "review": 200.0}
    timid = replace(engine, model=Model.from_document({**engine.model.document, "thresholds": limits}))
    facts = human(seeds())
    for place in (story.ASKING, story.HOLDING):
        register_facts(world.renhice, facts, place.renipress, engine=timid)
    with world.renhice.database.unit_of_work() as session:
        found = start(session, engine.model, timid.model.hash, "operator test")
    list(judge_slices(world.renhice.database, engine, found.id))
    with world.renhice.database.unit_of_work() as session:
        assert report(session, count_with_consent, found.id)
    yield found.id
    with world.renhice.database.unit_of_work() as session:
        if get_run(session, found.id).status in OPEN:
            cancel(session, found.id, "operator test")


def test_two_stewards_stand_for_a_models_report(steward: Visitor, second: Visitor, run: UUID) -> None:
    page = steward.open("/gestion/modelo")
    assert "Personas que se unen a otra" in page.text
    assert "Aprobaciones: 0 de 2" in page.text
    change = next(link for link in page.links if "/gestion/modelo/cambios/" in link)
    shown = steward.open(change)
    assert "Dos personas se unen" in shown.text
    assert "Cuánto pesa cada parecido" in shown.text
    approved = steward.press(page, f"/gestion/modelo/{run}/aprobar")
    assert "Aprobaciones: 1 de 2" in approved.text
    assert not approved.has_form("/aprobar")
    token = approved.form("/salir").fields["csrf"]
    again = steward.browser._http.post(f"{steward.base_url}/gestion/modelo/{run}/aprobar", data={"csrf": token})
    assert (again.status_code, "Tiene que hacerlo otra persona" in again.text) == (403, True)
    done = second.press(second.open("/gestion/modelo"), f"/gestion/modelo/{run}/aprobar")
    assert "Aprobada" in done.text


def test_nobody_approves_a_report_of_another_index(
    steward: Visitor, world: World, run: UUID, seeds: Callable[[], int]
) -> None:
    page = steward.open("/gestion/modelo")
    for _ in range(21):
        register_facts(world.renhice, human(seeds()))
    assert "El registro cambió demasiado" in steward.open("/gestion/modelo").text
    refused = steward.press(page, f"/gestion/modelo/{run}/aprobar")
    assert steward.status == 409
    assert "El registro cambió demasiado" in refused.text


FORMS = [
    "modelo/{}/aprobar",
    "personas/{}/ver",
    "personas/{}/separar",
    "casos/{}/tomar",
    "casos/{}/soltar",
    "casos/{}/ver",
    "casos/{}/revisar",
    "casos/{}/decidir",
    "decisiones/{}/confirmar",
    "decisiones/{}/rechazar",
    "decisiones/{}/deshacer",
]


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("token", [None, "x" * 43])
def test_a_form_without_its_token_does_nothing(
    steward: Visitor, world: World, case: tuple[UUID, UUID, UUID], path: str, token: str | None
) -> None:
    data = {"veredicto": "same", **NAMES} | ({"csrf": token} if token else {})
    answer = steward.browser._http.post(f"{world.base_url}/gestion/{path.format(case[0])}", data=data)
    assert answer.status_code == 403
    assert "Este formulario ya no vale" in answer.text


@pytest.mark.parametrize("path", FORMS)
def test_whoever_is_no_steward_gets_nowhere(
    patient: Visitor, world: World, case: tuple[UUID, UUID, UUID], path: str
) -> None:
    token = patient.open("/").form("/salir").fields["csrf"]
    before = where(world, case[2])
    for answer in (
        patient.browser._http.get(f"{world.base_url}/gestion/casos/{case[0]}"),
        patient.browser._http.get(f"{world.base_url}/gestion"),
        patient.browser._http.post(
            f"{world.base_url}/gestion/{path.format(case[0])}", data={"csrf": token, "veredicto": "same", **NAMES}
        ),
    ):
        assert answer.status_code == 403
        assert "gestor de identidad" in answer.text
    assert where(world, case[2]) == before


@pytest.mark.parametrize("path", ["casos/{}", "decisiones/{}", "personas/{}", "modelo/cambios/{}"])
def test_what_does_not_exist_is_not_found(steward: Visitor, path: str) -> None:
    steward.open(f"/gestion/{path.format(uuid4())}")
    assert steward.status == 404


def test_a_role_that_ended_counts_at_the_next_click(
    steward: Visitor, world: World, case: tuple[UUID, UUID, UUID]
) -> None:
    page = review(steward, case[0], veredicto="same")
    ended = "UPDATE staff_roles SET ended_at = {} WHERE role = 'steward'"
    with world.renhice.database.unit_of_work() as session:
        session.execute(text(ended.format("now()")))
    try:
        steward.press(page, f"/gestion/casos/{case[0]}/decidir")
        assert steward.status == 403
    finally:
        with world.renhice.database.unit_of_work() as session:
            session.execute(text(ended.format("NULL")))
    assert where(world, case[2]) != case[1]
