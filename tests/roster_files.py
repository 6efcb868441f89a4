"""Roster files for tests: rows by sheet, written into the template of the example list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from io import BytesIO
from pathlib import Path

from tracker.domain.checklist import Checklist
from tracker.domain.checklist_source import load_checklist
from tracker.domain.roster import Roster, RowError, SheetName
from tracker.services.roster_file import read_roster
from tracker.services.roster_template import write_template

EXAMPLE = Path(__file__).parents[1] / "checklists" / "sanji-sigang.yaml"
SINCE = date(2024, 1, 1)
TREE = (
    ("QH", "", "清河市直机关", "root", "", "否", 1, SINCE),
    ("QH-LY", "QH", "清河市林业局", "L1", "", "是", 2, SINCE),
    ("QH-LY-M", "QH-LY", "林业局二级组织", "L2", "", "否", 3, SINCE),
    ("QH-LY-1", "QH-LY-M", "第一基层组织", "L3", "", "否", 4, SINCE),
)
PEOPLE = (
    ("rong", "0001", "江海舟"),
    ("dong", "0002", "柳如川"),
    ("chen", "0003", "沈望山"),
    ("asha", "0004", "陆明远"),
    ("yue", "0005", "陆明远"),
)
SITTINGS = (
    ("QH", "R1", "", "rong", "任职", SINCE),
    ("QH-LY", "P1", "", "dong", "任职", SINCE),
    ("QH-LY-M", "P3", "", "chen", "任职", SINCE),
    ("QH-LY-1", "P4", "", "0004", "任职", SINCE),
)
Rows = Sequence[Sequence[object]]


@cache
def example_list() -> Checklist:
    """The example list that is delivered with the program."""
    return load_checklist(EXAMPLE.read_bytes())


def roster_file(
    organizations: Rows = TREE, people: Rows = PEOPLE, appointments: Rows = SITTINGS, assignments: Rows = ()
) -> BytesIO:
    """An .xlsx file with these rows."""
    file = BytesIO()
    sheets = zip(SheetName, (organizations, people, appointments, assignments), strict=True)
    write_template(file, checklist=example_list(), rows=dict(sheets))
    file.seek(0)
    return file


def read(file: BytesIO) -> tuple[Roster, list[RowError]]:
    """What the file says, and what is wrong with it."""
    return read_roster(file, checklist=example_list())


def roster(
    organizations: Rows = TREE, people: Rows = PEOPLE, appointments: Rows = SITTINGS, assignments: Rows = ()
) -> Roster:
    """What a file with these rows says; nothing is wrong with it."""
    found, errors = read(roster_file(organizations, people, appointments, assignments))
    assert errors == []
    return found
