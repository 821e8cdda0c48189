"""Tables of persons with records, fit to be published: counted from facts, protected together, the same for all."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.calendar import LIMA
from registry.database import now
from registry.errors import InvalidInput
from registry.sealing import Sealer
from registry.statistics.categories import DIMENSIONS, UNKNOWN, Dimension, count_of, stage_of
from registry.statistics.disclosure import Chance, Key, Rule, protect
from registry.statistics.models import PersonFact

# The finest tables that are published; all others are sums of these.
TABLES = (("region", "sex", "age"), ("establishments",))
PLACES = tuple(tuple(list(DIMENSIONS).index(code) for code in table) for table in TABLES)
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


def persons_by(session: Session, sealer: Sealer, dimensions: Sequence[str], rule: Rule = RULE) -> Table:
    """Persons with records by any of `region sex age`, or by `establishments`; raises InvalidInput for others.

    The same cell has the same value in every table: all tables are protected together, whatever is asked.
    """
    chosen = _chosen(dimensions)
    moment = now()
    shown = protect(_count(session, moment.astimezone(LIMA).year), rule, _chance(sealer), PLACES)
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
    if len(set(dimensions)) != len(dimensions) or not any(set(dimensions) <= set(table) for table in TABLES):
        raise InvalidInput("There is no such table.", hint="Any of region, sex and age; or establishments alone.")
    if not dimensions:
        raise InvalidInput("Choose at least one dimension.", hint=", ".join(DIMENSIONS))
    return tuple(DIMENSIONS[code] for code in dimensions)


def _chance(sealer: Sealer) -> Chance:
    """A number from 0 to 1 that nobody without the blind key can foresee."""
    return lambda text: int.from_bytes(sealer.blind("disclosure", text)[:6]) / 2**48


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
