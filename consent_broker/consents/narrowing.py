"""Permitting less than was asked: fewer categories, labels or holders, fewer days, an earlier end. Pure.

It can never yield more: what was not asked for is refused, not dropped, since somebody believed they were choosing it.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeVar
from uuid import UUID

from consent_broker.consents.directives import Terms
from consent_broker.consents.vocabulary import NORMAL
from registry.errors import Unprocessable

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What a person permits of what was asked; None leaves that part as asked."""

    categories: frozenset[str] | None = None
    labels: frozenset[str] | None = None
    sources: frozenset[UUID] | None = None
    data_from: date | None = None
    data_until: date | None = None
    ends_at: datetime | None = None

    def of_categories(self, asked: frozenset[str] | None) -> frozenset[str] | None:
        """The categories permitted of those asked (None: all); raises Unprocessable for none, or for any not asked."""
        return _some_of(self.categories, asked, "categories")

    def of_labels(self, asked: frozenset[str] | None) -> frozenset[str] | None:
        """The labels permitted of those asked (None: the ordinary only); raises Unprocessable as `of_categories`."""
        found = _some_of(self.labels, asked or frozenset({NORMAL}), "labels")
        return None if found == frozenset({NORMAL}) else found

    def of_end(self, asked: datetime | None) -> datetime | None:
        """The end permitted; raises Unprocessable for a later one than was asked."""
        if self.ends_at is None:
            return asked
        if asked is not None and self.ends_at > asked:
            raise Unprocessable("What is permitted ends no later than what was asked for.", code="not-narrower")
        return self.ends_at

    def of_days(self, asked_from: date | None, asked_until: date | None) -> tuple[date | None, date | None]:
        """The first and last day permitted; raises Unprocessable for any outside those asked, or for none."""
        first, last = self.data_from or asked_from, self.data_until or asked_until
        early = asked_from is not None and (first or date.min) < asked_from
        late = asked_until is not None and (last or date.max) > asked_until
        if early or late or (last or date.max) < (first or date.min):
            raise Unprocessable("Permit days within those asked for.", code="not-narrower")
        return first, last


AS_ASKED = Narrowing()
"""All that was asked for."""


def narrow(asked: Terms, narrowing: Narrowing) -> Terms:
    """What was asked as far as the person permits it; raises Unprocessable for nothing, or for more than was asked."""
    first, last = narrowing.of_days(asked.data_from, asked.data_until)
    return replace(
        asked,
        categories=narrowing.of_categories(asked.categories),
        labels=asked.labels if narrowing.labels is None else narrowing.of_labels(asked.labels),
        sources=_some_of(narrowing.sources, asked.sources, "establishments"),
        data_from=first,
        data_until=last,
        ends_at=narrowing.of_end(asked.ends_at),
    )


def as_narrowing(terms: Terms) -> Narrowing:
    """All that terms say, as a narrowing of wider ones."""
    return Narrowing(
        categories=terms.categories,
        sources=terms.sources,
        data_from=terms.data_from,
        data_until=terms.data_until,
        ends_at=terms.ends_at,
    )


def _some_of(chosen: frozenset[T] | None, asked: frozenset[T] | None, name: str) -> frozenset[T] | None:
    if chosen is None:
        return asked
    if not chosen or (asked is not None and not chosen <= asked):
        raise Unprocessable(f"Permit at least one of the {name} asked for, and no other.", code="not-narrower")
    return chosen
