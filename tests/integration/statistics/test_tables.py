"""Tables from facts: the fixed cube, the same value in every table, and the files with their audit."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.audit.event import Event
from registry.audit.models import AuditEvent
from registry.database import now
from registry.errors import InvalidInput
from registry.sealing import FileMasterKeys, Sealer
from registry.statistics.exports import export_table
from registry.statistics.models import PersonFact
from registry.statistics.service import Table, persons_by

SEALER = Sealer(FileMasterKeys(Path(), {}, ""), b"k" * 32)
Group = tuple[str | None, int | None, str | None, int, int]


def add(session: Session, *groups: Group) -> None:
    """Facts of groups: sex, birth year, department, establishments, how many persons."""
    number = 0
    for sex, year, department, establishments, persons in groups:
        for _ in range(persons):
            number += 1
            key = number.to_bytes(16)
            fact = PersonFact(
                person_key=key, sex=sex, birth_year=year, department=department, establishments=establishments
            )
            session.add(fact)
    session.flush()


def values(table: Table) -> dict[str, int | None]:
    return {"/".join(row.categories): row.persons for row in table.rows if row.persons != 0}


def test_persons_by_one_dimension(session: Session) -> None:
    add(session, ("F", 1984, "08", 1, 25), ("M", 1984, "15", 1, 12), ("M", 1950, "15", 2, 3), (None, None, None, 1, 10))
    by_region = persons_by(session, SEALER, ["region"])
    assert values(by_region) == {"08": 25, "15": 15, "unknown": 10}
    assert (by_region.total, len(by_region.rows)) == (50, 26)
    assert values(persons_by(session, SEALER, ["sex"])) == {"F": 25, "M": 15, "unknown": 10}
    assert values(persons_by(session, SEALER, ["establishments"])) == {"1": 45, "2": None}
    assert by_region.updated_at is not None


def test_stages_of_life_are_by_the_age_reached_this_year(session: Session) -> None:
    year = now().year
    ages = {0: "0-11", 11: "0-11", 12: "12-17", 18: "18-29", 29: "18-29", 30: "30-59", 60: "60+", 120: "60+"}
    add(session, *(("F", year - age, "08", 1, 10) for age in ages), ("F", year + 1, "08", 1, 10))
    expected = {stage: 10 * list(ages.values()).count(stage) for stage in ages.values()} | {"unknown": 10}
    assert values(persons_by(session, SEALER, ["age"])) == expected


def test_nobody_yet(session: Session) -> None:
    table = persons_by(session, SEALER, ["sex"])
    assert ([row.persons for row in table.rows], table.total, table.updated_at) == ([0, 0, 0], 0, None)


def test_the_same_cell_has_the_same_value_whatever_is_asked(session: Session) -> None:
    add(session, ("F", 1984, "08", 1, 27), ("M", 1984, "08", 1, 13), ("M", 1950, "15", 3, 4), ("F", 2001, "15", 2, 18))
    one = {row.categories: row.persons for row in persons_by(session, SEALER, ["region", "sex"]).rows}
    other = {row.categories: row.persons for row in persons_by(session, SEALER, ["sex", "region"]).rows}
    assert one == {(region, sex): value for (sex, region), value in other.items()}
    totals = {persons_by(session, SEALER, [code]).total for code in ("region", "sex", "age", "establishments")}
    assert len(totals) == 1


@pytest.mark.parametrize(
    "dimensions",
    [[], ["district"], ["sex", "sex"], ["region", "establishments"], ["sex'; --"], ["region", "x" * 999]],
)
def test_only_the_fixed_dimensions_can_be_asked(session: Session, dimensions: Sequence[str]) -> None:
    with pytest.raises(InvalidInput):
        persons_by(session, SEALER, dimensions)


def test_an_export_is_machine_readable_described_and_audited(session: Session) -> None:
    add(session, ("F", 1984, "08", 1, 25), ("M", 1984, "15", 1, 3))
    by = Event(action="", actor_role="analyst", purpose="planificación", token_id="session-1")
    made = export_table(session, SEALER, ["region", "sex"], by)
    rows = list(csv.DictReader(io.StringIO(made.csv)))
    assert list(rows[0]) == ["region", "region_label", "sex", "sex_label", "persons"]
    assert {(row["region_label"], row["sex_label"]): row["persons"] for row in rows if row["persons"] != "0"} == {
        ("Cusco", "Mujer"): "25",
        ("Lima", "Hombre"): "*",
    }
    metadata = json.loads(made.metadata)
    assert metadata["url"] == "personas-region-sex.csv"
    assert [column["name"] for column in metadata["tableSchema"]["columns"]] == list(rows[0])
    assert metadata["tableSchema"]["columns"][-1]["null"] == "*"
    [event] = session.scalars(select(AuditEvent).where(AuditEvent.action == "statistics:table:exported"))
    assert (event.purpose, event.detail, event.actor_role) == (
        "planificación",
        {"dimensions": ["region", "sex"]},
        "analyst",
    )
