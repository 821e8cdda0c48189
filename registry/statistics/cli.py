"""Commands about the figures."""

from pathlib import Path

import click

from registry.audit.event import Event
from registry.operating import command_parts, operator
from registry.statistics.categories import DIMENSIONS
from registry.statistics.exports import export_table
from registry.statistics.tasks import rebuild_facts


@click.group()
def statistics() -> None:
    """Figures of persons with records."""


@statistics.command()
@click.option("--by", "dimensions", multiple=True, required=True, type=click.Choice(list(DIMENSIONS)))
@click.option("--purpose", required=True, help="What the figures are for; kept in the audit.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), show_default="here")
def export(dimensions: tuple[str, ...], purpose: str, out: Path) -> None:
    """Write a table as CSV, with its description beside it (.csv-metadata.json)."""
    with command_parts() as parts, parts.database.unit_of_work() as session:
        by = Event(action="", actor_role="operator", purpose=purpose, detail={"operator": operator()})
        made = export_table(session, parts.sealer, dimensions, by)
    out.mkdir(parents=True, exist_ok=True)
    for suffix, content in ((".csv", made.csv), (".csv-metadata.json", made.metadata)):
        path = out / f"{made.filename}{suffix}"
        path.write_text(content, encoding="utf-8", newline="")
        click.echo(path)


@statistics.command()
def rebuild() -> None:
    """Derive the facts of all persons anew, such as after a change of the rules of identity."""
    with command_parts() as parts:
        click.echo(f"{rebuild_facts(parts)} persons counted anew")
