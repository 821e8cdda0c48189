"""The decision: who may read which categories of whom, for what, now. Pure, versioned, and explained.

Nothing is permitted without a permission (Ley 30024: prior, express authorisation of the patient). Each category is
decided by itself. An objection prevails over every permission that is not strictly more specific: at least as
specific in each of grantee, category and purpose, and more so in one. Where two can't be compared, the objection wins.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

POLICY_VERSION = "2026-11.1"


class Kind(StrEnum):
    """What a directive does."""

    PERMISSION = "permission"
    OBJECTION = "objection"


class Reason(StrEnum):
    """Why a category was permitted or not; the most telling one is the decision's."""

    PERMITTED = "permitted"
    OBJECTION = "objection"
    REVOKED = "consent-revoked"
    EXPIRED = "consent-expired"
    NOT_YET = "consent-not-yet-valid"
    NO_CONSENT = "no-consent"


_TELLING = [Reason.OBJECTION, Reason.REVOKED, Reason.EXPIRED, Reason.NOT_YET, Reason.NO_CONSENT]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessQuery:
    """What is asked: one person's categories, for one establishment and purpose, by a professional if named."""

    person_id: UUID
    establishment_id: UUID
    professional_id: UUID | None
    purpose: str
    categories: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """What a person wants. None in `establishment_id`, `professional_id`, `categories` or `purposes` means any."""

    consent_id: UUID
    kind: Kind
    person_id: UUID
    establishment_id: UUID | None
    professional_id: UUID | None
    categories: frozenset[str] | None
    purposes: frozenset[str] | None
    starts_at: datetime
    ends_at: datetime | None
    revoked: bool = False

    @property
    def specificity(self) -> tuple[int, int, int]:
        """How narrowly it names grantee (anyone, establishment, professional), category and purpose."""
        grantee = 2 if self.professional_id else 1 if self.establishment_id else 0
        return grantee, int(self.categories is not None), int(self.purposes is not None)


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome for one category and the directive that settled it."""

    category: str
    reason: Reason
    consent_id: UUID | None

    @property
    def permitted(self) -> bool:
        return self.reason is Reason.PERMITTED


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome, with what it rests on; `categories` are those permitted."""

    permit: bool
    categories: frozenset[str]
    reason: Reason
    consent_ids: tuple[UUID, ...]
    findings: tuple[Finding, ...]
    policy_version: str = POLICY_VERSION

    @property
    def explanation(self) -> list[str]:
        """One line a category, for the audit event and whoever asks why."""
        return [f"{finding.category}: {finding.reason} {finding.consent_id or ''}".strip() for finding in self.findings]

    @property
    def public_reason(self) -> str:
        """The reason a reader may be told: that somebody objected is not theirs to know."""
        return Reason.NO_CONSENT if self.reason is Reason.OBJECTION else self.reason


def decide(query: AccessQuery, directives: Sequence[Directive], now: datetime) -> Decision:
    """Decide each asked category by the person's directives at `now` (aware, UTC); nothing asked, nothing permitted."""
    concerned = [directive for directive in directives if _concerns(directive, query)]
    findings = tuple(_find(category, concerned, now) for category in sorted(query.categories))
    permitted = frozenset(finding.category for finding in findings if finding.permitted)
    reason = Reason.PERMITTED if permitted else _most_telling(finding.reason for finding in findings)
    rests_on = {
        finding.consent_id for finding in findings if finding.consent_id and finding.permitted == bool(permitted)
    }
    return Decision(bool(permitted), permitted, reason, tuple(sorted(rests_on)), findings)


def _concerns(directive: Directive, query: AccessQuery) -> bool:
    return (
        directive.person_id == query.person_id
        and directive.establishment_id in {None, query.establishment_id}
        and _names_professional(directive, query.professional_id)
        and (directive.purposes is None or query.purpose in directive.purposes)
    )


def _names_professional(directive: Directive, professional_id: UUID | None) -> bool:
    """Where nobody is named, an objection to one professional holds: it could be them."""
    if directive.professional_id is None or directive.professional_id == professional_id:
        return True
    return professional_id is None and directive.kind is Kind.OBJECTION


def _find(category: str, directives: Iterable[Directive], now: datetime) -> Finding:
    about = [one for one in directives if one.categories is None or category in one.categories]
    in_force = [one for one in about if _in_force(one, now)]
    permissions = [one for one in in_force if one.kind is Kind.PERMISSION]
    objections = [one for one in in_force if one.kind is Kind.OBJECTION]
    for permission in sorted(permissions, key=lambda one: (one.specificity, one.consent_id), reverse=True):
        if all(_outranks(permission, objection) for objection in objections):
            return Finding(category, Reason.PERMITTED, permission.consent_id)
    if objections:
        return Finding(category, Reason.OBJECTION, objections[0].consent_id)
    return _missing(category, [one for one in about if one.kind is Kind.PERMISSION], now)


def _in_force(directive: Directive, now: datetime) -> bool:
    started = directive.starts_at <= now
    return started and not directive.revoked and (directive.ends_at is None or now < directive.ends_at)


def _outranks(permission: Directive, objection: Directive) -> bool:
    mine, theirs = permission.specificity, objection.specificity
    return mine != theirs and all(one >= other for one, other in zip(mine, theirs, strict=True))


def _missing(category: str, ended: Sequence[Directive], now: datetime) -> Finding:
    reasons = {_why_not(directive, now): directive.consent_id for directive in ended}
    reason = _most_telling(reasons)
    return Finding(category, reason, reasons.get(reason))


def _why_not(directive: Directive, now: datetime) -> Reason:
    if directive.revoked:
        return Reason.REVOKED
    return Reason.NOT_YET if now < directive.starts_at else Reason.EXPIRED


def _most_telling(reasons: Iterable[Reason]) -> Reason:
    return min(reasons, key=_TELLING.index, default=Reason.NO_CONSENT)
