"""Many values as one parameter, written as PostgreSQL reads an array: of a list the driver makes ten times the work."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, LargeBinary, String, Uuid, any_, bindparam, cast
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.types import TypeEngine


def numbers(values: Iterable[int]) -> str:
    """An array of bigint."""
    return f"{{{','.join(map(str, values))}}}"


def octets(values: Iterable[bytes]) -> str:
    """An array of bytea."""
    return "{" + ",".join([f'"\\\\x{value.hex()}"' for value in values]) + "}"


def uuids(values: Iterable[bytes]) -> str:
    """An array of uuid, out of their bytes."""
    return "{" + ",".join([value.hex() for value in values]) + "}"


def among_octets(column: QueryableAttribute[bytes], name: str) -> ColumnElement[bool]:
    """Whether a column is among the `octets` given under a name."""
    return _among(column, name, LargeBinary())


def among_uuids(column: QueryableAttribute[Any], name: str) -> ColumnElement[bool]:
    """Whether a column is among the `uuids` given under a name."""
    return _among(column, name, Uuid())


def _among(column: QueryableAttribute[Any], name: str, kind: TypeEngine[Any]) -> ColumnElement[bool]:
    return column == any_(cast(bindparam(name, type_=String), ARRAY(kind)))
