"""Whether somebody may act in another's name at a moment, in what, and until when. Pure.

A parent's or guardian's power ends by itself at the start, in Lima, of the day the child turns 18. A death ends every
power. While a person was merged into another, its representations rest: nobody gave them about the records added.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time
from uuid import UUID

from consent_broker.consents.directives import Terms
from consent_broker.consents.vocabulary import SENSITIVE
from registry.calendar import LIMA
from registry.directory.representatives import OF_MINORS, Basis, Power

MAJORITY = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A representation as it was put on record; `ends_on` is the day in Lima on which majority ends it."""

    id: UUID
    person_id: UUID
    basis: Basis
    powers: frozenset[Power]
    valid_from: datetime
    valid_until: datetime | None
    ended_at: datetime | None
    ends_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Represented:
    """What is known of the person represented today; `current` unless it was merged into another or emptied."""

    birth_date: date | None
    deceased: bool
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """What somebody may do for another now; `withheld` are the labels of care that is confidential from them."""

    id: UUID
    person_id: UUID
    basis: Basis
    powers: frozenset[Power]
    ends_at: datetime | None
    withheld: frozenset[str]

    def permits(self, power: Power) -> bool:
        """Whether the power is among those given."""
        return power in self.powers


def is_confidential(withheld: frozenset[str], terms: Terms) -> bool:
    """Whether a consent is about care confidential from a representative: by its labels, or because it hides."""
    return bool(withheld) and (terms.hides or bool(withheld & (terms.labels or frozenset())))


def mandate_at(charge: Charge, person: Represented, moment: datetime, adolescent_from: int) -> Mandate | None:
    """The mandate at that moment (aware), None when it has not begun, has ended or rests.

    Of an adolescent (`adolescent_from` years to majority) what is sensitive is confidential from parents and guardians.
    """
    if not person.current or person.deceased or charge.ended_at is not None or moment < charge.valid_from:
        return None
    ends_at = _end(charge, person.birth_date)
    if (ends_at is not None and moment >= ends_at) or (charge.basis in OF_MINORS and ends_at is None):
        return None
    return Mandate(
        id=charge.id,
        person_id=charge.person_id,
        basis=charge.basis,
        powers=charge.powers,
        ends_at=ends_at,
        withheld=SENSITIVE if _is_adolescent(charge, person.birth_date, moment, adolescent_from) else frozenset(),
    )


def birthday(born: date, years: int) -> date:
    """The day somebody completes that many years; born on 29 February, in a common year the 28th (CC art. 183)."""
    year = born.year + years
    return date(year, born.month, min(born.day, monthrange(year, born.month)[1]))


def _end(charge: Charge, born: date | None) -> datetime | None:
    ends = [charge.valid_until] if charge.valid_until else []
    if charge.basis in OF_MINORS:
        days = [day for day in (charge.ends_on, birthday(born, MAJORITY) if born else None) if day]
        ends += [start_of(day) for day in days]
    return min(ends, default=None)


def _is_adolescent(charge: Charge, born: date | None, moment: datetime, adolescent_from: int) -> bool:
    """Unknown is adolescent: what is confidential then stays so."""
    return charge.basis in OF_MINORS and (born is None or moment >= start_of(birthday(born, adolescent_from)))


def start_of(day: date) -> datetime:
    """The first instant of a day in Lima."""
    return datetime.combine(day, time(), LIMA)
