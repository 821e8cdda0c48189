"""Acting in another's name: on which pages it shows, what it reaches, and that it ends by itself."""

from collections.abc import Iterator
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from consent_broker.consents.access_requests import Asking, request_access
from consent_broker.consents.directives import Kind
from consent_broker.consents.evidence import Evidence, RepresentativeEvidence
from consent_broker.consents.representatives import Proposal, Recorder, appoint, list_mandates
from consent_broker.consents.service import (
    Terms,
    grant_consent,
    list_consents,
    list_versions,
    propose_consent,
    record_objection,
    revoke_consent,
)
from consent_broker.exchange.documents import name_of
from matching.records import Demographics, Document, DocumentType
from portal.models import PortalSession
from registry.audit.models import AuditEvent
from registry.database import now
from registry.directory.models import Representation
from registry.directory.representatives import Basis, Paper, Power
from registry.directory.service import get_professional_by_registration
from registry.identity.models import SourceRecord
from registry.identity.service import Content, Registration, engine_of, register_source_record
from registry.locator.documents import find_document
from registry.locator.service import locate
from sandbox import story
from sandbox.demo.browser import Page
from tests.functional.portal.test_documents import PSY, index
from tests.functional.portal.world import Visitor, World

CLERK = Recorder(role="operator", detail={"operator": "tests"})
HOME = "/mi-historia"
REPRESENTED = "/mi-historia/representados"


def born(years: int) -> date:
    today = now().date()
    return date(today.year - years, today.month, min(today.day, 28)) - timedelta(days=40)


@pytest.fixture(scope="module")
def child(world: World) -> UUID:
    """A child of fifteen with a record at both establishments."""
    facts = Demographics(
        documents=(Document(DocumentType.DNI, "61234567"),), paternal_surname="Quispe", maternal_surname="Huamán",
        given_names="Luz", sex="F", birth_date=born(15),
    )  # fmt: skip
    with world.renhice.database.unit_of_work() as session:
        for place in (story.ASKING, story.HOLDING):
            content = Content(world.place(place.renipress).identifier_system, "LUZ-1", facts)
            registration = Registration(
                establishment_id=world.place(place.renipress).id, client_id="sihce-test", content=content
            )
            person = register_source_record(session, engine_of(world.renhice), registration).person_id
    return person


@pytest.fixture(autouse=True)
def mandate(world: World, child: UUID) -> Iterator[UUID]:
    """The story's patient is the child's mother."""
    proposal = Proposal(
        person_id=child,
        document=Document(DocumentType.DNI, story.PATIENT.document.number),
        name="Su mamá",
        basis=Basis.PARENT,
        powers=frozenset({Power.SEE, Power.DECIDE}),
        paper=Paper(kind="birth-record", reference="CNV 1"),
    )
    with world.renhice.database.unit_of_work() as session:
        made = appoint(session, world.renhice.sealer, proposal, CLERK).id
    yield made
    with world.renhice.database.unit_of_work() as session:
        session.execute(update(PortalSession).values(acting_by=None))
        session.execute(update(Representation).values(ended_at=now()))


def act(patient: Visitor, mandate: UUID) -> Page:
    return patient.press(patient.open(REPRESENTED), f"{REPRESENTED}/{mandate}/actuar")


def ask(world: World, person_id: UUID, *categories: str) -> UUID:
    with world.renhice.database.unit_of_work() as session:
        asking = Asking(
            establishment_id=world.place(story.ASKING.renipress).id,
            professional_id=get_professional_by_registration(session, "CMP", "990101").id,
            person_id=person_id,
            purpose="TREAT",
            categories=frozenset(categories or {"allergies"}),
        )
        return request_access(session, asking).request.id


