"""What a person directs: to whom, about what, for what, until when; and which of two directives prevails. Pure.

The rule (docs/decisions/0013-directives.md): an objection prevails over every permission that reaches the same item,
unless the permission is the more specific of the two. It is when whatever the objection names (categories, labels,
sources, items, dates, purposes) the permission names too, and it either names the grantee more narrowly, or names the
grantee alike and lies within the objection, narrower in categories, sources or dates.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from consent_broker.consents.vocabulary import ALL_CATEGORIES, ALL_LABELS, NORMAL


class Kind(StrEnum):
    """What a directive does."""

    PERMISSION = "permission"
    OBJECTION = "objection"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessQuery:
    """What is asked: one person's categories, for one establishment and purpose, by a professional if named.

    `treats` is whether that professional is known to treat the person there. What isn't known of the establishment or
    the professional is None or False: a permission that turns on it does not count, an objection does. Of who has died
    nothing is permitted: a permission was given to be treated.
    """

    person_id: UUID
    establishment_id: UUID
    professional_id: UUID | None
    purpose: str
    categories: frozenset[str]
    establishment_category: str | None = None
    establishment_sector: str | None = None
    treats: bool = False
    deceased: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One clinical item as far as directives tell items apart.

    `labels` are its sensitivity at the source; `first` and `last` the days in Lima it is about, None when unknown;
    `source` the establishment that holds it, `reference` its `Type/id` there, `mentions` the items it refers to: who
    names one of those names it too.
    """

    category: str
    labels: frozenset[str] = frozenset({NORMAL})
    source: UUID | None = None
    first: date | None = None
    last: date | None = None
    reference: str | None = None
    mentions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a consent says. None is any; a permission names grantee, categories, purposes and end.

    The grantee is narrowed from anyone by the kind of establishment (`establishment_category` is a RENIPRESS category
    such as `II-1` or a level such as `II`), by the establishment, to whoever treats the person there (`treating`), or
    to a professional. `labels` None is everything for an objection, and the ordinary only for a permission: what is
    sensitive is permitted by name. `data_from` and `data_until` are days in Lima, both included. An objection that
    `hides` is to everybody, and against their being told that something is withheld.
    """

    person_id: UUID
    establishment_id: UUID | None
    professional_id: UUID | None = None
    establishment_category: str | None = None
    establishment_sector: str | None = None
    treating: bool = False
    categories: frozenset[str] | None
    labels: frozenset[str] | None = None
    sources: frozenset[UUID] | None = None
    items: frozenset[str] | None = None
    data_from: date | None = None
    data_until: date | None = None
    purposes: frozenset[str] | None
    ends_at: datetime | None
    kind: Kind = Kind.PERMISSION
    hides: bool = False

    @property
    def breadth(self) -> int:
        """How narrowly the grantee is named: the larger, the narrower.

        A professional is as narrow as it gets: where they work, every permission has to say.
        """
        if self.professional_id:
            return 5
        if self.establishment_id:
            return 4 if self.treating else 3
        return (self.establishment_category is not None) + (self.establishment_sector is not None)

    @property
    def hidden_links(self) -> frozenset[UUID]:
        """The holders whose very link to the person is hidden: what `hides` says of holders and of nothing less."""
        less = (self.categories, self.labels, self.items, self.data_from, self.data_until, self.purposes)
        whole = self.hides and all(one is None for one in less)
        return self.sources or frozenset() if whole else frozenset()

    def covers_label(self, label: str) -> bool:
        """Whether it is about items of that sensitivity."""
        if self.labels is None:
            return self.kind is Kind.OBJECTION or label == NORMAL
        return label in self.labels

    def covers_day(self, day: date) -> bool:
        """Whether it is about what happened that day."""
        return (self.data_from or date.min) <= day <= (self.data_until or date.max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive(Terms):
    """Terms that were given: from when, and whether they were withdrawn."""

    consent_id: UUID
    starts_at: datetime
    revoked: bool = False

    def in_force(self, now: datetime) -> bool:
        """Whether it counts at that moment; its start is part of it, its end is not."""
        return self.starts_at <= now and not self.revoked and (self.ends_at is None or now < self.ends_at)


def concerns(directive: Directive, query: AccessQuery) -> bool:
    """Whether the directive is about this person, reader and purpose."""
    return (
        directive.person_id == query.person_id
        and directive.establishment_id in {None, query.establishment_id}
        and _is_of_kind(directive, query)
        and _names_professional(directive, query)
        and (directive.purposes is None or query.purpose in directive.purposes)
    )


def _is_of_kind(directive: Directive, query: AccessQuery) -> bool:
    """A level such as `II` means every category of it."""
    wanted, found = directive.establishment_category, query.establishment_category
    level = found and (found == wanted or found.partition("-")[0] == wanted)
    unknown = directive.kind is Kind.OBJECTION
    sector = directive.establishment_sector in {None, query.establishment_sector}
    fits = wanted is None or (unknown if found is None else bool(level))
    return fits and (sector or (unknown and query.establishment_sector is None))


def _names_professional(directive: Directive, query: AccessQuery) -> bool:
    """Where it is not known who reads, an objection to some holds: it could be one of them."""
    if directive.treating and not query.treats:
        return directive.kind is Kind.OBJECTION
    if directive.professional_id is None or directive.professional_id == query.professional_id:
        return True
    return query.professional_id is None and directive.kind is Kind.OBJECTION


def outranks(permission: Terms, objection: Terms) -> bool:
    """Whether a permission prevails over an objection that reaches the same item; where unsure, it does not."""
    return _names_as_much(permission, objection) and _names_narrower(permission, objection)


def _names_as_much(mine: Terms, theirs: Terms) -> bool:
    if mine.breadth < theirs.breadth:
        return False
    named = zip(_respects(mine), _respects(theirs), strict=True)
    return all(other is None or one is not None for one, other in named)


def _names_narrower(mine: Terms, theirs: Terms) -> bool:
    """By the grantee; or, to the same breadth of grantees, by lying within, and more narrowly than by purpose or label.

    Purposes and labels make no permission narrower: every one has to name them.
    """
    if mine.breadth > theirs.breadth:
        return True
    matter = ((_categories(mine), _categories(theirs)), (mine.sources, theirs.sources))
    named = (*matter, (mine.purposes, theirs.purposes))
    within = all(other is None or (one is not None and one <= other) for one, other in named)
    labels = all(theirs.covers_label(label) for label in ALL_LABELS if mine.covers_label(label))
    same = all(one == other for one, other in matter) and _period(mine) == _period(theirs)
    return within and labels and _period_within(mine, theirs) and not same


def _respects(terms: Terms) -> Iterable[object]:
    return _categories(terms), terms.labels, terms.sources, terms.items, _period(terms), terms.purposes


def _categories(terms: Terms) -> frozenset[str] | None:
    """All of them, one by one, are no narrower than all."""
    return None if terms.categories is not None and terms.categories >= ALL_CATEGORIES else terms.categories


def _period(terms: Terms) -> tuple[date, date] | None:
    if terms.data_from is None and terms.data_until is None:
        return None
    return terms.data_from or date.min, terms.data_until or date.max


def _period_within(mine: Terms, theirs: Terms) -> bool:
    first, last = _period(mine) or (date.min, date.max)
    other_first, other_last = _period(theirs) or (date.min, date.max)
    return other_first <= first and last <= other_last
