"""The written rule (docs/decisions/0013-directives.md), atom by atom, in a world small enough to try all of it.

Plain and slow: no cuts, no groups, no order, nothing of the decision function's but the directives themselves.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import product
from typing import NamedTuple
from uuid import UUID

from consent_broker.consents.directives import AccessQuery, Directive, Item, Kind
from consent_broker.consents.vocabulary import ALL_CATEGORIES
from tests.property.consents.strategies import FIRST, IDS, ITEMS, NOW, PURPOSES

DAYS = frozenset({date.min, *(FIRST + timedelta(days=number) for number in range(-1, 7)), date.max})
LABELS = frozenset({"N", "PSY", "HIV", "R"})
"""Those directives here name, and one that none does."""

SOURCES = frozenset({*IDS, UUID(int=99)})
NAMES = frozenset({*ITEMS, "Encounter/other"})
EVERY_PURPOSE = frozenset({*PURPOSES, "BTG"})


class Atom(NamedTuple):
    """The least that can flow: one category, sensitivity, day, holder and item."""

    category: str
    label: str
    day: date
    source: UUID
    name: str


def atoms_of(item: Item) -> Iterator[Atom]:
    """All that an item is about; without a date it is of every day, and by a name nobody gave it it is another."""
    first, last = item.first or date.min, item.last or date.max
    days = [day for day in DAYS if first <= day <= last]
    assert item.source is not None
    names = {item.reference or "Encounter/other", *item.mentions}
    return (Atom(item.category, *rest) for rest in product(item.labels, days, [item.source], names))


def atoms_from(category: str, sources: Iterable[UUID]) -> Iterator[Atom]:
    """Whatever of a category may come from those holders, under a name that no directive knows."""
    return (Atom(category, *rest, "Encounter/other") for rest in product(LABELS, DAYS, sources))


def about(directive: Directive, atom: Atom) -> bool:
    """Whether all that a directive says it is about, the atom is."""
    return (
        atom.category in _categories(directive)
        and atom.label in _labels(directive)
        and atom.day in _days(directive)
        and atom.source in _sources(directive)
        and (directive.items is None or atom.name in directive.items)
    )


def counting(query: AccessQuery, held: Sequence[Directive]) -> list[Directive]:
    """Those in force whose grantee the reader is, or may be."""
    return [one for one in held if one.in_force(NOW) and addressed(one, query)]


def flows(atom: Atom, counting: Sequence[Directive]) -> bool:
    """Some permission reaches it that is more specific than every objection that reaches it."""
    reaching = [one for one in counting if about(one, atom)]
    objections = [one for one in reaching if one.kind is Kind.OBJECTION]
    permissions = [one for one in reaching if one.kind is Kind.PERMISSION]
    return any(all(more_specific(one, other) for other in objections) for one in permissions)


def addressed(directive: Directive, query: AccessQuery) -> bool:
    """Whether the reader is the grantee, or, for an objection, could be for all that is known."""
    doubt = directive.kind is Kind.OBJECTION
    told: list[tuple[object, object, bool]] = [
        (directive.establishment_id, query.establishment_id, False),
        (directive.professional_id, query.professional_id, doubt),
        (directive.establishment_sector, query.establishment_sector, doubt),
    ]
    fits = all(wanted is None or wanted == found or (found is None and open_) for wanted, found, open_ in told)
    kind, known = directive.establishment_category, query.establishment_category
    of_kind = kind is None or (doubt if known is None else known == kind or known.startswith(f"{kind}-"))
    treats = not directive.treating or query.treats or doubt
    purpose = directive.purposes is None or query.purpose in directive.purposes
    return directive.person_id == query.person_id and fits and of_kind and treats and purpose


def more_specific(permission: Directive, objection: Directive) -> bool:
    """It names all that the objection names, and the grantee more narrowly; or as narrowly, lying within it, and
    narrower in categories, holders or days.
    """
    mine, theirs = _named(permission), _named(objection)
    if not theirs <= mine or _rank(permission) < _rank(objection):
        return False
    if _rank(permission) > _rank(objection):
        return True
    matter = [(of(permission), of(objection)) for of in (_categories, _sources, _days)]
    beside = [(of(permission), of(objection)) for of in (_labels, _purposes)]
    inside = all(one <= other for one, other in [*matter, *beside])  # type: ignore[operator]
    return inside and any(one < other for one, other in matter)  # type: ignore[operator]


def _rank(directive: Directive) -> int:
    """From anybody to one professional, who is as narrow as it gets wherever they work."""
    if directive.professional_id:
        return 5
    if directive.establishment_id:
        return 4 if directive.treating else 3
    return len([one for one in (directive.establishment_category, directive.establishment_sector) if one])


def _named(directive: Directive) -> set[str]:
    """What a directive names; all five categories one by one are none."""
    days = None if directive.data_from is None and directive.data_until is None else True
    categories = None if _categories(directive) == ALL_CATEGORIES else True
    respects = {
        "categories": categories, "days": days, "labels": directive.labels, "sources": directive.sources,
        "items": directive.items, "purposes": directive.purposes,
    }  # fmt: skip
    return {name for name, said in respects.items() if said is not None}


def _categories(directive: Directive) -> frozenset[str]:
    return ALL_CATEGORIES if directive.categories is None else directive.categories


def _labels(directive: Directive) -> frozenset[str]:
    """An objection that names none is against everything; a permission is for the ordinary."""
    if directive.labels is not None:
        return directive.labels
    return LABELS if directive.kind is Kind.OBJECTION else frozenset({"N"})


def _days(directive: Directive) -> frozenset[date]:
    first, last = directive.data_from or date.min, directive.data_until or date.max
    return frozenset(day for day in DAYS if first <= day <= last)


def _sources(directive: Directive) -> frozenset[UUID]:
    return SOURCES if directive.sources is None else directive.sources


def _purposes(directive: Directive) -> frozenset[str]:
    return EVERY_PURPOSE if directive.purposes is None else directive.purposes
