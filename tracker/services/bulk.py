"""Many rows at once: numbers taken beforehand, and inserts that go past the unit of work.

On PostgreSQL many rows go by COPY, few ones and those of SQLite by `executemany`; values are bound by the types of the
columns, as in any other statement. Whatever the session holds is flushed first, so that rows may refer to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import count
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Date,
    Dialect,
    FromClause,
    Insert,
    Select,
    Table,
    TypeDecorator,
    bindparam,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.orm import Session

from tracker.models import Base
from tracker.models.years import OF_A_YEAR, first_number
from tracker.queries.history import SHANGHAI

Row = Mapping[str, Any]
COPY_FROM = 20  # rows from which on COPY is quicker than statement after statement
MOST_VALUES = 30_000  # of one statement
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


def numbers_by_year(session: Session, model: type[Base], moments: Sequence[datetime]) -> Sequence[int]:
    """Take a row number for each of these moments, of a table that is divided by the year (`models.years`)."""
    firsts = [first_number(at.astimezone(SHANGHAI).year) for at in moments]
    if session.get_bind().dialect.name == "postgresql":
        digits: Sequence[int] = row_numbers(session, model, len(firsts))
        return [first + number for first, number in zip(firsts, digits, strict=True)]
    session.flush()
    following = {first: count(session.scalar(_next_number(model), {"first": first}) or 0) for first in set(firsts)}
    return [next(following[first]) for first in firsts]


@lru_cache
def _next_number(model: type[Base]) -> Select[int]:
    """The first number of a year that no row has: one writer at a time asks SQLite for it."""
    number, first = table_of(model).c.id, bindparam("first", type_=BigInteger)
    return select(func.coalesce(func.max(number), first) + 1).where(number > first, number < first + OF_A_YEAR)


def insert_by_year(session: Session, model: type[Base], row: Row, *, at: datetime) -> None:
    """Insert one row of a table that is divided by the year; the statement itself takes its number."""
    statement = _numbering_insert(model, session.get_bind().dialect.name)
    session.execute(statement, {**row, "at": at, "first": first_number(at.astimezone(SHANGHAI).year)})


@lru_cache
def _numbering_insert(model: type[Base], dialect: str) -> Insert:
    table = table_of(model)
    number: ColumnElement[int] = _next_number(model).scalar_subquery()
    if dialect == "postgresql":
        number = bindparam("first", type_=BigInteger) + func.nextval(func.pg_get_serial_sequence(table.name, "id"))
    return insert(table).values(id=number).inline()


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
    changed = [name for name in rows[0] if name not in key]
    if connection.dialect.name == "postgresql":
        at_once = MOST_VALUES // (len(changed) + len(key))
        chunks = [rows[start : start + at_once] for start in range(0, len(rows), at_once)]
        return sum(_update_from(connection, table, changed, key, chunk) for chunk in chunks)
    changes = ", ".join([f'"{name}" = ?' for name in changed] + _raised(key))
    which = " AND ".join(f'"{name}" = ?' for name in key)
    values = list(_bound(table, [*changed, *key], rows, connection.dialect))
    statement = f"UPDATE {table.name} SET {changes} WHERE {which}"  # noqa: S608  names of our own
    return connection.exec_driver_sql(statement, values).rowcount


def _update_from(
    connection: Connection, table: Table, changed: Sequence[str], key: Sequence[str], rows: Sequence[Row]
) -> int:
    """One statement for all of them, so that what the database does after a change is done once."""
    names = [*changed, *key]
    kinds = [table.c[name].type.compile(connection.dialect) for name in names]
    first = ", ".join(f"CAST(%s AS {kind})" for kind in kinds)
    others = f", ({', '.join(['%s'] * len(names))})" * (len(rows) - 1)
    changes = ", ".join([f'"{name}" = given."{name}"' for name in changed] + _raised(key, f"{table.name}."))
    which = " AND ".join(f'{table.name}."{name}" = given."{name}"' for name in key)
    statement = (
        f"UPDATE {table.name} SET {changes} "  # noqa: S608  names of our own
        f"FROM (VALUES ({first}){others}) AS given ({_listed(names)}) WHERE {which}"
    )
    values = tuple(value for row in _bound(table, names, rows, connection.dialect) for value in row)
    return connection.exec_driver_sql(statement, values).rowcount


def _raised(key: Sequence[str], table: str = "") -> list[str]:
    return [f"version = {table}version + 1"] if "version" in key else []


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
