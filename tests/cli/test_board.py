"""`tracker board`: counters are compared with the duties, and counted anew."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

from tests.cli.operated import operated
from tracker.cli.board import board
from tracker.cli.verify import verify
from tracker.db import db, transaction
from tracker.models import DutyCount


@pytest.fixture
def app(tmp_path):
    with operated(tmp_path) as app:
        yield app


def run(app, command, *arguments):
    db.session.rollback()
    return app.test_cli_runner().invoke(command, arguments)


def test_counters_that_are_right_are_silent(app):
    result = run(app, board, "check")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "0 differences\n")
    assert json.loads(run(app, board, "check", "--json").stdout) == []


def test_a_wrong_counter_is_a_finding_until_it_is_counted_anew(app):
    with transaction() as session:
        session.execute(
            update(DutyCount).where(DutyCount.kind == "unit", DutyCount.state == "submitted").values(number=7)
        )
    place = "2026/D1/unit//submitted/in_time/2026-06-05"
    result = run(app, board, "check")
    assert (result.exit_code, result.stdout) == (1, f"{place}: counted 7, and there are 1\n")
    assert "tracker board rebuild" in result.stderr
    found = json.loads(run(app, board, "check", "--json").stdout)
    assert found == [{"place": place, "found": 7, "expected": 1}]
    assert f"duty_count {place}: number is '7', and should be '1'" in run(app, verify).stdout

    result = run(app, board, "rebuild")
    assert (result.exit_code, result.stderr) == (0, f"2026: {db.session.query(DutyCount).count()} counters\n")
    assert run(app, board, "check").exit_code == 0
