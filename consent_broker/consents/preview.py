"""What a directive would change, before it is given: who reads what today, and what they would read then. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from consent_broker.consents.decision import Decision, decide
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


def preview(directives: Sequence[Directive], extra: Terms, moment: datetime) -> list[Reading]:
    """For each permission in force: what its grantee reads, without `extra` and with it.

    The person is shown what they hide as what it is: withheld.
    """
    told = {name: getattr(extra, name) for name in Terms.__dataclass_fields__} | {"hides": False}
    given = Directive(**told, consent_id=UUID(int=0), starts_at=moment)
    left = [one for one in directives if not takes_back(extra, one)]
    in_force = [one for one in directives if one.kind is Kind.PERMISSION and one.in_force(moment)]
    return [_reading(one, directives, [*left, given], moment) for one in in_force]


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
