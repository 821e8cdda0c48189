"""On Spark the same weights and the same persons. Needs Java 17 and PySpark; takes a minute at most."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.linkage.generate import write
from matching.batch import Linker
from matching.cli.main import match
from matching.executors import duckdb
from matching.executors.java import java_missing
from tests.unit.matching.executors.sample import Sample

pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(bool(java_missing()), reason="no Java 17: docs/bulk-linkage.md"),
    pytest.mark.filterwarnings("ignore"),  # what PySpark, py4j and Splink warn of is theirs to mend
]
pytest.importorskip("pyspark", reason="no PySpark: docs/bulk-linkage.md")

TOLERANCE = 1e-9


def persons(labelled: Iterable[tuple[Hashable, Hashable]]) -> set[frozenset[Hashable]]:
    groups = defaultdict(set)
    for record, label in labelled:
        groups[label].add(record)
    return set(map(frozenset, groups.values()))


def batch_persons(sample: Sample) -> set[frozenset[Hashable]]:
    model = sample.model.for_population(len(sample.rows) / 1.5)
    labels = Linker(model, sample.table).link(duckdb.block(sample.table))
    identities = [(row.cells["establishment"], row.cells["local_id"]) for row in sample.rows]
    return persons(zip(identities, labels, strict=True))


def test_every_pair_weighs_as_online_and_the_job_finds_the_same_persons(sample: Sample, tmp_path: Path) -> None:
    command, engine = (import_module(f"matching.{room}.spark") for room in ("cli", "executors"))
    job = import_module("matching.executors.spark_job")
    pairs = [(int(one), int(other), "0") for one, other in zip(sample.pairs.one, sample.pairs.other, strict=True)]
    with command.started(["spark.master=local[2]"], str(tmp_path)) as session:
        rows = [(row.line, *row.cells.values()) for row in sample.rows]
        prepared = engine.prepare(sample.model, session.createDataFrame(rows, ["record", *sample.rows[0].cells]))
        blocked = session.createDataFrame(pairs, ["join_key_l", "join_key_r", "match_key"])
        weighed = engine.weigh(session, sample.model, prepared, blocked).orderBy("one", "other").toPandas()
        cells = session.createDataFrame([tuple(row.cells.values()) for row in sample.rows], list(sample.rows[0].cells))
        job.link(session, sample.model, cells, str(tmp_path / "clusters"))
        clusters = session.read.csv(str(tmp_path / "clusters"), header=True).collect()
    assert list(zip(weighed["one"], weighed["other"], strict=True)) == [pair[:2] for pair in pairs]
    assert np.abs(weighed["weight"].to_numpy() - sample.weights).max() < TOLERANCE
    assert persons(((row.establishment, row.local_id), row.cluster) for row in clusters) == batch_persons(sample)


def test_the_command_finds_the_same_persons(tmp_path: Path) -> None:
    write(13, 80, tmp_path)
    found = {}
    for engine in ("duckdb", "spark"):
        out = tmp_path / f"{engine}.csv"
        arguments = ["dedupe", str(tmp_path / "records.csv"), "--out", str(out), "--engine", engine]
        settings = ["--spark", "spark.master=local[2]", "--work", str(tmp_path)]
        result = CliRunner().invoke(match, [*arguments, *settings], catch_exceptions=False)
        assert result.exit_code == 0, result.stderr
        found[engine] = out.read_bytes()
    assert found["spark"] == found["duckdb"]
    assert not list(tmp_path.glob("renhice-match-*"))
