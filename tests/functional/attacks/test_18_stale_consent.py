"""Attack 18: a consent that is over, or not yet, is used all the same; edges of time as Lima counts it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from consent_broker.consents.deciding import find_directives
from consent_broker.consents.decision import Reason, decide
from consent_broker.consents.directives import AccessQuery, Item, Kind
from consent_broker.consents.service import (
    Terms,
    expire_consents,
    get_consent,
    grant_consent,
    propose_consent,
    record_objection,
    revoke_consent,
)
from consent_broker.consents.vocabulary import end_of_day
from consent_broker.oauth.models import OAuthGrant
from consent_broker.resource_server.residual import days_of
from registry.calendar import LIMA
from registry.database import now
from registry.errors import Conflict, Unprocessable
from tests.functional.oauth.world import World

TICK = timedelta(microseconds=1)


def terms(world: World, person_id: UUID, **changes: Any) -> Terms:
    return replace(
        Terms(
            person_id=person_id, establishment_id=world.asking.establishment_id, categories=frozenset({"allergies"}),
            purposes=frozenset({"TREAT"}), ends_at=end_of_day(now().astimezone(LIMA).date() + timedelta(days=2)),
        ),
        **changes,
    )  # fmt: skip


def give(world: World, said: Terms) -> UUID:
    def act(session: Any) -> UUID:
        proof = world.evidence(said.person_id)
        return grant_consent(session, propose_consent(session, said, proof.as_record()), proof).id

    return world.transact(act)


def reason(world: World, person_id: UUID, moment: datetime) -> Reason:
    """The decision by what stands in the database, at another moment."""
    query = AccessQuery(
        person_id=person_id, establishment_id=world.asking.establishment_id, professional_id=world.professional_id,
        purpose="TREAT", categories=frozenset({"allergies"}),
    )  # fmt: skip
    held = world.transact(lambda session: find_directives(session, person_id))
    return decide(query, held, moment).reason


def test_until_a_day_ends_with_that_day_in_lima_and_not_with_the_servers(world: World) -> None:
    person, last = uuid4(), now().astimezone(LIMA).date() + timedelta(days=2)
    give(world, terms(world, person))
    midnight = datetime.combine(last + timedelta(days=1), datetime.min.time(), LIMA)
    assert midnight.astimezone(UTC).hour == 5
    assert reason(world, person, midnight - TICK) is Reason.PERMITTED
    assert reason(world, person, midnight) is Reason.EXPIRED
    assert reason(world, person, midnight + timedelta(days=400)) is Reason.EXPIRED


def test_nothing_is_permitted_before_it_was_given(world: World) -> None:
    person = uuid4()
    consent_id = give(world, terms(world, person))
    starts = world.transact(lambda session: get_consent(session, consent_id).starts_at)
    assert reason(world, person, starts - TICK) is Reason.NOT_YET
    assert reason(world, person, starts) is Reason.PERMITTED


def test_an_objection_holds_from_its_instant_and_ends_with_its_withdrawal(world: World) -> None:
    person = uuid4()
    give(world, terms(world, person))
    wide = terms(world, person, kind=Kind.OBJECTION, purposes=None, ends_at=None)
    objection = world.transact(lambda session: record_objection(session, wide, world.evidence(person)))
    assert reason(world, person, now()) is Reason.OBJECTION
    world.transact(lambda session: revoke_consent(session, objection.id, world.evidence(person)))
    assert reason(world, person, now()) is not Reason.PERMITTED
    give(world, terms(world, person))
    assert reason(world, person, now()) is Reason.PERMITTED


def test_of_two_that_overlap_the_later_end_counts_and_neither_outlives_itself(world: World) -> None:
    person, moment = uuid4(), now()
    short, long = moment + timedelta(hours=2), moment + timedelta(hours=5)
    give(world, terms(world, person, ends_at=long, professional_id=world.professional_id))
    give(world, terms(world, person, ends_at=short))
    assert reason(world, person, short) is Reason.PERMITTED
    assert reason(world, person, long - TICK) is Reason.PERMITTED
    assert reason(world, person, long) is Reason.EXPIRED


def test_the_clerk_who_marks_what_expired_is_never_waited_for(world: World) -> None:
    person = uuid4()
    consent_id = give(world, terms(world, person))
    after = now() + timedelta(days=30)
    assert world.transact(lambda session: get_consent(session, consent_id).status) == "active"
    assert reason(world, person, after) is Reason.EXPIRED
    world.transact(expire_consents)
    assert world.transact(lambda session: get_consent(session, consent_id).status) == "active"


def test_what_is_past_its_end_can_neither_be_given_nor_prolonged(world: World) -> None:
    person = uuid4()
    for ends_at in (now(), now() - timedelta(days=1), now() + timedelta(days=92)):
        with pytest.raises(Unprocessable):
            give(world, terms(world, person, ends_at=ends_at))
    consent_id = give(world, terms(world, person))
    with pytest.raises(Conflict):
        world.transact(lambda session: grant_consent(session, consent_id, world.evidence(person)))


@given(st.dates(date(2000, 1, 1), date(2099, 12, 30)))
def test_a_day_in_lima_has_24_hours_the_year_round(day: date) -> None:
    assert end_of_day(day + timedelta(days=1)) - end_of_day(day) == timedelta(hours=24)
    assert (end_of_day(day) - TICK).astimezone(LIMA).date() == day
    assert end_of_day(day).astimezone(LIMA).date() == day + timedelta(days=1)


@pytest.mark.parametrize("day", [date(2028, 2, 28), date(2028, 2, 29), date(2027, 2, 28), date(2026, 12, 31)])
def test_leap_days_and_years_ends_are_days_like_others(day: date) -> None:
    assert (end_of_day(day) - TICK).astimezone(LIMA).date() == day


@pytest.mark.parametrize(
    ("instant", "day"),
    [("2025-01-01T04:59:59Z", date(2024, 12, 31)), ("2025-01-01T05:00:00Z", date(2025, 1, 1)),
     ("2024-12-31T23:59:59-05:00", date(2024, 12, 31)), ("2025-01-01T00:00:00+09:00", date(2024, 12, 31))],
)  # fmt: skip
def test_the_day_of_an_item_is_the_day_in_lima(instant: str, day: date) -> None:
    assert days_of({"resourceType": "Encounter", "period": {"start": instant, "end": instant}}) == (day, day)


def test_a_period_of_data_includes_both_its_days(world: World) -> None:
    person, first, last = uuid4(), date(2024, 1, 1), date(2024, 12, 31)
    give(world, terms(world, person, data_from=first, data_until=last))
    query = AccessQuery(
        person_id=person, establishment_id=world.asking.establishment_id, professional_id=None, purpose="TREAT",
        categories=frozenset({"allergies"}),
    )  # fmt: skip
    decision = decide(query, world.transact(lambda session: find_directives(session, person)), now())

    def flows(day: date) -> bool:
        return decision.allows(Item(category="allergies", source=world.holding.establishment_id, first=day, last=day))

    one = timedelta(days=1)
    assert [flows(first - one), flows(first), flows(last), flows(last + one)] == [False, True, True, False]


def test_a_grant_ends_with_its_consent_and_its_token_with_it(world: World) -> None:
    asked = world.request_access(until=(now() + timedelta(hours=1)).isoformat(), categories=["allergies"])
    granted = world.grant(launch=asked["id"], scope="patient/AllergyIntolerance.rs")
    newest = select(OAuthGrant).order_by(OAuthGrant.created_at.desc()).limit(1)
    grant = world.transact(lambda session: session.scalars(newest).one())
    assert grant.expires_at == datetime.fromisoformat(asked["until"])
    ended = update(OAuthGrant).where(OAuthGrant.id == grant.id).values(expires_at=now())
    world.transact(lambda session: session.execute(ended))
    path = f"/exchange/fhir/AllergyIntolerance?patient={world.person_id}"
    assert world.asking.get(path, granted["access_token"]).status_code in {401, 403}
