"""The operator's roster commands, over a database file of their own."""

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import func, select

from tests.roster_files import EXAMPLE, PEOPLE, SINCE, SITTINGS, roster_file
from tracker.app import create_app
from tracker.cli.roster import roster
from tracker.config import load_settings
from tracker.db import db
from tracker.models import Base, LogEntry, Organization

Run = Callable[..., Result]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(load_settings(data_dir=tmp_path / "data", secret_key="key", password_salt="salt"))
    (tmp_path / "data").mkdir(exist_ok=True)
    with app.app_context():
        Base.metadata.create_all(db.engine)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def run(app: Flask) -> Run:
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(roster, [str(argument) for argument in arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "roster.xlsx"
    path.write_bytes(roster_file().getvalue())
    return path


def count(app: Flask, column) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count(column))) or 0


def test_the_template_can_be_imported_as_it_is(run: Run, tmp_path: Path) -> None:
    assert run("template", tmp_path / "t.xlsx").exit_code == 0
    result = run("import", tmp_path / "t.xlsx", "--dry-run")
    assert (result.exit_code, "0 decisions would change" in result.stdout) == (0, True)


def test_the_template_speaks_the_checklist_that_is_named(run: Run, tmp_path: Path) -> None:
    assert run("template", tmp_path / "t.xlsx", "--checklist", EXAMPLE).exit_code == 0
    assert run("template", tmp_path / "u.xlsx", "--checklist", "sanji-wugang").exit_code == 0


def test_a_dry_run_changes_nothing(app: Flask, run: Run, file: Path) -> None:
    result = run("import", file, "--dry-run")
    assert result.exit_code == 0
    assert "新增 QH-LY 清河市林业局 (2024-01-01)" in result.stdout
    assert count(app, Organization.id) == 0


def test_an_import_twice_changes_nothing_the_second_time(app: Flask, run: Run, file: Path) -> None:
    assert run("import", file).stdout == "13 rows and 0 decisions changed\n"
    entries = count(app, LogEntry.id)
    assert run("import", file).stdout == "0 rows and 0 decisions changed\n"
    assert count(app, LogEntry.id) == entries


def test_errors_are_listed_row_by_row_and_the_exit_code_is_one(app: Flask, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "wrong.xlsx"
    rows = (*SITTINGS, ("NONE", "P4", 1, "asha", "任职", SINCE), ("QH", "R1", 1, "yue", "任职", date(2020, 1, 1)))
    path.write_bytes(roster_file(people=(*PEOPLE, ("x", "", "")), appointments=rows).getvalue())

    result = run("import", path)

    assert result.exit_code == 1
    assert "人员 第7行 姓名：没有填。这一列必须填写。" in result.stderr
    assert "nothing was changed" in result.stderr
    assert count(app, Organization.id) == 0


def test_the_result_can_be_read_by_a_script(run: Run, tmp_path: Path, file: Path) -> None:
    done = json.loads(run("import", file, "--json").stdout)
    assert (done["done"], done["counts"]["人员"]["add"], done["errors"]) == (True, 5, [])

    (tmp_path / "junk.xlsx").write_bytes(b"junk")
    result = run("import", tmp_path / "junk.xlsx", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["errors"][0]["row"] == 0


def test_wrong_use_and_a_file_that_is_not_there_are_two(run: Run, tmp_path: Path) -> None:
    assert run("import").exit_code == 2
    assert run("import", tmp_path / "none.xlsx").exit_code == 2


def test_a_template_that_cannot_be_written_is_three(run: Run, tmp_path: Path) -> None:
    assert run("template", tmp_path / "no-folder" / "t.xlsx").exit_code == 3
