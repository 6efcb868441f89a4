"""The board: units by dimension and by item, one unit by organization, and the list behind every number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from sqlalchemy.orm import InstrumentedAttribute
from wtforms import DateField, SelectField
from wtforms.validators import Optional

from tracker.db import db
from tracker.domain.board import COLUMN_NAMES, DONE, FALLEN_DUE, Cell, Column
from tracker.domain.checklist import Checklist
from tracker.domain.duty import STATE_NAMES, State
from tracker.domain.pictures import AHEAD
from tracker.models import Cycle, Duty, Organization
from tracker.policy import Act
from tracker.queries import board, board_as_of
from tracker.queries.assignments import items_of_year
from tracker.queries.checklists import checklist_of
from tracker.queries.cycles import all_cycles, current_of
from tracker.reporting.hatching import hatching
from tracker.reporting.words import wrapped
from tracker.web import pictures
from tracker.web.access import current_actor, guard
from tracker.web.as_of import answers_past, asked, day_shown, known_at, refuse_unless_known
from tracker.web.language import named

bp = Blueprint("board", __name__, url_prefix="/board")
bp.add_app_template_global(hatching, "hatching")  # pictures are drawn on pages as on paper
bp.add_app_template_global(wrapped, "wrapped")

GROUPS: Mapping[str, tuple[Column, ...]] = {
    "done": DONE,
    "fallen_due": FALLEN_DUE,
    "ahead": AHEAD,
    **{column.value: (column,) for column in Column},
}
NARROW = (
    *("unit", "organization", "level", "post", "dimension", "item", "state", "show"),
    *("period_from", "period_to", "due_from", "due_to", "judged"),
)


class FilterForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF carries no types
    """What the board is narrowed to; it stands in the address, so that a view can be passed on."""

    class Meta:
        """A form that reads carries no token."""

        csrf = False

    year = SelectField(_l("年度"), coerce=str, validators=[Optional()])
    level = SelectField(_l("层级"), coerce=str, validators=[Optional()])
    post = SelectField(_l("岗位"), coerce=str, validators=[Optional()])
    state = SelectField(_l("状态"), coerce=str, validators=[Optional()])
    show = SelectField(_l("时效"), coerce=str, validators=[Optional()])
    period_from = DateField(_l("时段自"), validators=[Optional()])
    period_to = DateField(_l("时段至"), validators=[Optional()])
    due_from = DateField(_l("到期自"), validators=[Optional()])
    due_to = DateField(_l("到期至"), validators=[Optional()])
    judged = SelectField(_l("核查"), coerce=str, validators=[Optional()])


@dataclass(frozen=True)
class View:
    """The year that is looked at, its list, and what the view is narrowed to."""

    cycle: Cycle
    checklist: Checklist
    filters: board.Filters
    form: FilterForm
    narrowed: dict[str, str]

    def link(self, **changes: str) -> str:
        """The query string of the same view with some parts changed; an empty part is left out."""
        return "&".join(_pair(name, value) for name, value in {**self.narrowed, **changes}.items() if value)


@lru_cache(maxsize=4096)
def _pair(name: str, value: str) -> str:
    """One part of a query string: a page has thousands of them, of a few hundred different ones."""
    return urlencode({name: value})


def reads() -> tuple[Any, dict[str, Any]]:
    """Where a page of the board reads from, the caches of today or a replay of a past day, and what to tell it.

    `queries.board` and `queries.board_as_of` answer by the same names; the second wants `as_of` as well.
    """
    past = asked()
    return (board, {}) if past is None else (board_as_of, {"as_of": past.at})


def _form(cycles: list[Cycle], checklist: Checklist) -> FilterForm:
    form = FilterForm(request.args)
    everything = ("", _l("全部"))
    form.year.choices = [(str(cycle.year), str(cycle.year)) for cycle in cycles]
    form.level.choices = [everything, *((level.id, named(level)) for level in checklist.levels)]
    form.post.choices = [everything, *((post.id, named(post)) for post in checklist.posts)]
    form.state.choices = [everything, *((state.value, _l(name)) for state, name in STATE_NAMES.items())]
    columns = [(column.value, _l(name)) for column, name in COLUMN_NAMES.items()]
    form.show.choices = [everything, ("done", _l("已办理")), ("fallen_due", _l("已到期或已办理"))]
    form.show.choices += [("ahead", _l("未到期（含即将到期）")), *columns]
    form.judged.choices = [everything, ("yes", _l("已核查"))]
    return form


def _chosen_cycle() -> Cycle | None:
    year = request.args.get("year", "")
    cycles = all_cycles(db.session(), as_of=known_at())
    chosen = [cycle for cycle in cycles if str(cycle.year) == year]
    return chosen[0] if chosen else current_of(cycles, today=day_shown(), as_of=known_at())


def _day(field: DateField) -> date | None:
    value = field.data
    return value if isinstance(value, date) else None


def look(cycle: Cycle) -> View:
    """Read the view from the address; what does not fit is shown beside its field and narrows nothing."""
    checklist = checklist_of(cycle.checklist_version)
    form = _form(list(all_cycles(db.session(), as_of=known_at())), checklist)
    form.validate()
    narrowed = {name: request.args.get(name, "") for name in NARROW if name not in form.errors}
    filters = board.Filters(
        cycle_id=cycle.id,
        today=day_shown(),
        unit=narrowed.get("unit") or None,
        organization=narrowed.get("organization") or None,
        level=narrowed.get("level") or None,
        post=narrowed.get("post") or None,
        dimension=narrowed.get("dimension") or None,
        item=narrowed.get("item") or None,
        state=State(narrowed["state"]) if narrowed.get("state") else None,
        columns=GROUPS.get(narrowed.get("show", ""), ()),
        period_from=_day(form.period_from),
        period_to=_day(form.period_to),
        due_from=_day(form.due_from),
        due_to=_day(form.due_to),
        judged=narrowed.get("judged") == "yes",
    )
    past = asked()
    day = past.day.isoformat() if past else ""
    return View(cycle, checklist, filters, form, {"year": str(cycle.year), **narrowed, "as_of": day})


@bp.get("")
@guard(Act.USE)
@answers_past
def show() -> ResponseReturnValue:
    """Units by dimension."""
    return _matrix("board/show.html", by="dimension")


@bp.get("/items")
@guard(Act.USE)
@answers_past
def items() -> ResponseReturnValue:
    """Units by item."""
    return _matrix("board/items.html", by="item")


def _matrix(template: str, *, by: str) -> ResponseReturnValue:
    cycle = _chosen_cycle()
    if cycle is None:
        return render_template("board/nothing.html")
    view = look(cycle)
    page = _page(view, Duty.dimension if by == "dimension" else Duty.item_id)
    cells, units = page.cells, page.units
    names = (
        {dimension.id: named(dimension) for dimension in view.checklist.dimensions}
        if by == "dimension"
        else _titles(cycle)
    )
    headings = [(key, name) for key, name in names.items() if any(heading == key for _, heading in cells)]
    drawn = _drawn(page, cells, units, headings) if by == "dimension" else {}
    opened = board.opened_by(db.session(), current_actor(), {unit for unit, _, _ in units})
    sums = _sums(cells) | {"page_total": _total(view, drawn) if page.paged else None, "following": page.following}
    return render_template(
        template,
        view=view,
        cells=cells,
        units=units,
        by_inspecting=board.seen_by_inspecting(db.session(), current_actor(), {unit for unit, _ in cells}),
        opened=opened,
        in_part=any(unit not in opened for unit, _, _ in units),
        headings=headings,
        by=by,
        **sums,
        **drawn,
    )


@dataclass(frozen=True)
class Page:
    """The units of one page and their cells; `paged` says that there are more pages than one."""

    units: list[tuple[int, str, str]]
    cells: Mapping[tuple[int, str], Cell]
    paged: bool
    following: str
    filters: board.Filters


def _page(view: View, by: InstrumentedAttribute[Any]) -> Page:
    """The part of the units that the address asks for: those behind the code `after_unit`."""
    after = request.args.get("after_unit", "")
    read, then = reads()
    asks = (db.session(), current_actor())
    units, more = read.units_of_page(*asks, view.filters, after=after, **then)
    paged = more or bool(after)
    filters = replace(view.filters, units=tuple(number for number, _, _ in units)) if paged else view.filters
    cells = read.matrix(*asks, filters, by=by, **then) if units else {}
    seen = {unit for unit, _ in cells}
    following = view.link(after_unit=units[-1][1]) if more else ""
    return Page([unit for unit in units if unit[0] in seen], cells, paged, following, filters)


def _total(view: View, drawn: Mapping[str, Any]) -> Cell:
    """The duties of all pages, as the pictures counted them, where some are drawn."""
    read, then = reads()
    total: Cell = (
        drawn["pictures"]["total"] if drawn else read.totals(db.session(), current_actor(), view.filters, **then)
    )
    return total


def _drawn(
    page: Page,
    cells: Mapping[tuple[int, str], Cell],
    units: Sequence[pictures.Place],
    headings: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """The pictures of the board."""
    return {
        "heat_map": pictures.heat_map(cells, units, headings),
        "pictures": pictures.of_board(page.filters, units),
    }


def _sums(cells: Mapping[tuple[int, str], Cell]) -> dict[str, Any]:
    by_unit: dict[int, Cell] = {}
    by_heading: dict[str, Cell] = {}
    for (unit, heading), cell in cells.items():
        by_unit[unit] = by_unit.get(unit, Cell()) + cell
        by_heading[heading] = by_heading.get(heading, Cell()) + cell
    return {"by_unit": by_unit, "by_heading": by_heading, "total": sum(by_unit.values(), Cell())}


@bp.get("/units/<key>")
@guard(Act.VIEW, Organization)
@answers_past
def unit(organization: Organization) -> ResponseReturnValue:
    """One unit: its organizations by dimension."""
    cycle = _chosen_cycle()
    if cycle is None:
        return render_template("board/nothing.html")
    view = look(cycle)
    view = replace(view, filters=replace(view.filters, unit=organization.code))
    read, then = reads()
    cells = read.organizations_of_unit(db.session(), current_actor(), view.filters, **then)
    there = {node for node, _ in cells}
    known = read.organizations_named(db.session(), {organization.id} | there, **then)
    name = next((name for node, _, name in known if node == organization.id), None)
    if name is None:
        refuse_unless_known(None)
    organizations = [place for place in known if place[0] in there]
    headings = [(dimension.id, named(dimension)) for dimension in view.checklist.dimensions]
    return render_template(
        "board/unit.html",
        view=view,
        unit=organization,
        name=name,
        cells=cells,
        units=organizations,
        by_inspecting=board.seen_by_inspecting(db.session(), current_actor(), {organization.id}),
        headings=headings,
        by="dimension",
        pictures=pictures.of_unit(view.filters, organizations, _titles(view.cycle)),
        **_sums(cells),
    )


def _titles(cycle: Cycle) -> dict[str, str]:
    """What the items of the year are called, in the order of the list."""
    return {item.id: item.title for item in items_of_year(db.session(), cycle, as_of=known_at()).values()}


@bp.get("/duties")
@guard(Act.USE)
@answers_past
def duties() -> ResponseReturnValue:
    """The list behind a number, page by page."""
    cycle = _chosen_cycle()
    if cycle is None:
        return render_template("board/nothing.html")
    view = look(cycle)
    read, then = reads()
    lines = read.duties_behind(db.session(), current_actor(), view.filters, after=_after(), **then)
    following = ""
    if len(lines) == board.PAGE:
        following = view.link(after_due=lines[-1].due_on.isoformat(), after_key=lines[-1].key)
    return render_template(
        "board/duties.html",
        view=view,
        lines=lines,
        following=following,
        total=read.totals(db.session(), current_actor(), view.filters, **then).total,
        scope=_scope(view),
        items=items_of_year(db.session(), cycle, as_of=known_at()),
    )


def _scope(view: View) -> list[str]:
    """What the list is narrowed to beside the filters on the page: unit, organization, dimension, item."""
    codes = [code for code in (view.filters.unit, view.filters.organization) if code]
    dimension = view.checklist.dimension.get(view.filters.dimension or "")
    item = items_of_year(db.session(), view.cycle, as_of=known_at()).get(view.filters.item or "")
    read, then = reads()
    names = [*read.names_of_codes(db.session(), current_actor(), codes, **then)]
    return names + ([named(dimension)] if dimension else []) + ([item.title] if item else [])


def _after() -> tuple[date, str] | None:
    due, key = request.args.get("after_due", ""), request.args.get("after_key", "")
    try:
        return (date.fromisoformat(due), key) if due and key else None
    except ValueError:
        return None
