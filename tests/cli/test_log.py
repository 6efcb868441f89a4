"""`tracker log verify` names the first broken entry."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from tests.city import NOW
from tests.cli.operated import operated
from tracker.cli.log import log
from tracker.db import db, transaction
from tracker.domain.actor import operator
from tracker.services.log import record_heads
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


def test_a_chain_that_never_was_is_wrong_use(app):
    assert run(app, "--chain", "D9").exit_code == 2


def test_the_worker_records_the_heads_once_a_day(app):
    assert once_a_day(db.engine, now=NOW)
    assert not once_a_day(db.engine, now=NOW)
    with transaction() as session:
        assert not record_heads(session, actor=operator(), now=NOW)
    assert run(app, "--chain", "system").exit_code == 0
