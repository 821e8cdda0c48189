"""What a person is told a permission would leave unread is what the decision leaves unread, no more and no less."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from consent_broker.consents.decision import decide
from consent_broker.consents.directives import AccessQuery, Directive, Item, Kind, concerns
from consent_broker.consents.preview import foresee
from tests.property.consents.strategies import (
    CATEGORIES,
    FIRST,
    IDS,
    ITEMS,
    LABELS,
    NOW,
    alive,
    directives,
    items,
    patient,
    queries,
)

asked = directives().map(lambda one: replace(alive(one), kind=Kind.PERMISSION, hides=False, items=None))
objections = directives().map(lambda one: replace(alive(one), kind=Kind.OBJECTION, ends_at=None))


@patient
@given(queries, asked, st.lists(objections, max_size=4), st.lists(items(), min_size=1, max_size=8))
def test_what_is_foreseen_is_what_is_decided(
    query: AccessQuery, permission: Directive, held: list[Directive], things: list[Item]
) -> None:
    found = foresee(query, held, permission, NOW)
    told = {one.consent_id for one in found.objections}
    alone, then = decide(query, [permission], NOW), decide(query, [permission, *held], NOW)
    untold = decide(query, [permission, *(one for one in held if one.consent_id not in told)], NOW)
    assert found.categories == then.categories
    for item in things:
        assert not (item.category in found.closed and then.allows(item))
        assert untold.allows(item) == alone.allows(item), "an objection that withholds something was not told"


WORLD = [
    Item(category=category, labels=frozenset({label}), source=source, first=day, last=day, reference=reference)
    for category in CATEGORIES
    for label in (*LABELS, "R")
    for source in (*IDS[:2], None)
    for day in (FIRST + timedelta(days=number) for number in range(-1, 6))
    for reference in (*ITEMS, None)
]
"""Every item of the small world."""


@settings(max_examples=25, deadline=None)
@given(queries, asked, objections)
def test_no_objection_is_told_that_withholds_nothing(
    query: AccessQuery, permission: Directive, objection: Directive
) -> None:
    assume(concerns(permission, query))
    found = foresee(query, [objection], permission, NOW)
    alone, both = decide(query, [permission], NOW), decide(query, [permission, objection], NOW)
    withholds = any(alone.allows(item) and not both.allows(item) for item in WORLD)
    assert bool(found.objections) == withholds


@settings(max_examples=25, deadline=None)
@given(queries, asked, objections)
def test_a_limit_is_told_to_be_outranked_when_it_meets_the_permission_and_withholds_nothing(
    query: AccessQuery, permission: Directive, objection: Directive
) -> None:
    assume(concerns(permission, query) and concerns(objection, query))
    found = foresee(query, [objection], permission, NOW)
    alone = decide(query, [permission], NOW)
    reached = [item for item in WORLD if alone.allows(item) and _is_about(objection, item)]
    assert bool(found.outranked) == (bool(reached) and not found.objections)


def _is_about(one: Directive, item: Item) -> bool:
    day = item.first
    assert day is not None
    return (
        (one.categories is None or item.category in one.categories)
        and any(one.covers_label(label) for label in item.labels)
        and one.covers_day(day)
        and (one.sources is None or item.source in one.sources)
        and (one.items is None or item.reference in one.items)
    )
