"""Fixtures: real databases, and a small city to tell stories in."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from flask import has_app_context
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from tests.city import City
from tests.databases import postgresql_server
from tests.prepared import small_set
from tracker.db import engine_options, prepare
from tracker.models import Base
from tracker.reporting.fonts import FontSet

# What takes longest is begun first: of two processes the one that takes such a file up last runs on alone.
LONG = (
    "browser/test_",
    "engines/test_",
    "cli/test_bundle",
    "cli/test_bench_speed",
    "cli/test_demo",
    "queries/test_explain",
    "tasks/test_packet",
    "web/test_packets",
    "web/test_as_of",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first."""
    tests = Path(__file__).parent
    items.sort(key=lambda item: not item.path.relative_to(tests).as_posix().startswith(LONG))


def pytest_collection_finish() -> None:
    """What is imported now stays: looking through it for garbage, time and again, took a fifth of the whole run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """A test that leaves an application open would lend it to every later command of the same process."""
    assert not has_app_context()
    yield
    assert not has_app_context(), "this test left an application context open"


@pytest.fixture(scope="session")
def prepared_fonts(tmp_path_factory: pytest.TempPathFactory) -> FontSet:
    """The prepared fonts, made once for the run: packets are printed with no others."""
    return small_set(tmp_path_factory.mktemp("prepared-fonts"))


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the run; its user has to get at the folder."""
    with TemporaryDirectory(prefix="tracker-postgresql-") as folder, postgresql_server(Path(folder)) as url:
        yield url


def _engine(url: str) -> Engine:
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    Base.metadata.create_all(engine)
    return engine


@pytest.fixture(scope="session")
def engines() -> Iterator[dict[tuple[str, str], Engine]]:
    """Engines made so far, by name and what is in them; each has all tables and guards."""
    made: dict[tuple[str, str], Engine] = {}
    yield made
    for engine in made.values():
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(
    request: pytest.FixtureRequest, engines: dict[tuple[str, str], Engine], tmp_path_factory: pytest.TempPathFactory
) -> Engine:
    """A database with all tables and guards: every test that asks for it runs on SQLite and on PostgreSQL.

    For a test in the small city it is one in which the city stands already.
    """
    made = request.param, "city" if "city" in request.fixturenames else "empty"
    if made not in engines:
        folder: Path = tmp_path_factory.mktemp("sqlite")
        on_postgresql = request.param == "postgresql"
        url = _new_database(request, made[1]) if on_postgresql else f"sqlite:///{folder}/t.sqlite3"
        engines[made] = _engine(url)
        if made[1] == "city":
            with Session(engines[made]) as session, session.begin():
                City.build(session)
    return engines[made]


def _new_database(request: pytest.FixtureRequest, name: str) -> str:
    server: str = request.getfixturevalue("postgresql_url")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return server.rpartition("/")[0] + f"/{name}"


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session whose every change is undone after the test, commits included."""
    with engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            yield session
        outer.rollback()


@pytest.fixture
def city(session: Session) -> City:
    """A small city: a root, two units, their organ committees and branches, and named people in their seats."""
    return City.standing(session)
