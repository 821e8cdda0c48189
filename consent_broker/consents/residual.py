"""What a token's holder must still withhold of what the scopes let through: IHE PCF `residual`, rules that forbid.

Only `forbid` is used: an item is withheld when one rule matches it, so that a rule nobody understands withholds too
much and never too little. `class` (FHIR types, as in Consent.provision.class) narrows a rule to some of the scopes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from consent_broker.consents.decision import Decision, cuts, is_about, prevailing, told_apart
from consent_broker.consents.directives import Directive
from consent_broker.consents.vocabulary import ALL_LABELS, FHIR_TYPES, LABEL_SYSTEMS
from consent_broker.resource_server.residual import dependents

Period = tuple[date, date]
ALWAYS: Period = (date.min, date.max)


@dataclass(frozen=True, slots=True)
class Restriction:
    """Something to withhold: of these categories, with one of these labels, from these days, or these items.

    What refers to an item is withheld with it (FHIR ConsentDataMeaning `dependents`): it would tell what is hidden.
    """

    categories: frozenset[str]
    labels: frozenset[str] = ALL_LABELS
    period: Period = ALWAYS
    items: frozenset[str] | None = None


def residual(decision: Decision, source: UUID) -> tuple[Restriction, ...]:
    """What that holder must withhold of the categories the decision permits of it."""
    categories = decision.categories_at(source)
    segments, groups = _segments(decision), told_apart(ALL_LABELS, decision.directives, Directive.covers_label)
    grouped: defaultdict[tuple[frozenset[str], Period], set[str]] = defaultdict(set)
    for these in told_apart(categories, decision.directives, is_about):
        for period, labels in _forbidden(decision, min(these), source, segments, groups).items():
            grouped[labels, period] |= these
    rules = [Restriction(frozenset(these), labels, period) for (labels, period), these in grouped.items()]
    return tuple(sorted([*rules, *_items(decision, categories, source)], key=_order))


def as_claim(rules: Iterable[Restriction], categories: frozenset[str]) -> list[dict[str, Any]]:
    """The rules as they travel in `extensions.ihe_pcf.residual` of a token whose scopes are `categories`."""
    return [_claim(rule, categories) for rule in rules]


def _forbidden(
    decision: Decision, category: str, source: UUID, segments: Sequence[Period], groups: Iterable[frozenset[str]]
) -> dict[Period, frozenset[str]]:
    """For each longest run of days: the labels, group by group, that do not flow on any of them."""
    found: defaultdict[Period, set[str]] = defaultdict(set)
    for alike in groups:
        label = min(alike)
        closed = [one for one in segments if not prevailing(decision.directives, category, label, one[0], source)]
        for run in _joined(closed):
            found[run] |= alike
    return {period: frozenset(labels) for period, labels in found.items()}


def _segments(decision: Decision) -> list[Period]:
    starts = [date.min, *cuts(decision.directives)]
    ends = [*(day - timedelta(days=1) for day in starts[1:]), date.max]
    return list(zip(starts, ends, strict=True))


def _joined(segments: Sequence[Period]) -> Iterator[Period]:
    current: Period | None = None
    for first, last in segments:
        if current and current[1] + timedelta(days=1) == first:
            current = (current[0], last)
            continue
        if current:
            yield current
        current = (first, last)
    if current:
        yield current


def _items(decision: Decision, categories: frozenset[str], source: UUID) -> Iterator[Restriction]:
    """Items that objections name, in as few rules as will do: no permission names items, so none is more specific."""
    named: defaultdict[tuple[frozenset[str], frozenset[str], Period], set[str]] = defaultdict(set)
    for one in decision.directives:
        about = categories if one.categories is None else categories & one.categories
        if one.items and about and (one.sources is None or source in one.sources):
            labels = frozenset(filter(one.covers_label, ALL_LABELS))
            named[about, labels, (one.data_from or date.min, one.data_until or date.max)] |= one.items
    for (about, labels, period), items in named.items():
        yield Restriction(about, labels, period, frozenset(items))


def _order(rule: Restriction) -> tuple[Any, ...]:
    return rule.period, sorted(rule.labels), sorted(rule.categories), sorted(rule.items or ())


def _claim(rule: Restriction, categories: frozenset[str]) -> dict[str, Any]:
    claim: dict[str, Any] = {"type": "forbid"}
    if rule.categories != categories:
        claim["class"] = sorted(FHIR_TYPES[category] for category in rule.categories)
    if rule.labels != ALL_LABELS:
        claim["securityLabel"] = [{"system": LABEL_SYSTEMS[label], "code": label} for label in sorted(rule.labels)]
    first, last = rule.period
    period = {"start": first if first > date.min else None, "end": last if last < date.max else None}
    if rule.period != ALWAYS:
        claim["dataPeriod"] = {name: day.isoformat() for name, day in period.items() if day}
    if rule.items:
        claim["data"] = dependents(rule.items)
    return claim
