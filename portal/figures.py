"""Published tables as the figures of a page."""

from portal.views import Figure, FigureRow
from registry.app import parts
from registry.database import session
from registry.statistics.service import persons_by

DIMENSIONS = {"region": "Por región", "sex": "Por sexo", "age": "Por edad", "establishments": "Por establecimientos"}
ALL, CROSSED = "todo", ["region", "sex", "age"]
"""The file of all dimensions crossed, for analysts who draw their own tables."""

UNIT = "personas con historia en el registro"


def figure(key: str) -> Figure:
    """One dimension as a figure: categories without anybody are left out, the largest region comes first."""
    table = persons_by(session(), parts().sealer, [key])
    dimension = table.dimensions[0]
    rows = [FigureRow(label=row.labels[0], value=row.persons) for row in table.rows if row.persons != 0]
    if key == "region":
        rows.sort(key=lambda row: row.value or 0, reverse=True)
    return Figure(
        key=key,
        title=_finding(dimension.label, rows),
        unit=UNIT,
        dimension=dimension.label,
        rows=rows,
        total=table.total,
        updated_at=table.updated_at,
    )


def _finding(dimension: str, rows: list[FigureRow]) -> str:
    """What the figure says at a glance."""
    largest = max(rows, key=lambda row: row.value or 0, default=None)
    if largest is None or not largest.value:
        return f"Personas por {dimension[0].lower()}{dimension[1:]}"
    return f"{dimension}: el grupo más grande es {largest.label}"
