"""What resolving one record costs as the index grows: `python -m benchmarks.online.run --persons 10000 1000000`.

Each size is a database of its own on the project's embedded PostgreSQL (or the server RENHICE_DATABASE_URL names), met
by the same probes. The last lines give the ratios to the first size.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from benchmarks.online.load import load, read
from benchmarks.online.measure import Cost, Width, measure_match, measure_registration, measure_width
from benchmarks.online.probes import probes
from deploy.postgres import DURABLE
from deploy.services import ephemeral_postgres
from matching.schema import FileRecord
from registry.app import make_parts
from registry.settings import Settings

ROOT = Path(__file__).parents[2]
GOAL = 1.5


@dataclass(frozen=True, slots=True)
class Result:
    """One size, measured."""

    persons: int
    records: int
    size: str
    width: Width
    verbs: dict[str, Cost]


def migrate(url: str) -> None:
    """Bring a database to the newest revision."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    command.upgrade(config, "head")


def run(persons: int, seed: int, visitors: list[list[FileRecord]]) -> Result:
    """Load an index and measure both verbs, the median of their rounds.

    Each list of visitors comes once: who comes again finds pages and names in memory that a country's next patient
    does not. The first list only warms what serves everybody.
    """
    with tempfile.TemporaryDirectory() as keys, ephemeral_postgres(settings=DURABLE) as url:
        migrate(url)
        settings = Settings(environment="test", database_url=url, broker_url="memory://", keys_dir=Path(keys) / "keys")
        parts = make_parts(settings)
        started = time.perf_counter()
        records = load(url, parts.sealer, seed, persons)
        print(f"{persons:,} persons, {records:,} records loaded in {time.perf_counter() - started:.0f} s", flush=True)
        first, *others = visitors
        measure_match(parts, first)
        searched = [measure_match(parts, one) for one in others[::2]]
        registered = [measure_registration(parts, one) for one in others[1::2]]
        width = measure_width(parts, first)
        with parts.database.unit_of_work() as session:
            size = session.scalar(text("SELECT pg_size_pretty(pg_database_size(current_database()))"))
        parts.database.engine.dispose()
    verbs = {"match": middle(searched), "register": middle(registered)}
    return Result(persons, records, str(size), width, verbs)


def middle(costs: list[Cost]) -> Cost:
    """The median by processor time; of an even number the dearer one."""
    return sorted(costs, key=lambda cost: cost.cpu)[len(costs) // 2]


def show(results: list[Result]) -> None:
    """A line a verb and size, then the ratios."""
    first = results[0]
    for result in results:
        width = result.width
        print(
            f"\n{result.persons:,} persons, {result.records:,} records, {result.size}: a search finds "
            f"{width.persons:.1f} persons of {width.records:.1f} records (most {width.most_records}), "
            f"{width.cut:.3f} blocks cut"
        )
        for verb, cost in result.verbs.items():
            base = first.verbs[verb]
            print(
                f"  {verb:<9} wall p50 {cost.p50:6.2f} p95 {cost.p95:6.2f} ms, processor {cost.process:6.2f} + "
                f"{cost.backend:5.2f} ms, {cost.queries:.1f} queries; to the first: p50 x{cost.p50 / base.p50:.2f}, "
                f"p95 x{cost.p95 / base.p95:.2f}, processor x{cost.cpu / base.cpu:.2f}"
            )
    worst = max(cost.cpu / first.verbs[verb].cpu for verb, cost in results[-1].verbs.items())
    print(f"\nx{worst:.2f} at the largest size; the goal is at most x{GOAL}: {'met' if worst <= GOAL else 'MISSED'}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, nargs="+", default=[10_000, 200_000])
    parser.add_argument("--probes", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=505)
    options = parser.parse_args()
    everybody = read(probes(options.seed, options.probes * (2 * options.rounds + 1)))
    visitors = [everybody[start : start + options.probes] for start in range(0, len(everybody), options.probes)]
    show([run(persons, options.seed, visitors) for persons in options.persons])


if __name__ == "__main__":
    main()
