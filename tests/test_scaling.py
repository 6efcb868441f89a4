"""The plan for many machines speaks of every table that there is, and says the same in both languages."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from tests.databases import BIN
from tracker.config import CHECKOUT, Settings
from tracker.db import engine_options, prepare, writing
from tracker.domain.actor import operator
from tracker.models import Base
from tracker.services.log import record, record_access
from tracker.services.verification import verify_log

PAGES = ("scaling.md", "scaling.zh-CN.md")


def page(name: str) -> str:
    return (CHECKOUT / "docs" / name).read_text("utf-8")


def groups(name: str) -> list[list[str]]:
    """The tables of each line of the plan."""
    rows = (line for line in page(name).splitlines() if line.startswith("| `"))
    return [re.findall(r"`(\w+)`", line.split(" | ")[0]) for line in rows]


@pytest.mark.parametrize("name", PAGES)
def test_every_table_has_its_place_in_the_plan_once(name: str):
    assert sorted(table for group in groups(name) for table in group) == sorted(Base.metadata.tables)


@pytest.mark.parametrize("name", PAGES)
def test_tables_that_are_said_to_carry_the_unit_do(name: str):
    carrying, *others = groups(name)
    for table in carrying:
        assert "unit_id" in Base.metadata.tables[table].columns
    for group in others:
        for table in set(group) - {"organization", "organization_fact"}:
            assert "unit_id" not in Base.metadata.tables[table].columns, table


@pytest.mark.parametrize("name", PAGES)
def test_every_setting_that_is_named_is_one(name: str):
    named = set(re.findall(r"`(TRACKER_\w+)", page(name)))
    assert len(named) >= 5
    assert named <= {f"TRACKER_{field.upper()}" for field in Settings.model_fields}


def test_both_languages_say_the_same():
    def numbers(name: str) -> list[str]:
        return re.findall(r"\d{1,3}(?:,\d{3})+|\d+ MB|4\.2 KB", page(name))

    english, chinese = PAGES
    assert groups(english) == groups(chinese)
    assert set(numbers(chinese)) == set(numbers(english)) - {"170,000"}  # in Chinese: 17 万
    assert len(re.findall(r"^(?:\||## |\* )", page(english), re.MULTILINE)) == len(
        re.findall(r"^(?:\||## |\* )", page(chinese), re.MULTILINE)
    )


# ---------------------------------------------------------------- what an operator does with a closed year


def blocks(name: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)


def test_both_languages_have_the_same_commands():
    english, chinese = PAGES
    assert [blocks(english, kind) for kind in ("sql", "sh")] == [blocks(chinese, kind) for kind in ("sql", "sh")]


def fresh(server: str, name: str) -> str:
    run(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
    return server.rpartition("/")[0] + f"/{name}"


def run(server: str, *statements: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def years(postgresql_url: str) -> Iterator[Engine]:
    """A database with an entry and an access of 2026, and of 2027."""
    url = fresh(postgresql_url, "years")
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session, writing(session):
        for year in (2026, 2027):
            write(session, datetime(year, 6, 1, tzinfo=UTC))
    yield engine
    engine.dispose()
    run(postgresql_url, "DROP DATABASE years WITH (FORCE)", "DROP TABLESPACE IF EXISTS slow")


def write(session: Session, now: datetime) -> None:
    actor = operator()
    record(session, actor=actor, now=now, verb="record", kind="evidence", key="x", chains=["D1"], after={})
    record_access(session, actor=actor, now=now, verb="evidence.open", kind="evidence", key="x", unit_id=None)
    session.flush()


def told(program: str, *arguments: str) -> str:
    done = subprocess.run([str(BIN / program), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def address(engine: Engine) -> str:
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def test_a_closed_year_moves_to_another_disk_as_the_page_says_and_can_still_be_sealed(years: Engine, tmp_path: Path):
    [commands] = blocks(PAGES[0], "sql")
    script = tmp_path / "move.sql"
    script.write_text("SET allow_in_place_tablespaces = on;\n" + commands.replace("'/srv/slow'", "''"))
    told("psql", "-v", "ON_ERROR_STOP=1", "-f", str(script), address(years))

    moved = "SELECT relname FROM pg_class JOIN pg_tablespace AS t ON t.oid = reltablespace WHERE spcname = 'slow'"
    of_the_years = "SELECT relname FROM pg_class WHERE relkind IN ('r', 'i') AND relname LIKE '%2026%'"
    with Session(years) as session, writing(session):
        names = {name for name in session.scalars(text(moved)) if not name.startswith("pg_toast")}
        assert names == set(session.scalars(text(of_the_years)))
        assert {"log_entry_2026", "log_payload_2026", "access_log_2026", "log_payload_2026_pkey"} < names
        write(session, datetime(2026, 12, 1, tzinfo=UTC))
        assert [(report.length, report.broken) for report in verify_log(session)] == [(3, None)]
        session.execute(text("UPDATE log_payload SET body = NULL, sealed_at = now() WHERE id < 20270000000000"))


def test_a_year_as_a_file_can_be_read_without_the_rest(years: Engine, postgresql_url: str, tmp_path: Path):
    [command] = blocks(PAGES[0], "sh")
    database, file = address(years), tmp_path / "2026.sql.gz"
    program = command.strip().replace('"$DATABASE"', database).replace("=2026.sql.gz", f"={file}").replace("'", "")
    told(*program.split())
    url = fresh(postgresql_url, "one_year")
    script = tmp_path / "2026.sql"
    script.write_bytes(subprocess.run(["gzip", "-dc", str(file)], capture_output=True, check=True).stdout)
    told("psql", "-q", "-f", str(script), url.replace("+psycopg", ""))
    count = "SELECT (SELECT count(*) FROM log_entry_2026 JOIN log_payload_2026 p ON p.id = payload_id), count(*)"
    assert told("psql", "-At", "-c", f"{count} FROM access_log_2026", url.replace("+psycopg", "")) == "1|1\n"


def test_an_account_that_owns_no_table_works_and_takes_no_year_away(years: Engine):
    with years.connect() as connection:
        connection.execute(text("DROP ROLE IF EXISTS service"))
        connection.execute(text("CREATE ROLE service"))
        connection.execute(text("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO service"))
        connection.execute(text("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO service"))
        connection.execute(text("SET LOCAL ROLE service"))
        with Session(connection) as session:
            write(session, datetime(2026, 12, 31, 15, 59, tzinfo=UTC))
            for away in ("ALTER TABLE log_entry DETACH PARTITION log_entry_2026", "DROP TABLE access_log_2026"):
                with pytest.raises(ProgrammingError, match="must be owner"), session.begin_nested():
                    session.execute(text(away))
        connection.rollback()
