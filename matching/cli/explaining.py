"""`explain`: why two records are, or are not, of one person."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table as Grid

from matching.cli.options import reading_options
from matching.cli.reading import Files, Identities
from matching.cli.telling import Teller, results
from matching.cli.words import field_words, level_words
from matching.files import Row, canonical
from matching.intake import Intake, model_for
from matching.model import Model, Thresholds
from matching.normalise import Normalised
from matching.score import Score, score

LONGEST_BAR = 30
MOST_BITS_SHOWN = 30.0
Pair = tuple[str, str]


@click.command()
@reading_options(required=False)
@click.option("--pair", nargs=2, metavar="A B", help="Two records of the files, each as ESTABLISHMENT/LOCAL_ID.")
@click.option("--json", "written", nargs=2, metavar="A B", help="Two records as JSON objects, or as @FILE.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def explain(
    records: tuple[str, ...], model: Model, pair: Pair | None, written: Pair | None, form: str, **options: Any
) -> None:
    """Show what speaks for and against two records being of one person, in words and bits.

    A bit doubles the odds. The parts add up to the weight. The two are named by --pair in RECORDS, or given by --json
    with the names of the columns.

    \b
    Examples:
      ./renhice match explain records.csv --pair 00000001/HC0000017 00000042/HC0000391
      ./renhice match explain --json '{"given_names": "Rosa", "birth_date": "1985"}' @other.json
    """
    if (pair is None) == (written is None) or (pair is not None) != bool(records):
        raise click.UsageError("give RECORDS and --pair, or --json")
    if written:
        model = model.for_population(options["population"]) if options["population"] else model
        one, other = (_record(model, text) for text in written)
    else:
        teller = Teller(quiet=options["quiet"])
        loaded = Files(records, model.schema, options["skip_bad_rows"], teller).records(model, options["jobs"])
        model = model_for(model, options["population"], len(loaded))
        one, other = (loaded.table.record(_find(loaded.identities, name)) for name in pair or ())
    found = score(model, one, other)
    if form == "json":
        click.echo(json.dumps(as_json(found), indent=1))
    else:
        show(results(), found, model.thresholds)


def as_json(found: Score) -> dict[str, Any]:
    """A score as JSON."""
    parts = [
        {
            "field": part.field,
            "level": part.level,
            "bits": round(part.weight, 4),
            "words": _words(part.field, part.level),
        }
        for part in found.contributions
    ]
    return {
        "weight_bits": round(found.weight_bits, 4),
        "probability": found.probability,
        "contributions": parts,
        "conflicts": sorted(found.conflicts),
    }


def show(console: Console, found: Score, limits: Thresholds) -> None:
    """Print a score as a waterfall, and what it means."""
    most = max(abs(part.weight) for part in found.contributions)
    grid = Grid("", "", "bits", "", box=None)
    grid.columns[2].justify = "right"
    for part in found.contributions:
        mark, colour = ("+", "green") if part.weight > 0 else ("-", "red")
        bar = mark * round(LONGEST_BAR * abs(part.weight) / max(most, LONGEST_BAR))
        words = field_words(part.field), level_words(part.field, part.level)
        grid.add_row(*words, f"{part.weight:+.1f}", f"[{colour}]{bar}[/{colour}]")
    grid.add_row("[bold]weight[/bold]", "", f"[bold]{found.weight_bits:+.1f}[/bold]", "")
    console.print(grid)
    console.print(f"Odds: {_odds(found.weight_bits)}.")
    if found.conflicts:
        console.print(f"Hard facts against it: {', '.join(field_words(field) for field in sorted(found.conflicts))}.")
    console.print(
        f"In a file, records from {limits.pair:g} bits on are joined where the whole person agrees; "
        f"online, {limits.link:g} bits link and {limits.review:g} ask a human."
    )


def _odds(bits: float) -> str:
    """Odds in words, to two digits; beyond a billion nobody tells them apart."""
    odds = 2.0 ** min(abs(bits), MOST_BITS_SHOWN)
    shown = f"{float(f'{odds:.2g}'):,.0f}" if odds >= 10 else f"{odds:.1f}"
    more = "more than " if abs(bits) > MOST_BITS_SHOWN else ""
    return f"{more}{shown} to 1 that they are {'' if bits > 0 else 'not '}one person"


def _words(field: str, level: str) -> str:
    return f"{field_words(field)}: {level_words(field, level)}" if level else field_words(field)


def _find(identities: Identities, name: str) -> int:
    """The first record with this establishment and local number."""
    establishment, slash, local_id = name.partition("/")
    if not slash:
        raise click.UsageError(f"{name}: write ESTABLISHMENT/LOCAL_ID")
    for index, identity in enumerate(zip(identities.establishments, identities.local_ids, strict=True)):
        if identity == (establishment, local_id):
            return index
    raise click.ClickException(f"no record {name} in the files")


def _record(model: Model, text: str) -> Normalised:
    """A record from a JSON object, or from the file named after an @."""
    try:
        written = json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise click.ClickException(f"can't read a record: {error}") from error
    if not isinstance(written, dict):
        raise click.ClickException('a record is a JSON object, such as {"given_names": "Rosa"}')
    cells = {canonical(name): str(value).strip() for name, value in written.items() if value is not None}
    unknown = sorted(set(cells) - model.schema.telling - model.schema.required)
    if unknown:
        raise click.ClickException(
            f"no such columns: {', '.join(unknown)}; there are: {', '.join(sorted(model.schema.telling))}"
        )
    return Intake(model).record(Row(0, cells))
