"""Directives, questions and items of a small world, in which everything meets everything."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from consent_broker.consents.directives import AccessQuery, Directive, Item, Kind

patient = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
IDS = [UUID(int=number) for number in range(1, 4)]
CATEGORIES = ["allergies", "encounters"]
LABELS = ["N", "PSY", "HIV"]
PURPOSES = ["TREAT", "COC"]
ITEMS = ["Encounter/1", "AllergyIntolerance/1"]
FIRST = date(2025, 1, 1)
ids = st.sampled_from(IDS[:2])
mostly_the_first = st.sampled_from([*IDS[:1] * 4, IDS[1]])
categories = st.frozensets(st.sampled_from(CATEGORIES))
labels = st.frozensets(st.sampled_from(LABELS), min_size=1)
starts = st.sampled_from([-2, -1, -1, 0, 1]).map(lambda days: NOW + timedelta(days=days))
ends = st.sampled_from([None, None, 0, 1, 2]).map(lambda days: None if days is None else NOW + timedelta(days=days))
days = st.integers(0, 4).map(lambda number: FIRST + timedelta(days=number))


def perhaps(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def rarely(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from([False, False, False, True]).flatmap(lambda named: strategy if named else st.none())


@st.composite
def grantees(draw: st.DrawFn) -> dict[str, Any]:
    form = draw(st.sampled_from(["anyone", "kind", "establishment", "treating", "professional"]))
    place = draw(mostly_the_first)
    named: dict[str, dict[str, Any]] = {
        "anyone": {"establishment_id": None},
        "kind": {
            "establishment_id": None,
            "establishment_category": draw(perhaps(st.sampled_from(["II", "II-1", "II-1", "III"]))),
            "establishment_sector": draw(perhaps(st.sampled_from(["MINSA", "MINSA", "ESSALUD"]))),
        },
        "establishment": {"establishment_id": place},
        "treating": {"establishment_id": place, "treating": True},
        "professional": {
            "establishment_id": draw(perhaps(mostly_the_first)),
            "professional_id": draw(mostly_the_first),
        },
    }
    return named[form]


@st.composite
def directives(draw: st.DrawFn) -> Directive:
    period = sorted((draw(days), draw(days)))
    kind = draw(st.sampled_from([Kind.PERMISSION, Kind.PERMISSION, Kind.OBJECTION]))
    objects = kind is Kind.OBJECTION
    return Directive(
        consent_id=draw(st.uuids(version=4)),
        kind=kind,
        person_id=IDS[0],
        **draw(grantees()),
        categories=draw(rarely(categories)),
        labels=draw(perhaps(labels)),
        sources=draw(rarely(st.frozensets(ids, min_size=1))),
        items=draw(rarely(st.frozensets(st.sampled_from(ITEMS), min_size=1))) if objects else None,
        data_from=draw(rarely(st.just(period[0]))),
        data_until=draw(rarely(st.just(period[1]))),
        purposes=draw(rarely(st.frozensets(st.sampled_from(PURPOSES), min_size=1))),
        starts_at=draw(starts),
        ends_at=draw(ends),
        revoked=draw(st.sampled_from([*[False] * 7, True])),
        hides=objects and draw(st.booleans()),
    )


READERS: list[dict[str, Any]] = [
    {"establishment_id": None},
    {"establishment_id": None, "establishment_category": "II"},
    {"establishment_id": IDS[0]},
    {"establishment_id": IDS[0], "treating": True},
    {"establishment_id": IDS[0], "professional_id": IDS[0]},
]
meeting_query = AccessQuery(
    person_id=IDS[0], establishment_id=IDS[0], professional_id=IDS[0], purpose="TREAT", treats=True,
    categories=frozenset(CATEGORIES), establishment_category="II-1", establishment_sector="MINSA",
)  # fmt: skip
RESPECTS = ["categories", "labels", "sources", "items", "data_from", "data_until", "purposes"]


def named(*sets: set[Any]) -> st.SearchStrategy[frozenset[Any] | None]:
    return st.sampled_from([None, *map(frozenset, sets)])


@st.composite
def meeting(draw: st.DrawFn, least: int = 4) -> Directive:
    """A directive in force about the reader of `meeting_query`, that names nothing in `least` respects or more."""
    kind = draw(st.sampled_from([Kind.PERMISSION, Kind.OBJECTION]))
    first, last = sorted((draw(days), draw(days)))
    unnamed = dict.fromkeys(draw(st.sets(st.sampled_from(RESPECTS), min_size=least, max_size=6)))
    drawn = Directive(
        consent_id=draw(st.uuids(version=4)),
        kind=kind,
        person_id=IDS[0],
        **draw(st.sampled_from(READERS)),
        categories=draw(named({"allergies"}, {"encounters"}, set(CATEGORIES))),
        labels=draw(named({"N"}, {"N", "PSY"}, {"PSY"}, {"N", "PSY", "HIV"})),
        sources=draw(named({IDS[0]}, {IDS[0], IDS[1]})),
        items=draw(st.sampled_from([None, None, frozenset(ITEMS[:1])])) if kind is Kind.OBJECTION else None,
        data_from=first,
        data_until=last,
        purposes=draw(named({"TREAT"}, {"TREAT", "COC"})),
        starts_at=NOW - timedelta(days=1),
        ends_at=None,
    )
    return replace(drawn, **unnamed)  # type: ignore[arg-type]  # None is any in each


@st.composite
def rivals(draw: st.DrawFn) -> tuple[Directive, Directive]:
    """A permission and an objection that differ in up to three respects: which prevails turns on those."""
    one, other = replace(draw(meeting(least=0)), items=None), draw(meeting(least=0))
    apart = draw(st.sets(st.sampled_from([*RESPECTS, "reader"]), min_size=1, max_size=3))
    reader = ("establishment_id", "establishment_category", "professional_id", "treating")
    changed = [name for name in apart if name != "reader"] + (list(reader) if "reader" in apart else [])
    objection = replace(other, **{name: getattr(one, name) for name in {*RESPECTS, *reader} - {*changed}})
    return replace(one, kind=Kind.PERMISSION), replace(objection, kind=Kind.OBJECTION)


meetings = st.lists(meeting(), min_size=2, max_size=4) | st.builds(
    lambda pair, more: [*pair, *more], rivals(), st.lists(meeting(), max_size=1)
)
queries = st.builds(
    AccessQuery,
    person_id=st.just(IDS[0]),
    establishment_id=mostly_the_first,
    professional_id=perhaps(mostly_the_first),
    purpose=st.sampled_from(["TREAT", *PURPOSES]),
    categories=st.just(frozenset(CATEGORIES)) | categories,
    establishment_category=perhaps(st.sampled_from(["II-1", "II-1", "II-2", "III-1"])),
    establishment_sector=perhaps(st.sampled_from(["MINSA", "MINSA", "ESSALUD"])),
    treats=st.booleans(),
)
sets = st.lists(directives(), max_size=5)


@st.composite
def items(draw: st.DrawFn) -> Item:
    first, last = sorted((draw(days), draw(days)))
    dated = draw(st.booleans())
    return Item(
        category=draw(st.sampled_from(CATEGORIES)),
        labels=draw(st.frozensets(st.sampled_from(["N", "N", *LABELS, "R"]), min_size=1, max_size=2)),
        source=draw(ids),
        first=first if dated else None,
        last=last if dated else None,
        reference=draw(perhaps(st.sampled_from(ITEMS))),
        mentions=draw(st.frozensets(st.sampled_from(ITEMS), max_size=1)),
    )


def alive(directive: Directive) -> Directive:
    """The same, in force."""
    return replace(directive, revoked=False, starts_at=NOW - timedelta(days=1), ends_at=None)
