"""Engine, session and the unit of work: one request or task, one transaction, one commit."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from hashlib import sha256
from select import POLLIN, poll
from typing import Any, cast
from uuid import UUID

import psycopg
from sqlalchemy import DateTime, Engine, MetaData, Table, create_engine, event, func, select, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from uuid_utils.compat import uuid7

from registry.settings import Settings

APP_ROLE = "renhice_app"


class Base(DeclarativeBase):
    """Every table; constraint names are predictable so that migrations and errors can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012  # SQLAlchemy reads it from the class


def new_id() -> UUID:
    """An opaque, time-ordered identifier (UUIDv7, RFC 9562 §5.7)."""
    return uuid7()


def made_at(key: UUID) -> datetime:
    """The moment in an identifier that `new_id` made, to the millisecond."""
    return datetime.fromtimestamp(int.from_bytes(key.bytes[:6]) / 1000, UTC)


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def table_of(model: type[Base]) -> Table:
    """The table of a model, for statements on the busiest paths: rows cost a third of what objects do."""
    return cast("Table", model.__table__)


def driver_of(session: Session) -> psycopg.Connection[tuple[Any, ...]]:
    """The driver's own connection in the session's transaction."""
    driver = session.connection().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101  # for the type checker: the engine knows no other
    return driver


def commit_each(session: Session) -> None:
    """Let each statement of a unit of work be a transaction of its own, so that none is begun and none ended.

    For who writes one row at most: it stays, whatever becomes of the request. Called before the first statement; what
    comes after a commit is in a transaction again.
    """
    session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})


def make_engine(settings: Settings) -> Engine:
    """The application's engine: least-privileged role, statement and lock time-outs on every connection.

    The connection used last is used next: its server process has prepared the statements and has not gone cold.
    """
    engine = create_engine(
        settings.database_url,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_use_lifo=True,
        pool_recycle=1800,
        hide_parameters=True,  # an error's text would quote them
        connect_args={"connect_timeout": 5, "application_name": "renhice"},
    )

    @event.listens_for(engine, "connect")
    def least_privilege(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {APP_ROLE}")
            cursor.execute(f"SET statement_timeout = {settings.statement_timeout_ms}")
            cursor.execute(f"SET lock_timeout = {settings.lock_timeout_ms}")
            cursor.execute("SET idle_in_transaction_session_timeout = '60s'")
        connection.commit()

    event.listen(engine, "checkout", _refuse_ended)
    return engine


def _refuse_ended(connection: Any, _record: Any, _proxy: Any) -> None:
    """An idle connection says nothing; one that can be read has ended, and the pool opens another in its place.

    Asking each one whether it lives (a ping) would cost every request another question.
    """
    if connection.closed:
        raise DisconnectionError
    idle = poll()
    idle.register(connection.fileno(), POLLIN)
    if idle.poll(0):
        raise DisconnectionError


class Database:
    """The sessions of one process; the current unit of work is found through a context variable."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    def begin(self) -> "UnitOfWork":
        """Open a unit of work and make it current; a connection is taken at the first statement."""
        return UnitOfWork(self._sessions())

    @contextmanager
    def unit_of_work(self) -> Iterator[Session]:
        """A unit of work that commits on success, rolls back on any exception and always closes."""
        work = self.begin()
        try:
            yield work.session
            work.commit()
        finally:
            work.close()

    def ping(self) -> None:
        """Raise if the database does not answer."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))


class UnitOfWork:
    """A session that is current until closed; closing without commit rolls back."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._token = _current.set(session)

    def commit(self) -> None:
        """Make everything of this unit of work durable."""
        self.session.commit()

    def rollback(self) -> None:
        """Undo everything since the last commit."""
        self.session.rollback()

    def close(self) -> None:
        """Release the connection and stop being current."""
        self.session.close()
        _current.reset(self._token)


_TURNS = text("SELECT count(pg_advisory_xact_lock(number)) FROM unnest(CAST(:numbers AS bigint[])) AS number")


def take_turns(session: Session, *keys: bytes) -> None:
    """Wait until nobody else holds any of these keys, and hold them to the end of the transaction.

    For checks that must see what those before them wrote. Everybody takes several in the same order.
    """
    numbers = sorted(int.from_bytes(sha256(key).digest()[:8], signed=True) for key in keys)
    session.execute(_TURNS, {"numbers": numbers})


def take_free_turn(session: Session, key: bytes) -> bool:
    """Hold the key to the end of the transaction unless somebody else does: then what there is to do is being done."""
    number = int.from_bytes(sha256(key).digest()[:8], signed=True)
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(number))))


_current: ContextVar[Session] = ContextVar("renhice_session")


def session() -> Session:
    """The session of the current unit of work; LookupError outside one."""
    return _current.get()
