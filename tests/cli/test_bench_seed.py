"""`tracker bench seed`: a small scale of it, on both databases; interrupted, repeated, and refused where others are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.engine import make_url

from tests.city import City
from tracker.app import create_app
from tracker.cli.bench.seed import fill, seed
from tracker.cli.bench.seed_plan import SCALES, Scale, at
from tracker.config import load_settings
from tracker.db import db, transaction
from tracker.models import (
    Base,
    Cycle,
    CycleState,
    Duty,
    Evidence,
    Inspection,
    InspectionDuty,
    LogEntry,
    SignOff,
    StoredFile,
    Verdict,
)
from tracker.queries.cycles import state_counts
from tracker.services.recount import verify_caches
from tracker.services.verification import verify_log

TINY = Scale(units=2, branches=3)
LAST, DAY = 2026, date(2026, 5, 20)
LATER = at(date(2026, 6, 1), 9)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of its own."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/seeded.sqlite3"
        return
    server = make_url(request.getfixturevalue("postgresql_url"))
    on_server(server, "CREATE DATABASE seeded")
    yield server.set(database="seeded").render_as_string(hide_password=False)
    on_server(server, "DROP DATABASE seeded")


def on_server(server, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@contextmanager
def opened(data_dir: Path, url: str) -> Iterator[Flask]:
    app = create_app(load_settings(data_dir=data_dir, database_url=url))
    with app.app_context():
        Base.metadata.create_all(db.engine)
        try:
            yield app
        finally:
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def app(tmp_path: Path, database: str) -> Iterator[Flask]:
    with opened(tmp_path, database) as app:
        yield app


def count(model: type[Base]) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(seed, arguments)


def test_two_years_stand_with_chained_logs_a_check_and_caches_that_hold(app):
    made = fill(TINY, first=LAST - 1, last=LAST, day=DAY)
    session = db.session()

    assert made == {"units": 2, "duties": count(Duty), "records": count(Evidence)}
    assert [(one.year, one.state) for one in session.scalars(select(Cycle).order_by(Cycle.year))] == [
        (LAST - 1, CycleState.CLOSED),
        (LAST, CycleState.OPEN),
    ]
    reports = verify_log(session)
    assert {report.chain for report in reports} == {"BENCH", "B0001", "B0002", "system"}
    assert [report for report in reports if report.broken] == []
    assert list(verify_caches(session, now=LATER)) == []
    assert count(StoredFile) == count(Evidence)
    assert count(Inspection) == 2
    assert 0 < count(Verdict) < count(InspectionDuty)


def test_three_of_four_duties_of_a_year_that_is_over_are_done_and_none_of_the_days_to_come(app):
    fill(TINY, first=LAST - 1, last=LAST, day=DAY)
    session = db.session()
    over, running = session.scalars(select(Cycle).order_by(Cycle.year)).all()

    counts = state_counts(session, over)
    open_ones = next(number for state, number in counts.items() if state.value == "open")
    assert 0.7 < 1 - open_ones / sum(counts.values()) < 0.8
    assert session.scalar(select(func.max(LogEntry.at)).where(LogEntry.object_kind == "duty")).date() <= DAY
    assert session.scalar(select(func.count()).where(Duty.cycle_id == running.id, Duty.act_on > DAY)) == 0


def test_what_was_interrupted_goes_on_and_ends_the_same(app):
    class Interrupted(Exception):
        pass

    def stop(done: int, whole: int) -> None:
        if done > scale.units:  # the first of the year's units is there
            raise Interrupted

    scale = Scale(units=6, branches=1)
    with pytest.raises(Interrupted):
        fill(scale, first=LAST, last=LAST, day=DAY, progress=stop)
    some = count(Duty)
    first = fill(scale, first=LAST, last=LAST, day=DAY)
    heads = {report.chain: report.head for report in verify_log(db.session())}
    again = fill(scale, first=LAST, last=LAST, day=DAY)

    assert 0 < some < count(Duty) == some + first["duties"]
    assert again == {"units": 6, "duties": 0, "records": 0}
    assert {report.chain: report.head for report in verify_log(db.session())} == heads


def test_a_year_that_has_not_begun_is_laid_out_and_nothing_is_done_in_it(app):
    fill(TINY, first=LAST, last=LAST, day=date(LAST, 1, 2))

    assert count(Duty) > 0
    assert (count(Evidence), count(SignOff), count(Inspection)) == (0, 0, 0)
    assert [report for report in verify_log(db.session()) if report.broken] == []


def test_the_same_day_gives_the_same_signatures(tmp_path):
    seen = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        with opened(folder, f"sqlite:///{folder}/seeded.sqlite3"):
            fill(TINY, first=LAST, last=LAST, day=DAY)
            seen.append(db.session.scalars(select(SignOff.digest).order_by(SignOff.key)).all())
    assert seen[0] == seen[1] != []


def test_a_database_that_holds_anything_else_is_refused(app):
    with transaction() as session:
        City.build(session)
    refused = run(app, "--scale", "city")

    assert refused.exit_code == 2
    assert "the database holds something else" in refused.output
    assert count(Duty) == 0


def test_the_command_fills_says_how_much_and_refuses_a_smaller_scale(app, monkeypatch):
    monkeypatch.setitem(SCALES, "city", TINY)
    arguments = ("--scale", "city", "--until", str(LAST), "--day", DAY.isoformat())
    told = json.loads(run(app, *arguments, "--json").output)
    monkeypatch.setitem(SCALES, "city", Scale(units=1, branches=3))
    refused = run(app, *arguments)

    assert (told["units"], told["duties"], told["records"]) == (2, count(Duty), count(Evidence))
    assert refused.exit_code == 2
    assert "of another scale" in refused.output
