"""The analyst's page: a published figure as a chart, the same as a table, the same as a file."""

from flask import Blueprint, Response, request

from portal import layout
from portal.charts import SIZES, bar_chart, chart_height
from portal.errors import BadForm
from portal.figures import ALL, CROSSED, DIMENSIONS, figure
from portal.guard import require, signed_in
from portal.hats import ANALYST
from registry.app import parts
from registry.audit.event import Event
from registry.database import session
from registry.errors import NotFound
from registry.statistics.exports import EXPORTED, Export, export_table

analyst = Blueprint("portal-analyst", __name__, url_prefix="/estadisticas")
_IMAGE_POLICY = "default-src 'none'; frame-ancestors 'none'"


def policy() -> None:
    """Only staff with the role of analyst, by two factors."""
    require(ANALYST)


@analyst.get("")
def statistics() -> Response:
    """One figure by one dimension."""
    shown = figure(_known(request.args.get("por", next(iter(DIMENSIONS)))))
    return layout.page("statistics.html", figure=shown, dimensions=DIMENSIONS, height=chart_height(shown))


@analyst.get("/<key>.svg")
def chart(key: str) -> Response:
    """The figure as an image of its own, so that the page needs no script and no inline style."""
    theme = request.args.get("tema", "claro")
    if theme not in {"claro", "oscuro"}:
        raise BadForm("El tema del gráfico es claro u oscuro.")
    size = SIZES.get(request.args.get("talla", ""), SIZES["ancho"])
    response = Response(bar_chart(figure(_known(key)), theme, size), mimetype="image/svg+xml")
    response.headers["Content-Security-Policy"] = _IMAGE_POLICY
    return response


@analyst.get("/<key>.csv")
def export(key: str) -> Response:
    """The figure as a file (audited)."""
    made = _export(key)
    return _attachment(made.csv, "text/csv", f"{made.filename}.csv")


@analyst.get("/<key>.csv-metadata.json")
def describe(key: str) -> Response:
    """What the file's columns mean, the rule of disclosure and the licence (W3C CSVW)."""
    made = _export(key)
    return _attachment(made.metadata, "application/ld+json", f"{made.filename}.csv-metadata.json")


def _export(key: str) -> Export:
    """One dimension, or all of them crossed: the finer the cells, the more of them are withheld."""
    by = Event(action=EXPORTED, actor_person_id=signed_in().person_id, actor_role="analyst")
    dimensions = CROSSED if key == ALL else [_known(key)]
    return export_table(session(), parts().sealer, dimensions, by)


def _attachment(body: str, mimetype: str, filename: str) -> Response:
    response = Response(body, mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def _known(key: str) -> str:
    if key not in DIMENSIONS:
        raise NotFound("There is no such figure.")
    return key
