"""The life of a consent in the database: versions only, who and how surely, and what each end means."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from consent_broker.consents.decision import AccessQuery, Kind, Reason
from consent_broker.consents.models import Consent, ConsentVersion
from consent_broker.consents.service import (
    ConsentState,
    Terms,
    decide_access,
    expire_consents,
    find_directives,
    get_consent,
    grant_consent,
    list_consents,
    list_versions,
    propose_consent,
    record_objection,
    reject_consent,
    revoke_consent,
)
from registry.audit.models import AuditEvent
from registry.database import new_id, now
from registry.directory.models import Affiliation
from registry.errors import Conflict, Forbidden, NotFound, Unprocessable
from registry.identity.models import Person, SourceRecord
from registry.locator.hiding import hidden_links
from registry.locator.service import locate_for
from registry.outbox import OutboxMessage
from tests.functional.oauth.world import World


def terms(world: World, person_id: UUID, **changes: Any) -> Terms:
    return replace(
        Terms(
            person_id=person_id,
            establishment_id=world.asking.establishment_id,
            professional_id=world.professional_id,
            categories=frozenset({"allergies", "encounters"}),
            purposes=frozenset({"TREAT"}),
            ends_at=now() + timedelta(days=3),
        ),
        **changes,
    )


def granted(session: Session, world: World, person_id: UUID, **changes: Any) -> ConsentState:
    consent_id = propose_consent(session, terms(world, person_id, **changes), {"channel": "test"})
    return grant_consent(session, consent_id, world.evidence(person_id))


def reason(session: Session, world: World, person_id: UUID, **changes: Any) -> Reason:
    query = AccessQuery(
        person_id=person_id, establishment_id=world.asking.establishment_id,
        professional_id=world.professional_id, purpose="TREAT", categories=frozenset({"allergies"}),
    )  # fmt: skip
    return decide_access(session, replace(query, **changes)).reason


def test_proposed_permits_nothing_active_does_revoked_never_again(session: Session, world: World) -> None:
    person = uuid4()
    consent_id = propose_consent(session, terms(world, person), {"channel": "test"})
    assert reason(session, world, person) is Reason.NO_CONSENT
    grant_consent(session, consent_id, world.evidence(person))
    assert reason(session, world, person) is Reason.PERMITTED
    revoke_consent(session, consent_id, world.evidence(person), "ya no")
    assert reason(session, world, person) is Reason.REVOKED
    assert [one.status for one in list_versions(session, consent_id)] == ["proposed", "active", "revoked"]
    assert list_versions(session, consent_id)[-1].reason == "ya no"


@pytest.mark.parametrize("act", [grant_consent, reject_consent, revoke_consent])
def test_what_has_ended_does_not_come_back(session: Session, world: World, act: Any) -> None:
    person = uuid4()
    state = granted(session, world, person)
    revoke_consent(session, state.id, world.evidence(person))
    with pytest.raises(Conflict):
        act(session, state.id, world.evidence(person))


def test_a_rejected_proposal_permits_nothing(session: Session, world: World) -> None:
    person = uuid4()
    consent_id = propose_consent(session, terms(world, person), {"channel": "test"})
    assert reject_consent(session, consent_id, world.evidence(person)).status == "rejected"
    assert reason(session, world, person) is Reason.NO_CONSENT
    with pytest.raises(Conflict):
        grant_consent(session, consent_id, world.evidence(person))


def test_nobody_decides_for_somebody_else(session: Session, world: World) -> None:
    person, stranger = uuid4(), uuid4()
    consent_id = propose_consent(session, terms(world, person), {"channel": "test"})
    with pytest.raises(Forbidden):
        grant_consent(session, consent_id, world.evidence(stranger))
    grant_consent(session, consent_id, world.evidence(person))
    with pytest.raises(NotFound):
        revoke_consent(session, consent_id, world.evidence(stranger))
    with pytest.raises(NotFound):
        get_consent(session, uuid4())


@pytest.mark.parametrize("change", [{"acr": 1}, {"auth_time": -13}, {"auth_time": 1}])
def test_a_weak_old_or_future_sign_in_decides_nothing(session: Session, world: World, change: dict[str, int]) -> None:
    person = uuid4()
    consent_id = propose_consent(session, terms(world, person), {"channel": "test"})
    evidence = world.evidence(person)
    hours = change.get("auth_time", 0)
    weak = replace(evidence, acr=change.get("acr", 2), auth_time=evidence.auth_time + timedelta(hours=hours))
    with pytest.raises(Forbidden):
        grant_consent(session, consent_id, weak)


def test_who_signed_is_kept_with_the_version_and_in_the_log(session: Session, world: World) -> None:
    person, sign_in = uuid4(), uuid4()
    evidence = replace(world.evidence(person), subject_token="5e" * 16, session_id=sign_in)
    state = grant_consent(session, propose_consent(session, terms(world, person), evidence.as_record()), evidence)
    revoke_consent(session, state.id, evidence)
    signed = {"subject_token": "5e" * 16, "session_id": str(sign_in)}
    assert all(signed.items() <= version.evidence.items() for version in list_versions(session, state.id))
    events = session.scalars(select(AuditEvent).where(AuditEvent.consent_id == state.id)).all()
    assert len(events) == 2
    assert all(signed.items() <= event.detail.items() for event in events)


def test_the_evidence_is_kept_without_the_words_or_the_name(session: Session, world: World) -> None:
    person = uuid4()
    state = granted(session, world, person)
    kept = list_versions(session, state.id)[-1].evidence
    who = {"actor_person_id", "acr", "auth_time", "subject_token", "session_id"}
    assert kept.keys() == who | {"channel", "text_sha256"}
    assert len(kept["text_sha256"]) == 64
    assert "Autorizo" not in json.dumps(kept)


def test_a_newer_consent_takes_the_place_of_those_it_covers(session: Session, world: World) -> None:
    person = uuid4()
    first = granted(session, world, person, categories=frozenset({"encounters"}))
    second = granted(session, world, person)
    assert get_consent(session, first.id).status == "superseded"
    assert [one.consent_id for one in find_directives(session, person, under=first.id)] == [second.id]


@pytest.mark.parametrize(
    "other",
    [{"categories": frozenset({"problems"})}, {"categories": frozenset({"allergies"})}, {"professional_id": None},
     {"purposes": frozenset({"COC"})}, {"sooner": True}],
    ids=str,
)  # fmt: skip
def test_a_consent_that_says_something_else_ends_no_other(
    session: Session, world: World, other: dict[str, Any]
) -> None:
    person = uuid4()
    first = granted(session, world, person)
    granted(session, world, person, **({"ends_at": now() + timedelta(hours=1)} if "sooner" in other else other))
    assert get_consent(session, first.id).status == "active"
    assert reason(session, world, person) is Reason.PERMITTED


def test_what_was_granted_under_a_consent_ends_with_it(session: Session, world: World) -> None:
    person = uuid4()
    mine, wider = granted(session, world, person), granted(session, world, person, professional_id=None)
    revoke_consent(session, mine.id, world.evidence(person))
    assert reason(session, world, person) is Reason.PERMITTED
    assert all(one.revoked for one in find_directives(session, person, under=mine.id))
    assert [one.revoked for one in find_directives(session, person, under=wider.id)] == [False]


def test_an_objection_beats_the_consents_it_covers(session: Session, world: World) -> None:
    person = uuid4()
    granted(session, world, person, professional_id=None)
    wide = terms(world, person, kind=Kind.OBJECTION, professional_id=None, ends_at=None)
    record_objection(session, wide, world.evidence(person))
    assert reason(session, world, person) is Reason.OBJECTION
    with pytest.raises(Unprocessable):
        record_objection(session, terms(world, person), world.evidence(person))


def test_a_merge_carries_objections_over_and_no_permission(session: Session, world: World) -> None:
    before, after = uuid4(), uuid4()
    session.add(Person(id=after))
    session.flush()
    session.add(Person(id=before, status="replaced", replaced_by=after))
    session.flush()
    granted(session, world, before)
    assert reason(session, world, after) is Reason.NO_CONSENT
    granted(session, world, after, professional_id=None)
    assert reason(session, world, after) is Reason.PERMITTED
    objection = terms(world, before, kind=Kind.OBJECTION, professional_id=None, ends_at=None)
    record_objection(session, objection, world.evidence(before))
    assert reason(session, world, after) is Reason.OBJECTION


def object_to(session: Session, world: World, person_id: UUID, **said: Any) -> ConsentState:
    everything: dict[str, Any] = {"establishment_id": None, "categories": None, "purposes": None, "ends_at": None}
    objection = Terms(person_id=person_id, kind=Kind.OBJECTION, **everything | said)
    return record_objection(session, objection, world.evidence(person_id))


def test_an_objection_withdraws_what_it_is_the_later_word_about(session: Session, world: World) -> None:
    person = uuid4()
    to_all, to_one = granted(session, world, person, professional_id=None), granted(session, world, person)
    other = granted(session, world, person, professional_id=None, categories=frozenset({"problems"}))
    place = world.asking.establishment_id
    objection = object_to(
        session, world, person, establishment_id=place, categories=frozenset({"allergies", "encounters"})
    )
    states = {one.id: one for one in list_consents(session, [person])}
    assert (states[to_all.id].status, states[to_all.id].reason) == ("revoked", str(objection.id))
    assert [states[to_one.id].status, states[other.id].status] == ["active", "active"]
    assert reason(session, world, person) is Reason.PERMITTED
    assert reason(session, world, person, professional_id=None) is Reason.OBJECTION
    granted(session, world, person, professional_id=None, categories=frozenset({"allergies"}))
    assert reason(session, world, person, professional_id=uuid4()) is Reason.PERMITTED


def test_hiding_a_link_tells_the_locator_until_it_is_taken_back(session: Session, world: World) -> None:
    person, place = world.person_id, world.holding.establishment_id
    hiding = object_to(session, world, person, sources=frozenset({place}), hides=True)
    assert hidden_links(session, person) == {place}
    assert locate_for(session, person, world.asking.establishment_id) == []
    assert [one.establishment_id for one in locate_for(session, person, place)] == [place]
    replaced = uuid4()
    session.add(Person(id=replaced, status="replaced", replaced_by=person))
    session.flush()
    also = object_to(session, world, replaced, sources=frozenset({place}), hides=True)
    revoke_consent(session, hiding.id, world.evidence(person))
    assert hidden_links(session, person) == {place}
    revoke_consent(session, also.id, world.evidence(replaced))
    assert hidden_links(session, person) == set()


@pytest.mark.parametrize(
    "said",
    [
        {"sources": frozenset({UUID(int=1)}), "hides": True, "professional_id": UUID(int=2)},
        {"hides": True},
        {"items": frozenset({"Encounter/1"})},
        {"items": frozenset({"Encounter/1"}), "sources": frozenset({UUID(int=1), UUID(int=2)})},
        {"items": frozenset({"../x"}), "sources": frozenset({UUID(int=1)})},
        {"labels": frozenset({"X"})},
        {"labels": frozenset()},
        {"sources": frozenset(map(UUID, (f"{n:032}" for n in range(51))))},
        {"establishment_category": "IV"},
        {"establishment_category": "II", "professional_id": UUID(int=2)},
        {"treating": True},
        {"data_from": date(2026, 2, 1), "data_until": date(2026, 1, 31)},
    ],
    ids=str,
)
def test_an_objection_that_makes_no_sense_is_refused(session: Session, world: World, said: dict[str, Any]) -> None:
    with pytest.raises(Unprocessable):
        object_to(session, world, uuid4(), **said)


def test_whoever_treats_is_affiliated_where_the_person_is_attended(session: Session, world: World) -> None:
    place = world.holding.establishment_id
    state = granted(session, world, world.person_id, establishment_id=place, professional_id=None, treating=True)
    asked: dict[str, Any] = {"establishment_id": place, "professional_id": world.professional_id}
    assert reason(session, world, world.person_id, **asked) is Reason.NO_CONSENT
    long_ago = now() - timedelta(days=1)
    affiliation = Affiliation(
        professional_id=world.professional_id, establishment_id=place, role="x", valid_from=long_ago
    )
    session.add(affiliation)
    session.flush()
    assert reason(session, world, world.person_id, **asked) is Reason.PERMITTED
    assert reason(session, world, world.person_id, **asked | {"professional_id": None}) is Reason.NO_CONSENT
    received = update(SourceRecord).where(SourceRecord.id == world.record_at_holder)
    session.execute(received.values(received_at=now() - timedelta(days=91)))
    assert reason(session, world, world.person_id, **asked) is Reason.NO_CONSENT
    assert state.terms.treating


@pytest.mark.parametrize(
    ("kind", "expected"),
    [({"establishment_category": "III"}, Reason.PERMITTED), ({"establishment_category": "II"}, Reason.NO_CONSENT),
     ({"establishment_sector": "MINSA"}, Reason.PERMITTED), ({"establishment_sector": "ESSALUD"}, Reason.NO_CONSENT)],
    ids=str,
)  # fmt: skip
def test_a_kind_of_establishment_is_read_from_the_directory(
    session: Session, world: World, kind: dict[str, str], expected: Reason
) -> None:
    person = uuid4()
    granted(session, world, person, establishment_id=None, professional_id=None, **kind)
    assert reason(session, world, person) is expected


@pytest.mark.parametrize(
    "changes",
    [{"categories": None}, {"categories": frozenset()}, {"categories": frozenset({"x"})}, {"purposes": None},
     {"establishment_id": None, "professional_id": None}, {"ends_at": None}, {"days": -1},
     {"days": 400}],
    ids=str,
)  # fmt: skip
def test_a_permission_that_is_too_wide_is_not_even_proposed(
    session: Session, world: World, changes: dict[str, Any]
) -> None:
    if "days" in changes:
        changes = {"ends_at": now() + timedelta(days=changes["days"])}
    with pytest.raises(Unprocessable):
        propose_consent(session, terms(world, uuid4(), **changes), {"channel": "test"})


def test_what_is_past_its_end_never_counts_and_is_marked_expired(session: Session, world: World) -> None:
    person, consent_id = uuid4(), new_id()
    ended = now() - timedelta(seconds=1)
    session.add(
        Consent(id=consent_id, person_id=person, kind="permission", establishment_id=world.asking.establishment_id)
    )
    session.flush()
    session.add(_version(consent_id, ended))
    session.flush()
    assert reason(session, world, person) is Reason.EXPIRED
    assert expire_consents(session) == 1
    assert get_consent(session, consent_id).status == "expired"
    assert reason(session, world, person) is Reason.EXPIRED
    assert expire_consents(session) == 0


def _version(consent_id: UUID, ends_at: datetime) -> ConsentVersion:
    return ConsentVersion(
        consent_id=consent_id, version=1, status="active", categories=["allergies"], purposes=["TREAT"],
        starts_at=ends_at - timedelta(days=1), ends_at=ends_at, evidence={},
    )  # fmt: skip


@pytest.mark.parametrize("table", [Consent, ConsentVersion])
def test_history_can_not_be_rewritten(world: World, table: type[Consent] | type[ConsentVersion]) -> None:
    world.transact(lambda session: granted(session, world, uuid4()))
    column = "kind" if table is Consent else "status"
    for statement in (
        update(table).values({column: "x"}),
        delete(table),
        text(f"TRUNCATE {table.__tablename__} CASCADE"),
    ):
        with pytest.raises(ProgrammingError, match="permission denied"):
            world.transact(lambda session, act=statement: session.execute(act))


def test_each_step_is_audited_and_a_revocation_is_told(session: Session, world: World) -> None:
    person = uuid4()
    state = granted(session, world, person)
    revoke_consent(session, state.id, world.evidence(person))
    query = select(AuditEvent.action).where(AuditEvent.consent_id == state.id).order_by(AuditEvent.recorded_at)
    assert list(session.scalars(query)) == ["consent:directive:granted", "consent:directive:revoked"]
    told = select(OutboxMessage.payload).where(OutboxMessage.key == str(state.id))
    assert session.scalar(told) == {"consent_id": str(state.id)}


def test_two_who_revoke_at_once_make_one_revocation(world: World) -> None:
    person = uuid4()
    state = world.transact(lambda session: granted(session, world, person))

    def revoke(_: int) -> str:
        try:
            with world.renhice.database.unit_of_work() as session:
                revoke_consent(session, state.id, world.evidence(person))
        except Conflict:
            return "conflict"
        return "done"

    with ThreadPoolExecutor(12) as pool:
        assert sorted(pool.map(revoke, range(12))) == ["conflict"] * 11 + ["done"]
    versions = world.transact(lambda session: list_versions(session, state.id))
    assert [one.version for one in versions] == [1, 2, 3]
