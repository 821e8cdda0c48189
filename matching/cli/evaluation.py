"""`evaluate`: how good a result is, when the truth is known."""

import json
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table as Grid

from matching.cli.dedupe import link
from matching.cli.options import reading_options
from matching.cli.output import STANDARD
from matching.cli.reading import Files, opened
from matching.cli.telling import Teller, results
from matching.evaluate import Estimate, Evaluation, Quality
from matching.evaluate import evaluate as measure
from matching.files import FileError, Reading, canonical, read_table
from matching.intake import model_for
from matching.model import Model
from matching.schema import IDENTIFIERS

Identity = tuple[str, str]
CLUSTER = "cluster"
PERSON_COLUMNS = (CLUSTER, "person", "person_id", "entity")
SHOWN = 5


@click.command()
@reading_options()
@click.option(
    "--truth",
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="A CSV with establishment, local_id and who it is.",
)
@click.option("--column", help="The column of the truth that says who it is.  [default: cluster or person]")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def evaluate(records: tuple[str, ...], model: Model, truth: str, column: str | None, form: str, **options: Any) -> None:
    """Measure clusters against the truth.

    RECORDS is a result of `dedupe` (establishment, local_id, cluster). Files of records, without a column cluster, are
    linked first. Every record of one must be in the other. Precision, recall and F1 are of pairs and B-cubed, each with
    its 95 % interval (bootstrap over persons); over-merged clusters hold several persons, split persons lie in several.

    \b
    Examples:
      ./renhice match evaluate clusters.csv --truth truth.csv
      ./renhice match evaluate records.csv --truth truth.csv --model learnt.json --format json
    """
    predicted = _predicted(records, model, Teller(quiet=options["quiet"]), options)
    known = list(labelled(truth, [canonical(column)] if column else PERSON_COLUMNS))
    result = measure(*_aligned(predicted, known))
    if form == "json":
        click.echo(json.dumps(asdict(result), indent=1))
    else:
        show(results(), result)


def show(console: Console, result: Evaluation) -> None:
    """Print an evaluation as two lines of figures with their intervals."""
    grid = Grid("", "precision", "recall", "F1", box=None)
    for name, quality in (("pairs", result.pairwise), ("B-cubed", result.b_cubed)):
        grid.add_row(name, *_figures(quality))
    console.print(grid)
    console.print(
        f"{result.records:,} records of {result.persons:,} persons in {result.clusters:,} clusters; "
        f"{result.over_merged:,} clusters over-merged, {result.split:,} persons split"
    )


def _figures(quality: Quality) -> list[str]:
    return [_figure(estimate) for estimate in (quality.precision, quality.recall, quality.f1)]


def _figure(estimate: Estimate) -> str:
    return f"{estimate.value:.4f} \\[{estimate.low:.4f}, {estimate.high:.4f}]"


def _predicted(
    paths: Sequence[str], model: Model, teller: Teller, options: dict[str, Any]
) -> list[tuple[Identity, str]]:
    """The clusters of a result, or of the records once they are linked."""
    if _is_result(paths[0]):
        return [named for path in paths for named in labelled(path, (CLUSTER,))]
    loaded = Files(paths, model.schema, options["skip_bad_rows"], teller).records(model, options["jobs"])
    labels = link(model_for(model, options["population"], len(loaded)), loaded, teller)
    return list(zip(loaded.identities.named(), map(str, labels), strict=True))


def _is_result(path: str) -> bool:
    """Whether a file has a column of clusters; what comes on standard input must have."""
    if path == STANDARD:
        return True
    reading = Reading(skip_bad_rows=True)
    with opened(path) as source:
        next(read_table(source, (), reading), None)
    return CLUSTER in reading.columns


def labelled(path: str, columns: Sequence[str]) -> Iterator[tuple[Identity, str]]:
    """Who each record is, by the first of these columns that the file has."""
    reading = Reading()
    with opened(path) as source:
        for row in read_table(source, (), reading):
            label = next((column for column in columns if column in row.cells), None)
            if label is None or "local_id" not in row.cells:
                raise FileError(f"wants local_id and one of {', '.join(columns)}; has {', '.join(reading.columns)}")
            if not row.cells[label]:
                raise FileError(f"line {row.line}: {label} is empty")
            establishment, local_id = (row.cells.get(name, "") for name in IDENTIFIERS)
            yield (establishment, local_id), row.cells[label]


def _aligned(
    predicted: Sequence[tuple[Identity, str]], truth: Sequence[tuple[Identity, str]]
) -> tuple[list[str], list[str]]:
    """Labels of both, record by record; records that share an identity are taken in order."""
    waiting: dict[Identity, deque[str]] = defaultdict(deque)
    for identity, label in predicted:
        waiting[identity].append(label)
    labels: list[str] = []
    unknown: list[Identity] = []
    for identity, _ in truth:
        if waiting.get(identity):
            labels.append(waiting[identity].popleft())
        else:
            unknown.append(identity)
    left = [identity for identity, labels in waiting.items() if labels]
    for what, some in (("the truth but not in the clusters", unknown), ("the clusters but not in the truth", left)):
        if some:
            raise click.ClickException(f"{len(some):,} records are in {what}: {name_some(some)}")
    if not labels:
        raise click.ClickException("there are no records to measure")
    return labels, [person for _, person in truth]


def name_some(identities: Sequence[Identity]) -> str:
    """The first few records by name."""
    named = ", ".join("/".join(identity) for identity in identities[:SHOWN])
    return f"{named}{' ...' * (len(identities) > SHOWN)}"
