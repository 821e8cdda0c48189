"""`dedupe`: which records are of one person."""

from typing import Any

import click

from matching.batch import Linker
from matching.cli.options import model_for, out_option, reading_options
from matching.cli.output import check_output, write_csv
from matching.cli.reading import Records, load_records
from matching.cli.telling import Teller
from matching.executors import duckdb
from matching.model import Model

HEADER = ("establishment", "local_id", "cluster")


@click.command()
@reading_options()
@out_option
def dedupe(records: tuple[str, ...], model: Model, out: str, **options: Any) -> None:
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
    """
    check_output(records, out)
    teller = Teller(quiet=options["quiet"])
    loaded = load_records(model, records, teller, skip_bad_rows=options["skip_bad_rows"], jobs=options["jobs"])
    labels = link(model_for(model, options["population"], len(loaded)), loaded, teller)
    write_csv(out, HEADER, zip(loaded.establishments, loaded.local_ids, map(_name, labels), strict=True))
    teller.say(f"{len(set(labels)):,} persons in {out}")


def link(model: Model, records: Records, teller: Teller) -> list[int]:
    """A label for every record: the index of the first record of its person."""
    with teller.stage("finding pairs that share a key"):
        pairs = duckdb.block(records.table)
    for kind, count in pairs.skipped.items():
        teller.warn(f"{count:,} blocks of kind {kind} hold too many records to compare, and were left out")
    with teller.stage(f"weighing {len(pairs):,} pairs and growing persons"):
        return Linker(model, records.table).link(pairs)


def _name(label: int) -> str:
    """A cluster's name: c and the number of its first row in the files."""
    return f"c{label + 1}"
