"""A figure as a bar chart: an SVG resource without scripts, in the colours of the page's theme.

Drawn by a template: pygal leaves a finder on `sys.meta_path` that breaks under warnings-as-errors.
"""

from dataclasses import dataclass

from portal.layout import render
from portal.views import Figure

ROW, FRAME = 36, 16
_COLOURS = {
    "claro": {"bar": "#0b5a5e", "text": "#1b2a2d", "soft": "#d9d2c5", "ground": "#ffffff"},
    "oscuro": {"bar": "#7fd0c8", "text": "#ebf2f1", "soft": "#2f4447", "ground": "#152225"},
}


@dataclass(frozen=True, slots=True)
class Size:
    """The width of a chart, what of it labels and values take, and how long a label may be."""

    width: int
    labels: int
    values: int
    letters: int


SIZES = {"ancho": Size(900, 280, 70, 32), "angosto": Size(340, 140, 44, 17)}
"""One chart for a desk, one for a phone, each with letters that can be read there."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of the chart, measured; a suppressed value has no bar."""

    label: str
    value: int | None
    y: int
    length: float


def bar_chart(figure: Figure, theme: str, size: Size) -> str:
    """The figure's rows as horizontal bars on a scale from zero; raises KeyError for an unknown theme."""
    longest = max((row.value or 0 for row in figure.rows), default=0) or 1
    room = size.width - size.labels - size.values
    bars = [
        Bar(row.label, row.value, FRAME + index * ROW, round(room * (row.value or 0) / longest, 1))
        for index, row in enumerate(figure.rows)
    ]
    return render(
        "chart.svg", bars=bars, title=figure.title,
        size=size, height=chart_height(figure), left=size.labels, row=ROW,
        colours=_COLOURS[theme],
    )  # fmt: skip


def chart_height(figure: Figure) -> int:
    """How tall the chart of a figure is, in pixels."""
    return 2 * FRAME + ROW * len(figure.rows)
