"""The migrations make the same database as the models do, with every check, index, trigger and function."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask_migrate import check, downgrade, stamp, upgrade
from sqlalchemy import Connection, Engine, create_engine, inspect, select, text
from sqlalchemy.orm import Session

from tests.scene import play
from tests.web.conftest import PASSWORD, SALT
from tracker.app import create_app
from tracker.config import load_settings
from tracker.db import db, engine_options, prepare, writing
from tracker.domain.actor import operator
from tracker.models import Base, DutyCount
from tracker.services.board_counts import verify_counts
from tracker.services.log import Told, record_access, record_all
from tracker.services.verification import verify_log

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


def test_alembic_would_write_an_empty_migration_next(urls, tmp_path):
    app = create_app(load_settings(data_dir=tmp_path / "data", database_url=urls[0]))
    with app.app_context():
        upgrade()
        check()
        db.engine.dispose()


def test_upgrading_twice_changes_nothing(urls, tmp_path):
    assert migrated(urls[0], tmp_path / "data") == migrated(urls[0], tmp_path / "data")


UNDIVIDED = "0003"
TURN = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)  # midnight in Asia/Shanghai
HISTORY = ("log_entry", "log_payload", "access_log")


def written(session: Session) -> None:
    """Three chains over three years, one of which is older than the partitions, and an access in each year."""
    for year in (2021, 2026, 2027):
        for seconds in (-1, 1):
            now = TURN.replace(year=year) + timedelta(seconds=seconds)
            record_all(
                session,
                [Told("record", "evidence", f"{now}", chains, after={"n": 1}) for chains in (["A"], ["A", "B"], ["C"])],
                actor=operator(),
                now=now,
            )
            record_access(session, actor=operator(), now=now, verb="open", kind="x", key=f"{now}", unit_id=None)
    session.flush()


def history(session: Session) -> dict[str, list[Any]]:
    """What the log and the access log say, without row numbers."""
    told = """SELECT c.key, e.seq, e.at, e.act_id, e.verb, e.object_key, e.digest, p.body, p.sealed_at FROM log_entry e
        JOIN log_payload p ON p.id = e.payload_id JOIN log_chain c ON c.id = e.chain_id ORDER BY 1, 2"""
    accesses = "SELECT at, actor, verb, object_key FROM access_log ORDER BY id"
    return {name: session.execute(text(sql)).all() for name, sql in (("log", told), ("access", accesses))}


def rows_of(session: Session, table: str) -> list[tuple[str, int]]:
    """Where each row lies, and its number."""
    rows = session.execute(text(f"SELECT tableoid::regclass || '', id FROM {table} ORDER BY id"))
    return [(place, number) for place, number in rows]


@pytest.mark.parametrize("urls", ["postgresql"], indirect=True)
def test_a_filled_database_is_divided_by_the_year_and_put_together_again(urls, tmp_path):
    app = create_app(load_settings(data_dir=tmp_path / "data", database_url=urls[0]))
    with app.app_context():
        upgrade(revision=UNDIVIDED)
        before = described(db.engine)
        upgrade()
        divided = described(db.engine)
        with Session(db.engine) as session, writing(session):
            written(session)
        with Session(db.engine) as session:
            told, places = history(session), {table: rows_of(session, table) for table in HISTORY}
        assert len(told["log"]) == 24
        assert len(told["access"]) == 6
        db.engine.dispose()

        downgrade(revision=UNDIVIDED)
        assert described(db.engine) == before
        with Session(db.engine) as session:
            assert history(session) == told
            for table in HISTORY:
                assert rows_of(session, table) == [(table, n + 1) for n in range(len(places[table]))]
        db.engine.dispose()

        upgrade()
        assert described(db.engine) == divided
        with Session(db.engine) as session, writing(session):
            assert history(session) == told
            assert {table: [place for place, _ in rows_of(session, table)] for table in HISTORY} == {
                table: [place for place, _ in places[table]] for table in HISTORY
            }
            assert [report.broken for report in verify_log(session)] == [None] * 3
            written(session)  # numbers go on behind those that are there
            assert [report.broken for report in verify_log(session)] == [None] * 3
        db.engine.dispose()


UNCOUNTED = "0002"
COUNTERS = select(DutyCount.__table__).where(DutyCount.number != 0).order_by(*DutyCount.__table__.primary_key)


def test_duties_that_were_there_before_the_counters_are_counted(urls, tmp_path):
    settings = load_settings(
        data_dir=tmp_path / "data", database_url=urls[0], password_salt=SALT, secret_key="a key for the tests"
    )
    app = create_app(settings)
    with app.app_context():
        with Session(db.engine) as session, writing(session):
            play(session, settings, password=PASSWORD)
        stamp()
        with Session(db.engine) as session:
            counted = session.execute(COUNTERS).all()
        assert len(counted) > 100
        db.engine.dispose()

        downgrade(revision=UNCOUNTED)
        assert "duty_count" not in inspect(db.engine).get_table_names()
        db.engine.dispose()

        upgrade()
        with Session(db.engine) as session:
            assert list(verify_counts(session)) == []
            assert session.execute(COUNTERS).all() == counted
        db.engine.dispose()


def test_a_migration_never_imports_the_application():
    versions = Path(__file__).parent.parent / "migrations" / "versions"
    assert [path.name for path in versions.glob("*.py") if "tracker" in path.read_text().replace("tracker_", "")] == []
