"""Attack 19: going on in the name of who came of age, died, or turned out to be somebody else."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from consent_broker.consents.directives import AccessQuery, Kind
from consent_broker.consents.evidence import RepresentativeEvidence
from consent_broker.consents.mandates import Mandate, birthday
from consent_broker.consents.representatives import Proposal, Recorder, appoint, list_mandates
from consent_broker.consents.service import (
    Terms,
    decide_access,
    grant_consent,
    list_consents,
    propose_consent,
    record_objection,
)
from matching.records import Demographics, Document, DocumentType
from registry.calendar import LIMA
from registry.database import new_id, now
from registry.directory.representatives import Basis, Paper, Power
from registry.errors import Conflict, DomainError, Forbidden
from registry.identity.models import Person, SourceRecord
from registry.identity.service import Content, Registration, engine_of, register_source_record
from tests.functional.oauth.test_token_life import holder_token
from tests.functional.oauth.world import RECORDS, World

MOTHER = Document(DocumentType.DNI, "40718293")
CLERK = Recorder(role="operator", detail={"operator": "tests"})


def today() -> date:
    return now().astimezone(LIMA).date()


def years_before(day: date, years: int) -> date:
    return date(day.year - years, day.month, min(day.day, 28))


def child(world: World, born: date) -> UUID:
    """A person of that birth date with one record, whose mother is on record as soon as they are a minor."""
    facts = Demographics(paternal_surname="Quispe", given_names=f"Luz {new_id()}", birth_date=born)

    def act(session: Any) -> UUID:
        content = Content("https://example.pe/hc", str(new_id()), facts)
        registration = Registration(establishment_id=new_id(), client_id="x", content=content)
        return register_source_record(session, engine_of(world.renhice), registration).person_id

    return world.transact(act)


def represent(world: World, person_id: UUID) -> None:
    proposal = Proposal(
        person_id=person_id, document=MOTHER, name="Su madre", basis=Basis.PARENT,
        powers=frozenset({Power.SEE, Power.DECIDE}), paper=Paper(kind="birth-record", reference="x"),
    )  # fmt: skip
    world.transact(lambda session: appoint(session, world.renhice.sealer, proposal, CLERK))


def mandate(world: World, person_id: UUID) -> Mandate | None:
    found = world.transact(lambda session: list_mandates(session, world.renhice.sealer, MOTHER, 14))
    return next((one for one in found if one.person_id == person_id), None)


def act_for(world: World, one: Mandate) -> RepresentativeEvidence:
    own = world.evidence()
    return RepresentativeEvidence(
        mandate=one, actor_person_id=world.other_person_id, acr=own.acr, auth_time=own.auth_time,
        channel=own.channel, text=own.text,
    )  # fmt: skip


def permit(world: World, person_id: UUID, proof: Any, **changes: Any) -> UUID:
    terms = replace(
        Terms(
            person_id=person_id, establishment_id=world.asking.establishment_id, categories=frozenset({"allergies"}),
            purposes=frozenset({"TREAT"}), ends_at=now() + timedelta(days=3),
        ),
        **changes,
    )  # fmt: skip

    def act(session: Any) -> UUID:
        if terms.kind is Kind.OBJECTION:
            return record_objection(session, terms, proof).id
        return grant_consent(session, propose_consent(session, terms, proof.as_record()), proof).id

    return world.transact(act)


def decided(world: World, person_id: UUID) -> str:
    query = AccessQuery(
        person_id=person_id, establishment_id=world.asking.establishment_id, professional_id=world.professional_id,
        purpose="TREAT", categories=frozenset({"allergies"}),
    )  # fmt: skip
    return world.transact(lambda session: decide_access(session, query).reason.value)


def test_who_turns_18_today_in_lima_is_represented_by_nobody(world: World) -> None:
    eighteen_today, eighteen_tomorrow = years_before(today(), 18), years_before(today() + timedelta(days=1), 18)
    if birthday(eighteen_tomorrow, 18) > today():
        minor = child(world, eighteen_tomorrow)
        represent(world, minor)
        assert mandate(world, minor) is not None
    with pytest.raises(DomainError):
        represent(world, child(world, eighteen_today))


def test_an_evidence_kept_over_the_birthday_decides_nothing(world: World) -> None:
    minor = child(world, years_before(today(), 12))
    represent(world, minor)
    one = mandate(world, minor)
    assert one is not None
    late = act_for(world, replace(one, ends_at=now()))
    with pytest.raises(Forbidden):
        permit(world, minor, late)
    permit(world, minor, act_for(world, one))


@pytest.fixture
def dead(world: World) -> Iterator[Any]:
    """Kills the patient in the books, and brings them back."""
    record = update(SourceRecord).where(SourceRecord.id == world.record_at_holder)

    def act(**flags: bool) -> None:
        world.transact(lambda session: session.execute(record.values(**flags)))

    yield act
    act(deceased_confirmed=False, deceased_reported=False, verified=False)


def test_a_death_closes_every_door_at_once_and_a_mistake_opens_them_again(world: World, dead: Any) -> None:
    granted = world.grant(scope=f"{RECORDS[0]} offline_access")
    held = holder_token(world)
    path = f"/exchange/fhir/AllergyIntolerance?patient={world.person_id}"
    dead(deceased_confirmed=True)
    assert world.holding.introspect(held) == {"active": False}
    assert world.asking.get(path, granted["access_token"]).status_code in {401, 403}
    refreshed = world.asking.refresh(granted["refresh_token"])
    assert (refreshed.status_code, refreshed.json["error"]) == (400, "invalid_grant")
    assert decided(world, world.person_id) == "patient-deceased"
    with pytest.raises(AssertionError, match="patient-deceased"):
        world.request_access(categories=["problems"])
    dead(deceased_confirmed=False)
    assert world.holding.introspect(held)["active"] is True


@pytest.mark.parametrize(
    ("flags", "closed"),
    [
        ({"deceased_reported": True}, True),
        ({"deceased_reported": True, "verified": True}, False),
        ({"deceased_confirmed": True, "verified": True}, True),
    ],
    ids=str,
)
def test_one_mistaken_report_does_not_outweigh_reniec(
    world: World, dead: Any, flags: dict[str, bool], closed: bool
) -> None:
    permit(world, world.person_id, world.evidence())
    dead(**flags)
    assert (decided(world, world.person_id) == "patient-deceased") is closed


def test_nobody_acts_for_the_dead(world: World) -> None:
    minor = child(world, years_before(today(), 9))
    represent(world, minor)
    one = mandate(world, minor)
    assert one is not None
    world.transact(lambda session: session.execute(update(SourceRecord).values(deceased_confirmed=True)))
    try:
        assert mandate(world, minor) is None
        with pytest.raises(Conflict):
            represent(world, minor)
    finally:
        world.transact(lambda session: session.execute(update(SourceRecord).values(deceased_confirmed=False)))
    assert mandate(world, minor) is not None


def test_a_merge_moves_no_permission_and_no_mandate_and_its_undoing_gives_them_back(world: World) -> None:
    minor, other = child(world, years_before(today(), 9)), child(world, years_before(today(), 40))
    represent(world, minor)
    one = mandate(world, minor)
    assert one is not None
    permit(world, minor, act_for(world, one))
    assert decided(world, minor) == "permitted"
    merge = update(Person).where(Person.id == minor)
    world.transact(lambda session: session.execute(merge.values(status="replaced", replaced_by=other)))
    assert decided(world, other) == "no-consent"
    assert mandate(world, minor) is None
    with pytest.raises(Forbidden):
        permit(world, other, act_for(world, one))
    objection: dict[str, Any] = {"kind": Kind.OBJECTION, "purposes": None, "ends_at": None}
    permit(world, minor, world.evidence(minor), **objection)
    permit(world, other, world.evidence(other), professional_id=None)
    assert decided(world, other) == "objection"
    world.transact(lambda session: session.execute(merge.values(status="active", replaced_by=None)))
    assert mandate(world, minor) is not None
    assert decided(world, other) == "permitted"


@pytest.mark.parametrize("said", [{"labels": frozenset({"N", "SEX"})}, {"labels": frozenset({"PSY"})}])
def test_a_mother_gives_away_nothing_of_an_adolescents_confidential_care(world: World, said: dict[str, Any]) -> None:
    adolescent = child(world, years_before(today(), 15))
    represent(world, adolescent)
    one = mandate(world, adolescent)
    assert one is not None
    with pytest.raises(Forbidden):
        permit(world, adolescent, act_for(world, one), **said)
    states = world.transact(lambda session: list_consents(session, [adolescent]))
    assert not [state for state in states if state.status == "active"]
    permit(world, adolescent, act_for(world, one))


def test_a_mandate_for_one_child_reaches_no_other(world: World) -> None:
    first, second = child(world, years_before(today(), 9)), child(world, years_before(today(), 7))
    represent(world, first)
    one = mandate(world, first)
    assert one is not None
    with pytest.raises(Forbidden):
        permit(world, second, act_for(world, one))
