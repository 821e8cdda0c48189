"""What resolving one record costs as the index grows: `python -m benchmarks.online.run --persons 10000 1000000`.

Each size is a database of its own on the project's embedded PostgreSQL (or the server RENHICE_DATABASE_URL names), met
by the same probes in turn. Ratios are to the first size in the same round.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
from registry.app import Renhice, make_parts
from registry.settings import Settings

ROOT = Path(__file__).parents[2]
GOAL = 1.5


Costs = dict[str, list[Cost]]
"""What each verb cost in each round."""


@dataclass(frozen=True, slots=True)
class Index:
    """One size: how many records it holds, and what uses it."""

    persons: int
    records: int
    parts: Renhice


def migrate(url: str) -> None:
    """Bring a database to the newest revision."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    command.upgrade(config, "head")


@contextmanager
def index(persons: int, seed: int) -> Iterator[Index]:
    """A database of that many persons on a server of its own."""
    with tempfile.TemporaryDirectory() as keys, ephemeral_postgres(settings=DURABLE) as url:
        migrate(url)
        settings = Settings(environment="test", database_url=url, broker_url="memory://", keys_dir=Path(keys) / "keys")
        parts = make_parts(settings)
        started = time.perf_counter()
        records = load(url, parts.sealer, seed, persons)
        print(f"{persons:,} persons, {records:,} records loaded in {time.perf_counter() - started:.0f} s", flush=True)
        try:
            yield Index(persons, records, parts)
        finally:
            parts.database.engine.dispose()


def measure(indexes: Sequence[Index], visitors: Sequence[list[FileRecord]]) -> list[Costs]:
    """Both verbs in every index, a list of visitors at a time: a machine that slows down does so for all sizes.

    Each list comes once: who comes again finds pages and names in memory that a country's next patient does not. The
    first only warms what serves everybody.
    """
    costs: list[Costs] = [{"match": [], "register": []} for _ in indexes]
    for one in indexes:
        measure_match(one.parts, visitors[0])
    for round_, (searching, coming) in enumerate(zip(visitors[1::2], visitors[2::2], strict=True)):
        for number in sorted(range(len(indexes)), reverse=round_ % 2 == 1):
            parts = indexes[number].parts
            costs[number]["match"].append(measure_match(parts, searching))
            costs[number]["register"].append(measure_registration(parts, coming))
    return costs


def middle(costs: Sequence[Cost], figure: str) -> float:
    """The median of one figure of the rounds."""
    return float(statistics.median(getattr(cost, figure) for cost in costs))


def ratio(costs: Sequence[Cost], base: Sequence[Cost], figure: str) -> float:
    """The median of how many times as much each round cost as the same one of the first size."""
    rounds = zip(costs, base, strict=True)
    return float(statistics.median(getattr(one, figure) / getattr(other, figure) for one, other in rounds))


def show(indexes: Sequence[Index], widths: Sequence[Width], costs: Sequence[Costs]) -> None:
    """A line a verb and size, and whether the goal is met."""
    for one, width, verbs in zip(indexes, widths, costs, strict=True):
        print(
            f"\n{one.persons:,} persons, {one.records:,} records, {_size(one.parts)}: a search finds "
            f"{width.persons:.1f} persons of {width.records:.1f} records (most {width.most_records}), "
            f"{width.cut:.3f} blocks cut"
        )
        for verb, rounds in verbs.items():
            wall, late, process, backend, queries = (
                middle(rounds, figure) for figure in ("p50", "p95", "process", "backend", "queries")
            )
            times = [f"{figure} x{ratio(rounds, costs[0][verb], figure):.2f}" for figure in ("p50", "p95", "cpu")]
            print(
                f"  {verb:<9} wall p50 {wall:6.2f} p95 {late:6.2f} ms, processor {process:6.2f} + {backend:5.2f} ms, "
                f"{queries:.1f} queries; to the first: {', '.join(times)}"
            )
    worst = max(ratio(rounds, costs[0][verb], "cpu") for verb, rounds in costs[-1].items())
    print(f"\nx{worst:.2f} at the largest size; the goal is at most x{GOAL}: {'met' if worst <= GOAL else 'MISSED'}")


def _size(parts: Renhice) -> str:
    with parts.database.unit_of_work() as session:
        return str(session.scalar(text("SELECT pg_size_pretty(pg_database_size(current_database()))")))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, nargs="+", default=[10_000, 200_000])
    parser.add_argument("--probes", type=int, default=100, help="visitors of a verb in a round")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seed", type=int, default=505)
    options = parser.parse_args()
    everybody = read(probes(options.seed, options.probes * (2 * options.rounds + 1)))
    visitors = [everybody[start : start + options.probes] for start in range(0, len(everybody), options.probes)]
    with ExitStack() as servers:
        indexes = [servers.enter_context(index(persons, options.seed)) for persons in options.persons]
        costs = measure(indexes, visitors)
        show(indexes, [measure_width(one.parts, visitors[0]) for one in indexes], costs)


if __name__ == "__main__":
    main()