def directive(world: World, person_id: UUID, **said: object) -> UUID:
    """The adolescent's own directive."""
    own = Evidence(actor_person_id=person_id, acr=2, auth_time=now(), channel="test", text="-")
    terms = Terms(
        **{"person_id": person_id, "establishment_id": world.place(story.ASKING.renipress).id,
           "categories": frozenset({"allergies"}), "purposes": frozenset({"TREAT"}),
           "ends_at": now() + timedelta(days=2)} | said
    )  # type: ignore[arg-type]  # fmt: skip
    with world.renhice.database.unit_of_work() as session:
        if terms.kind is Kind.OBJECTION:
            return record_objection(session, terms, own).id
        return grant_consent(session, propose_consent(session, terms, own.as_record()), own).id


def start_anew(world: World, person_id: UUID) -> None:
    """End what earlier tests directed."""
    own = Evidence(actor_person_id=person_id, acr=2, auth_time=now(), channel="test", text="-")
    with world.renhice.database.unit_of_work() as session:
        for one in list_consents(session, [person_id]):
            if one.status == "active":
                revoke_consent(session, one.id, own)


def test_the_banner_is_on_every_page_and_leads_back(patient: Visitor, mandate: UUID) -> None:
    page = act(patient, mandate)
    for path in (HOME, "/mi-historia/accesos", "/mi-historia/permisos", REPRESENTED, "/", "/accesibilidad"):
        page = patient.open(path)
        assert "Está actuando en nombre de Luz Quispe Huamán" in page.text, path
    page = patient.press(page, f"{REPRESENTED}/volver")
    assert "Está actuando" not in page.text


def test_a_mother_decides_and_the_evidence_names_her(
    world: World, patient: Visitor, child: UUID, mandate: UUID
) -> None:
    asked = ask(world, child)
    act(patient, mandate)
    page = patient.press(patient.open(f"/mi-historia/pedidos/{asked}"), f"/mi-historia/pedidos/{asked}", "permitir")
    assert "Permiso dado" in page.text
    with world.renhice.database.unit_of_work() as session:
        state = next(one for one in list_consents(session, [child]) if one.status == "active")
        evidence = list_versions(session, state.id)[-1].evidence
        used = session.scalars(select(AuditEvent).where(AuditEvent.action == "consent:representation:used")).all()
    assert (evidence["representation"], evidence["actor_person_id"]) == (str(mandate), str(world.person_id))
    assert (used[-1].person_id, used[-1].actor_role) == (child, "representative")


def test_her_own_requests_and_the_childs_do_not_mix(world: World, patient: Visitor, child: UUID, mandate: UUID) -> None:
    hers, the_childs = ask(world, world.person_id, "problems"), ask(world, child, "problems")
    patient.open(f"/mi-historia/pedidos/{the_childs}")
    assert patient.status == 404
    act(patient, mandate)
    patient.open(f"/mi-historia/pedidos/{hers}")
    assert patient.status == 404
    patient.open(f"/mi-historia/pedidos/{the_childs}")
    assert patient.status == 200


def test_a_form_of_one_account_does_not_act_on_the_other(patient: Visitor, mandate: UUID) -> None:
    stale = patient.open("/cuenta/sesiones")
    act(patient, mandate)
    patient.press(stale, "/salir")
    assert patient.status == 403


def test_an_adolescents_confidential_care_is_not_shown(
    world: World, patient: Visitor, child: UUID, mandate: UUID
) -> None:
    holding = world.place(story.HOLDING.renipress)
    directive(world, child, kind=Kind.OBJECTION, establishment_id=None, categories=None, purposes=None, ends_at=None,
              sources=frozenset({holding.id}), hides=True)  # fmt: skip
    labelled = directive(world, child, labels=frozenset({"N", "SEX"}))
    plain = directive(world, child, categories=frozenset({"immunizations"}))
    with world.renhice.database.unit_of_work() as session:
        read = {"action": "exchange:records:read", "outcome": "success", "person_id": child, "detail": {}}
        session.add(AuditEvent(**read, holder_id=holding.id))
        asking = world.place(story.ASKING.renipress).id
        session.add(AuditEvent(**read, consent_id=labelled, establishment_id=asking, purpose="COC"))
    act(patient, mandate)
    assert holding.name not in patient.open(HOME).text
    listed = patient.open("/mi-historia/permisos").body
    assert (str(labelled) in listed, str(plain) in listed) == (False, True)
    patient.open(f"/mi-historia/permisos/{labelled}")
    assert patient.status == 404
    accesses = patient.open("/mi-historia/accesos").body + patient.open("/mi-historia/accesos.csv").body
    assert holding.name not in accesses
    assert "Para coordinar" not in accesses


