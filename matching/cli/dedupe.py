"""`dedupe`: which records are of one person."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from matching.batch import Linker
from matching.cli.options import out_option, reading_options
from matching.cli.output import check_output, write_csv
from matching.cli.reading import Files, Identities, Records
from matching.cli.telling import Teller
from matching.collecting import uncollected
from matching.executors import duckdb
from matching.intake import model_for
from matching.model import Model

HEADER = ("establishment", "local_id", "cluster")
NO_PYSPARK = """PySpark is not here ({missing} is missing). Install it, about 450 MB, with
  .venv/bin/python -I deploy/bootstrap.py requirements-spark.lock
Without it, --engine duckdb links a million records and more on one machine."""


@click.command()
@reading_options()
@out_option
@click.option("--engine", type=click.Choice(["duckdb", "spark"]), default="duckdb", show_default=True)
@click.option("--spark", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of Spark; may be repeated.")
@click.option(
    "--work", type=click.Path(), help="Where Spark keeps what lies between its steps.  [default: a new folder]"
)
def dedupe(
    records: tuple[str, ...],
    model: Model,
    out: str,
    engine: str,
    settings: tuple[str, ...],
    work: str | None,
    **options: Any,
) -> None:
    """Find which records are of one person.

    RECORDS are CSV files (- is standard input) with the columns establishment, local_id, document_type,
    document_number, paternal_surname, maternal_surname, given_names, sex, birth_date, ubigeo, address and phone, any of
    which may be empty. The result has one row a record, in the same order: establishment, local_id and cluster; records
    of one cluster are of one person.

    \b
    Examples:
      ./renhice match dedupe records.csv --out clusters.csv
      ./renhice match dedupe lima.csv cusco.csv --out clusters.csv --model learnt.json
      zcat records.csv.gz | ./renhice match dedupe - --out - | sort -t, -k3
      ./renhice match dedupe records.csv --out clusters.csv --engine spark --spark spark.driver.memory=8g
    """
    check_output(records, out)
    teller = Teller(quiet=options["quiet"])
    files = Files(records, model.schema, options["skip_bad_rows"], teller)
    if engine == "spark":
        identities, labels = _on_spark(files, model, options["population"], settings, work)
    else:
        loaded = files.records(model, options["jobs"])
        identities = loaded.identities
        labels = link(model_for(model, options["population"], len(loaded)), loaded, teller)
    write_csv(out, HEADER, zip(identities.establishments, identities.local_ids, map(_name, labels), strict=True))
    teller.say(f"{len(set(labels)):,} persons in {out}")


def link(model: Model, records: Records, teller: Teller) -> list[int]:
    """A label for every record: the index of the first record of its person."""
    with teller.stage("finding pairs that share a key"):
        pairs = duckdb.block(records.table)
    teller.warn_skipped(pairs.skipped)
    with uncollected(), teller.stage(f"weighing {len(pairs):,} pairs and growing persons"):
        return Linker(model, records.table).link(pairs)


def _on_spark(
    files: Files, model: Model, population: float | None, settings: Sequence[str], work: str | None
) -> tuple[Identities, list[int]]:
    try:
        spark = import_module("matching.cli.spark")
    except ModuleNotFoundError as error:
        raise click.ClickException(NO_PYSPARK.format(missing=error.name)) from error
    linked: tuple[Identities, list[int]] = spark.link(files, model, population, settings, work)
    return linked


def _name(label: int) -> str:
    """A cluster's name: c and the number of its first row in the files."""
    return f"c{label + 1}"
