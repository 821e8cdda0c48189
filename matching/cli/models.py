"""`models`: which models there are; `compare`: how their results on the same records differ."""

from typing import Any

import click
from rich.table import Table as Grid

from matching.calibration import calibration_of
from matching.cli.dedupe import link
from matching.cli.options import ModelChoice, reading_options, shipped_models
from matching.cli.reading import Files
from matching.cli.telling import Teller, results
from matching.evaluate import evaluate
from matching.intake import model_for
from matching.model import Model

CHOICE = ModelChoice()


@click.command()
@click.argument("models", nargs=-1, type=CHOICE)
def models(models: tuple[Model, ...]) -> None:
    """List models with version, hash and training: those that come with the engine, or the MODELS given.

    \b
    Examples:
      ./renhice match models
      ./renhice match models learnt.json peru-1
    """
    shown = models or tuple(CHOICE.convert(name, None, None) for name in shipped_models())
    grid = Grid("version", "hash", "link", "false links", "trained on", "how", box=None)
    for model in shown:
        training = model.document.get("training", {})
        trained_on = f"{training['records']:,} records" if "records" in training else "nothing"
        grid.add_row(
            model.version,
            model.hash[:12],
            f"{model.thresholds.link:g}",
            "not calibrated" if calibration_of(model) is None else "calibrated",
            trained_on,
            training.get("how", "written by hand"),
        )
    results().print(grid)


@click.command()
@reading_options()
@click.option("--with", "others", multiple=True, required=True, type=CHOICE, help="Another model; may be repeated.")
def compare(records: tuple[str, ...], model: Model, others: tuple[Model, ...], **options: Any) -> None:
    """Link the same records with several models and show how the persons differ from those of --model.

    \b
    Example:
      ./renhice match compare records.csv --model peru-1 --with learnt.json
    """
    teller = Teller(quiet=options["quiet"])
    grid = Grid("model", "persons", "joins more", "parts more", "pairs in common", box=None)
    reference: list[int] = []
    for chosen in (model, *others):
        loaded = Files(records, chosen.schema, options["skip_bad_rows"], teller).records(chosen, options["jobs"])
        labels = link(model_for(chosen, options["population"], len(loaded)), loaded, teller)
        reference = reference or labels
        found = evaluate(labels, reference)
        grid.add_row(
            f"{chosen.version} {chosen.hash[:8]}",
            f"{len(set(labels)):,}",
            f"{found.over_merged:,}",
            f"{found.split:,}",
            f"{found.pairwise.f1.value:.2%}",
        )
    results().print(grid)
