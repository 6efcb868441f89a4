"""The migrations make the same database as the models do, with every check, index, trigger and function."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask_migrate import upgrade
from sqlalchemy import Connection, Engine, create_engine, inspect, text

from tracker.app import create_app
from tracker.config import load_settings
from tracker.db import db, engine_options, prepare
from tracker.models import Base

OTHER = {"alembic_version"}

TRIGGERS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": """SELECT tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)
        FROM pg_trigger WHERE NOT tgisinternal""",
}
INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
}
CONSTRAINTS = """SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace"""
PARTITIONS = """SELECT oid::regclass || '', pg_get_expr(relpartbound, oid) FROM pg_class
    WHERE relispartition AND relkind = 'r'"""
SEQUENCES = """SELECT sequencename, concat_ws(' ', data_type, max_value, cycle, pg_get_serial_sequence(
    regexp_replace(sequencename, '_id_seq$', ''), 'id')) FROM pg_sequences"""
FUNCTIONS = "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace"


def _plain(sql: str) -> str:
    return " ".join(sql.replace('"', "").replace("( ", "(").replace(" )", ")").split())


def _named(connection: Connection, query: str) -> dict[str, str]:
    rows = connection.execute(text(query)).all()
    return {name: _plain(sql) for name, sql in rows if not any(other in name for other in OTHER)}


def described(engine: Engine) -> dict[str, Any]:
    """Everything that a database consists of but its rows."""
    found: dict[str, Any] = {}
    inspector = inspect(engine)
    for table in sorted(set(inspector.get_table_names()) - OTHER):
        found[table] = {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(table)
            },
            "key": inspector.get_pk_constraint(table),
            "foreign": sorted(map(str, inspector.get_foreign_keys(table))),
            "unique": sorted(map(str, inspector.get_unique_constraints(table))),
            "checks": {check["name"]: _plain(check["sqltext"]) for check in inspector.get_check_constraints(table)},
        }
    with engine.connect() as connection:
        dialect = engine.dialect.name
        found["triggers"] = _named(connection, TRIGGERS[dialect])
        found["indexes"] = _named(connection, INDEXES[dialect])
        if dialect == "postgresql":
            found["constraints"] = _named(connection, CONSTRAINTS)
            found["functions"] = _named(connection, FUNCTIONS)
            found["partitions"] = _named(connection, PARTITIONS)
            found["sequences"] = _named(connection, SEQUENCES)
    return found


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    yield engine
    engine.dispose()


def migrated(url: str, data_dir: Path) -> dict[str, Any]:
    """An empty database after `tracker db upgrade`."""
    app = create_app(load_settings(data_dir=data_dir, database_url=url))
    with app.app_context():
        upgrade()
        found = described(db.engine)
        db.engine.dispose()
    return found


def created(url: str) -> dict[str, Any]:
    """An empty database after what tests do."""
    with _engine(url) as engine:
        Base.metadata.create_all(engine)
        return described(engine)


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """Two empty databases of one kind."""
    names = ["migrated", "created"]
    if request.param == "sqlite":
        yield [f"sqlite:///{tmp_path / name}.sqlite3" for name in names]
        return
    server: str = request.getfixturevalue("postgresql_url")
    with _engine(server) as engine, engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for name in names:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield [server.rpartition("/")[0] + f"/{name}" for name in names]
        for name in names:
            connection.execute(text(f"DROP DATABASE {name}"))


def test_an_upgraded_database_is_the_one_of_the_models(urls, tmp_path):
    by_migration, by_models = migrated(urls[0], tmp_path / "data"), created(urls[1])
    assert by_migration.keys() == by_models.keys()
    for part in by_models:
        assert by_migration[part] == by_models[part], part


def test_the_comparison_sees_checks_and_triggers(urls, tmp_path):
    found = created(urls[1])
    assert "ck_seal_two_administrators" in found["seal"]["checks"]
    assert "ck_duty_state" in found["duty"]["checks"]
    assert "uq_seal_asked" in found["indexes"]
    assert any("log_entry_is_fixed" in name for name in found["triggers"])


def test_upgrading_twice_changes_nothing(urls, tmp_path):
    assert migrated(urls[0], tmp_path / "data") == migrated(urls[0], tmp_path / "data")


def test_a_migration_never_imports_the_application():
    versions = Path(__file__).parent.parent / "migrations" / "versions"
    assert [path.name for path in versions.glob("*.py") if "tracker" in path.read_text().replace("tracker_", "")] == []
