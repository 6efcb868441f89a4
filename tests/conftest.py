"""Fixtures: real databases, and a small city to tell stories in."""

from __future__ import annotations

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
def engines(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[dict[str, Engine]]:
    """Engines made so far, by name; each has all tables and guards."""
    made: dict[str, Engine] = {}
    yield made
    for engine in made.values():
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(
    request: pytest.FixtureRequest, engines: dict[str, Engine], tmp_path_factory: pytest.TempPathFactory
) -> Engine:
    """A database with all tables and guards: every test that asks for it runs on SQLite and on PostgreSQL."""
    name: str = request.param
    if name not in engines:
        folder: Path = tmp_path_factory.mktemp("sqlite")
        url = f"sqlite:///{folder}/t.sqlite3" if name == "sqlite" else request.getfixturevalue("postgresql_url")
        engines[name] = _engine(url)
    return engines[name]


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
    return City.build(session)
