"""A table as files: CSV for machines, and beside it its description (W3C Tabular Metadata) with the licence."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from registry.audit.event import Event
from registry.audit.service import record
from registry.sealing import Sealer
from registry.statistics.disclosure import Rule
from registry.statistics.service import RULE, Table, persons_by

EXPORTED = "statistics:table:exported"
WITHHELD = "*"
LICENCE = "https://creativecommons.org/licenses/by/4.0/deed.es"


@dataclass(frozen=True, slots=True)
class Export:
    """The files of one table; `filename` is without extension."""

    table: Table
    filename: str
    csv: str
    metadata: str


def export_table(session: Session, sealer: Sealer, dimensions: Sequence[str], by: Event, rule: Rule = RULE) -> Export:
    """Make the files of a table, audited in the same transaction; `by` says who exports and what for.

    The event's action is set here. Raises InvalidInput for unknown dimensions.
    """
    table = persons_by(session, sealer, dimensions, rule)
    detail = dict(by.detail) | {"dimensions": [dimension.code for dimension in table.dimensions]}
    record(session, replace(by, action=EXPORTED, detail=detail))
    filename = "personas-" + "-".join(dimension.code for dimension in table.dimensions)
    return Export(table, filename, to_csv(table), to_metadata(table, f"{filename}.csv"))


def to_csv(table: Table) -> str:
    """RFC 4180: a header row, then for each cell the code and label of each category and the persons (`*` withheld)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([name for d in table.dimensions for name in (d.code, f"{d.code}_label")] + ["persons"])
    for row in table.rows:
        pairs = zip(row.categories, row.labels, strict=True)
        writer.writerow([value for pair in pairs for value in pair] + [_shown(row.persons)])
    return text.getvalue()


def to_metadata(table: Table, url: str) -> str:
    """JSON-LD that tells a program what each column means, and a person what the figures may be used for."""
    dimensions = ", ".join(dimension.label.lower() for dimension in table.dimensions)
    described = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "es"}],
        "url": url,
        "dc:title": f"Personas con historia clínica electrónica en el registro nacional, por {dimensions}",
        "dc:publisher": "RENHICE",
        "dc:license": {"@id": LICENCE},
        "dc:modified": (table.updated_at or table.counted_at).isoformat(),
        "dc:description": _notes(table),
        "tableSchema": {"columns": [*_category_columns(table), _persons_column()]},
    }
    return json.dumps(described, ensure_ascii=False, indent=2) + "\n"


def _category_columns(table: Table) -> list[dict[str, str]]:
    return [
        {"name": name, "titles": title, "datatype": "string"}
        for dimension in table.dimensions
        for name, title in (
            (dimension.code, f"{dimension.label} (código)"),
            (f"{dimension.code}_label", dimension.label),
        )
    ]


def _persons_column() -> dict[str, str]:
    return {"name": "persons", "titles": "Personas", "datatype": "integer", "null": WITHHELD}


def _notes(table: Table) -> str:
    rule = table.rule
    total = "no se publica" if table.total is None else str(table.total)
    return (
        f"Total: {total}. Las cifras de 1 a {rule.threshold - 1} no se publican ({WITHHELD}); las demás se redondean "
        f"a {rule.base}. Los totales se redondean aparte, hacia arriba o hacia abajo, y pueden no ser la suma. La "
        "etapa de vida es la edad que se cumple en el año. Uso: planificación y estudio; se prohíbe intentar "
        "identificar a las personas (Ley 29733)."
    )


def _shown(persons: int | None) -> str:
    return WITHHELD if persons is None else str(persons)