def test_of_an_adolescents_documents_neither_the_sensitive_nor_the_hidden_are_shown(
    world: World, patient: Visitor, child: UUID, mandate: UUID
) -> None:
    start_anew(world, child)
    ordinary, _, hidden = (
        index(world, *said, person=child) for said in (("Vacunas",), ("Consejería", PSY), ("Receta",))
    )
    with world.renhice.database.unit_of_work() as session:
        document = find_document(session, world.renhice.sealer, hidden)
    assert document is not None
    place = frozenset({world.place(story.HOLDING.renipress).id})
    directive(
        world, child, kind=Kind.OBJECTION, establishment_id=None, categories=None, purposes=None, ends_at=None,
        hides=True, sources=place, items=frozenset({name_of(document)}),
    )  # fmt: skip
    act(patient, mandate)
    page = patient.open("/mi-historia/documentos")
    assert ("Vacunas" in page.text, "Consejería" in page.text, "Receta" in page.text) == (True, False, False)
    assert not patient.open(f"/mi-historia/documentos/{ordinary}").has_form("/ocultar")
    assert patient.open(f"/mi-historia/documentos/{hidden}").status == 404


def test_the_consent_page_tells_a_mother_nothing_of_confidential_limits(
    world: World, patient: Visitor, child: UUID, mandate: UUID
) -> None:
    start_anew(world, child)
    with world.renhice.database.unit_of_work() as session:
        physician = get_professional_by_registration(session, "CMP", "990101").id
    nobody: dict[str, object] = {"kind": Kind.OBJECTION, "purposes": None, "ends_at": None}
    place = frozenset({world.place(story.HOLDING.renipress).id})
    directive(world, child, **nobody, establishment_id=None, categories=None, sources=place, hides=True)
    directive(world, child, **nobody, professional_id=physician, categories=frozenset({"medications"}))
    path = f"{HOME}/pedidos/{ask(world, child, 'allergies', 'medications', 'problems')}"
    act(patient, mandate)
    page = patient.open(path)
    assert "Nada de esto, por un límite suyo: Medicación." in page.text
    assert "oculta" not in page.text


def test_whoever_is_represented_sees_all_that_was_done_and_by_whom(world: World, patient: Visitor) -> None:
    agent = Document(DocumentType.DNI, "40718293")
    proposal = Proposal(
        person_id=world.person_id, document=agent, name="Julia Apaza", basis=Basis.POWER,
        powers=frozenset({Power.SEE, Power.DECIDE}), until=now() + timedelta(days=9),
        paper=Paper(kind="notarial-power", reference="K-1"),
    )  # fmt: skip
    terms = Terms(
        person_id=world.person_id, establishment_id=None, categories=frozenset({"immunizations"}), purposes=None,
        ends_at=None, kind=Kind.OBJECTION,
    )  # fmt: skip
    with world.renhice.database.unit_of_work() as session:
        appoint(session, world.renhice.sealer, proposal, CLERK)
        [mandate] = list_mandates(session, world.renhice.sealer, agent, 14)
        proof = RepresentativeEvidence(
            mandate=mandate, actor_person_id=None, acr=2, auth_time=now(), channel="portal", text="-"
        )  # fmt: skip
        made = record_objection(session, terms, proof)
        revoke_consent(session, made.id, proof)
    assert "Julia Apaza" in patient.open(REPRESENTED).text
    done = patient.open(f"{REPRESENTED}/en-mi-nombre").text
    assert done.count("Julia Apaza") == 2
    assert done.index("Retiró un permiso o un límite") < done.index("Dio un permiso o puso un límite")


