"""The pictures of the board: what is drawn, and for every number the view that lists what is behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask_babel import gettext as _
from sqlalchemy.orm import InstrumentedAttribute

from tracker.db import db
from tracker.domain.board import Cell
from tracker.domain.pictures import MONTHS_BEHIND, BurnDown, Grid, Month, burn_down, months_of
from tracker.models import Duty
from tracker.queries import board, pictures
from tracker.web.access import current_actor
from tracker.web.as_of import day_shown, known_at

Changes = dict[str, str]
Place = tuple[Any, str, str]  # as counted, as addresses name it, as people call it


@dataclass(frozen=True)
class Drawing:
    """A grid on a page: its title, and by what a view is narrowed to list what is behind a row or a column."""

    key: str
    title: str
    figure: Grid
    rows: Sequence[Changes]
    columns: Sequence[Changes]


def of_board(filters: board.Filters, units: Sequence[Place]) -> dict[str, Any]:
    """For the board: where the duties in view stand, how many they are, and a strip of months for each unit."""
    counted = _counted(filters, Duty.unit_id)
    title = _("逐月办理情况（按截止日期）")
    strip = _strip("months", title, _("单位"), counted.months[0], units, "unit", filters)
    return {"flow": counted.flow, "total": counted.total, "months": strip}


def of_unit(filters: board.Filters, nodes: Sequence[Place], items: Mapping[str, str]) -> dict[str, Any]:
    """For the page of a unit: the same for its organizations, and its year at a glance, item by item."""
    counted = _counted(filters, Duty.organization_id, Duty.item_id)
    title = _("逐月办理情况（按截止日期）")
    strip = _strip("months", title, _("组织"), counted.months[0], nodes, "organization", filters)
    owed = {row for row, _month in counted.months[1]}
    places = [(key, key, f"{key} {title}") for key, title in items.items() if key in owed]
    year = _strip("year", _("全年一览（按截止日期）"), _("事项"), counted.months[1], places, "item", filters)
    return {"flow": counted.flow, "months": strip, "year": year}


def heat_map(
    cells: Mapping[tuple[int, str], Cell], units: Sequence[Place], headings: Sequence[tuple[str, str]]
) -> Grid:
    """Units by dimensions, of the numbers that the table of the page has."""
    return Grid(
        _("单位"),
        tuple(name for _number, _code, name in units),
        tuple(name for _key, name in headings),
        tuple(tuple(cells.get((number, key), Cell()) for key, _name in headings) for number, _code, _name in units),
    )


def of_findings(*, inspection: int | None = None, unit: str = "") -> BurnDown:
    """Findings as they burn down, of a check or a unit or both: those that this person may see."""
    found = pictures.lives(db.session(), inspection=inspection, unit=unit, actor=current_actor(), as_of=known_at())
    return burn_down(found, today=day_shown())


def _counted(filters: board.Filters, *by: InstrumentedAttribute[Any]) -> pictures.Counted:
    return pictures.counted(db.session(), current_actor(), filters, *by, as_of=known_at())


def _strip(
    key: str,
    title: str,
    corner: str,
    counts: pictures.Months,
    places: Sequence[Place],
    place: str,
    filters: board.Filters,
) -> Drawing:
    year = _year_of(filters)
    months = months_of(year, (month for _row, month in counts))
    grid = Grid(
        corner,
        tuple(name for _number, _code, name in places),
        tuple(_month_name(month) for month in months),
        tuple(tuple(counts.get((number, month.number), Cell()) for month in months) for number, _code, _name in places),
        small=key == "year",
    )
    rows = [{place: code} for _number, code, _name in places]
    return Drawing(key, title, grid, rows, [_due_within(month, filters) for month in months])


def _year_of(filters: board.Filters) -> int:
    return pictures.year_of(db.session(), filters)


def _month_name(month: Month) -> str:
    if month.number == 0:
        return str(_("上年"))
    return str(_("次年")) if month.number == MONTHS_BEHIND else str(_("%(month)s月", month=month.number))


def _due_within(month: Month, filters: board.Filters) -> Changes:
    """The due dates of a month, as far as the view is not narrowed to fewer days already."""
    first = max(filter(None, (month.starts_on, filters.due_from)), default=None)
    last = min(filter(None, (month.ends_on, filters.due_to)), default=None)
    return {"due_from": _iso(first), "due_to": _iso(last)}


def _iso(day: date | None) -> str:
    return day.isoformat() if day else ""
