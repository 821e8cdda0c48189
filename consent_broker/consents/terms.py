"""Terms: whether they are lawful, and what of them another consent covers."""

from datetime import date, datetime, timedelta
from typing import TypeVar

from consent_broker.consents.directives import Kind, Terms
from consent_broker.consents.vocabulary import (
    ALL_CATEGORIES,
    ALL_LABELS,
    BREAK_THE_GLASS,
    ESTABLISHMENT_CATEGORIES,
    MAX_DURATION,
    PURPOSES,
)
from consent_broker.resource_server.naming import is_name
from registry.errors import Unprocessable

MAX_NAMED, MAX_ITEM_NAMES = 50, 300
"""How many holders one directive may name, and how many names of items; one item has all its identifiers."""

GRANTEE = ("establishment_id", "professional_id", "establishment_category", "establishment_sector", "treating")
T = TypeVar("T")
_ONE_DAY = timedelta(days=1)
"""`until` is a day in Lima: the last one ends some hours after the 90 times 24."""


def check_terms(terms: Terms, moment: datetime) -> None:
    """Raise Unprocessable unless the terms are lawful: known words, a sensible period, and for a permission an end."""
    _check_words(terms)
    _check_grantee(terms)
    if terms.ends_at is not None and terms.ends_at <= moment:
        raise Unprocessable("The end of the consent is in the past.", code="period-in-the-past")
    if terms.data_from and terms.data_until and terms.data_until < terms.data_from:
        raise Unprocessable("The period of the data ends before it begins.", code="data-period")
    if terms.kind is Kind.PERMISSION:
        _check_permission(terms, moment)
    else:
        _check_objection(terms)


def _check_words(terms: Terms) -> None:
    known = (
        ("categories", terms.categories, ALL_CATEGORIES, "unknown-category"),
        ("labels", terms.labels, ALL_LABELS, "unknown-label"),
        ("purposes", terms.purposes, PURPOSES | {BREAK_THE_GLASS}, "unknown-purpose"),
    )
    for name, said, words, code in known:
        unknown = (said or frozenset()) - words
        if unknown:
            raise Unprocessable(f"Unknown {name}: {', '.join(sorted(unknown))[:200]}.", code=code)
    counted = [(one, MAX_NAMED) for one in (terms.categories, terms.labels, terms.purposes, terms.sources)]
    if any(one is not None and not 0 < len(one) <= most for one, most in [*counted, (terms.items, MAX_ITEM_NAMES)]):
        raise Unprocessable("What is named is named at least once, and not without end.", code="too-many-named")
    if not all(map(is_name, terms.items or ())):
        raise Unprocessable("An item is named as Type/id, or by a digest of another name.", code="unknown-item")


def _check_grantee(terms: Terms) -> None:
    if terms.establishment_category not in {None, *ESTABLISHMENT_CATEGORIES}:
        raise Unprocessable("There is no such category of establishments.", code="unknown-kind")
    by_kind = terms.establishment_category or terms.establishment_sector
    if by_kind and (terms.establishment_id or terms.professional_id):
        raise Unprocessable("Name a kind of establishment or one, not both.", code="grantee-twice")
    if terms.treating and (terms.establishment_id is None or terms.professional_id):
        raise Unprocessable("Whoever treats the person does so at an establishment.", code="grantee-twice")


def _check_objection(terms: Terms) -> None:
    if terms.items is not None and (terms.sources is None or len(terms.sources) != 1):
        raise Unprocessable("Items are named with the one establishment that holds them.", code="items-without-source")
    if terms.hides and (terms.breadth > 0 or terms.purposes or not (terms.sources or terms.categories)):
        raise Unprocessable("What is hidden is named, and hidden from everybody.", code="hidden-from-some")


def _check_permission(terms: Terms, moment: datetime) -> None:
    if terms.breadth == 0 or not terms.categories or not terms.purposes or terms.items or terms.hides:
        raise Unprocessable("A permission names who, what and for what.", code="permission-too-wide")
    if terms.ends_at is None or terms.ends_at - moment > MAX_DURATION + _ONE_DAY:
        raise Unprocessable(f"A permission ends within {MAX_DURATION.days} days.", code="period-too-long")


def same_grantee(one: Terms, other: Terms) -> bool:
    """Whether two consents are about the same readers."""
    return all(getattr(one, name) == getattr(other, name) for name in GRANTEE)


def covers(newer: Terms, older: Terms) -> bool:
    """Whether a consent says all that an older one of its kind says, to the same grantee and for as long."""
    if newer.kind is not older.kind or newer.hides != older.hides or newer.purposes != older.purposes:
        return False
    as_long = newer.ends_at is None or (older.ends_at is not None and older.ends_at <= newer.ends_at)
    return as_long and same_grantee(newer, older) and reaches_as_far(newer, older)


def takes_back(newer: Terms, older: Terms) -> bool:
    """Whether an objection is the later word about all that a permission, as narrowly addressed, said."""
    against = newer.kind is Kind.OBJECTION and older.kind is Kind.PERMISSION and not newer.hides
    any_purpose = newer.purposes is None or (older.purposes is not None and older.purposes <= newer.purposes)
    return against and any_purpose and _reaches_grantee(newer, older) and reaches_as_far(newer, older)


def _reaches_grantee(wide: Terms, narrow: Terms) -> bool:
    """Whether one consent is about all the readers another is about, and no more broadly addressed."""
    level = narrow.establishment_category and narrow.establishment_category.partition("-")[0]
    return (
        wide.breadth == narrow.breadth
        and wide.treating == narrow.treating
        and wide.professional_id == narrow.professional_id
        and wide.establishment_id in {None, narrow.establishment_id}
        and wide.establishment_category in {None, narrow.establishment_category, level}
        and wide.establishment_sector in {None, narrow.establishment_sector}
    )


def reaches_as_far(wide: Terms, narrow: Terms) -> bool:
    """Whether all that one consent is about (categories, labels, holders, items, dates) the other is about too."""
    return (
        _within(narrow.categories, wide.categories)
        and _within(narrow.sources, wide.sources)
        and _within(narrow.items, wide.items)
        and all(wide.covers_label(label) for label in ALL_LABELS if narrow.covers_label(label))
        and (wide.data_from or date.min) <= (narrow.data_from or date.min)
        and (narrow.data_until or date.max) <= (wide.data_until or date.max)
    )


def _within(narrow: frozenset[T] | None, wide: frozenset[T] | None) -> bool:
    return wide is None or (narrow is not None and narrow <= wide)
