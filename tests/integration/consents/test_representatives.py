"""Representations in the database: what is taken on record, what each may do today, and what ends it."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from consent_broker.consents.evidence import RepresentativeEvidence
from consent_broker.consents.mandates import Mandate
from consent_broker.consents.representatives import Proposal, Recorder, appoint, dismiss, list_mandates
from consent_broker.consents.service import (
    Terms,
    get_consent,
    grant_consent,
    list_versions,
    propose_consent,
    revoke_consent,
)
from matching.records import Demographics, Document, DocumentType
from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.database import new_id, now
from registry.directory.models import Representation
from registry.directory.representatives import Basis, Paper, Power, open_representative
from registry.errors import Conflict, Forbidden, NotFound, Unprocessable
from registry.identity.models import Person, SourceRecord
from registry.identity.service import Content, Registration, engine_of, register_source_record
from tests.functional.oauth.world import World

MOTHER = Document(DocumentType.DNI, "40718293")
CLERK = Recorder(role="operator", detail={"operator": "tests"})


def born(years_ago: int) -> date:
    today = now().date()
    return date(today.year - years_ago, today.month, min(today.day, 28)) - timedelta(days=2)


def child(session: Session, renhice: Renhice, birth_date: date | None, number: str = "1") -> UUID:
    facts = Demographics(paternal_surname="Quispe", maternal_surname="Huamán", given_names="Luz", birth_date=birth_date)
    content = Content("https://example.pe/hc", number, facts)
    registration = Registration(establishment_id=new_id(), client_id="x", content=content)
    return register_source_record(session, engine_of(renhice), registration).person_id


def proposal(person_id: UUID, **changes: Any) -> Proposal:
    return replace(
        Proposal(
            person_id=person_id, document=MOTHER, name="Rosa Huamán", basis=Basis.PARENT,
            powers=frozenset({Power.SEE, Power.DECIDE}), paper=Paper(kind="birth-record", reference="CNV 1000000001"),
        ),
        **changes,
    )  # fmt: skip


def mandates(session: Session, renhice: Renhice, document: Document = MOTHER) -> list[Mandate]:
    return list_mandates(session, renhice.sealer, document, renhice.settings.adolescent_from_age)


def evidence(world: World, mandate: Mandate) -> RepresentativeEvidence:
    own = world.evidence()
    return RepresentativeEvidence(
        mandate=mandate, actor_person_id=world.other_person_id, acr=own.acr, auth_time=own.auth_time,
        channel=own.channel, text=own.text,
    )  # fmt: skip


def terms(world: World, person_id: UUID, **changes: Any) -> Terms:
    return replace(
        Terms(
            person_id=person_id, establishment_id=world.asking.establishment_id, categories=frozenset({"allergies"}),
            purposes=frozenset({"TREAT"}), ends_at=now() + timedelta(days=3),
        ),
        **changes,
    )  # fmt: skip


def test_a_mother_is_recorded_sealed_and_audited_and_may_act(session: Session, renhice: Renhice) -> None:
    person = child(session, renhice, born(9))
    row = appoint(session, renhice.sealer, proposal(person), CLERK)
    found = mandates(session, renhice)
    assert [(one.person_id, one.basis, one.withheld) for one in found] == [(person, "parent", frozenset())]
    assert mandates(session, renhice, Document(DocumentType.DNI, "00000001")) == []
    raw = str(session.execute(text("SELECT * FROM representations")).mappings().one())
    assert not any(secret in raw for secret in ("Rosa", "40718293", "CNV 1000000001", str(born(9).year + 18)))
    assert open_representative(session, renhice.sealer, row).name == "Rosa Huamán"
    event = session.scalars(select(AuditEvent).where(AuditEvent.person_id == person)).all()[-1]
    assert (event.action, event.actor_role) == ("consent:representation:recorded", "operator")
    assert event.detail["basis"] == "parent"


@pytest.mark.parametrize(
    ("age", "changes"),
    [
        (18, {}),
        (None, {}),
        (9, {"paper": Paper(kind="notarial-power", reference="x")}),
        (9, {"powers": frozenset()}),
        (9, {"powers": frozenset({Power.DECIDE})}),
        (40, {"basis": Basis.POWER, "paper": Paper(kind="notarial-power", reference="x")}),
        (40, {"basis": Basis.POWER, "paper": Paper(kind="notarial-power", reference="x"), "until": 4000}),
        (40, {"basis": Basis.POWER, "paper": Paper(kind="notarial-power", reference="x"), "until": -1}),
        (40, {"basis": Basis.SUPPORT, "paper": Paper(kind="birth-record", reference="x"), "until": 10}),
    ],
)
def test_what_the_law_does_not_carry_is_refused(
    session: Session, renhice: Renhice, age: int | None, changes: dict[str, Any]
) -> None:
    person = child(session, renhice, born(age) if age else None)
    if "until" in changes:
        changes = changes | {"until": now() + timedelta(days=changes["until"])}
    with pytest.raises(Unprocessable):
        appoint(session, renhice.sealer, proposal(person, **changes), CLERK)


def test_nobody_represents_themselves_the_dead_or_too_many(session: Session, renhice: Renhice) -> None:
    person = child(session, renhice, born(9))
    own = Demographics(documents=(MOTHER,), paternal_surname="Huamán", given_names="Rosa", birth_date=born(9))
    content = Content("https://example.pe/hc", "2", own)
    mother = register_source_record(
        session, engine_of(renhice), Registration(establishment_id=new_id(), client_id="x", content=content)
    ).person_id
    with pytest.raises(Unprocessable):
        appoint(session, renhice.sealer, proposal(mother), CLERK)
    with pytest.raises(NotFound):
        appoint(session, renhice.sealer, proposal(new_id()), CLERK)
    for _ in range(10):
        appoint(session, renhice.sealer, proposal(person), CLERK)
    with pytest.raises(Conflict):
        appoint(session, renhice.sealer, proposal(person), CLERK)
    session.execute(update(SourceRecord).values(deceased_confirmed=True))
    with pytest.raises(Conflict, match="died"):
        appoint(session, renhice.sealer, proposal(person), CLERK)
    assert mandates(session, renhice) == []


def test_it_ends_when_somebody_ends_it_and_rests_while_the_person_is_merged(session: Session, renhice: Renhice) -> None:
    person, other = child(session, renhice, born(9)), new_id()
    row = appoint(session, renhice.sealer, proposal(person), CLERK)
    session.add(Person(id=other))
    session.flush()
    mine = update(Person).where(Person.id == person)
    session.execute(mine.values(status="replaced", replaced_by=other))
    assert mandates(session, renhice) == []
    session.execute(mine.values(status="active", replaced_by=None))
    assert len(mandates(session, renhice)) == 1
    dismiss(session, row.id, "custody was given to the father", CLERK)
    dismiss(session, row.id, "twice", CLERK)
    assert mandates(session, renhice) == []
    kept = session.get_one(Representation, row.id)
    assert kept.end_reason == "custody was given to the father"


def test_every_act_names_the_representative(session: Session, renhice: Renhice, world: World) -> None:
    person = child(session, renhice, born(9))
    appoint(session, renhice.sealer, proposal(person), CLERK)
    mandate = mandates(session, renhice)[0]
    proof = evidence(world, mandate)
    consent = grant_consent(session, propose_consent(session, terms(world, person), proof.as_record()), proof)
    revoke_consent(session, consent.id, proof)
    named = {"representation": str(mandate.id), "basis": "parent", "actor_person_id": str(world.other_person_id)}
    assert all(named.items() <= version.evidence.items() for version in list_versions(session, consent.id))
    events = session.scalars(select(AuditEvent).where(AuditEvent.consent_id == consent.id)).all()
    assert {(one.actor_role, one.actor_person_id) for one in events} == {("representative", world.other_person_id)}
    assert all(one.detail["representation"] == str(mandate.id) for one in events)


@pytest.mark.parametrize("change", ["person", "power", "ended", "weak"])
def test_a_mandate_reaches_its_person_its_powers_and_its_end(
    session: Session, renhice: Renhice, world: World, change: str
) -> None:
    person = child(session, renhice, born(9))
    appoint(session, renhice.sealer, proposal(person), CLERK)
    mandate = mandates(session, renhice)[0]
    changed = {
        "person": evidence(world, replace(mandate, person_id=new_id())),
        "power": evidence(world, replace(mandate, powers=frozenset({Power.SEE}))),
        "ended": evidence(world, replace(mandate, ends_at=now())),
        "weak": replace(evidence(world, mandate), acr=1),
    }[change]
    consent_id = propose_consent(session, terms(world, person), changed.as_record())
    with pytest.raises(Forbidden):
        grant_consent(session, consent_id, changed)


def test_an_adolescents_confidential_care_is_out_of_a_mothers_reach(
    session: Session, renhice: Renhice, world: World
) -> None:
    person = child(session, renhice, born(15))
    appoint(session, renhice.sealer, proposal(person), CLERK)
    proof = evidence(world, mandates(session, renhice)[0])
    own = world.evidence(person)
    labelled = terms(world, person, labels=frozenset({"N", "SEX"}))
    consent_id = propose_consent(session, labelled, own.as_record())
    with pytest.raises(Forbidden):
        grant_consent(session, consent_id, proof)
    assert grant_consent(session, consent_id, own).status == "active"
    with pytest.raises(NotFound):
        revoke_consent(session, consent_id, proof)
    assert get_consent(session, consent_id).status == "active"
    plain = propose_consent(session, terms(world, person), proof.as_record())
    assert grant_consent(session, plain, proof).status == "active"
