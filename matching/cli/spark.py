"""Linking files on Spark: started here on this machine's processors, or on the cluster its settings name."""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
from pyarrow import parquet
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

import matching
from matching.cli.reading import CHUNK, Files, Identities
from matching.executors.java import HOW, java_missing
from matching.executors.spark import block, grow, prepare, weigh
from matching.files import Row
from matching.intake import model_for
from matching.model import Model

ROOT = Path(matching.__file__).parents[1]
USUAL = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.master": "local[*]",
    "spark.app.name": "renhice match",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),  # right for one machine; a cluster wants more
}


def link(
    files: Files, model: Model, population: float | None, settings: Sequence[str], work: str | None
) -> tuple[Identities, list[int]]:
    """Identities and labels of all records; a label is the index of the first record of its person."""
    if missing := java_missing():
        raise click.ClickException(f"the Spark engine can't run, {missing}: {HOW}")
    with _folder(work) as folder:
        identities, _ = files.read(lambda rows: _spool(rows, Path(folder) / "rows"))
        model = model_for(model, population, len(identities))
        with started(settings, folder) as session:
            return identities, _labels(session, files, model, folder, len(identities))


def _labels(session: SparkSession, files: Files, model: Model, folder: str, records: int) -> list[int]:
    teller = files.teller
    with teller.stage("normalising"):
        prepared = prepare(model, session.read.parquet(str(Path(folder) / "rows")))
    with teller.stage("finding pairs that share a key"):
        blocked = block(session, prepared)
    teller.warn_skipped(blocked.skipped)
    with teller.stage("weighing the pairs"):
        weighed = weigh(session, model, prepared, blocked.pairs)
    with teller.stage("growing persons"):
        found = grow(session, model, prepared, weighed).toArrow()
    labels = np.arange(records)
    labels[np.asarray(found["record"])] = np.asarray(found["cluster"])
    return [int(label) for label in labels]


@contextmanager
def started(settings: Sequence[str], folder: str) -> Iterator[SparkSession]:
    """A session that ends with the work; what Spark can't do ends the command in one line."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    chosen = USUAL | {"spark.driver.memory": _half_the_memory(), "spark.executorEnv.PYTHONPATH": str(ROOT)}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise click.UsageError(f"{setting}: write a setting of Spark as NAME=VALUE")
        chosen[name.strip()] = value.strip()
    try:
        session = SparkSession.builder.config(map=chosen).getOrCreate()
        session.sparkContext.setCheckpointDir(str(Path(folder) / "checkpoints"))
        try:
            yield session
        finally:
            session.stop()
    except PySparkException as error:
        raise click.ClickException(f"Spark gave up: {str(error).splitlines()[0]}") from error


def _spool(rows: Iterator[Row], folder: Path) -> None:
    """The rows as Parquet, numbered, where Spark's workers read them."""
    folder.mkdir(parents=True)
    done = 0
    while chunk := list(islice(rows, CHUNK)):
        names = sorted({name for row in chunk for name in row.cells})
        columns = {name: pa.array([row.cells.get(name, "") for row in chunk], pa.string()) for name in names}
        numbers = pa.array(range(done, done + len(chunk)), pa.int64())
        parquet.write_table(pa.table({"record": numbers, **columns}), folder / f"{done:012d}.parquet")
        done += len(chunk)


@contextmanager
def _folder(work: str | None) -> Iterator[str]:
    """A folder of one's own, inside `work` where that is given; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="renhice-match-", dir=work) as folder:
        yield folder


def _half_the_memory() -> str:
    """Of this machine, for the driver, which on one machine does all the work."""
    return f"{max(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // 2**31, 1)}g"
