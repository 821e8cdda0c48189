"""Blocking on DuckDB: records that share a key are joined in SQL, in parallel, spilling to disk when memory is short.

Weights and persons are those of `matching.batch`; `docs/decisions/0008-bulk-executors.md` says why not Splink's here.
"""

import duckdb
import numpy as np
import pyarrow as pa

from matching.batch import LARGEST_BLOCK, Pairs
from matching.table import Table

PAIRS = """
    create temp table pairs as
    select distinct a.record as one, b.record as other
    from keys a join keys b on a.key = b.key and a.record < b.record
    where a.key in (select key from blocks where size <= $largest)
"""
BLOCKS = """
    create temp table blocks as
    select key, any_value(kind) as kind, count(*) as size from keys group by key having size > 1
"""
SKIPPED = "select kind, count(*) from blocks where size > $largest group by kind order by kind"


def block(table: Table, largest: int = LARGEST_BLOCK) -> Pairs:
    """What `matching.batch.block` gives, in the order of the records."""
    keys = table.keys
    rows = pa.table({"record": keys.records, "key": keys.hashes, "kind": keys.kinds})
    with duckdb.connect() as connection:
        connection.register("keys", rows)
        connection.execute(BLOCKS)
        connection.execute(PAIRS, {"largest": largest})
        found = connection.execute("select one, other from pairs order by one, other").fetchnumpy()
        skipped = connection.execute(SKIPPED, {"largest": largest}).fetchall()
    one, other = (np.asarray(found[name], dtype=np.int64) for name in ("one", "other"))
    return Pairs(one, other, {keys.names[kind]: int(count) for kind, count in skipped})
