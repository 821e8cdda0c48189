"""`python -m sandbox.establishment RENIPRESS`: runs one establishment; `--bench`, a copy for the accreditation kit."""

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sandbox.establishment.app import Configuration, create_app
from sandbox.layout import HOST, Layout
from sandbox.serving import out_option, read_summary, serve

TEST_PATIENTS = 6
Json = dict[str, Any]


@click.command()
@click.argument("renipress")
@click.option(
    "--bench", metavar="URL", help="Where the accreditation kit plays the registry: serve a few patients to it."
)
@click.option("--port", type=int, default=8190, show_default=True, help="The port of that copy.")
@out_option
def main(renipress: str, bench: str | None, port: int, out: Path) -> None:
    """Run one establishment's FHIR server and record system."""
    layout, summary = read_summary(out)
    known = next((e for e in summary["establishments"] if e["renipress"] == renipress), None)
    if known is None:
        raise click.BadParameter(f"no establishment {renipress} in {layout.summary}")
    configuration = Configuration(
        renipress=renipress,
        registry=summary["base_url"],
        fhir_endpoint=known["fhir_endpoint"],
        client_id=known["client"]["client_id"],
        private_jwk=known["client"]["private_jwk"],
        control_token=summary["control_token"],
        database=layout.database(renipress),
    )
    if bench is None:
        _run(configuration, known["port"], [])
        return
    with tempfile.TemporaryDirectory(prefix="renhice-bench-") as folder:
        copy = replace(configuration, registry=bench, fhir_endpoint=f"http://{HOST}:{port}/fhir")
        patients = list(_test_patients(layout, renipress))
        _run(replace(copy, database=Path(folder) / "bench.sqlite"), port, patients)


def _run(configuration: Configuration, port: int, patients: list[tuple[Json, str, list[Json]]]) -> None:
    app = create_app(configuration)
    app.extensions["sandbox"]["store"].add(patients)
    app.extensions["sandbox"]["queue"].start()
    serve(app, port)


def _test_patients(layout: Layout, renipress: str) -> Iterator[tuple[Json, str, list[Json]]]:
    """Yield the establishment's patients with most records, as they were before they were registered anywhere."""
    with closing(sqlite3.connect(f"file:{layout.database(renipress)}?mode=ro", uri=True)) as db:
        rows = db.execute(
            "SELECT patients.resource, local_number FROM patients JOIN clinical USING (local_number)"
            " GROUP BY local_number ORDER BY count(*) DESC, local_number LIMIT ?",
            (TEST_PATIENTS,),
        ).fetchall()
        for resource, number in rows:
            held = db.execute("SELECT resource FROM clinical WHERE local_number = ? ORDER BY rowid", (number,))
            yield json.loads(resource), number, [json.loads(one) for (one,) in held]


if __name__ == "__main__":
    main()
