"""`tracker export`: every duty of a year in a file, noted in the access log, whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from openpyxl import load_workbook
from sqlalchemy import func, select, update

from tests.cli.operated import operated
from tracker.cli.export import export
from tracker.db import db, transaction
from tracker.models import AccessLog, Duty, Organization
from tracker.reporting.row_files import write_rows


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    with operated(tmp_path / "data") as app:
        yield app


def exported(app: Flask, out: Path, *more: str) -> Result:
    db.session.rollback()
    return app.test_cli_runner().invoke(export, ["duties", "2026", "--out", str(out), *more])


def cells(path: Path) -> list[dict[str, object]]:
    """The rows of either kind of file by heading."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [*csv.DictReader(file)]
    headings, *rows = load_workbook(path).worksheets[0].values
    return [dict(zip(map(str, headings), row, strict=True)) for row in rows]


@pytest.mark.parametrize("ending", [".xlsx", ".csv"])
def test_every_duty_is_in_the_file_with_its_state_in_words(app: Flask, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"duties{ending}"
    result = exported(app, out)
    count = db.session.scalar(select(func.count()).select_from(Duty))
    assert (result.exit_code, result.output) == (0, f"{out}: {count} duties\n")
    rows = {row["任务编号"]: row for row in cells(out)}
    assert len(rows) == count
    row = rows["2026.D1-B1.P4-1.L3-02.M05.1"]
    assert row["状态"] == "待确认"
    assert row["单位"] == "清河市林业局"
    assert row["首次提交日期"] in {"2026-05-20", datetime(2026, 5, 20)}  # noqa: DTZ001  a cell has no zone
    assert [*tmp_path.glob("*.part*"), *tmp_path.glob(".*")] == []


def test_both_files_say_the_same_in_the_language_that_was_asked_for(app: Flask, tmp_path: Path) -> None:
    found = []
    for ending in (".xlsx", ".csv"):
        assert exported(app, tmp_path / f"a{ending}", "--language", "en").exit_code == 0
        rows = cells(tmp_path / f"a{ending}")
        found.append([[_text(cell) for cell in row.values()] for row in rows])
    assert found[0] == found[1]
    assert len(found[0]) == 1


def _text(cell: object) -> str:
    return cell.date().isoformat() if isinstance(cell, datetime) else "" if cell is None else str(cell)


def test_the_access_log_notes_who_took_it(app: Flask, tmp_path: Path) -> None:
    assert exported(app, tmp_path / "a.csv").exit_code == 0
    [noted] = db.session.scalars(select(AccessLog))
    assert (noted.verb, noted.object_kind, noted.object_key) == ("document.export", "cycle", "2026")


def test_a_year_that_was_not_opened_and_another_kind_of_file_are_refused(app: Flask, tmp_path: Path) -> None:
    result = exported(app, tmp_path / "a.pdf")
    assert result.exit_code == 2
    assert "should end in .xlsx or .csv" in result.output
    other = app.test_cli_runner().invoke(export, ["duties", "2031", "--out", str(tmp_path / "a.csv")])
    assert "2031" in str(other.exception)
    assert not (tmp_path / "a.csv").exists()


@pytest.mark.parametrize("ending", [".xlsx", ".csv"])
def test_no_text_becomes_a_formula(app: Flask, tmp_path: Path, ending: str) -> None:
    with transaction() as session:
        session.execute(update(Organization).where(Organization.code == "D1-B1").values(name="=1+1"))
    out = tmp_path / f"a{ending}"
    assert exported(app, out).exit_code == 0
    names = {row["组织"] for row in cells(out) if row["组织编码"] == "D1-B1"}
    assert names == {"'=1+1" if ending == ".csv" else "=1+1"}
    if ending == ".xlsx":
        assert not any(cell.data_type == "f" for row in load_workbook(out).worksheets[0].iter_rows() for cell in row)


def test_more_rows_than_a_sheet_takes_go_on_on_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker.reporting.row_files.ROWS_OF_A_SHEET", 3)
    out = tmp_path / "a.xlsx"
    write_rows(out, ["n", "day"], ([number, date(2026, 1, 1 + number)] for number in range(7)), title="T")
    book = load_workbook(out)
    assert [sheet.title for sheet in book] == ["T", "T 2", "T 3"]
    assert [[row[0] for row in sheet.values] for sheet in book] == [["n", 0, 1, 2], ["n", 3, 4, 5], ["n", 6]]
