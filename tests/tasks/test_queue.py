"""What counts as a fault of the settings, for which nothing starts, and what as a queue that is away for a while."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.databases import free_port
from tracker.config import load_settings
from tracker.tasks.queue import Queue

PLACES = (
    "CREATE ROLE queue_full LOGIN CONNECTION LIMIT 0",
    "CREATE ROLE queue_closed NOLOGIN",
    "CREATE ROLE queue_stranger LOGIN",
    "CREATE DATABASE queue_shut ALLOW_CONNECTIONS false",
    "CREATE DATABASE queue_private",
    "REVOKE CONNECT ON DATABASE queue_private FROM PUBLIC",
)
LEFT = ("DROP DATABASE IF EXISTS queue_shut", "DROP DATABASE IF EXISTS queue_private", *(
    f"DROP ROLE IF EXISTS {role}" for role in ("queue_full", "queue_closed", "queue_stranger")
))  # fmt: skip


@pytest.fixture
def places(postgresql_url: str):
    """A server with accounts and databases that do not let everybody in."""
    engine = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in (*LEFT, *PLACES):
            connection.execute(text(statement))
        yield postgresql_url
        for statement in LEFT:
            connection.execute(text(statement))
    engine.dispose()


def fault(folder: Path, url: str) -> str:
    return Queue(load_settings(data_dir=folder, queue_url=url)).fault()


@pytest.mark.parametrize(
    ("user", "database", "said"),
    [
        ("tracker", "nowhere", 'database "nowhere" does not exist'),
        ("nobody", "postgres", 'role "nobody" does not exist'),
        ("queue_closed", "postgres", "not permitted to log in"),
        ("queue_stranger", "queue_private", "permission denied for database"),
    ],
)
def test_a_user_or_a_database_that_is_refused_is_a_fault_of_the_settings(
    places: str, tmp_path: Path, user: str, database: str, said: str
):
    url = places.replace("tracker@", f"{user}@").replace("/postgres", f"/{database}")
    assert said in fault(tmp_path, url)


@pytest.mark.parametrize(("user", "database"), [("queue_full", "postgres"), ("tracker", "queue_shut")])
def test_a_server_that_takes_nobody_just_now_is_away_and_no_reason_not_to_start(
    places: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, user: str, database: str
):
    url = places.replace("tracker@", f"{user}@").replace("/postgres", f"/{database}")
    assert fault(tmp_path, url) == ""
    assert "FATAL" in caplog.text
    assert "jobs wait in the database meanwhile" in caplog.text


@pytest.mark.parametrize("scheme", ["postgresql", "redis"])
def test_a_server_that_is_not_there_is_away(tmp_path: Path, scheme: str):
    assert fault(tmp_path, f"{scheme}://tracker@127.0.0.1:{free_port()}/0") == ""


def test_a_server_that_lets_us_in_has_no_fault(places: str, tmp_path: Path):
    assert fault(tmp_path, places) == ""
