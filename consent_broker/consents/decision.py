"""The decision: who may read what of whom, for what, now. Pure, versioned, and explained.

Nothing is permitted without a permission (Ley 30024: prior, express authorisation of the patient). Each category is
decided by itself; what of a permitted category must still be withheld is the decision's residual. Which of two
directives prevails is `directives.outranks`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import product
from uuid import UUID

from consent_broker.consents.directives import AccessQuery, Directive, Item, Kind, concerns, outranks
from consent_broker.consents.vocabulary import ALL_LABELS, SENSITIVE

POLICY_VERSION = "2026-11.2"
__all__ = ["POLICY_VERSION", "AccessQuery", "Decision", "Directive", "Finding", "Kind", "Reason", "decide"]


class Reason(StrEnum):
    """Why a category was permitted or not; the most telling one is the decision's."""

    PERMITTED = "permitted"
    DECEASED = "patient-deceased"
    OBJECTION = "objection"
    REVOKED = "consent-revoked"
    EXPIRED = "consent-expired"
    NOT_YET = "consent-not-yet-valid"
    NO_CONSENT = "no-consent"


_ORDINARY_FIRST = sorted(ALL_LABELS, key=lambda label: (label in SENSITIVE, label))
_TELLING = [Reason.DECEASED, Reason.OBJECTION, Reason.REVOKED, Reason.EXPIRED, Reason.NOT_YET, Reason.NO_CONSENT]


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome for one category and the directive that settled it; `over` are the objections it prevailed over."""

    category: str
    reason: Reason
    consent_id: UUID | None
    over: tuple[UUID, ...] = ()

    @property
    def permitted(self) -> bool:
        return self.reason is Reason.PERMITTED

    @property
    def explanation(self) -> str:
        """The finding in one line: category, reason, directive, and the objections it is more specific than."""
        named = f" {self.consent_id}" if self.consent_id else ""
        over = f" more specific than {' '.join(map(str, self.over))}" if self.over else ""
        return f"{self.category}: {self.reason}{named}{over}"


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome, with what it rests on; `categories` are those of which something is permitted.

    `directives` are those in force that concern the reader: what of a category flows is judged item by item.
    """

    permit: bool
    categories: frozenset[str]
    reason: Reason
    consent_ids: tuple[UUID, ...]
    findings: tuple[Finding, ...]
    policy_version: str = POLICY_VERSION
    directives: tuple[Directive, ...] = field(default=(), repr=False)

    @property
    def explanation(self) -> list[str]:
        """One line a category, for the audit event and whoever asks why."""
        return [finding.explanation for finding in self.findings]

    @property
    def public_reason(self) -> str:
        """The reason a reader may be told: that somebody objected is not theirs to know."""
        return Reason.NO_CONSENT if self.reason is Reason.OBJECTION else self.reason

    def allows(self, item: Item) -> bool:
        """Whether one item may flow: for each of its labels and each of its days; unknown dates are every date."""
        if item.category not in self.categories:
            return False
        first, last = item.first or date.min, item.last or date.max
        days = [first, *(day for day in cuts(self.directives) if first < day <= last)]
        labels = item.labels & ALL_LABELS or SENSITIVE
        named = {item.reference, *item.mentions}
        return all(
            prevailing(self.directives, item.category, label, day, item.source, reference)
            for label, day, reference in product(labels, days, named)
        )

    def categories_at(self, source: UUID | None) -> frozenset[str]:
        """The categories of which something may come from that holder."""
        alike = told_apart(self.categories, self.directives, is_about)
        return frozenset().union(*(these for these in alike if any(_reached(self.directives, min(these), source))))

    def restricts(self, category: str) -> bool:
        """Whether the reader is told that something of a permitted category is restricted.

        It follows from the directives, never from the data, and what is hidden does not count: neither what is
        restricted nor that it exists can be inferred.
        """
        told = [one for one in self.directives if not one.hides]
        permissions = [one for one in told if one.kind is Kind.PERMISSION and is_about(one, category)]
        sources = {source for one in told for source in one.sources or ()} | {None}
        labels = {label for one in permissions for label in ALL_LABELS if one.covers_label(label)}
        atoms = product(labels, [date.min, *cuts(told)], sources)
        return not all(prevailing(told, category, label, day, source) for label, day, source in atoms)


def decide(query: AccessQuery, directives: Sequence[Directive], now: datetime) -> Decision:
    """Decide each asked category by the person's directives at `now` (aware, UTC); nothing asked, nothing permitted."""
    if query.deceased:
        return _closed(query)
    concerned = sorted((one for one in directives if concerns(one, query)), key=lambda one: one.consent_id)
    in_force = tuple(one for one in concerned if one.in_force(now))
    findings = _findings(query.categories, concerned, in_force, now)
    permitted = frozenset(finding.category for finding in findings if finding.permitted)
    reason = Reason.PERMITTED if permitted else _most_telling(finding.reason for finding in findings)
    rests_on = {
        finding.consent_id for finding in findings if finding.consent_id and finding.permitted == bool(permitted)
    }
    return Decision(
        bool(permitted), permitted, reason, tuple(sorted(rests_on)), findings, POLICY_VERSION, tuple(in_force)
    )


def told_apart(
    names: Iterable[str], directives: Sequence[Directive], covers: Callable[[Directive, str], bool]
) -> list[frozenset[str]]:
    """Categories or labels in groups within which no directive tells them apart: what holds of one holds of all."""
    groups: defaultdict[tuple[bool, ...], set[str]] = defaultdict(set)
    for name in names:
        groups[tuple([covers(one, name) for one in directives])].add(name)
    return [frozenset(these) for these in groups.values()]


