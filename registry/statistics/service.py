"""Tables of persons with records, fit to be published: counted from facts, protected together, the same for all."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.database import now
from registry.errors import InvalidInput
from registry.statistics.categories import DIMENSIONS, UNKNOWN, Dimension, count_of, stage_of
from registry.statistics.disclosure import Key, Rule, protect
from registry.statistics.models import PersonFact

LIMA = ZoneInfo("America/Lima")
MAX_DIMENSIONS = 3
RULE = Rule()


@dataclass(frozen=True, slots=True)
class Row:
    """One cell: its category in each dimension, and the persons in it; None where the figure is withheld."""

    categories: tuple[str, ...]
    labels: tuple[str, ...]
    persons: int | None


@dataclass(frozen=True, slots=True)
class Table:
    """A published table; the total is protected by itself and need not be the sum of the rows."""

    dimensions: tuple[Dimension, ...]
    rows: tuple[Row, ...]
    total: int | None
    counted_at: datetime
    updated_at: datetime | None
    rule: Rule


def persons_by(session: Session, dimensions: Sequence[str], rule: Rule = RULE) -> Table:
    """Persons with records by up to three of `region sex age establishments`; raises InvalidInput for others.

    The same cell has the same value in every table: all tables come from one protected cube, whatever is asked.
    """
    chosen = _chosen(dimensions)
    moment = now()
    shown = protect(_count(session, moment.astimezone(LIMA).year), rule)
    rows = tuple(_row(chosen, categories, shown) for categories in product(*(d.categories for d in chosen)))
    return Table(
        dimensions=chosen,
        rows=rows,
        total=shown.get((None,) * len(DIMENSIONS), 0),
        counted_at=moment,
        updated_at=session.scalar(select(func.max(PersonFact.updated_at))),
        rule=rule,
    )


def _chosen(dimensions: Sequence[str]) -> tuple[Dimension, ...]:
    if not 1 <= len(dimensions) <= MAX_DIMENSIONS or len(set(dimensions)) != len(dimensions):
        raise InvalidInput(f"Choose one to {MAX_DIMENSIONS} different dimensions.", hint=", ".join(DIMENSIONS))
    if not set(dimensions) <= set(DIMENSIONS):
        raise InvalidInput("There is no such dimension.", hint=", ".join(DIMENSIONS))
    return tuple(DIMENSIONS[code] for code in dimensions)


def _count(session: Session, year: int) -> Counter[Key]:
    """The finest cells of the cube, one category a dimension in the order of DIMENSIONS."""
    fact = PersonFact
    many = func.least(fact.establishments, 3)
    query = select(fact.department, fact.sex, fact.birth_year, many, func.count()).group_by(
        fact.department, fact.sex, fact.birth_year, many
    )
    cells: Counter[Key] = Counter()
    for department, sex, birth_year, establishments, persons in session.execute(query):
        key = (department or UNKNOWN, sex or UNKNOWN, stage_of(birth_year, year), count_of(establishments))
        cells[key] += persons
    return cells


def _row(chosen: Sequence[Dimension], categories: tuple[str, ...], shown: dict[Key, int | None]) -> Row:
    by_code = {dimension.code: category for dimension, category in zip(chosen, categories, strict=True)}
    key = tuple(by_code.get(code) for code in DIMENSIONS)
    labels = tuple(dimension.categories[category] for dimension, category in zip(chosen, categories, strict=True))
    return Row(categories, labels, shown.get(key, 0))
