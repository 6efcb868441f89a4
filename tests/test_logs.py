"""What the program tells whoever runs it: lines that machines read, with keys, and without what people are or write."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.city import City
from tests.web import conftest as web
from tests.web.conftest import app, clock, filled_database, made_once  # noqa: F401  fixtures
from tests.web.test_health import job
from tracker import logs
from tracker.app import create_app
from tracker.config import CHECKOUT, load_settings
from tracker.db import db, transaction
from tracker.models import JobState, Person

TYPED = "一句写在表单里的话"


@pytest.fixture
def told() -> Iterator[io.StringIO]:
    """What is logged from now on."""
    root, ours = logging.getLogger(), logging.getLogger("tracker")
    before = root.handlers[:], root.level, ours.level
    stream = io.StringIO()
    logs.configure(stream=stream)
    yield stream
    root.handlers[:], root.level, ours.level = before


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_each_request_is_one_line_with_keys_and_without_names(app: Flask, told: io.StringIO):  # noqa: F811
    with app.app_context(), Session(db.engine) as session:
        key = session.scalars(select(Person.key).where(Person.name == "Asha")).one()
        browser = app.test_client()
        web.sign_in(browser, session, "Asha")
    answer = web.post(browser, "/auth/verify", {"password": TYPED})
    page = browser.get("/accounts/own")
    browser.get("/healthz")
    browser.get(f"/no/such/page?q={TYPED}")
    lines = {line["request"]: line for line in lines_of(told)}
    own = lines[page.headers["X-Request-ID"]]
    assert {name: own[name] for name in ("event", "level", "endpoint", "method", "status", "actor")} == {
        "event": "request", "level": "info", "endpoint": "accounts.own", "method": "GET", "status": 200,
        "actor": key,
    }  # fmt: skip
    assert 0 < own["milliseconds"] < 60_000
    assert lines[answer.headers["X-Request-ID"]]["endpoint"] == "security.verify"
    assert [line["status"] for line in lines.values()] == [200, 200, 200, 404]  # the form, sent, the page, no page
    assert TYPED not in told.getvalue()
    assert "Asha" not in told.getvalue()


def test_a_row_that_the_database_refuses_is_logged_without_its_values(session: Session, city: City, told: io.StringIO):
    session.add(Person(key=city.people["Asha"].key, account_name=TYPED, name=f"{TYPED}\n{TYPED}"))
    with pytest.raises(IntegrityError) as refused:
        session.flush()
    session.rollback()
    logging.getLogger("tracker.tests").error("refused", exc_info=refused.value)
    (line,) = lines_of(told)
    assert "IntegrityError" in line["exception"]
    assert "INSERT INTO person" in line["exception"]
    for value in (TYPED, city.people["Asha"].key):
        assert value not in told.getvalue()


def test_values_of_several_lines_are_left_out_whole(told: io.StringIO):
    try:
        raise ValueError(f"refused\nDETAIL:  Failing row contains (1, {TYPED}\n\n{TYPED}).\n\n[SQL: INSERT]")
    except ValueError:
        logging.getLogger("tracker.tests").exception("refused")
    assert TYPED not in told.getvalue()
    assert "[SQL: INSERT]" in lines_of(told)[0]["exception"]


def test_a_demo_tells_only_what_goes_wrong(told: io.StringIO):
    logs.configure(quiet=True, stream=told)
    logging.getLogger("tracker.tests").info("as usual")
    logging.getLogger("tracker.tests").warning("not as usual")
    assert [line["event"] for line in lines_of(told)] == ["not as usual"]


def test_a_person_at_a_terminal_reads_words():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    before = logging.getLogger().handlers[:], logging.getLogger().level, logging.getLogger("tracker").level
    stream = Terminal()
    logs.configure(stream=stream)
    logging.getLogger("tracker.tests").warning("the queue does not answer")
    logging.getLogger().handlers[:], logging.getLogger().level, logging.getLogger("tracker").level = before
    assert "the queue does not answer" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_the_worker_tells_of_every_job_by_its_key(tmp_path: Path):
    made = create_app(load_settings(data_dir=tmp_path))
    with made.app_context():
        flask_migrate.upgrade()
        unknown = job(JobState.WAITING, timedelta(0))
        unknown.kind = "no-such-kind"
        with transaction() as session:
            session.add(unknown)
            key = unknown.key
        db.engine.dispose()
    log = tmp_path / "log"
    with log.open("wb") as output:
        program = [sys.executable, "-c", "from tracker.cli import main; main()", "worker", "--workers", "1"]
        environment = {**os.environ, "TRACKER_DATA_DIR": str(tmp_path)}
        worker = subprocess.Popen(program, cwd=CHECKOUT, env=environment, stderr=output)
        end = time.monotonic() + 60
        while "job put back" not in log.read_text() and worker.poll() is None and time.monotonic() < end:
            time.sleep(0.1)
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    ours = [line for line in lines if line.get("job") == key]
    assert [line["event"] for line in ours[:2]] == ["job begun", "job put back"]
    assert ours[0]["attempt"] == 1
    assert ours[0]["kind"] == "no-such-kind"
    assert any("KeyError" in line.get("exception", "") for line in lines)
    assert "督查报告" not in log.read_text()  # its title
