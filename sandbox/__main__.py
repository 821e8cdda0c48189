"""`python -m sandbox`: prepare the outside world, run its parts, load its people, tell its story."""

import sys
from pathlib import Path
from typing import Any

import click

from sandbox import idperu as id_peru
from sandbox import pide as reniec
from sandbox.citizens import Citizens
from sandbox.cli import demo
from sandbox.establishment.app import Configuration, create_app
from sandbox.files import read_json
from sandbox.layout import Layout
from sandbox.load import Loader
from sandbox.openid import Party, Provider
from sandbox.prepare import OFFICIAL, Plan
from sandbox.prepare import prepare as write_everything
from sandbox.serving import serve

out_option = click.option("--out", type=click.Path(path_type=Path, file_okay=False), default="var", show_default=True)


@click.group()
def main() -> None:
    """The outside world, simulated over real HTTP."""


@main.command()
@click.option("--base-url", required=True, help="Where the registry is, such as http://127.0.0.1:8000.")
@click.option("--population", type=click.IntRange(1, 2_000_000), default=400, show_default=True)
@click.option("--port-base", type=click.IntRange(1024, 65_500), default=8100, show_default=True)
@out_option
def prepare(base_url: str, population: int, port_base: int, out: Path) -> None:
    """Write the sandbox's people, records, keys and files; again, with the same result."""
    write_everything(Plan(base_url.rstrip("/"), population, port_base, out))


@main.command()
@click.option("--limit", type=float, default=1800, show_default=True, help="Seconds to give up after.")
@click.option("--stall", type=float, default=60, show_default=True, help="Seconds without progress to give up after.")
@out_option
def load(limit: float, stall: float, out: Path) -> None:
    """Have every establishment register its patients; exit 0 when all are sent."""
    problems = Loader(Layout(out.resolve())).run(limit, stall)
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(1 if problems else 0)


@main.command()
@out_option
def idperu(out: Path) -> None:
    """Run ID Perú."""
    layout, summary = _read(out)
    keys = read_json(layout.keys)
    known = summary["id_peru"]
    party = Party(known["client_id"], keys["portal_secret"], tuple(known["redirect_uris"]))
    provider = Provider(known["issuer"], party, keys["idperu"])
    serve(id_peru.create_app(provider, Citizens(layout.citizens)), known["port"])


@main.command()
@out_option
def pide(out: Path) -> None:
    """Run RENIEC over PIDE."""
    layout, summary = _read(out)
    entity = reniec.Entity(OFFICIAL["dni"], OFFICIAL["ruc"], layout.pide_password)
    service = reniec.Pide(Citizens(layout.citizens), entity, summary["control_token"])
    serve(reniec.create_app(service), summary["pide"]["port"])


@main.command()
@click.argument("renipress")
@out_option
def establishment(renipress: str, out: Path) -> None:
    """Run one establishment's FHIR server and record system."""
    layout, summary = _read(out)
    known = next((e for e in summary["establishments"] if e["renipress"] == renipress), None)
    if known is None:
        raise click.BadParameter(f"no establishment {renipress} in {layout.summary}")
    app = create_app(
        Configuration(
            renipress=renipress,
            registry=summary["base_url"],
            fhir_endpoint=known["fhir_endpoint"],
            client_id=known["client"]["client_id"],
            private_jwk=known["client"]["private_jwk"],
            control_token=summary["control_token"],
            database=layout.database(renipress),
        )
    )
    app.extensions["sandbox"]["queue"].start()
    serve(app, known["port"])


def _read(out: Path) -> tuple[Layout, dict[str, Any]]:
    layout = Layout(out.resolve())
    try:
        return layout, read_json(layout.summary)
    except FileNotFoundError:
        raise click.UsageError(f"{layout.summary} does not exist: run `python -m sandbox prepare` first") from None


main.add_command(demo)
if __name__ == "__main__":
    main()
