"""The decision function on the cases people argue about."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from consent_broker.consents.decision import Reason, decide
from consent_broker.consents.directives import AccessQuery, Directive, Item, Kind
from consent_broker.consents.terms import takes_back
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


ANYONE = replace(
    PERMISSION, consent_id=UUID(int=400), kind=Kind.OBJECTION, establishment_id=None, professional_id=None,
    categories=None, purposes=None, ends_at=None,
)  # fmt: skip
TO_HOSPITAL = replace(PERMISSION, professional_id=None)


def test_the_later_word_to_the_same_grantee_needs_no_name_for_everything() -> None:
    everything = replace(ANYONE, establishment_id=HOSPITAL)
    whole = replace(TO_HOSPITAL, categories=ALL_CATEGORIES)
    assert not decide(QUERY, [whole, everything], NOW).permit
    assert decide(QUERY, [replace(whole, categories=frozenset({"allergies"})), everything], NOW).permit


def test_a_professional_is_named_as_narrowly_anywhere_as_somewhere() -> None:
    anywhere = replace(ANYONE, professional_id=DOCTOR)
    assert PERMISSION.breadth == anywhere.breadth
    assert decide(QUERY, [PERMISSION, anywhere], NOW).categories == {"allergies"}
    assert takes_back(anywhere, PERMISSION)
    assert not takes_back(replace(anywhere, establishment_id=OTHER), PERMISSION)
    assert not takes_back(ANYONE, PERMISSION)
    assert not takes_back(replace(anywhere, categories=frozenset({"allergies"})), PERMISSION)


def test_a_finding_names_the_objections_it_is_more_specific_than() -> None:
    decision = decide(QUERY, [PERMISSION, ANYONE], NOW)
    assert decision.explanation[0] == (
        f"allergies: permitted {PERMISSION.consent_id} more specific than {ANYONE.consent_id}"
    )


@pytest.mark.parametrize(
    ("kind", "category", "sector", "permitted"),
    [("II-1", "II-1", "MINSA", True), ("II", "II-1", "MINSA", True), ("II", "III-1", "MINSA", False),
     ("I", "II-1", "MINSA", False), ("II-1", None, "MINSA", False), ("II", "II-1", None, False),
     ("II", "II-E", "ESSALUD", False)],
)  # fmt: skip
def test_a_kind_of_establishment_is_a_category_or_level_and_a_sector(
    kind: str, category: str | None, sector: str | None, permitted: bool
) -> None:
    to_kind = replace(
        TO_HOSPITAL, establishment_id=None, establishment_category=kind, establishment_sector="MINSA"
    )  # fmt: skip
    query = replace(QUERY, establishment_category=category, establishment_sector=sector)
    assert decide(query, [to_kind], NOW).permit is permitted


def test_an_objection_to_a_kind_holds_where_the_kind_is_not_known() -> None:
    to_kind = replace(ANYONE, establishment_category="III-1", establishment_sector="MINSA")
    same_breadth = replace(
        to_kind, kind=Kind.PERMISSION, categories=frozenset({"allergies"}), establishment_sector=None
    )
    known = replace(QUERY, establishment_category="III-1")
    assert not decide(known, [same_breadth, to_kind], NOW).permit
    assert decide(replace(known, establishment_sector="ESSALUD"), [same_breadth, to_kind], NOW).permit


def test_whoever_treats_me_there_is_somebody_who_is_known_to() -> None:
    to_treating = replace(TO_HOSPITAL, treating=True)
    assert not decide(QUERY, [to_treating], NOW).permit
    assert decide(replace(QUERY, treats=True), [to_treating], NOW).permit
    assert not decide(replace(QUERY, treats=True, establishment_id=OTHER), [to_treating], NOW).permit


def test_what_is_sensitive_is_permitted_by_name_and_objected_to_without() -> None:
    def flows(labels: set[str], *held: Directive) -> bool:
        return decide(QUERY, held, NOW).allows(Item(category="allergies", labels=frozenset(labels), source=OTHER))

    naming = replace(PERMISSION, labels=frozenset({"N", "PSY"}))
    assert [flows({"N"}, PERMISSION), flows({"PSY"}, PERMISSION), flows({"PSY"}, naming)] == [True, False, True]
    assert [flows({"PSY", "HIV"}, naming), flows({"surprise"}, naming)] == [False, False]
    nobody = replace(ANYONE, labels=frozenset({"PSY"}))
    assert flows({"PSY"}, naming, nobody)
    same_breadth = replace(nobody, establishment_id=HOSPITAL, professional_id=DOCTOR)
    assert [flows({"PSY"}, naming, same_breadth), flows({"N"}, naming, same_breadth)] == [False, True]


def test_an_objection_by_source_or_by_date_withholds_only_that() -> None:
    first, last = date(2024, 1, 1), date(2024, 12, 31)
    by_source = replace(ANYONE, sources=frozenset({OTHER}))
    by_date = replace(ANYONE, data_from=first, data_until=last)
    decision = decide(QUERY, [PERMISSION, by_source, by_date], NOW)
    item = Item(category="allergies", source=HOSPITAL, first=date(2025, 1, 1), last=date(2025, 1, 1))
    assert decision.allows(item)
    assert not decision.allows(replace(item, source=OTHER))
    assert not decision.allows(replace(item, first=last))
    assert not decision.allows(replace(item, first=None, last=None))
    assert decision.categories_at(OTHER) == set()
    assert decision.categories_at(HOSPITAL) == {"allergies"}
    assert decision.restricts("allergies")


def test_of_a_hidden_holder_nothing_comes_and_nothing_is_said_to_be_restricted() -> None:
    hidden = replace(ANYONE, sources=frozenset({OTHER}), hides=True)
    decision = decide(QUERY, [PERMISSION, hidden], NOW)
    assert [decision.categories_at(OTHER), decision.restricts("allergies")] == [frozenset(), False]
    assert decision.categories_at(HOSPITAL) == {"allergies"}
    by_name = replace(PERMISSION, sources=frozenset({OTHER}), consent_id=UUID(int=500))
    assert decide(QUERY, [by_name, hidden], NOW).categories_at(OTHER) == {"allergies"}


def test_a_link_is_hidden_by_what_hides_all_of_a_holder() -> None:
    hidden = replace(ANYONE, sources=frozenset({OTHER}), hides=True)
    assert hidden.hidden_links == {OTHER}
    less = [{"hides": False}, {"categories": frozenset({"allergies"})}, {"items": frozenset({"Encounter/1"})},
            {"data_from": date(2026, 1, 1)}, {"labels": frozenset({"PSY"})}]  # fmt: skip
    assert not any(replace(hidden, **changes).hidden_links for changes in less)  # type: ignore[arg-type]