@pytest.mark.parametrize("end", ["dismissed", "deceased"])
def test_what_ends_in_the_middle_ends_at_the_next_click_and_does_nothing(
    world: World, patient: Visitor, child: UUID, mandate: UUID, end: str
) -> None:
    act(patient, mandate)
    asked = ask(world, child, "encounters")
    open_page = patient.open(f"/mi-historia/pedidos/{asked}")
    died = update(SourceRecord).where(SourceRecord.local_token.isnot(None)).values(deceased_confirmed=False)
    with world.renhice.database.unit_of_work() as session:
        if end == "dismissed":
            session.execute(update(Representation).where(Representation.id == mandate).values(ended_at=now()))
        else:
            session.execute(died.values(deceased_confirmed=True))
    try:
        page = patient.press(open_page, f"/mi-historia/pedidos/{asked}", "permitir")
        assert "Ya no puede actuar en nombre" in page.text
        assert "Está actuando" not in page.text
    finally:
        with world.renhice.database.unit_of_work() as session:
            session.execute(died)
    page = patient.press(patient.open(REPRESENTED), f"{REPRESENTED}/volver")
    assert "Ya no puede" not in page.text


def test_anothers_mandate_is_nobodys(world: World, patient: Visitor, physician: Visitor, mandate: UUID) -> None:
    page = patient.open(REPRESENTED)
    form = page.form(f"{REPRESENTED}/{mandate}/actuar")
    form.action = form.action.replace(str(mandate), str(world.person_id))
    patient.browser.submit(page, form)
    assert patient.status == 404
    page = physician.open("/profesional")
    form = page.form("/salir")
    form.action = f"{REPRESENTED}/{mandate}/actuar"
    physician.browser.submit(page, form)
    assert physician.status in {403, 404}


def test_of_an_adolescents_record_neither_the_sensitive_nor_the_hidden_is_shown(
    world: World, patient: Visitor, child: UUID, mandate: UUID
) -> None:
    """Nor what speaks of either; and nothing can be hidden, or shown again, for the adolescent."""
    start_anew(world, child)
    held = {"allergy": "AllergyIntolerance", "visit": "Encounter", "pill": "MedicationStatement", "seen": "Condition"}
    held |= {"told": "Encounter"}
    resources = [{"resourceType": kind, "id": name, "code": {"text": name}} for name, kind in held.items()]
    resources[1] |= {"type": [{"text": "visit"}], "diagnosis": [{"condition": {"reference": "Condition/hidden"}}]}
    resources[2] |= {"medicationCodeableConcept": {"text": "pill"}, "meta": {"security": [PSY]}}
    resources[4] |= {"type": [{"text": "told"}], "reasonReference": [{"reference": "MedicationStatement/pill"}]}
    place = world.place(story.HOLDING.renipress).id
    hidden = frozenset({"Condition/hidden", "Condition/seen"})
    directive(world, child, kind=Kind.OBJECTION, establishment_id=None, categories=None, purposes=None, ends_at=None,
              sources=frozenset({place}), items=hidden, hides=True)  # fmt: skip
    with world.renhice.database.unit_of_work() as session:
        record = next(one.source_record_id for one in locate(session, child) if one.establishment_id == place)
    kept, world.holder.resources = world.holder.resources, resources
    try:
        act(patient, mandate)
        page = patient.open(f"/mi-historia/registros/{record}")
        shown = [name for name in held if f">{name}<" in page.body]
        item = patient.open(f"/mi-historia/registros/{record}/AllergyIntolerance/allergy")
        assert not item.has_form("/ocultar")
        form = item.form("/salir").fields
        for path in ("AllergyIntolerance/allergy/ocultar", "Condition/seen/mostrar", "Condition/seen/ocultar"):
            address = f"{world.base_url}/mi-historia/registros/{record}/{path}"
            assert patient.browser._http.post(address, data=form).status_code in {403, 404}, path
    finally:
        world.holder.resources = kept
    assert shown == ["allergy"]
    done = patient.open("/mi-historia/representados/en-mi-nombre")
    assert "Leyó lo que guarda un establecimiento" in done.text
