"""The whole linkage on Spark: records normalised, blocked, weighed by the compiled Splink settings, and linked.

Every step is spread over the cluster but one: which records hang together at all is worked out on the driver, from the
pairs strong enough to matter (16 bytes each). Persons then grow by the engine's own rule within each such component.
Needs PySpark 4, and numpy, pandas, pyarrow, pydantic and rapidfuzz where the workers run.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import pandas_udf
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from splink import Linker
from splink.backends.spark import SparkAPI

from matching.batch import LARGEST_BLOCK
from matching.compare import ASPECTS
from matching.executors import spark_tasks
from matching.executors.settings import NAMED, function_name, splink_settings, weight_sql
from matching.executors.values import COLUMNS
from matching.model import Model

PREPARED = ", ".join(["record bigint", "keys array<string>", *(f"{name} string" for name in COLUMNS)])
CLUSTERS = "record bigint, cluster bigint"
RECORDS_AT_ONCE = 20_000
"""About how many records one task links; what hangs together stays together."""
KEYS = """
    select record, xxhash64(key) as key, substring_index(key, ':', 1) as kind
    from (select record, explode(keys) as key from {prepared})
"""
BLOCKS = "select key, first(kind) as kind, count(*) as size from {keys} group by key having count(*) > 1"
SKIPPED = "select kind, count(*) as blocks from {blocks} where size > {largest} group by kind"
PAIRS = """
    select distinct a.record as join_key_l, b.record as join_key_r, '0' as match_key
    from (select record, key from {keys} join {blocks} using (key) where size <= {largest}) a
    join {keys} b on a.key = b.key and a.record < b.record
"""
ALL_RECORDS = "select record, coalesce(cluster, record) as cluster from {prepared} left join {linked} using (record)"


@dataclass(frozen=True, slots=True)
class Blocked:
    """Pairs that share a key, `join_key_l` and `join_key_r`; `skipped` counts blocks too large to compare, by kind."""

    pairs: DataFrame
    skipped: Mapping[str, int]


def prepare(model: Model, rows: DataFrame) -> DataFrame:
    """Rows with `record` and a file's columns as text, normalised: values and blocking keys of every record."""
    return rows.mapInPandas(partial(spark_tasks.prepare, json.dumps(model.document)), PREPARED).checkpoint()


def block(session: SparkSession, prepared: DataFrame, largest: int = LARGEST_BLOCK) -> Blocked:
    """The pairs to compare."""
    keys = session.sql(KEYS, prepared=prepared)
    blocks = session.sql(BLOCKS, keys=keys).checkpoint()
    skipped = session.sql(SKIPPED, blocks=blocks, largest=largest).collect()
    pairs = session.sql(PAIRS, keys=keys, blocks=blocks, largest=largest)
    return Blocked(pairs, {row.kind: row.blocks for row in skipped})


def weigh(session: SparkSession, model: Model, prepared: DataFrame, pairs: DataFrame) -> DataFrame:
    """Weigh pairs of prepared records: `one`, `other` and `weight`. The session needs a checkpoint directory."""
    offer_functions(session, model)
    backend: Any = SparkAPI(  # type: ignore[no-untyped-call]
        spark_session=session, break_lineage_method="parquet", register_udfs_automatically=False
    )
    records = backend.register(prepared.drop("keys").withColumnRenamed("record", "unique_id"))
    linker = Linker(records, splink_settings(model), log_level="ERROR", validate_settings=False)
    linker.table_management.register_blocked_pairs_for_predict(backend.register(pairs))
    predicted = linker.inference.predict(warning_mode="never").physical_name
    return session.sql(weight_sql(model, predicted)).checkpoint()


def grow(session: SparkSession, model: Model, prepared: DataFrame, pairs: DataFrame) -> DataFrame:
    """The clusters: `record` and `cluster`, which is the smallest record of its person."""
    strong = pairs.where(f"weight >= {model.thresholds.pair!r}")
    buckets = session.createDataFrame(_buckets(strong.select("one", "other").toArrow()))
    records = prepared.drop("keys").join(buckets, "record")
    edges = strong.join(buckets.toDF("one", "task"), "one")
    grown = partial(spark_tasks.grow, json.dumps(model.document))
    linked = records.groupBy("bucket").cogroup(edges.groupBy("task")).applyInPandas(_cogrouped(grown), CLUSTERS)
    return session.sql(ALL_RECORDS, prepared=prepared, linked=linked)


def offer_functions(session: SparkSession, model: Model) -> None:
    """The engine's comparisons as functions over written values."""
    document = json.dumps(model.document)
    for at, aspect in enumerate(ASPECTS):
        compared = partial(spark_tasks.compare, document, at)
        for place, field in enumerate(aspect.fields):
            session.udf.register(function_name(field), pandas_udf(_level(compared, place), "int"))
        if aspect.fields[0] in NAMED:
            session.udf.register(f"name_bits_{aspect.fields[0]}", pandas_udf(_name_bits(compared), "double"))


def _level(compared: Callable[..., Any], place: int) -> Callable[[pd.Series, pd.Series], pd.Series]:
    def level(one: pd.Series, other: pd.Series) -> pd.Series:
        return pd.Series(compared(one, other).levels[:, place].astype(np.int32))

    return level


def _name_bits(compared: Callable[..., Any]) -> Callable[[pd.Series, pd.Series], pd.Series]:
    def bits(one: pd.Series, other: pd.Series) -> pd.Series:
        return pd.Series(compared(one, other).names)

    return bits


def _cogrouped(grown: Callable[..., Any]) -> Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]:
    """The same as a plain function, which is what Spark takes."""

    def linked(records: pd.DataFrame, edges: pd.DataFrame) -> pd.DataFrame:
        return grown(records, edges)

    return linked


def _buckets(edges: pa.Table) -> pa.Table:
    """The records that hang together with others, each with the task that links all it hangs together with."""
    one, other = (np.asarray(edges[name], dtype=np.int64) for name in ("one", "other"))
    records, places = np.unique(np.concatenate([one, other]), return_inverse=True)
    joined = coo_matrix((np.ones(len(one), np.int8), np.split(places, 2)), shape=(len(records), len(records)))
    components = connected_components(joined, directed=False)[1]
    return pa.table({"record": records, "bucket": components % (len(records) // RECORDS_AT_ONCE + 1)})
