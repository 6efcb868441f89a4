"""`tracker log verify` names the first broken entry."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from sqlalchemy import text

from tests.city import NOW
from tests.cli.operated import operated
from tracker.cli.log import log
from tracker.db import db, transaction
from tracker.domain.actor import operator
from tracker.services.log import record, record_heads
from tracker.tasks.daily import once_a_day


@pytest.fixture
def app(tmp_path):
    with operated(tmp_path) as app:
        yield app


def run(app, *arguments):
    return app.test_cli_runner().invoke(log, ["verify", *arguments])


def break_entry(statement):
    with transaction() as session:
        session.execute(text("DROP TRIGGER log_entry_is_fixed"))
        session.execute(text("DROP TRIGGER log_entry_is_kept"))
        session.execute(text(statement))


def test_whole_chains_are_silent(app):
    result = run(app)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "0 broken" in result.stderr


def test_the_first_broken_entry_is_named_and_the_exit_code_is_one(app):
    break_entry("UPDATE log_entry SET verb = 'confirm' WHERE verb = 'submit'")
    result = run(app)
    assert result.exit_code == 1
    assert result.stdout.startswith("D1:2: digest: ")


def test_scripts_read_the_result_as_json(app):
    assert [chain["broken"] for chain in json.loads(run(app, "--json").stdout)] == [None]
    break_entry("DELETE FROM log_entry WHERE seq = 2")
    result = run(app, "--chain", "D1", "--json")
    assert result.exit_code == 1
    [chain] = json.loads(result.stdout)
    assert (chain["chain"], chain["broken"]) == ("D1", {"seq": 2, "fault": "tail"})


IN_TWO = """
import os, sys, threading
from pathlib import Path
from tracker.app import create_app
from tracker.cli.aside import second_process
from tracker.config import load_settings
from tracker.db import db
from tracker.services.verification import verify_log
with create_app(load_settings(data_dir=Path(sys.argv[1]))).app_context():
    for thread in threading.enumerate()[1:]:
        thread.join()
    with second_process(long=0) as aside:
        if sys.argv[2] == "dies":
            import multiprocessing
            for process in multiprocessing.active_children():
                process.kill()
                process.join()
        for report in verify_log(db.session(), aside=aside):
            print(report.chain, report.length, report.broken.seq if report.broken else "", sep=",")
    print(aside is not None)
"""


@pytest.mark.parametrize("helper", ["works", "dies"])
def test_a_long_log_is_checked_in_two_processes_and_by_one_where_the_other_died(app, tmp_path, helper):
    with transaction() as session:
        for number in range(3):
            told = {"verb": "record", "kind": "evidence", "key": f"2026.{number}", "chains": ["D2", "D3"]}
            record(session, actor=operator(), now=NOW, **told)
    break_entry("DELETE FROM log_entry WHERE seq = 2 AND chain_id = (SELECT id FROM log_chain WHERE key = 'D3')")
    words = [sys.executable, "-c", IN_TWO, str(tmp_path), helper]
    told = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True)
    *lines, helped = told.stdout.splitlines()
    assert lines == ["D1,2,", "D2,3,", "D3,3,2"]
    assert helped == str(len(os.sched_getaffinity(0)) > 1)


def test_a_chain_that_never_was_is_wrong_use(app):
    assert run(app, "--chain", "D9").exit_code == 2


def test_the_worker_records_the_heads_once_a_day(app):
    assert once_a_day(db.engine, now=NOW)
    assert not once_a_day(db.engine, now=NOW)
    with transaction() as session:
        assert not record_heads(session, actor=operator(), now=NOW)
    assert run(app, "--chain", "system").exit_code == 0
