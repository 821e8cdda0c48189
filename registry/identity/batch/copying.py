"""Rows in PostgreSQL's binary COPY format (its manual, COPY, "Binary Format"), made field by field by whoever has time.

A field is its length and its bytes, so that a row begun in one process is ended in another by putting more behind it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any
from uuid import UUID

import psycopg
from psycopg.postgres import types
from pydantic_core import to_json
from sqlalchemy.orm import Session
from uuid_utils import uuid7

from registry.database import driver_of

Cursor = psycopg.Cursor[Any]
HEADER, TRAILER = b"PGCOPY\n\xff\r\n\x00" + bytes(8), b"\xff\xff"
NULL = b"\xff\xff\xff\xff"
UUID_OID = types["uuid"].oid
_EPOCH, _MICROSECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_length, _count = Struct(">i").pack, Struct(">h").pack
_int4, _int8, _float8, _bool = Struct(">ii").pack, Struct(">iq").pack, Struct(">id").pack, Struct(">i?").pack
_array = Struct(">iiiii").pack
_UUID = _length(16)


def row(fields: int, *written: bytes) -> bytes:
    """A row of so many fields, or its beginning."""
    return _count(fields) + b"".join(written)


def octets(value: bytes) -> bytes:
    """A bytea."""
    return _length(len(value)) + value


def uuid(value: UUID) -> bytes:
    """A uuid."""
    return _UUID + value.bytes


def new_uuid() -> bytes:
    """A uuid of a new row, as `registry.database.new_id` makes it, without the object."""
    return _UUID + uuid7().bytes


def uuids(values: Sequence[UUID]) -> bytes:
    """An array of uuid."""
    if not values:
        return octets(_array(0, 0, UUID_OID, 0, 0)[:12])
    return octets(_array(1, 0, UUID_OID, len(values), 1) + b"".join(map(uuid, values)))


def text(value: str | None) -> bytes:
    """A text."""
    return NULL if value is None else octets(value.encode())


def integer(value: int) -> bytes:
    """An int4."""
    return _int4(4, value)


def real(value: float | None) -> bytes:
    """A float8."""
    return NULL if value is None else _float8(8, value)


def truth(value: bool) -> bytes:
    """A bool."""
    return _bool(1, value)


def moment(value: datetime | None) -> bytes:
    """A timestamptz."""
    return NULL if value is None else _int8(8, (value - _EPOCH) // _MICROSECOND)


def document(value: Any) -> bytes:
    """A jsonb."""
    return json_text(to_json(value))


def json_text(value: bytes) -> bytes:
    """A jsonb out of its text."""
    return octets(b"\x01" + value)


def cursor_of(session: Session) -> Cursor:
    """A cursor of the driver's in the session's transaction."""
    return driver_of(session).cursor()


@contextmanager
def copying(cursor: Cursor, table: str, columns: Iterable[str]) -> Iterator[Callable[[bytes], None]]:
    """Write whole rows of those columns while the database takes them."""
    names = ", ".join(f'"{name}"' for name in columns)
    with cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(HEADER)
        yield copy.write
        copy.write(TRAILER)
