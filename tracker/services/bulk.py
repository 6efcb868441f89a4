"""Many rows at once: numbers taken beforehand, and inserts that go past the unit of work.

On PostgreSQL many rows go by COPY, few ones and those of SQLite by `executemany`; values are bound by the types of the
columns, as in any other statement. Whatever the session holds is flushed first, so that rows may refer to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Date, Dialect, FromClause, Table, TypeDecorator, func, select, text
from sqlalchemy.orm import Session

from tracker.models import Base

Row = Mapping[str, Any]
COPY_FROM = 20  # rows from which on COPY is quicker than statement after statement
_REPEATED = 4096  # different days and moments that are kept as bound
_NUMBERS = text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)")


def row_numbers(session: Session, model: type[Base], count: int) -> Sequence[int]:
    """Take so many row numbers of a table, ascending; nobody else gets them.

    SQLite: as long as the transaction holds the write lock, which every writing one does from its start.
    """
    if not count:
        return ()
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        return session.scalars(_NUMBERS, {"name": model.__tablename__, "count": count}).all()
    table = table_of(model)
    last = session.scalar(select(func.max(table.c.id))) or 0
    return range(last + 1, last + 1 + count)


def insert_rows(session: Session, model: type[Base], rows: Sequence[Row]) -> None:
    """Insert rows that all name the same columns."""
    if not rows:
        return
    session.flush()
    connection, table, names = session.connection(), table_of(model), list(rows[0])
    values = _bound(table, names, rows, connection.dialect)
    if connection.dialect.name == "postgresql" and len(rows) >= COPY_FROM:
        _copy(connection, table, names, values)
        return
    places = ", ".join([_place(connection)] * len(names))
    statement = f"INSERT INTO {table.name} ({_listed(names)}) VALUES ({places})"  # noqa: S608  names of our own
    connection.exec_driver_sql(statement, list(values))


def update_rows(session: Session, model: type[Base], rows: Sequence[Row], *, key: Sequence[str]) -> int:
    """Write the other columns of each row where those of `key` are as given; return how many rows were met.

    A `version` in the key is raised by one, as the unit of work does.
    """
    if not rows:
        return 0
    session.flush()
    connection, table = session.connection(), table_of(model)
    names = [*(name for name in rows[0] if name not in key), *key]
    place = _place(connection)
    changes = ", ".join(f'"{name}" = {place}' for name in names[: -len(key)])
    version = ", version = version + 1" if "version" in key else ""
    which = " AND ".join(f'"{name}" = {place}' for name in key)
    values = list(_bound(table, names, rows, connection.dialect))
    statement = f"UPDATE {table.name} SET {changes}{version} WHERE {which}"  # noqa: S608  names of our own
    return connection.exec_driver_sql(statement, values).rowcount


def table_of(model: type[Base]) -> Table:
    """The table of a model."""
    table: FromClause = model.__table__
    assert isinstance(table, Table)  # noqa: S101  (no model is mapped to anything else)
    return table


def _copy(connection: Connection, table: Table, names: Sequence[str], values: Iterator[tuple[Any, ...]]) -> None:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({_listed(names)}) FROM STDIN") as copy:
        for row in values:
            copy.write_row(row)


def _place(connection: Connection) -> str:
    return "?" if connection.dialect.paramstyle == "qmark" else "%s"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _bound(table: Table, names: Sequence[str], rows: Sequence[Row], dialect: Dialect) -> Iterator[tuple[Any, ...]]:
    """The values of the rows as the driver takes them, worked out column by column."""
    columns = []
    for name in names:
        values = map(itemgetter(name), rows)
        bind = _binding(table, name, dialect)
        columns.append(values if bind is None else map(bind, values))
    return zip(*columns, strict=True)


@lru_cache(maxsize=1024)
def _binding(table: Table, name: str, dialect: Dialect) -> Callable[[Any], Any] | None:
    kind: Any = table.c[name].type
    bind: Callable[[Any], Any] | None = kind.dialect_impl(dialect).bind_processor(dialect)
    if bind is not None and isinstance(kind, Date | TypeDecorator):
        return lru_cache(maxsize=_REPEATED)(bind)
    return bind
