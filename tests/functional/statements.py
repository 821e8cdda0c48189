"""Counting what a request asks of the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import psycopg
from sqlalchemy import Engine


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """The SQL statements of what happens inside, in their order, by whatever road they reach the driver."""
    seen: list[str] = []
    with engine.connect():
        pass  # a new connection's own settings are no request's

    def noting(method: Any) -> Any:
        def note(cursor: Any, query: Any, *parameters: Any, **options: Any) -> Any:
            seen.append(str(query))
            return method(cursor, query, *parameters, **options)

        return note

    cursor = psycopg.Cursor
    with (
        patch.object(cursor, "execute", noting(cursor.execute)),
        patch.object(cursor, "executemany", noting(cursor.executemany)),
    ):
        yield seen
