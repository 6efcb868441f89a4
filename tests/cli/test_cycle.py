from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import func, select

from tests.city import City
from tracker.app import create_app
from tracker.cli.cycle import cycle
from tracker.cli.publish import publish as publish_command
from tracker.config import CHECKOUT, load_settings
from tracker.db import db, transaction
from tracker.domain.errors import NotFound
from tracker.models import Base, Duty

LIST = CHECKOUT / "checklists" / "sanji-sigang.yaml"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(load_settings(data_dir=tmp_path))
    with app.app_context():
        Base.metadata.create_all(db.engine)
        with transaction() as session:
            City.build(session)
        yield app
        db.session.remove()
        db.engine.dispose()


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(cycle, arguments)


def publish(app: Flask, path: Path = LIST) -> Result:
    return app.test_cli_runner().invoke(publish_command, [str(path)])


def duties() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(Duty)) or 0


def test_the_operator_publishes_and_opens_the_year_once(app: Flask) -> None:
    assert publish(app).exit_code == 0
    assert "SHA-256" in publish(app).output
    first = run(app, "open", "2026", "--checklist", "sanji-sigang")
    assert first.exit_code == 0
    assert f"{duties()} duties of 7 organizations" in first.output
    made = duties()
    second = json.loads(run(app, "open", "2026", "--checklist", "sanji-sigang", "--json").output)
    assert (second["is_new"], second["duties"], duties()) == (False, 0, made)


def test_a_dry_run_shows_what_it_would_make_and_writes_nothing(app: Flask) -> None:
    publish(app)
    shown = run(app, "open", "2026", "--checklist", "sanji-sigang", "--dry-run")
    assert shown.exit_code == 0
    assert "saved by shared occasions" in shown.output
    assert duties() == 0
    plan = json.loads(run(app, "open", "2026", "--checklist", "sanji-sigang", "--dry-run", "--json").output)
    run(app, "open", "2026", "--checklist", "sanji-sigang", "--version", plan["version"])
    assert sum(level["duties"] for level in plan["levels"]) == duties()
    assert len(plan["organizations"][0]["months"]) == 12


def test_a_year_without_announced_holidays_is_marked(app: Flask) -> None:
    publish(app)
    assert "provisional" in run(app, "open", "2099", "--checklist", "sanji-sigang", "--dry-run").output


def test_a_list_that_is_not_published_is_refused(app: Flask) -> None:
    assert isinstance(run(app, "open", "2026", "--checklist", "sanji-sigang").exception, NotFound)
    assert run(app, "open", "26", "--checklist", "sanji-sigang").exit_code == 2


def test_a_list_with_errors_is_shown_and_not_published(app: Flask, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_bytes(LIST.read_bytes().replace(b"key: sanji-sigang\n", b"key: 1x\n"))
    result = publish(app, broken)
    assert result.exit_code == 1
    assert "broken.yaml:" in result.output
