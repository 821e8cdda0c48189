"""The floor: COPY of the rows an import wrote into tables with the same indexes, nothing read, resolved or sealed."""

import time

import psycopg
from sqlalchemy import make_url

from registry.identity.batch.writing import TABLES


def measure_floor(url: str, records: int) -> float:
    """Records a second."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    spent = 0.0
    with psycopg.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        for table, columns in TABLES.items():
            names = ", ".join(f'"{name}"' for name in columns)
            with cursor.copy(f"COPY {table} ({names}) TO STDOUT (FORMAT BINARY)") as source:
                blocks = [bytes(block) for block in source]
            cursor.execute(f"CREATE TABLE floor_{table} (LIKE {table} INCLUDING ALL)")
            started = time.perf_counter()
            with cursor.copy(f"COPY floor_{table} ({names}) FROM STDIN (FORMAT BINARY)") as target:
                for block in blocks:
                    target.write(block)
            spent += time.perf_counter() - started
            cursor.execute(f"DROP TABLE floor_{table}")
    return records / spent
