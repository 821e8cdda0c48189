"""What a directive would do, before it is given: a limit to those who read today, a permission to its grantee. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from consent_broker.consents.decision import Decision, decide, gives_way, takes_from
from consent_broker.consents.directives import AccessQuery, Directive, Kind, Terms
from consent_broker.consents.terms import takes_back
from consent_broker.consents.vocabulary import ALL_CATEGORIES


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the grantee of a permission in force may read; `partly`: the categories of which something is withheld."""

    consent_id: UUID
    establishment_id: UUID | None
    professional_id: UUID | None
    before: frozenset[str]
    after: frozenset[str]
    partly: frozenset[str]

    @property
    def changes(self) -> bool:
        """Whether it would not be as it is."""
        return self.before != self.after or bool(self.partly)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What a permission would let its grantee read: `closed` are the asked categories of which nothing would flow.

    `objections` are those in force that would withhold something of it, `outranked` those it would prevail over; hidden
    ones too: the person is told.
    """

    categories: frozenset[str]
    closed: frozenset[str]
    objections: tuple[Directive, ...]
    outranked: tuple[Directive, ...]


def foresee(query: AccessQuery, directives: Sequence[Directive], asked: Terms, moment: datetime) -> Foreseen:
    """What `asked`, a permission, would let flow beside the person's objections; other permissions do not count.

    What is granted rests on its own consent alone, as `deciding.find_directives` reads it.
    """
    given = _given(asked, moment)
    objections = [one for one in directives if one.kind is Kind.OBJECTION]
    decision = decide(query, [given, *objections], moment)
    standing = [one for one in decision.directives if one.kind is Kind.OBJECTION]
    asked_for = sorted(query.categories)
    return Foreseen(
        categories=decision.categories,
        closed=query.categories - decision.categories,
        objections=tuple(one for one in standing if takes_from(one, given, asked_for)),
        outranked=tuple(one for one in standing if gives_way(one, given, asked_for)),
    )


def preview(directives: Sequence[Directive], extra: Terms, moment: datetime) -> list[Reading]:
    """For each permission in force: what its grantee reads, without `extra` and with it.

    The person is shown what they hide as what it is: withheld.
    """
    given = replace(_given(extra, moment), hides=False)
    left = [one for one in directives if not takes_back(extra, one)]
    in_force = [one for one in directives if one.kind is Kind.PERMISSION and one.in_force(moment)]
    return [_reading(one, directives, [*left, given], moment) for one in in_force]


def _given(terms: Terms, moment: datetime) -> Directive:
    """Terms as they would stand if they were given now."""
    said = {name: getattr(terms, name) for name in Terms.__dataclass_fields__}
    return Directive(**said, consent_id=UUID(int=0), starts_at=moment)


def _reading(
    permission: Directive, before: Sequence[Directive], after: Sequence[Directive], moment: datetime
) -> Reading:
    now, then = _decide(permission, before, moment), _decide(permission, after, moment)
    return Reading(
        consent_id=permission.consent_id,
        establishment_id=permission.establishment_id,
        professional_id=permission.professional_id,
        before=now.categories,
        after=then.categories,
        partly=frozenset(one for one in then.categories if then.restricts(one) and not now.restricts(one)),
    )


def _decide(permission: Directive, directives: Sequence[Directive], moment: datetime) -> Decision:
    """As its grantee would be decided about; by kind or treatment, as one who fits it."""
    query = AccessQuery(
        person_id=permission.person_id,
        establishment_id=permission.establishment_id or UUID(int=0),
        professional_id=permission.professional_id,
        purpose=min(permission.purposes or {"TREAT"}),
        categories=ALL_CATEGORIES,
        establishment_category=permission.establishment_category,
        establishment_sector=permission.establishment_sector,
        treats=permission.treating,
    )
    mine = [replace(one, person_id=permission.person_id) for one in directives]
    return decide(query, mine, moment)
