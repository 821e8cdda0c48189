"""`python -m sandbox`: prepare the outside world, load its people, tell its story."""

import sys
from pathlib import Path

import click

from sandbox.cli import demo, out_option
from sandbox.layout import Layout
from sandbox.load import Loader
from sandbox.prepare import Plan
from sandbox.prepare import prepare as write_everything


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


main.add_command(demo)
if __name__ == "__main__":
    main()
