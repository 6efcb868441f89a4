"""No query of any page reads through a table that grows with the years: what EXPLAIN says on both databases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.orm import Session

from tests.addresses import PEOPLE, addresses
from tests.city import NOW
from tests.scene import play
from tests.web.conftest import PASSWORD, SALT, sign_in
from tracker.app import create_app
from tracker.config import load_settings
from tracker.db import engine_options, prepare, writing
from tracker.models.guards import kept_tables

# What an installation has some of for each organization and person, however old it gets, ...
LASTING = {
    *("account", "checklist_version", "cycle", "day_override", "decision", "frequent_reason", "log_chain", "seal"),
    *("organization", "organization_fact", "person", "person_fact", "seat", "appointment"),
}
# ... and what people decide on one by one, a few dozen times in a year: the checks, and who and which units are in one.
CHECKS = {"inspection", "inspection_fact", "inspection_draw", "inspection_member", "inspection_unit", "look_back_draw"}
GROWING = {*kept_tables(), "duty_count", "file_trait", "desk_hold"} - LASTING - CHECKS
NEWEST = r"ORDER BY (access_log.at DESC, access_log.id|log_entry.id) DESC LIMIT"
# What may be read whole, or in the order of an index as far as a page goes: the table, the form of the query, and why.
ALLOWED = (
    ("log_entry", NEWEST, "an auditor sees every entry, so that the first of them fill the page"),
    ("access_log", NEWEST, "as above"),
    ("good_practice", r"FROM good_practice (JOIN|WHERE)", "a list of what inspectors chose one by one, to be read"),
    ("inspection_duty", r"WHERE (0 = 1|false) ORDER BY inspection", "asked for nobody: the condition is never true"),
)


@contextmanager
def selects(engine: Engine) -> Iterator[dict[str, Any]]:
    """The SELECT statements that the block sends, with parameters of one time each was sent."""
    seen: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            seen.setdefault(re.sub(r"\s+", " ", statement), parameters)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def built(folder: Path, url: str) -> tuple[Flask, Any]:
    """The application over a city in the middle of its year."""
    settings = load_settings(data_dir=folder, database_url=url, password_salt=SALT, secret_key="a key for the tests")
    engine = create_engine(settings.database, **engine_options(settings.database))
    prepare(engine)
    with Session(engine) as session, writing(session):
        scene = play(session, settings, password=PASSWORD, more=1)
    engine.dispose()
    app = create_app(settings)
    app.testing = True
    return app, scene


def asked_by_pages(app: Flask, scene: Any, engine: Engine) -> dict[str, tuple[str, Any]]:
    """Every different SELECT of every page, as everybody who may open it, with the first page that sent it."""
    clients = {who: app.test_client() for who in PEOPLE}
    with Session(engine) as session:
        for who in PEOPLE:
            if who != "stranger":
                sign_in(clients[who], session, who)
    found: dict[str, tuple[str, Any]] = {}
    for address in addresses(app, scene):
        for who in PEOPLE:
            with selects(engine) as seen, clients[who].get(address.path) as response:
                assert response.status_code != 500, (who, address.path)
            for statement, parameters in seen.items():
                found.setdefault(statement, (f"{who} {address.path}", parameters))
    return found


def scanned(connection: Connection, statement: str, parameters: Any) -> set[str]:
    """The growing tables that the plan of a statement reads from end to end."""
    if connection.dialect.name == "sqlite":
        lines = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        found = (re.match(r"(?:SCAN|SEARCH (?=.*AUTOMATIC)) ?(\w+)", line[3]) for line in lines)
        return {match[1] for match in found if match} & GROWING
    [[plan]] = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).all()
    return set(_scans(plan[0]["Plan"])) & GROWING


def _scans(node: dict[str, Any]) -> Iterator[str]:
    """The tables that are read whole although that is forbidden: no index leads to what is asked for."""
    if node["Node Type"] == "Seq Scan":
        yield re.sub(r"_(\d{4}|before|later)$", "", node["Relation Name"])  # of a partition, its table
    for below in node.get("Plans", ()):
        yield from _scans(below)


def _allowed(statement: str) -> set[str]:
    return {table for table, form, _why in ALLOWED if re.search(form, statement)}


def explained(app: Flask, scene: Any) -> dict[str, str]:
    """What is scanned by which statement, and the page that sent it."""
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    asked = asked_by_pages(app, scene, engine)
    found = {}
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            for way in ("seqscan", "hashjoin", "mergejoin"):  # with a few rows it reads any table whole, if it may
                connection.execute(text(f"SET enable_{way} = off"))
        for statement, (page, parameters) in asked.items():
            tables = scanned(connection, statement, parameters) - _allowed(statement)
            if tables:
                found[f"{', '.join(sorted(tables))}: {page}"] = statement
    engine.dispose()
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/explained.sqlite3"
        return
    server: str = request.getfixturevalue("postgresql_url")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE explained"))
        yield server.rpartition("/")[0] + "/explained"
        connection.execute(text("DROP DATABASE explained WITH (FORCE)"))
    engine.dispose()


def test_no_page_reads_through_what_grows_with_the_years(url: str, tmp_path: Path) -> None:
    with time_machine.travel(NOW, tick=True):
        app, scene = built(tmp_path, url)
        found = explained(app, scene)
    assert sorted(found) == [], "\n".join(found.values())
