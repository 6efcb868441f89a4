"""The duties of a year as a table for people: codes stand beside their names, values are in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from tracker.domain.duty import STATE_NAMES
from tracker.domain.text import _n
from tracker.models import Cycle
from tracker.queries.assignments import items_of_year
from tracker.queries.checklists import checklist_of
from tracker.queries.duty_table import HEADINGS, Taken, duty_rows
from tracker.reporting.row_files import write_rows
from tracker.tasks.words import translator

TITLE = _n("任务")
YES, NO = _n("是"), _n("否")
Told = Callable[[int], None]


def table_of(
    session: Session, cycle: Cycle, *, language: str, told: Told | None = None
) -> tuple[list[str], Iterator[Sequence[Any]]]:
    """The headings and the rows of a year, read as they are taken. `told` hears how many were taken so far."""
    translate = translator(language)
    checklist = checklist_of(cycle.checklist_version)
    levels = {level.id: level.name for level in checklist.levels}
    posts = {post.id: post.name for post in checklist.posts}
    dimensions = {dimension.id: dimension.name for dimension in checklist.dimensions}
    items = {key: item.title for key, item in items_of_year(session, cycle).items()}
    states = {state: translate(name) for state, name in STATE_NAMES.items()}
    flags = {True: translate(YES), False: translate(NO)}

    def worded(row: Taken) -> Sequence[Any]:
        return (
            row.key,
            row.unit,
            row.organization,
            row.code,
            levels.get(row.level, row.level),
            posts.get(row.post, row.post),
            row.seat,
            row.item,
            items.get(row.item, ""),
            dimensions.get(row.dimension, row.dimension),
            row.period,
            row.occurrence,
            row.starts_on,
            row.ends_on,
            row.due_on,
            flags[row.in_force],
            states[row.state],
            flags[row.is_changed],
            row.first_submitted_on,
            row.act_on,
            row.content_digest,
        )

    return [translate(heading) for heading in HEADINGS], map(worded, _counted(duty_rows(session, cycle), told))


def write_duties(session: Session, cycle: Cycle, path: Path, *, language: str, told: Told | None = None) -> None:
    """Write all duties of a year to `path` (.xlsx or .csv), row by row."""
    headings, rows = table_of(session, cycle, language=language, told=told)
    write_rows(path, headings, rows, title=f"{cycle.year} {translator(language)(TITLE)}")


def _counted(rows: Iterator[Taken], told: Told | None) -> Iterator[Taken]:
    for number, row in enumerate(rows, start=1):
        yield row
        if told and number % 1_000 == 0:
            told(number)
