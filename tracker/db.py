"""The engine, the session, and `transaction()`: the only place in the program that commits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pysqlite3
from flask import g
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from tracker.domain.errors import Conflict
from tracker.domain.text import _n
from tracker.models.base import Base

SAFE_WAL = (3, 51, 3)  # older ones can corrupt a database when the write-ahead log is reset

SOMEBODY_WAS_FASTER = ("could not serialize", "deadlock", "UNIQUE constraint failed", "duplicate key value")

db = SQLAlchemy(metadata=Base.metadata)


class OldSqlite(Exception):
    """The SQLite library is too old to be trusted with a write-ahead log."""


def engine_options(url: str, *, allow_old_sqlite: bool = False) -> dict[str, Any]:
    """Return what `create_engine` needs for this URL."""
    if not url.startswith("sqlite"):
        return {"pool_pre_ping": True, "hide_parameters": True}  # errors are logged: what was typed is not
    if pysqlite3.sqlite_version_info < SAFE_WAL and not allow_old_sqlite:
        raise OldSqlite(f"SQLite {pysqlite3.sqlite_version} is older than 3.51.3; install the pysqlite3 package anew")
    waits = {"timeout": 30, "isolation_level": None}
    return {"module": pysqlite3.dbapi2, "connect_args": waits, "hide_parameters": True}


def prepare(engine: Engine) -> None:
    """Make a SQLite engine durable and honest: WAL, full sync, foreign keys, and BEGIN that means it."""
    if engine.dialect.name != "sqlite":
        _compile_nothing(engine)
        return

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _: Any) -> None:  # noqa: ANN401  the driver's own type
        kept = "foreign_keys=ON", "recursive_triggers=ON"  # the latter: a REPLACE asks the guards of what it deletes
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", *kept):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("tracker_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _compile_nothing(engine: Engine) -> None:
    """Keep PostgreSQL from compiling plans: over many partitions that takes seconds, and the plans milliseconds."""

    @event.listens_for(engine, "connect")
    def turn_off(connection: Any, _: Any) -> None:  # noqa: ANN401  the driver's own type
        connection.autocommit = True
        connection.execute("SET jit = off")
        connection.autocommit = False


@contextmanager
def writing(session: Session) -> Iterator[Session]:
    """Commit what the block did, or undo all of it.

    The block starts a new transaction that holds the write lock from the start (SQLite), so that what it checks is
    still true when it writes. Objects loaded before are read anew.
    """
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("something was changed outside of a transaction")
    session.rollback()
    session.connection(execution_options={"tracker_writes": True})
    try:
        yield session
        session.commit()
    except (StaleDataError, IntegrityError, OperationalError) as error:
        session.rollback()
        if isinstance(error, StaleDataError) or any(sign in str(error) for sign in SOMEBODY_WAS_FASTER):
            raise Conflict(_n("别人刚刚处理了同一事项，请刷新后查看最新情况。")) from error
        raise
    except BaseException:
        session.rollback()
        raise


@contextmanager
def transaction() -> Iterator[Session]:
    """Commit what the block did in the session of this application context, or undo all of it.

    Who acts is forgotten, to be read anew inside (`web.access.current_actor`): while a file arrives, a right may end.
    """
    g.pop("actor", None)
    with writing(db.session()) as session:
        yield session
