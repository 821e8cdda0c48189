"""The compiled Splink settings on DuckDB: what Spark runs on a cluster, runnable anywhere."""

from collections.abc import Callable
from functools import partial
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from duckdb.func import ARROW
from duckdb.sqltypes import BIGINT, DOUBLE, TINYINT
from splink import Linker
from splink.backends.duckdb import DuckDBAPI

from matching.batch import Pairs
from matching.compare import ASPECTS
from matching.executors.settings import NAMED, function_name, splink_settings, weight_sql
from matching.executors.values import COLUMNS
from matching.model import Model
from matching.table import Floats, Ints, Patterns, Table, compare_values


def weigh_with_splink(model: Model, table: Table, pairs: Pairs) -> Floats:
    """The weight of every pair, in the order of the pairs."""
    with duckdb.connect() as connection:
        _offer_functions(connection, model, table)
        backend = DuckDBAPI(connection)
        records = backend.register(_records(table), table_name="records")
        linker = Linker(records, splink_settings(model), log_level="ERROR", validate_settings=False)
        blocked = backend.register(_blocked(pairs), table_name="blocked")
        linker.table_management.register_blocked_pairs_for_predict(blocked)
        predicted = linker.inference.predict(warning_mode="never").physical_name
        weighed = connection.sql(weight_sql(model, predicted)).order("one, other").fetchnumpy()
    weights: Floats = np.empty(len(pairs))
    weights[np.lexsort((pairs.other, pairs.one))] = weighed["weight"]
    return weights


def _records(table: Table) -> pa.Table:
    """Records as the numbers of their values."""
    columns = {name: column.numbers for name, column in zip(COLUMNS, table.columns, strict=True)}
    return pa.table({"unique_id": np.arange(table.size), **columns})


def _blocked(pairs: Pairs) -> pa.Table:
    return pa.table({"match_key": np.zeros(len(pairs), np.int8), "join_key_l": pairs.one, "join_key_r": pairs.other})


def _offer_functions(connection: duckdb.DuckDBPyConnection, model: Model, table: Table) -> None:
    """The engine's comparisons as functions over the numbers of two values."""
    for at, aspect in enumerate(ASPECTS):
        values = partial(compare_values, model, at, table.columns[at].values)
        for place, field in enumerate(aspect.fields):
            level = _over_arrow(values, partial(_level, place))
            connection.create_function(function_name(field), level, [BIGINT, BIGINT], TINYINT, type=ARROW)
        if aspect.fields[0] in NAMED:
            bits = _over_arrow(values, _name_bits)
            connection.create_function(f"name_bits_{aspect.fields[0]}", bits, [BIGINT, BIGINT], DOUBLE, type=ARROW)


def _over_arrow(compared: Callable[[Ints, Ints], Patterns], chosen: Callable[[Patterns], Any]) -> Callable[..., Any]:
    def function(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.Array:
        return pa.array(chosen(compared(one.to_numpy(), other.to_numpy())))

    return function


def _level(place: int, found: Patterns) -> npt.NDArray[np.int8]:
    return found.levels[:, place]


def _name_bits(found: Patterns) -> Floats:
    return found.names
