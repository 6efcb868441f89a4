"""What all commands have in common: the database they work on, and how they say what stands in their way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import flask_migrate
import pytest
from sqlalchemy import text

from tests.databases import free_port
from tracker.app import create_app
from tracker.config import CHECKOUT, load_settings
from tracker.db import db, transaction

ON_THE_DATABASE = (
    ("user", "list"),
    ("log", "verify"),
    ("verify",),
    ("gc",),
    ("worker",),
    ("seal", "list"),
    ("cycle", "open", "2026", "--checklist", "sanji-sigang"),
    ("checklist", "publish", "checklists/sanji-sigang.yaml"),
)


def tracker(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command as an operator does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")}
    program = [sys.executable, "-c", "from tracker.cli import main; main()", *arguments]
    return subprocess.run(
        program, check=False, cwd=CHECKOUT, env={**kept, **settings}, capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of an installation whose program was updated, and its database not yet."""
    folder = tmp_path_factory.mktemp("behind")
    app = create_app(load_settings(data_dir=folder))
    with app.app_context():
        flask_migrate.upgrade()
        with transaction() as session:
            session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        db.engine.dispose()
    return folder


@pytest.mark.parametrize("words", ON_THE_DATABASE, ids=" ".join)
def test_a_database_behind_the_program_is_left_alone_and_it_is_said_what_to_run(behind: Path, words: tuple[str, ...]):
    result = tracker(*words, TRACKER_DATA_DIR=str(behind))
    assert result.returncode == 3, result.stderr
    assert result.stderr.splitlines()[-1] == ("tracker: the database is behind the program; run: tracker db upgrade")
    assert result.stdout == ""


def test_an_empty_database_is_behind_too(tmp_path: Path):
    result = tracker("user", "list", TRACKER_DATA_DIR=str(tmp_path))
    assert result.returncode == 3
    assert "run: tracker db upgrade" in result.stderr


def test_what_is_said_to_be_run_helps(tmp_path: Path):
    upgraded = tracker("db", "upgrade", TRACKER_DATA_DIR=str(tmp_path))
    assert upgraded.returncode == 0, upgraded.stderr
    listed = tracker("user", "list", "--json", TRACKER_DATA_DIR=str(tmp_path))
    assert (listed.returncode, listed.stdout.strip()) == (0, "[]"), listed.stderr


def test_a_database_that_is_away_is_named_by_its_setting_and_no_password_is_shown(tmp_path: Path):
    url = f"postgresql+psycopg://tracker:open-sesame@127.0.0.1:{free_port()}/records"
    result = tracker("user", "list", TRACKER_DATA_DIR=str(tmp_path), TRACKER_DATABASE_URL=url)
    assert result.returncode == 3
    assert "TRACKER_DATABASE_URL" in result.stderr
    assert "open-sesame" not in result.stderr


def test_a_database_that_cannot_be_opened_is_not_said_to_wait_for_an_upgrade(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    url = f"sqlite:///{tmp_path}/folder"
    result = tracker("user", "list", TRACKER_DATA_DIR=str(tmp_path), TRACKER_DATABASE_URL=url)
    assert result.returncode == 3
    assert result.stderr.splitlines()[-1] == "tracker: the database failed: unable to open database file"


def test_a_table_that_is_not_there_is_told_with_what_to_run(tmp_path: Path):
    app = create_app(load_settings(data_dir=tmp_path))
    with app.app_context():
        flask_migrate.upgrade()
        with db.engine.begin() as connection:
            connection.execute(text("DROP TABLE account_role"))
            connection.execute(text("DROP TABLE account"))
        db.engine.dispose()
    result = tracker("user", "list", TRACKER_DATA_DIR=str(tmp_path))
    assert result.returncode == 3
    assert result.stderr.splitlines()[-2:] == [
        "tracker: the database is not as expected: no such table: account",
        "run: tracker db upgrade",
    ]


def test_the_program_says_which_version_it_is():
    result = tracker("--version")
    assert (result.returncode, result.stdout) == (0, "tracker, version 0.1.0\n")
