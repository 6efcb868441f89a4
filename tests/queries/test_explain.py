"""No query of any page reads through a table that grows with the years: what EXPLAIN says on both databases."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.orm import Session

from tests.addresses import PEOPLE, Address, addresses
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
NEWEST = r"^(?!.* WHERE (?!true |1 = 1 )).* ORDER BY (access_log.at DESC, access_log.id|log_entry.id) DESC LIMIT"
# What may be read whole, or in the order of an index as far as a page goes: the table, the form of the query, and why.
ALLOWED = (
    ("log_entry", NEWEST, "an auditor sees every entry, so that the first of them fill the page"),
    ("access_log", NEWEST, "as above"),
    ("access_log", r"unit_id IN \(SELECT .* DESC LIMIT", "the same of a unit that has a good part of them all"),
    ("good_practice", r"FROM good_practice (JOIN|WHERE)", "a list of what inspectors chose one by one, to be read"),
    ("inspection_duty", r"WHERE (0 = 1|false) ORDER BY inspection", "asked for nobody: the condition is never true"),
)
# Of which in so small a city one branch, one check or the one year has most rows: PostgreSQL may well walk an index of
# theirs from end to end, where SQLite shows that one leads to what is asked for.
HELD_BY_ONE = {
    *("access_log", "duty", "duty_plan", "evidence", "evidence_file", "evidence_link", "finding", "handover"),
    *("inspection_duty", "log_entry", "rectification_step", "sign_off", "verdict"),
}
# The first column of each index of PostgreSQL, and each table; those of a partition without rows say nothing.
LEADING = """SELECT indexrelid::regclass || '', pg_get_indexdef(indexrelid, 1, true) FROM pg_index
    WHERE pg_relation_size(indrelid) > 0
    UNION ALL SELECT oid::regclass || '', '' FROM pg_class WHERE relkind = 'r' AND pg_relation_size(oid) > 0"""
# Let PostgreSQL plan as if the years had passed: a hundred thousand rows on each page of what grows.
GROWN = """UPDATE pg_class SET relpages = 1, reltuples = 100000 FROM pg_class AS grown
    LEFT JOIN pg_index ON indrelid = grown.oid WHERE pg_class.oid IN (grown.oid, indexrelid)
    AND regexp_replace(grown.relname, '_([0-9]{4}|before|later)$', '') = ANY (:tables)"""


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


def narrowed(app: Flask, scene: Any, found: Iterable[Address]) -> Iterator[str]:
    """The same pages on a past day, narrowed by every filter, and from the second page on."""
    for address in found:
        if hasattr(app.view_functions[address.endpoint], "answers_past"):
            yield f"{address.path}{'&' if '?' in address.path else '?'}as_of=2026-05-20"
    yield from _of_the_logs(scene)
    place = f"2026-03-31~{scene.open}"
    yield from (f"/duties?section={section}&after={place}" for section in ("overdue", "handed_in"))
    yield from ("/board?judged=yes", "/board?after_unit=D1", "/accounts/?after=asha", "/rectification?after=1-1")
    behind = f"after_due=2026-03-31&after_key={scene.open}"
    for narrow in ("show=done", "judged=yes", "unit=D1", "item=L3-05&unit=D1", "state=submitted"):
        yield f"/board/duties?{narrow}&{behind}"
    yield from (f"/sign-offs?after={place}", f"/inspections/1/draw?after={scene.open}")
    yield from (f"/inspections/1/duties?{narrow}after={scene.open}" for narrow in ("", "unit=D1&pending=1&"))


def _of_the_logs(scene: Any) -> Iterator[str]:
    beyond = {"/log": f"after={scene.log_entry}", "/log/access": "before=2026-05-20T02:00:00%2B00:00"}
    verbs = {"/log": "submit", "/log/access": "evidence.open"}
    for path, behind in beyond.items():
        yield f"{path}?{behind}"
        of_anybody = (f"verb={verbs[path]}", "target=2026.D1", "chain=D1", "since=2026-05-01&until=2026-05-19")
        for narrow in ("actor=asha", "actor=Asha", *of_anybody):
            yield from (f"{path}?{narrow}", f"{path}?{narrow}&{behind}")
    yield from (f"/log/access?of={scene.record}&of={scene.open}{more}" for more in ("", "&verb=evidence.open"))


def asked_by_pages(app: Flask, scene: Any, engine: Engine) -> dict[str, tuple[str, Any]]:
    """Every different SELECT of every page, as everybody who may open it, with the first page that sent it."""
    clients = {who: app.test_client() for who in PEOPLE}
    with Session(engine) as session:
        for who in PEOPLE:
            if who != "stranger":
                sign_in(clients[who], session, who)
    found: dict[str, tuple[str, Any]] = {}
    pages = addresses(app, scene)
    for path in (*(address.path for address in pages), *narrowed(app, scene, pages)):
        answers = set()
        for who in PEOPLE:
            with selects(engine) as seen, clients[who].get(path) as response:
                answers.add(response.status_code)
            for statement, parameters in seen.items():
                found.setdefault(statement, (f"{who} {path}", parameters))
        assert 200 in answers or path in {one.path for one in pages}, (path, answers)
        assert 500 not in answers, path
    return found


def scanned(connection: Connection, statement: str, parameters: Any) -> set[str]:
    """The growing tables that the plan of a statement reads from end to end."""
    if connection.dialect.name == "sqlite":
        lines = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        found = (re.match(r"(?:SCAN|SEARCH (?=.*(?:AUTOMATIC|ANY\())) ?(\w+)", line[3]) for line in lines)
        named = {alias: table for table, alias in re.findall(r"(\w+) AS (\w+)", statement) if table in GROWING}
        return {named.get(match[1], match[1]) for match in found if match} & GROWING
    leading: dict[str, str] = {name: column for name, column in connection.execute(text(LEADING))}  # noqa: C416  rows
    found: list[set[str]] = []
    for reads_whole in ("on", "off"):  # on: at its own discretion; off: only where no index leads to what is asked for
        connection.execute(text(f"SET enable_seqscan = {reads_whole}"))
        [[plan]] = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).all()
        found.append(set(_whole(plan[0]["Plan"], leading, "")))
    return found[0] & found[1] & GROWING


def _whole(node: dict[str, Any], leading: Mapping[str, str], partition: str) -> Iterator[str]:
    """The tables of which every row, or every entry of an index, is read: nothing leads to what is asked for.

    An index leads by its first column; a condition on another one is tried on each of its entries.
    """
    partition = node.get("Relation Name", partition)  # what reads an index for a bitmap names no table
    table = re.sub(r"_(\d{4}|before|later)$", "", partition)
    is_walked = leading.get(node.get("Index Name", ""), "") not in node.get("Index Cond", "")
    if (node["Node Type"] == "Seq Scan" and partition in leading) or (is_walked and table not in HELD_BY_ONE):
        yield table
    for below in node.get("Plans", ()):
        yield from _whole(below, leading, partition)


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
            connection.execute(text("ANALYZE"))
            connection.execute(text(GROWN), {"tables": sorted(GROWING)})
            for way in ("hashjoin", "mergejoin"):  # for which it reads whole tables
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
    with time_machine.travel(NOW + timedelta(days=1), tick=True):
        found = explained(app, scene)
    assert sorted(found) == [], "\n".join(found.values())
