"""`tracker seal`: two administrators, each with their own password."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from tests.cli.operated import operated, store_of
from tests.web.conftest import PASSWORD
from tracker.cli.seal import seal
from tracker.cli.verify import verify
from tracker.db import db
from tracker.domain.errors import NotAllowed
from tracker.models import StoredFile


@pytest.fixture
def app(tmp_path):
    with operated(tmp_path) as app:
        yield app


@pytest.fixture
def sha256(app):
    found = db.session.scalars(select(StoredFile.sha256)).one()
    db.session.rollback()
    return found


def run(app, *arguments, password=PASSWORD):
    db.session.rollback()
    return app.test_cli_runner().invoke(seal, arguments, input=f"{password}\n")


def ask(app, sha256, who="adam", password=PASSWORD):
    return run(app, "ask", "file", sha256, "--reason", "涉密", "--as", who, password=password)


def test_adam_asks_and_alma_agrees(app, sha256):
    assert ask(app, sha256).exit_code == 0
    assert "waits" in run(app, "list").output
    assert "sealed" in run(app, "agree", "file", sha256, "--as", "alma").output
    assert not store_of(app).path(sha256).exists()
    [request] = json.loads(run(app, "list", "--json").output)
    assert (request["asked_by"], request["decided_by"], request["state"]) == ("adam", "alma", "done")
    assert app.test_cli_runner().invoke(verify).exit_code == 0


def test_a_wrong_password_is_nobody(app, sha256):
    assert ask(app, sha256, password="guess").exit_code == 2
    assert json.loads(run(app, "list", "--json").output) == []


def test_adam_alone_seals_nothing(app, sha256):
    ask(app, sha256)
    assert isinstance(run(app, "agree", "file", sha256, "--as", "adam").exception, NotAllowed)
    assert store_of(app).path(sha256).exists()


def test_alma_may_refuse(app, sha256):
    ask(app, sha256)
    assert run(app, "refuse", "file", sha256, "--as", "alma").exit_code == 0
    assert "refused by alma" in run(app, "list").output


def test_an_account_that_is_none_is_nobody(app, sha256):
    assert ask(app, sha256, who="nobody").exit_code == 2
