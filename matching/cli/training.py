"""`train`: a model that fits the records of a file, learnt without anybody saying who is who."""

import json
from pathlib import Path
from typing import Any

import click

from matching.cli.false_links import required_calibration, set_link, settled
from matching.cli.options import out_option, reading_options
from matching.cli.output import STANDARD, check_output, whole_file
from matching.cli.reading import Files, Identities
from matching.cli.telling import Teller
from matching.executors import duckdb
from matching.intake import Intake, model_for, with_names_of
from matching.model import Model
from matching.table import Table, weigh_pairs
from matching.train import train as learn

ENOUGH_RECORDS = 10_000


@click.command()
@reading_options()
@out_option
@click.option(
    "--false-links",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Set the threshold for links online where at most this share of pairs is false, such as 0.005.",
)
@click.option(
    "--truth",
    type=click.Path(exists=True, dir_okay=False),
    help="A CSV with establishment, local_id and who it is, for a sample of persons: outranks the calibration.",
)
def train(
    records: tuple[str, ...], model: Model, out: str, false_links: float | None, truth: str | None, **options: Any
) -> None:
    """Learn a model from records, without labels.

    Expectation maximisation, from --model as the start: how often each field agrees, slips or differs in records of one
    person and of relatives is counted over the pairs that share a key. The model file keeps what it was trained on.

    With --false-links the threshold for links online is set too: the lowest from which the rate of false ones among
    pairs of records, and the upper end of its 95 % interval, stay below. It is the rate among the persons of --truth,
    drawn at random and named with all their records; without a truth, what the calibration of --model foretells. Files
    are linked at other thresholds, which stay.

    \b
    Examples:
      ./renhice match train records.csv --out learnt.json --false-links 0.005
      ./renhice match train records.csv --out learnt.json --false-links 0.005 --truth settled.csv
      ./renhice match dedupe records.csv --out clusters.csv --model learnt.json
    """
    check_output((*records, *filter(None, [truth])), out)
    if truth is not None and false_links is None:
        raise click.UsageError("--truth is for --false-links")
    calibration = required_calibration(model, truth) if false_links is not None else None
    teller = Teller(quiet=options["quiet"])
    files = Files(records, model.schema, options["skip_bad_rows"], teller)
    model, identities, table = _table(files, model, options["jobs"])
    if table.size < ENOUGH_RECORDS:
        teller.warn(
            f"{table.size:,} records teach little: the model stays near the one it starts from, "
            f"and pays from some {ENOUGH_RECORDS:,} records on"
        )
    persons = settled(truth, identities.named()) if truth is not None else None
    model = model_for(model, options["population"], table.size)
    with teller.stage("finding pairs that share a key"):
        pairs = duckdb.block(table)
    teller.warn_skipped(pairs.skipped)
    try:
        with teller.stage(f"learning from {len(pairs):,} pairs"):
            document = learn(model, table, pairs.one, pairs.other)
        if false_links is not None:
            weights = weigh_pairs(Model.from_document(document), table, pairs.one, pairs.other)
            teller.say(set_link(document, false_links, calibration, (pairs, weights), persons))
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    document["version"] = Path(out).stem if out != STANDARD else f"{model.version}-trained"
    document["training"]["population_found"] = document["population"]
    _keep(document, out, teller)


def _keep(document: dict[str, Any], out: str, teller: Teller) -> None:
    with whole_file(out) as lines:
        json.dump(document, lines, indent=1, ensure_ascii=False)
        lines.write("\n")
    facts = document["training"]
    teller.say(
        f"{facts['expected_matches']:,.0f} pairs of one person expected among {facts['records']:,} records; "
        f"model {document['version']} {Model.from_document(document).hash[:12]} in {out}"
    )


def _table(files: Files, model: Model, jobs: int) -> tuple[Model, Identities, Table]:
    """The records, and the model that has counted their names where no national list knows them."""
    if not model.schema.names_of_its_own:
        records = files.records(model, jobs)
        return model, records.identities, records.table
    identities, rows = files.read(list)
    model = with_names_of(model, rows)
    return model, identities, Intake(model).table(rows)