def _findings(
    categories: Iterable[str], concerned: Sequence[Directive], in_force: Sequence[Directive], now: datetime
) -> tuple[Finding, ...]:
    """The finding of each category, in the order of their names."""
    found = []
    for alike in told_apart(categories, concerned, is_about):
        finding = _find(min(alike), concerned, in_force, now)
        found += [replace(finding, category=category) for category in alike]
    return tuple(sorted(found, key=lambda one: one.category))


def _closed(query: AccessQuery) -> Decision:
    """Of who has died nobody is permitted anything."""
    findings = tuple(Finding(category, Reason.DECEASED, None) for category in sorted(query.categories))
    return Decision(permit=False, categories=frozenset(), reason=Reason.DECEASED, consent_ids=(), findings=findings)


def cuts(directives: Iterable[Directive]) -> list[date]:
    """The days on which what is permitted may change, in order."""
    directives = [one for one in directives if one.data_from or one.data_until]
    if not directives:
        return []
    starts = {one.data_from for one in directives if one.data_from}
    ends = {one.data_until + timedelta(days=1) for one in directives if one.data_until and one.data_until < date.max}
    return sorted(starts | ends)


def prevailing(
    directives: Iterable[Directive],
    category: str,
    label: str,
    day: date,
    source: UUID | None = None,
    reference: str | None = None,
) -> Directive | None:
    """The permission under which one atom (category, label, day, holder, item) flows; None when it does not.

    `source` None is a holder no directive names, `reference` None an item none names.
    """
    about = [
        one
        for one in directives
        if (one.categories is None or category in one.categories)
        and (one.sources is None or source in one.sources)
        and (one.items is None or reference in one.items)
        and one.covers_label(label)
        and one.covers_day(day)
    ]
    objections = [one for one in about if one.kind is Kind.OBJECTION]
    permissions = [one for one in about if one.kind is Kind.PERMISSION]
    if len(permissions) > 1:
        permissions.sort(key=lambda one: -one.breadth)
    for one in permissions:
        if not objections or all(outranks(one, other) for other in objections):
            return one
    return None


def takes_from(objection: Directive, permission: Directive, categories: Iterable[str]) -> bool:
    """Whether an objection alone takes anything, of these categories, of what a permission alone lets flow."""
    return not outranks(permission, objection) and _meet(objection, permission, categories)


def gives_way(objection: Directive, permission: Directive, categories: Iterable[str]) -> bool:
    """Whether an objection is about something, of these categories, that a permission lets flow all the same."""
    return outranks(permission, objection) and _meet(objection, permission, categories)


def _meet(objection: Directive, permission: Directive, categories: Iterable[str]) -> bool:
    """Whether one atom at least is one that the permission alone lets flow and the objection is about."""
    both = (permission, objection)
    sources = {source for one in both for source in one.sources or ()} | {None}
    labels = [label for label in ALL_LABELS if permission.covers_label(label) and objection.covers_label(label)]
    atoms = product(categories, labels, [date.min, *cuts(both)], sources, {None, *(objection.items or ())})
    same = replace(objection, kind=Kind.PERMISSION, labels=frozenset(labels))  # what it is about, it would let flow
    return any(prevailing([permission], *atom) and prevailing([same], *atom) for atom in atoms)


def is_about(directive: Directive, category: str) -> bool:
    """Whether it is about anything of that category."""
    return directive.categories is None or category in directive.categories


def _reached(directives: Sequence[Directive], category: str, source: UUID | None) -> Iterator[Directive]:
    """The permissions under which something of the category flows from that holder, the ordinary first."""
    atoms = product(_ORDINARY_FIRST, [date.min, *cuts(directives)])
    found = (prevailing(directives, category, label, day, source) for label, day in atoms)
    return (one for one in found if one is not None)


def _find(category: str, concerned: Sequence[Directive], in_force: Sequence[Directive], now: datetime) -> Finding:
    about = [one for one in in_force if is_about(one, category)]
    named = sorted({source for one in about if one.kind is Kind.PERMISSION for source in one.sources or ()})
    reached = next((one for source in (None, *named) for one in _reached(about, category, source)), None)
    objections = [one for one in about if one.kind is Kind.OBJECTION and not one.hides]
    if reached is not None:
        over = tuple(one.consent_id for one in objections if outranks(reached, one))
        return Finding(category, Reason.PERMITTED, reached.consent_id, over)
    defeated = any(one.kind is Kind.PERMISSION for one in about)
    telling = objections if defeated else [one for one in objections if _is_whole(one)]
    if telling:
        return Finding(category, Reason.OBJECTION, telling[0].consent_id)
    ended = [one for one in concerned if is_about(one, category) and one.kind is Kind.PERMISSION]
    return _missing(category, ended, now)


def _is_whole(objection: Directive) -> bool:
    """Whether it leaves nothing of a category."""
    partly = (objection.labels, objection.sources, objection.items, objection.data_from, objection.data_until)
    return all(one is None for one in partly)


def _missing(category: str, permissions: Sequence[Directive], now: datetime) -> Finding:
    reasons = {_why_not(directive, now): directive.consent_id for directive in permissions}
    reason = _most_telling(reasons)
    return Finding(category, reason, reasons.get(reason))


def _why_not(directive: Directive, now: datetime) -> Reason:
    """A permission in force that reaches nothing (no label, an item's only) is as good as none."""
    if directive.revoked:
        return Reason.REVOKED
    if now < directive.starts_at:
        return Reason.NOT_YET
    return Reason.NO_CONSENT if directive.in_force(now) else Reason.EXPIRED


def _most_telling(reasons: Iterable[Reason]) -> Reason:
    return min(reasons, key=_TELLING.index, default=Reason.NO_CONSENT)
