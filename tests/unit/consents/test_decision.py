"""The decision function on the cases people argue about."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from consent_broker.consents.decision import AccessQuery, Directive, Kind, Reason, decide
from consent_broker.consents.vocabulary import ALL_CATEGORIES, end_of_day

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PERSON, HOSPITAL, OTHER, DOCTOR, NURSE = (UUID(int=number) for number in range(1, 6))
QUERY = AccessQuery(
    person_id=PERSON,
    establishment_id=HOSPITAL,
    professional_id=DOCTOR,
    purpose="TREAT",
    categories=frozenset({"allergies", "medications"}),
)
PERMISSION = Directive(
    consent_id=UUID(int=100),
    kind=Kind.PERMISSION,
    person_id=PERSON,
    establishment_id=HOSPITAL,
    professional_id=DOCTOR,
    categories=frozenset({"allergies", "encounters"}),
    purposes=frozenset({"TREAT"}),
    starts_at=NOW - timedelta(days=1),
    ends_at=NOW + timedelta(days=1),
)
OBJECTION = replace(
    PERMISSION, consent_id=UUID(int=200), kind=Kind.OBJECTION, professional_id=None, categories=None, purposes=None
)


def test_nothing_is_permitted_without_a_directive() -> None:
    decision = decide(QUERY, [], NOW)
    assert (decision.permit, decision.reason, decision.consent_ids) == (False, Reason.NO_CONSENT, ())


def test_a_permission_covers_its_own_categories_and_says_so() -> None:
    decision = decide(QUERY, [PERMISSION], NOW)
    assert decision.categories == {"allergies"}
    assert decision.consent_ids == (PERMISSION.consent_id,)
    assert decision.explanation == [f"allergies: permitted {PERMISSION.consent_id}", "medications: no-consent"]


@pytest.mark.parametrize(
    "changed",
    [
        {"person_id": OTHER},
        {"establishment_id": OTHER},
        {"professional_id": NURSE},
        {"purposes": frozenset({"COC"})},
        {"categories": frozenset()},
    ],
)
def test_a_permission_for_something_else_does_not_count(changed: dict[str, object]) -> None:
    assert not decide(QUERY, [replace(PERMISSION, **changed)], NOW).permit  # type: ignore[arg-type]


def test_a_permission_to_a_professional_needs_the_professional_named() -> None:
    assert not decide(replace(QUERY, professional_id=None), [PERMISSION], NOW).permit


def test_the_more_specific_permission_beats_a_general_objection() -> None:
    assert decide(QUERY, [PERMISSION, OBJECTION], NOW).categories == {"allergies"}


def test_at_equal_specificity_the_objection_wins() -> None:
    same = replace(PERMISSION, kind=Kind.OBJECTION, consent_id=UUID(int=300))
    decision = decide(QUERY, [PERMISSION, same], NOW)
    assert decision.reason is Reason.OBJECTION
    assert decision.public_reason == "no-consent"


def test_where_two_directives_can_not_be_compared_the_objection_wins() -> None:
    by_category = replace(OBJECTION, establishment_id=None, categories=frozenset({"allergies"}))
    everything_to_doctor = replace(PERMISSION, categories=None, purposes=None)
    assert decide(QUERY, [everything_to_doctor, by_category], NOW).categories == {"medications"}


def test_an_objection_to_one_professional_holds_where_nobody_is_named() -> None:
    to_establishment = replace(PERMISSION, professional_id=None)
    to_nurse = replace(OBJECTION, professional_id=NURSE)
    assert decide(QUERY, [to_establishment, to_nurse], NOW).permit
    assert not decide(replace(QUERY, professional_id=None), [to_establishment, to_nurse], NOW).permit


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (PERMISSION.starts_at - timedelta(microseconds=1), Reason.NOT_YET),
        (PERMISSION.starts_at, Reason.PERMITTED),
        (NOW + timedelta(days=1) - timedelta(microseconds=1), Reason.PERMITTED),
        (NOW + timedelta(days=1), Reason.EXPIRED),
    ],
)
def test_the_period_includes_its_start_and_excludes_its_end(now: datetime, reason: Reason) -> None:
    assert decide(QUERY, [PERMISSION], now).reason is reason


def test_revocation_is_told_apart_from_never_having_had_consent() -> None:
    assert decide(QUERY, [replace(PERMISSION, revoked=True)], NOW).reason is Reason.REVOKED


@pytest.mark.parametrize(
    ("day", "instant"),
    [
        (date(2026, 11, 29), datetime(2026, 11, 30, 5, tzinfo=UTC)),
        (date(2028, 2, 28), datetime(2028, 2, 29, 5, tzinfo=UTC)),
        (date(2026, 12, 31), datetime(2027, 1, 1, 5, tzinfo=UTC)),
    ],
)
def test_a_day_ends_at_midnight_in_lima(day: date, instant: datetime) -> None:
    assert end_of_day(day) == instant


def test_one_directive_may_cover_everything() -> None:
    wide = replace(PERMISSION, categories=None, purposes=None, professional_id=None)
    assert decide(replace(QUERY, categories=ALL_CATEGORIES), [wide], NOW).categories == ALL_CATEGORIES
