"""What the database itself refuses, whoever asks: both databases, every table that holds a fact."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from enum import Enum as PythonEnum

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Date,
    Engine,
    Enum,
    Integer,
    LargeBinary,
    Table,
    delete,
    insert,
    null,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tracker.models import Base
from tracker.models.base import UtcDateTime
from tracker.models.guards import FROZEN, SEALABLE, SET_ONCE, fixed_tables, kept_tables

NOW = datetime(2026, 5, 20, 2, 0, tzinfo=UTC)
TABLES = Base.metadata.tables
HISTORY = sorted(name for name in fixed_tables() if "superseded_at" in TABLES[name].columns)
SEALED = sorted(name for name in fixed_tables() if "sealed_at" in TABLES[name].columns)
# Caches, links of accounts to roles, and what Flask-Security needs: rows that are no facts of their own.
NOT_KEPT = {"organization_ancestor", "role", "account_role", "desk_hold", "duty_count", "file_trait"}


def value_for(column, *, other=False):
    """Some value that fits the column; with `other`, another one."""
    kind = column.type
    if isinstance(kind, Enum):
        return list(kind.enum_class)[1 if other else 0] if kind.enum_class else kind.enums[0]
    for python, values in (
        (UtcDateTime, (NOW, NOW + timedelta(days=1))),
        (Date, (date(2026, 5, 1), date(2026, 5, 2))),
        (Boolean, (False, True)),
        (Integer, (1, 2)),
        (LargeBinary, (b"a", b"b")),
        (JSON, ({"a": 1}, {"b": 2})),
    ):
        if isinstance(kind, python):
            return values[other]
    return "b" if other else "a"


@pytest.fixture
def rows(session: Session) -> Iterator[Session]:
    """A session in which rows stand for themselves: foreign keys and checks of the columns are no matter here."""
    if session.get_bind().dialect.name == "postgresql":
        for table, constraint in session.execute(
            text(
                "SELECT CAST(conrelid AS regclass), conname FROM pg_constraint "
                "WHERE connamespace = CAST('public' AS regnamespace) AND contype IN ('f', 'c') AND conparentid = 0"
            )
        ).all():
            session.execute(text(f'ALTER TABLE {table} DROP CONSTRAINT "{constraint}"'))
    else:
        session.execute(text("PRAGMA ignore_check_constraints = ON"))
        session.execute(text("PRAGMA defer_foreign_keys = ON"))
    yield session
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("PRAGMA ignore_check_constraints = OFF"))


def row_in(session: Session, table: Table) -> int:
    """Insert one row in which everything is filled but what is set once; return its number."""
    values = {c.name: value_for(c) for c in table.columns if c.name not in {*SET_ONCE, "id"}}
    return session.execute(insert(table).values(id=4711, **values)).inserted_primary_key[0]


def refused(session: Session, statement) -> bool:
    try:
        with session.begin_nested():
            session.execute(statement)
    except DBAPIError as error:
        if "is refused: it is kept as it was written" not in str(error):
            raise
        return True
    return False


def of(table: Table, number: int):
    return update(table).where(table.c.id == number)


def test_every_table_is_kept_or_known_not_to_be():
    assert set(TABLES) == {*kept_tables(), *NOT_KEPT}
    assert {*FROZEN, *SEALABLE} <= set(fixed_tables())


@pytest.mark.parametrize("name", kept_tables())
def test_nothing_is_deleted(rows, name):
    row_in(rows, TABLES[name])
    assert refused(rows, delete(TABLES[name]))
    if rows.get_bind().dialect.name == "postgresql":
        assert refused(rows, text(f"TRUNCATE {name} CASCADE"))
    else:
        assert refused(rows, text(f"INSERT OR REPLACE INTO {name} SELECT * FROM {name} WHERE id = 4711"))
    assert len(rows.execute(select(TABLES[name].c.id)).all()) >= 1


@pytest.mark.parametrize("name", fixed_tables())
def test_no_column_of_a_fact_is_changed(rows, name):
    table = TABLES[name]
    number = row_in(rows, table)
    for column in table.columns:
        if column.name in SET_ONCE:
            continue
        changed = 4712 if column.name == "id" else value_for(column, other=True)
        assert refused(rows, of(table, number).values({column.name: changed})), column.name
        if column.nullable and column.name != "id":
            assert refused(rows, of(table, number).values({column.name: null()})), column.name


@pytest.mark.parametrize("name", fixed_tables())
def test_an_update_that_changes_nothing_is_no_change(rows, name):
    table = TABLES[name]
    number = row_in(rows, table)
    column = next(column for column in table.columns if column.name != "id" and column.name not in SET_ONCE)
    assert not refused(rows, of(table, number).values({column.name: value_for(column)}))


@pytest.mark.parametrize("name", HISTORY)
def test_a_fact_is_superseded_once(rows, name):
    table = TABLES[name]
    number = row_in(rows, table)
    assert not refused(rows, of(table, number).values(superseded_at=NOW))
    assert refused(rows, of(table, number).values(superseded_at=NOW + timedelta(days=1)))
    assert refused(rows, of(table, number).values(superseded_at=None))


@pytest.mark.parametrize("name", SEALED)
def test_a_seal_is_set_once(rows, name):
    table = TABLES[name]
    number = row_in(rows, table)
    assert not refused(rows, of(table, number).values(sealed_at=NOW))
    assert refused(rows, of(table, number).values(sealed_at=None))


@pytest.mark.parametrize("name", sorted(SEALABLE))
def test_a_text_goes_only_together_with_its_seal(rows, name):
    table, column = TABLES[name], TABLES[name].c[SEALABLE[name]]
    number = row_in(rows, table)
    assert refused(rows, of(table, number).values({column.name: null()}))
    assert refused(rows, of(table, number).values({column.name: value_for(column, other=True), "sealed_at": NOW}))
    assert not refused(rows, of(table, number).values({column.name: null(), "sealed_at": NOW}))
    assert refused(rows, of(table, number).values({column.name: value_for(column)}))


def test_the_guards_stand_in_the_database(engine: Engine):
    query = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
    }
    with engine.connect() as connection:
        names = set(connection.execute(text(query[engine.dialect.name])).scalars())
    assert {f"{name}_is_fixed" for name in fixed_tables()} <= names
    assert {f"{name}_is_kept" for name in kept_tables()} <= names


def test_the_choices_of_a_state_are_those_of_the_program():
    choices = [c for table in TABLES.values() for c in table.columns if isinstance(c.type, Enum)]
    assert choices
    assert all(issubclass(c.type.enum_class, PythonEnum) and not c.type.native_enum for c in choices)
