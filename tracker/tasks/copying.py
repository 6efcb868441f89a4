"""Copies an installation into another database and another store, so that nothing is lost and everything is compared.

The source is read at one moment and never written to. Rows go over in chunks by their keys; a chunk that is the same on
both sides is left alone, so a second run goes on where the first one ended, and takes over what was written since. What
the guards of the target refuse to change is a sign that it holds something else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Select,
    Table,
    delete,
    func,
    inspect,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tracker.domain.errors import WrongState
from tracker.domain.text import _n
from tracker.models import Base, DutyCount
from tracker.models.guards import kept_tables
from tracker.models.years import OF_A_YEAR, is_by_year
from tracker.services.verification import ChainReport, verify_log
from tracker.storage.parts import Check
from tracker.storage.s3 import OtherBytes
from tracker.storage.store import Store

CHUNK = 2000  # rows
_BYTES = 1024**2
_NATURAL = ("key", "code", "username", "year", "number", "sha256", "digest")  # what tells one row from another's

_OTHER_DATA = _n("目标数据库的表 %(table)s 中有别的数据，没有复制。请换一个空的数据库。")

Progress = Callable[[str, int, int], None]
Row = tuple[Any, ...]


class OtherData(WrongState):
    """The target holds rows that are not of this installation."""


class OtherSchema(WrongState):
    """The tables of source and target are not the same."""


@dataclass(frozen=True)
class TableReport:
    """How many rows a table has on both sides, and whether the digests over all of them are the same."""

    name: str
    rows: int
    copied: int
    same: bool


@dataclass(frozen=True)
class FileReport:
    """What became of the files: of `named` rows so many are `sound` in the target; `faults` names the others."""

    named: int
    sound: int
    faults: dict[str, str]


def plain_tables() -> list[Table]:
    """All tables in the order of their references, in which an absent JSON value is NULL.

    Without the counters: a database counts its duties by itself, as they are copied; `verify_counts` recounts them.
    """
    plain = MetaData()
    for table in Base.metadata.sorted_tables:
        if table is not DutyCount.__table__:
            table.to_metadata(plain)
    for table in plain.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
    return list(plain.sorted_tables)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that sees the database at one moment, whatever is written meanwhile."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


def check_target(source: Connection, target: Connection) -> None:
    """Raise OtherSchema or OtherData unless the target has the same tables, with nothing or with rows of the source."""
    if _version(source) != _version(target) or not inspect(target).has_table("organization"):
        raise OtherSchema(_n("目标数据库的表结构与本系统不同，请先对目标数据库执行 tracker db upgrade，再复制。"))
    for table in plain_tables():
        names = [column for column in table.columns if column.name in (*_keys(table), *_NATURAL)]
        for order in (_order(table), [column.desc() for column in _order(table)]):
            row = target.execute(select(*names).order_by(*order).limit(1)).first()
            if row is None:
                break
            given = dict(zip((column.name for column in names), row, strict=True))
            ours = [column == given[column.name] for column in names]
            if table.name in kept_tables() and source.execute(select(*names).where(*ours)).first() is None:
                raise OtherData(_OTHER_DATA, table=table.name)


def _version(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.scalar(text("SELECT version_num FROM alembic_version")))


def copy_rows(source: Connection, target: Engine, *, progress: Progress) -> dict[str, int]:
    """Bring every table of the target to the state of the source; return how many rows of each had to be written."""
    written = {}
    for table in plain_tables():
        try:
            written[table.name] = _copy_table(source, target, table, progress)
            with target.begin() as connection:
                _set_sequence(connection, table)
        except DBAPIError as error:
            if "is refused" in str(error.orig):
                raise OtherData(_OTHER_DATA, table=table.name) from error
            raise
    return written


def _copy_table(source: Connection, target: Engine, table: Table, progress: Progress) -> int:
    written = seen = 0
    whole = source.scalar(select(func.count()).select_from(table)) or 0
    chunks = _whole(source, table) if _refers_to_itself(table) else _chunks(source, table)
    before: Row | None = None
    for rows in chunks:
        with target.begin() as connection:
            last = None if _refers_to_itself(table) else _key(table, rows[-1])
            there = {_key(table, row): row for row in connection.execute(_between(table, before, last))}
            ours = {_key(table, row): row for row in rows}
            fresh = [row for key, row in ours.items() if key not in there]
            changed = [row for key, row in ours.items() if key in there and _told(there[key]) != _told(row)]
            _remove(connection, table, [key for key in there if key not in ours])
            _write(connection, table, [*changed, *fresh] if changed else fresh, replace=bool(changed))
        before, written, seen = last, written + len(fresh) + len(changed), seen + len(rows)
        progress(table.name, seen, whole)
    with target.begin() as connection:
        if not _refers_to_itself(table):
            _remove(connection, table, [_key(table, row) for row in connection.execute(_between(table, before, None))])
    return written


def _write(connection: Connection, table: Table, rows: Sequence[Row], *, replace: bool) -> None:
    if not rows:
        return
    insert = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    others = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in _keys(table)}
    statement: Any = insert
    if replace:
        names = _keys(table)
        statement = (
            insert.on_conflict_do_update(index_elements=names, set_=others)
            if others
            else insert.on_conflict_do_nothing(index_elements=names)
        )
    connection.execute(statement, [dict(zip(table.columns.keys(), row, strict=True)) for row in rows])


def _remove(connection: Connection, table: Table, keys: Sequence[Row]) -> None:
    """Remove rows that are gone from the source since an earlier run; of facts the guards refuse it."""
    columns = tuple_(*_order(table))
    for start in range(0, len(keys), 500):
        connection.execute(delete(table).where(columns.in_([tuple(key) for key in keys[start : start + 500]])))


def _chunks(connection: Connection, table: Table) -> Iterator[list[Row]]:
    last: Row | None = None
    while True:
        query = _between(table, last, None).limit(CHUNK)
        rows = [tuple(row) for row in connection.execute(query)]
        if not rows:
            return
        yield rows
        last = _key(table, rows[-1])


def _whole(connection: Connection, table: Table) -> Iterator[list[Row]]:
    """All rows of a table that refers to itself, at once, with what is referred to first."""
    [parent] = [column for column in _self_references(table) if column.nullable]
    at = table.columns.keys().index(parent.name)
    rows = {_key(table, row)[0]: tuple(row) for row in connection.execute(select(table).order_by(*_order(table)))}
    placed: dict[Any, Row] = {}

    def place(row: Row) -> None:
        trail = [row]
        while trail[-1][at] is not None and trail[-1][at] not in placed:
            trail.append(rows[trail[-1][at]])
        for each in reversed(trail):
            placed.setdefault(_key(table, each)[0], each)

    for row in rows.values():
        place(row)
    if placed:
        yield list(placed.values())


def _self_references(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if any(key.column.table is table for key in column.foreign_keys)]


def _refers_to_itself(table: Table) -> bool:
    return any(column.nullable for column in _self_references(table))


def _keys(table: Table) -> list[str]:
    return [column.name for column in table.primary_key]


def _order(table: Table) -> list[Column[Any]]:
    return list(table.primary_key)


def _key(table: Table, row: Sequence[Any]) -> Row:
    names = table.columns.keys()
    return tuple(row[names.index(name)] for name in _keys(table))


def _between(table: Table, after: Row | None, until: Row | None) -> Select[Any]:
    """The rows behind one key and up to another, in the order of the keys."""
    query = select(table).order_by(*_order(table))
    columns = tuple_(*_order(table))
    if after is not None:
        query = query.where(columns > tuple_(*after))
    return query if until is None else query.where(columns <= tuple_(*until))


def _told(row: Sequence[Any]) -> str:
    """A row as text, the same from every database."""
    return json.dumps(list(row), sort_keys=True, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _set_sequence(connection: Connection, table: Table) -> None:
    """Let PostgreSQL number the next row behind the last one."""
    [*columns] = table.primary_key
    if connection.dialect.name != "postgresql" or len(columns) != 1 or not isinstance(columns[0].type, Integer):
        return
    [number] = columns
    given = number % OF_A_YEAR if is_by_year(table) else number  # the year is put before what the sequence gives
    last = select(func.coalesce(func.max(given), 0) + 1).scalar_subquery()
    connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, number.name), last, False)))


def compare_rows(source: Connection, target: Connection, written: dict[str, int]) -> Iterator[TableReport]:
    """Count and hash every table on both sides."""
    for table in plain_tables():
        (count, ours), (_, theirs) = _digest(source, table), _digest(target, table)
        yield TableReport(table.name, count, written.get(table.name, 0), same=ours == theirs)


def _digest(connection: Connection, table: Table) -> tuple[int, str]:
    hashed, count = hashlib.sha256(), 0
    for rows in _chunks(connection, table):
        for row in rows:
            hashed.update(_told(row).encode() + b"\n")
            count += 1
    return count, f"{count} {hashed.hexdigest()}"


def compare_log(target: Engine) -> list[ChainReport]:
    """Check every chain of the log in the target."""
    with reading(target) as connection, Session(connection) as session:
        return verify_log(session)


def copy_files(source: Connection, old: Store, new: Store, *, progress: Progress) -> FileReport:
    """Bring every file that a row names into the new store, and hash it there; what was sealed must not be there."""
    table = Base.metadata.tables["stored_file"]
    named = source.execute(select(table.c.sha256, table.c.sealed_at).order_by(table.c.sha256)).all()
    sound, faults = 0, {}
    for done, (sha256, sealed_at) in enumerate(named, start=1):
        if sealed_at is not None:
            new.destroy(sha256)
        elif fault := _bring(sha256, old, new):
            faults[sha256] = fault
        else:
            sound += 1
        progress("files", done, len(named))
    return FileReport(len(named), sound, faults)


def _bring(sha256: str, old: Store, new: Store) -> str:
    """Copy one file unless it is there; return what is wrong with it, or nothing."""
    if new.verify(sha256) is Check.OK:
        return ""
    try:
        file = old.open(sha256)
    except FileNotFoundError:
        return "missing in the source"
    except OtherBytes:
        return "changed in the source"
    with file, new.part() as part:
        while chunk := file.read(_BYTES):
            part.write(chunk)
        if part.digest != sha256:
            return "changed in the source"
        try:
            part.keep()  # a bucket reads it back
        except OtherBytes:
            return "changed in the target"
    return ""
