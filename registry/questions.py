"""Statements of the busiest paths: written as any other, compiled once, and put to the driver themselves.

What SQLAlchemy does for a statement each time (finding what it compiled, describing the columns, wrapping the rows)
costs twice what the driver needs to ask and to read the answer. Who uses this gives up objects and lazy loading, and
keeps the session's connection, transaction and autoflush, its time-outs and its errors.

Use it for what issuing a token, introspecting one, a call with one or a reading at the gateway asks each time, where
rows will do (`tests/functional/oauth/test_statements.py` names those calls), for the search for a person, and for
nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from sqlalchemy import BindParameter, ClauseElement, Dialect, func, make_url, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from registry.database import driver_of

_DIALECT: Dialect = make_url("postgresql+psycopg://").get_dialect()(paramstyle="pyformat")  # type: ignore[call-arg]
_DIALECT.dbapi = psycopg  # type: ignore[assignment]  # as `create_engine` does: binary values are wrapped by it

_CURSOR = "questions"


class Question:
    """A statement made once, with bindparams for what changes; of an INSERT the columns given are named."""

    def __init__(self, statement: ClauseElement, columns: Iterable[str] | None = None) -> None:
        compiled = statement.compile(dialect=_DIALECT, column_keys=None if columns is None else list(columns))
        binds: Mapping[str, BindParameter[Any]] = compiled.binds  # type: ignore[attr-defined]
        processors = {name: bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT) for name, bind in binds.items()}
        self._sql = str(compiled)
        self._constants = {name: bind.value for name, bind in binds.items() if not bind.required}
        self._processors = {name: process for name, process in processors.items() if process is not None}

    def ask(self, session: Session, **parameters: Any) -> list[tuple[Any, ...]]:
        """The rows, in the session's transaction; raises the DBAPIError that SQLAlchemy would."""
        try:
            return _cursor(session).execute(self._sql, self._bound(parameters)).fetchall()
        except psycopg.Error as error:
            raise self._as_known(error) from error

    def ask_each(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        """The one row that each of several askings answers with, in their order, on one way there and back."""
        if not rows:
            return []
        if len(rows) == 1:
            return self.ask(session, **rows[0])
        try:
            cursor = _cursor(session)
            cursor.executemany(self._sql, [self._bound(row) for row in rows], returning=True)
            return [row for result in cursor.results() for row in result.fetchall()]
        except psycopg.Error as error:
            raise self._as_known(error) from error

    def tell_each(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        """Say with each row what has no answer, on one way there and back."""
        try:
            if len(rows) == 1:
                _cursor(session).execute(self._sql, self._bound(rows[0]))
            elif rows:
                _cursor(session).executemany(self._sql, [self._bound(row) for row in rows])
        except psycopg.Error as error:
            raise self._as_known(error) from error

    def ask_one(self, session: Session, **parameters: Any) -> tuple[Any, ...] | None:
        """The row of a question that has one at most."""
        rows = self.ask(session, **parameters)
        return rows[0] if rows else None

    def _bound(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        bound = {**self._constants, **parameters}
        for name, process in self._processors.items():
            bound[name] = process(bound[name])
        return bound

    def _as_known(self, error: psycopg.Error) -> Exception:
        return DBAPIError.instance(self._sql, None, error, psycopg.Error, dialect=_DIALECT)


NO_DISK = func.set_config("synchronous_commit", "off", True)
"""SET LOCAL, as a column of any statement: see `await_no_disk`."""

_AWAIT_NO_DISK = Question(select(NO_DISK))


def await_no_disk(session: Session) -> None:
    """Let the transaction's commit not wait for the disk: others see it at once, and a fallen server may forget it.

    Commits become durable in their order: whatever is committed after it and waits makes it durable too.
    """
    _AWAIT_NO_DISK.ask(session)


def _cursor(session: Session) -> psycopg.Cursor[tuple[Any, ...]]:
    """The one cursor kept with the driver's connection, to which all is written that the session's objects say.

    It reads PostgreSQL's binary form; making one for each question and reading text cost a third of asking. Within a
    transaction that goes well the session is asked for its connection once: finding it costs half of what asking does.
    """
    session.flush()
    transaction, cursor = session.info.get(_CURSOR, (None, None))
    if cursor is None or transaction is not session.get_transaction() or not session.is_active:
        cursor = _kept(session)
        session.info[_CURSOR] = session.get_transaction(), cursor
    found: psycopg.Cursor[tuple[Any, ...]] = cursor
    return found


def _kept(session: Session) -> psycopg.Cursor[tuple[Any, ...]]:
    kept: dict[Any, Any] = session.connection().connection.info
    cursor: psycopg.Cursor[tuple[Any, ...]] | None = kept.get(_CURSOR)
    if cursor is None:
        cursor = kept[_CURSOR] = driver_of(session).cursor(binary=True)
    return cursor
