""" "Este registro no es mío" in the portal."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from consent_broker.consents.representatives import Proposal, Recorder, appoint
from matching.records import Document, DocumentType
from registry.audit.models import AuditEvent
from registry.database import now
from registry.directory.representatives import Basis, Paper, Power
from registry.identity.models import Contest, Membership, PossibleMatch
from sandbox import story
from tests.functional.portal.steward_world import ELENA, register_facts
from tests.functional.portal.world import Visitor, World

RECORDS = "/mi-historia/registros"


@pytest.fixture
def record_id(world: World) -> UUID:
    """The patient's record at the holding establishment."""
    with world.renhice.database.unit_of_work() as session:
        mine = select(Membership.source_record_id).where(Membership.person_id == world.person_id)
        return session.scalars(mine.order_by(Membership.source_record_id.desc())).first()


def test_a_claim_withholds_the_record_and_is_taken_back(patient: Visitor, world: World, record_id: UUID) -> None:
    page = patient.open(RECORDS)
    assert story.HOLDING.name in page.text
    assert "GUAMAN" not in page.body
    asked = patient.open(f"{RECORDS}/{record_id}/aviso")
    unsaid = patient.press(asked, f"{RECORDS}/{record_id}/aviso")
    assert patient.status == 422
    assert "Elija por qué no es suyo" in unsaid.text
    done = patient.press(asked, f"{RECORDS}/{record_id}/aviso", motivo="never-attended")
    assert done.url.path == RECORDS
    assert "En revisión" in done.text
    assert "Nunca me atendieron allí" in done.text
    with world.renhice.database.unit_of_work() as session:
        claim = session.scalars(select(Contest).where(Contest.source_record_id == record_id)).one()
        assert (claim.status, claim.person_id) == ("open", world.person_id)
        assert session.get_one(PossibleMatch, claim.possible_match_id).reason == "contested"
    back = patient.press(done, f"{RECORDS}/avisos/{claim.id}/retirar")
    assert "Usted retiró el aviso" in back.text
    assert not back.has_form("/retirar")


def test_a_steward_finds_it_theirs_and_the_patient_reads_so(patient: Visitor, world: World, record_id: UUID) -> None:
    patient.press(patient.open(f"{RECORDS}/{record_id}/aviso"), f"{RECORDS}/{record_id}/aviso", motivo="wrong-data")
    with world.renhice.database.unit_of_work() as session:
        case_id = session.scalars(
            select(Contest.possible_match_id).where(Contest.source_record_id == record_id, Contest.status == "open")
        ).one()
    steward = world.visitor()
    steward.sign_in("/ingresar?como=gestor", story.STEWARD.person)
    page = steward.open(f"/gestion/casos/{case_id}")
    assert "El paciente avisó que el registro no es suyo" in page.text
    assert "el resto de su propia persona" in page.text
    review = steward.press(page, f"/gestion/casos/{case_id}/revisar", veredicto="same", motivo="documents", nota="")
    steward.press(review, f"/gestion/casos/{case_id}/decidir")
    assert "Se revisó y es suyo" in patient.open(RECORDS).text
    again = patient.press(
        patient.open(f"{RECORDS}/{record_id}/aviso"), f"{RECORDS}/{record_id}/aviso", motivo="wrong-data"
    )
    assert patient.status == 409
    assert "Ya se revisó" in again.text


def test_a_record_of_somebody_else_looks_like_none(patient: Visitor, world: World) -> None:
    stranger = register_facts(world.renhice, ELENA)
    token = patient.open("/").form("/salir").fields["csrf"]
    for record in (stranger.source_record_id, uuid4()):
        assert patient.browser._http.get(f"{world.base_url}{RECORDS}/{record}/aviso").status_code == 404
        answer = patient.browser._http.post(
            f"{world.base_url}{RECORDS}/{record}/aviso", data={"csrf": token, "motivo": "somebody-else"}
        )
        assert answer.status_code == 404
    retired = patient.browser._http.post(f"{world.base_url}{RECORDS}/avisos/{uuid4()}/retirar", data={"csrf": token})
    assert retired.status_code == 404
    with world.renhice.database.unit_of_work() as session:
        claims = select(Contest).where(Contest.source_record_id == stranger.source_record_id)
        assert session.scalar(claims) is None


@pytest.mark.parametrize("path", ["{}/aviso", "avisos/{}/retirar"])
def test_a_claim_without_its_token_does_nothing(patient: Visitor, world: World, record_id: UUID, path: str) -> None:
    answer = patient.browser._http.post(
        f"{world.base_url}{RECORDS}/{path.format(record_id)}", data={"motivo": "never-attended"}
    )
    assert answer.status_code == 403


def test_one_factor_is_not_enough(world: World, record_id: UUID) -> None:
    visitor = world.visitor()
    visitor.sign_in("/ingresar?como=paciente", story.PATIENT)
    assert visitor.open(RECORDS).url.path == RECORDS
    asked = visitor.open(f"{RECORDS}/{record_id}/aviso")
    assert asked.url.path != f"{RECORDS}/{record_id}/aviso"


@pytest.mark.parametrize(("powers", "may"), [((Power.SEE,), False), ((Power.SEE, Power.RIGHTS), True)])
def test_a_representative_claims_only_with_the_power_to(
    patient: Visitor, world: World, powers: tuple[Power, ...], may: bool
) -> None:
    record = register_facts(world.renhice, replace(ELENA, documents=(), given_names=f"Elena {len(powers)}"))
    proposal = Proposal(
        person_id=record.person_id,
        document=Document(DocumentType.DNI, story.PATIENT.document.number),
        name="Su apoderada",
        basis=Basis.POWER,
        powers=frozenset(powers),
        paper=Paper(kind="notarial-power", reference="Partida 1"),
        until=now() + timedelta(days=30),
    )
    with world.renhice.database.unit_of_work() as session:
        mandate = appoint(session, world.renhice.sealer, proposal, Recorder(role="operator", detail={})).id
    patient.press(patient.open("/mi-historia/representados"), f"/mi-historia/representados/{mandate}/actuar")
    path = f"{RECORDS}/{record.source_record_id}/aviso"
    patient.press(patient.open(path), path, motivo="never-attended")
    assert patient.status == (200 if may else 403)
    with world.renhice.database.unit_of_work() as session:
        claim = session.scalar(select(Contest).where(Contest.source_record_id == record.source_record_id))
        assert (claim is not None) == may
        contested = AuditEvent.action == "identity:record:contested"
        mine = AuditEvent.source_record_id == record.source_record_id
        said = session.scalars(select(AuditEvent).where(contested, mine)).all()
        assert [one.actor_role for one in said] == (["representative"] if may else [])
        assert all(one.detail["representation"] == str(mandate) for one in said)
