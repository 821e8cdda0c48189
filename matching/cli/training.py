"""`train`: a model that fits the records of a file, learnt without anybody saying who is who."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from matching.cli.options import out_option, reading_options
from matching.cli.output import STANDARD, check_output, whole_file
from matching.cli.reading import Files
from matching.cli.telling import Teller
from matching.executors import duckdb
from matching.intake import Intake, model_for, with_names_of
from matching.model import Model
from matching.table import Floats, Table, weigh_pairs
from matching.thresholds import link_threshold
from matching.train import train as learn


@click.command()
@reading_options()
@out_option
@click.option(
    "--false-links",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Set the threshold for links online where the model expects at most this share to be false, such as 0.0005.",
)
def train(records: tuple[str, ...], model: Model, out: str, false_links: float | None, **options: Any) -> None:
    """Learn a model from records, without labels.

    Expectation maximisation, from --model as the start: how often each field agrees, slips or differs in records of one
    person and of relatives is counted over the pairs that share a key. The model file keeps what it was trained on.

    With --false-links the threshold for links online is set too: the lowest at which the rate expected by the model
    itself, and the upper end of its 95 % interval, stay below. Models are too sure of themselves: expect several times
    as many, and measure. Files are linked at other thresholds, which stay.

    \b
    Examples:
      ./renhice match train records.csv --out learnt.json --false-links 0.0005
      ./renhice match dedupe records.csv --out clusters.csv --model learnt.json
    """
    check_output(records, out)
    teller = Teller(quiet=options["quiet"])
    files = Files(records, model.schema, options["skip_bad_rows"], teller)
    model, table = _table(files, model, options["jobs"])
    model = model_for(model, options["population"], table.size)
    with teller.stage("finding pairs that share a key"):
        pairs = duckdb.block(table)
    teller.warn_skipped(pairs.skipped)
    try:
        with teller.stage(f"learning from {len(pairs):,} pairs"):
            document = learn(model, table, pairs.one, pairs.other)
            if false_links is not None:
                _set_link(
                    document, weigh_pairs(Model.from_document(document), table, pairs.one, pairs.other), false_links
                )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    document["version"] = Path(out).stem if out != STANDARD else f"{model.version}-trained"
    document["training"]["population_found"] = document["population"]
    with whole_file(out) as lines:
        json.dump(document, lines, indent=1, ensure_ascii=False)
        lines.write("\n")
    facts = document["training"]
    teller.say(
        f"{facts['expected_matches']:,.0f} pairs of one person expected among {facts['records']:,} records; "
        f"model {document['version']} {Model.from_document(document).hash[:12]} in {out}"
    )


def _set_link(document: dict[str, Any], weights: Floats, target: float) -> None:
    """Set the threshold for a link, and write down what was asked for, and what to expect."""
    found = link_threshold(weights, target)
    document["thresholds"]["link"] = found.bits
    document["training"]["link"] = {"target": target} | {
        name: float(f"{value:.4g}") for name, value in asdict(found).items()
    }


def _table(files: Files, model: Model, jobs: int) -> tuple[Model, Table]:
    """The records, and the model that has counted their names where no national list knows them."""
    if not model.schema.names_of_its_own:
        return model, files.records(model, jobs).table
    rows = files.read(list)[1]
    model = with_names_of(model, rows)
    return model, Intake(model).table(rows)
