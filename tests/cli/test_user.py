"""The operator's commands for accounts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from tests.city import City
from tracker.app import create_app
from tracker.cli.user import user
from tracker.config import load_settings
from tracker.db import db, transaction
from tracker.domain.errors import Invalid, NotFound, WrongState
from tracker.models import Account, Base, LogEntry
from tracker.queries.accounts import account_named
from tracker.services.accounts import knows_password
from tracker.services.password_hash import Hasher

SALT = "salt of the tests"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(load_settings(data_dir=tmp_path, password_salt=SALT, secret_key="key"))
    with app.app_context():
        Base.metadata.create_all(db.engine)
        with transaction() as session:
            City.build(session)
        yield app
        db.session.remove()
        db.engine.dispose()


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(user, arguments)


def account(name: str) -> Account:
    db.session.rollback()
    found = account_named(db.session(), name)
    assert found
    return found


def code_in(result: Result) -> str:
    assert result.exit_code == 0, result.output
    found = re.search(r"[A-Z2-9]{4}(-[A-Z2-9]{4}){3}", result.output)
    assert found
    return found[0]


def test_the_operator_makes_the_first_administrator(app: Flask):
    code = code_in(run(app, "create", "Rita", "--name", "丽塔", "--role", "administrator"))
    rita = account("rita")
    assert knows_password(rita, code, hasher=Hasher(SALT))
    assert rita.must_change_password
    assert [role.name for role in rita.roles] == ["administrator"]
    assert rita.person.name == "丽塔"
    assert set(db.session.scalars(select(LogEntry.actor))) == {"operator"}


def test_somebody_of_the_roster_needs_no_name(app: Flask):
    code_in(run(app, "create", "asha"))
    assert account("asha").person.name == "Asha"


def test_somebody_unknown_needs_a_name(app: Flask):
    result = run(app, "create", "nobody")
    assert isinstance(result.exception, Invalid)
    assert "--name" in str(result.exception)


def test_a_second_account_is_refused(app: Flask):
    assert isinstance(run(app, "create", "ines").exception, WrongState)


def test_a_reset_prints_a_new_code(app: Flask):
    first = code_in(run(app, "create", "asha"))
    second = code_in(run(app, "reset", "ASHA"))
    assert not knows_password(account("asha"), first, hasher=Hasher(SALT))
    assert knows_password(account("asha"), second, hasher=Hasher(SALT))


def test_a_reset_of_an_account_without_a_second_factor_says_so(app: Flask):
    assert isinstance(run(app, "reset", "ines", "--second-factor").exception, WrongState)


def test_a_reset_of_nobody_says_so(app: Flask):
    assert isinstance(run(app, "reset", "nobody").exception, NotFound)


def test_roles_are_set_and_taken(app: Flask):
    assert "no role" in run(app, "roles", "ines").output
    assert account("ines").roles == []
    assert run(app, "roles", "ines", "auditor").exit_code == 0
    assert [role.name for role in account("ines").roles] == ["auditor"]


def test_two_roles_at_once_are_refused(app: Flask):
    assert isinstance(run(app, "roles", "ines", "auditor", "inspector").exception, Invalid)


def test_the_list_names_accounts_roles_and_states_and_no_secret(app: Flask):
    code_in(run(app, "create", "asha"))
    rows = json.loads(run(app, "list", "--json").output)
    assert {"account": "asha", "name": "Asha", "role": "", "state": "code issued"} in rows
    assert {"account": "adam", "name": "Adam", "role": "administrator", "state": "no code yet"} in rows
    assert "argon2" not in run(app, "list").output
