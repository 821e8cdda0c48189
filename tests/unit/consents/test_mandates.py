"""Who may act for whom, at every edge of time: birthdays in Lima, ends, deaths and merges."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_broker.consents.directives import Kind, Terms
from consent_broker.consents.mandates import (
    Charge,
    Mandate,
    Represented,
    birthday,
    is_confidential,
    mandate_at,
    start_of,
)
from registry.calendar import LIMA
from registry.directory.representatives import Basis, Power

BORN = date(2010, 11, 26)
NOON = datetime(2026, 11, 25, 17, tzinfo=UTC)
TICK = timedelta(microseconds=1)
MOTHER = Charge(
    id=UUID(int=1),
    person_id=UUID(int=2),
    basis=Basis.PARENT,
    powers=frozenset({Power.SEE, Power.DECIDE}),
    valid_from=NOON - timedelta(days=400),
    valid_until=None,
    ended_at=None,
    ends_on=birthday(BORN, 18),
)
CHILD = Represented(birth_date=BORN, deceased=False, current=True)


def mandate(charge: Charge = MOTHER, person: Represented = CHILD, moment: datetime = NOON) -> Mandate | None:
    return mandate_at(charge, person, moment, 14)


def test_a_mothers_power_ends_by_itself_at_midnight_in_lima() -> None:
    eighteen = datetime(2028, 11, 26, 5, tzinfo=UTC)
    assert start_of(birthday(BORN, 18)) == eighteen
    last = mandate(moment=eighteen - TICK)
    assert last is not None
    assert last.ends_at == eighteen
    assert mandate(moment=eighteen) is None
    assert mandate(moment=datetime(2028, 11, 26, 0, 0, tzinfo=UTC)) is not None


@pytest.mark.parametrize(
    ("born", "years", "day"),
    [(date(2008, 2, 29), 18, date(2026, 2, 28)), (date(2008, 2, 29), 16, date(2024, 2, 29)),
     (date(2008, 2, 29), 14, date(2022, 2, 28)), (date(2008, 12, 31), 18, date(2026, 12, 31)),
     (date(2008, 1, 1), 18, date(2026, 1, 1))],
)  # fmt: skip
def test_a_birthday_that_the_year_lacks_is_the_last_day_of_its_month(born: date, years: int, day: date) -> None:
    assert birthday(born, years) == day


def test_the_earlier_of_two_ends_counts_whatever_record_systems_say_later() -> None:
    younger = replace(CHILD, birth_date=date(2020, 1, 1))
    eighteen = start_of(birthday(BORN, 18))
    assert mandate(person=younger, moment=eighteen) is None
    older = replace(CHILD, birth_date=date(2008, 11, 25))
    assert mandate(person=older, moment=NOON) is None
    assert mandate(person=replace(CHILD, birth_date=None), moment=eighteen - TICK) is not None
    assert mandate(replace(MOTHER, ends_on=None), replace(CHILD, birth_date=None)) is None


@pytest.mark.parametrize(
    ("charge", "person", "moment"),
    [
        (replace(MOTHER, ended_at=NOON), CHILD, NOON),
        (replace(MOTHER, valid_from=NOON + TICK), CHILD, NOON),
        (replace(MOTHER, valid_until=NOON), CHILD, NOON),
        (MOTHER, replace(CHILD, deceased=True), NOON),
        (MOTHER, replace(CHILD, current=False), NOON),
    ],
)
def test_what_has_not_begun_has_ended_or_rests_is_no_mandate(
    charge: Charge, person: Represented, moment: datetime
) -> None:
    assert mandate(charge, person, moment) is None


def test_a_power_over_an_adult_ends_on_its_day_and_nothing_is_confidential_from_it() -> None:
    holder = replace(MOTHER, basis=Basis.POWER, ends_on=None, valid_until=NOON + timedelta(days=1))
    adult = replace(CHILD, birth_date=date(1950, 1, 1))
    found = mandate(holder, adult)
    assert found is not None
    assert (found.withheld, found.ends_at) == (frozenset(), NOON + timedelta(days=1))
    assert mandate(holder, adult, NOON + timedelta(days=1)) is None
    assert mandate(holder, adult, NOON + timedelta(days=1) - TICK) is not None


def test_an_adolescents_confidential_care_begins_on_the_fourteenth_birthday() -> None:
    fourteen = start_of(birthday(BORN, 14))
    early = replace(MOTHER, valid_from=fourteen - timedelta(days=9))
    before, after = mandate(early, moment=fourteen - TICK), mandate(early, moment=fourteen)
    assert before is not None
    assert after is not None
    assert before.withheld == frozenset()
    assert {"SEX", "HIV", "PSY", "ADOL"} <= after.withheld
    unknown = mandate(person=replace(CHILD, birth_date=None))
    assert unknown is not None
    assert unknown.withheld == after.withheld


def test_what_is_confidential_is_told_by_labels_or_because_it_hides() -> None:
    plain = Terms(person_id=UUID(int=2), establishment_id=UUID(int=3), categories=None, purposes=None, ends_at=None)
    withheld = frozenset({"SEX", "PSY"})
    assert not is_confidential(withheld, plain)
    assert is_confidential(withheld, replace(plain, labels=frozenset({"N", "SEX"})))
    assert not is_confidential(withheld, replace(plain, labels=frozenset({"N", "HIV"})))
    assert is_confidential(withheld, replace(plain, kind=Kind.OBJECTION, hides=True))
    assert not is_confidential(frozenset(), replace(plain, kind=Kind.OBJECTION, hides=True))


@given(
    st.dates(date(1990, 1, 1), date(2030, 1, 1)),
    st.integers(0, 45 * 366 * 86_400).map(lambda seconds: datetime(2015, 1, 1, tzinfo=UTC) + timedelta(0, seconds)),
)
def test_no_parent_acts_for_anybody_of_age_on_that_day_in_lima(born: date, moment: datetime) -> None:
    charge = replace(MOTHER, valid_from=datetime(2000, 1, 1, tzinfo=UTC), ends_on=None)
    found = mandate(charge, replace(CHILD, birth_date=born), moment)
    of_age = moment.astimezone(LIMA).date() >= birthday(born, 18)
    assert (found is None) == of_age
