"""The self-check table of a unit in a check: its people fill it in, and the team reads what was handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import DecimalField, HiddenField, SelectField, StringField
from wtforms.validators import Optional

from tracker.db import db, transaction
from tracker.domain.errors import Conflict, NotFound
from tracker.domain.inspection import InspectionState
from tracker.domain.score import VERDICT_NAMES, Verdict
from tracker.domain.self_check_table import STATEMENT_LIMIT, Answer, Line, checked, is_late, merged
from tracker.models import Organization
from tracker.policy import Act, UnitOfCheck, can, require
from tracker.queries.checklists import checklist_of
from tracker.queries.inspections import fact_of, inspection_named
from tracker.queries.self_check_tables import TablePage, answer_of, page_of
from tracker.services import self_check_tables
from tracker.web import clock
from tracker.web.access import current_actor, guard
from tracker.web.errors import status_of
from tracker.web.forms import Form
from tracker.web.inspections import one_decimal

bp = Blueprint("self_checks", __name__, url_prefix="/self-checks")

POINTS, STATEMENT = "{}-points", "{}-statement"  # names of fields; that of the outcome is the id of the item


class TableForm(Form):
    """The lines of a table: three fields for each item. `seen` is when the last of the lines shown was written."""

    seen = HiddenField()

    def answer(self, item_id: str) -> Answer:
        """What was typed for an item."""
        value, points = self[item_id].data, self[POINTS.format(item_id)].data
        return Answer(
            item_id,
            Verdict(value) if value else None,
            None if points is None else int(points * 10),
            " ".join((self[STATEMENT.format(item_id)].data or "").split()),
        )

    def take_refusal_of(self, other: TableForm) -> None:
        """Say what the other form was refused for."""
        self.form_errors.extend(other.form_errors)
        self.refused_with = other.refused_with
        for name, errors in other.errors.items():
            if name in self._fields:
                self[name].errors = list(errors)

    @property
    def seen_at(self) -> datetime:
        """When the last line that this form showed was written; long ago where the form does not say it."""
        try:
            return datetime.fromisoformat(self.seen.data or "").astimezone()
        except (ValueError, OverflowError):
            return datetime.min.replace(tzinfo=clock.now().tzinfo)


def _form(lines: Sequence[Line], **options: Any) -> TableForm:  # noqa: ANN401  what WTForms takes
    fields: dict[str, Any] = {}
    for line in lines:
        fields[line.item_id] = SelectField(_l("自评结论"))
        label = _("自评得分（满分 %(points)s）", points=line.points)
        fields[POINTS.format(line.item_id)] = DecimalField(label, places=None, validators=[Optional(), one_decimal])
        fields[STATEMENT.format(line.item_id)] = StringField(_l("说明"))
    made: Any = type("LinesForm", (TableForm,), fields)(**options)
    outcomes = [("", _("请选择")), *((value.value, _(name)) for value, name in VERDICT_NAMES.items())]
    for line in lines:
        made[line.item_id].choices = outcomes
    form: TableForm = made
    return form


def _blank(lines: Sequence[Line], seen: datetime) -> TableForm:
    """The form with what stands in these lines."""
    data: dict[str, Any] = {"seen": seen.isoformat()}
    for line in lines:
        answer = line.answer
        data[line.item_id] = answer.value.value if answer.value else ""
        data[POINTS.format(line.item_id)] = None if answer.tenths is None else points_of(answer.tenths)
        data[STATEMENT.format(line.item_id)] = answer.statement
    return _form(lines, formdata=None, data=data)


def points_of(tenths: int) -> str:
    """Points as they are typed: without a decimal where there is none."""
    return str(tenths // 10) if tenths % 10 == 0 else f"{tenths // 10}.{tenths % 10}"


@bp.route("/<int:number>/<code>", methods=["GET", "POST"])
@guard(Act.VIEW, Organization, param="code")
def show(unit: Organization, number: int) -> ResponseReturnValue:
    """The table of a unit: to be filled in by its people while the check is open, to be read by the team."""
    place = _place(unit, number)
    if request.method == "POST":
        return _save(place)
    fills = can(db.session(), current_actor(), Act.SELF_CHECK, place)
    if not fills or place.inspection.state is InspectionState.CLOSED:
        return _reading_page(place, fills=fills)
    found = _page(place)
    return _filling_page(place, found, _blank(found.lines(), found.last_change), {})


def _place(unit: Organization, number: int) -> UnitOfCheck:
    """The unit in that check; 404, as for a number of nothing, where this person may not know of it."""
    try:
        place = UnitOfCheck(inspection_named(db.session(), number), unit)
    except NotFound:
        abort(404)
    if not can(db.session(), current_actor(), Act.READ_SELF_CHECK, place):
        abort(404)
    return place


def _page(place: UnitOfCheck) -> TablePage:
    return page_of(db.session(), place.inspection, place.unit, today=clock.today())


def _save(place: UnitOfCheck) -> ResponseReturnValue:
    """Save what was typed, and hand the table in where that was asked for; a table that is refused stays saved."""
    require(db.session(), current_actor(), Act.SELF_CHECK, place)
    found = _page(place)
    lines = found.lines()
    form = _form(lines)
    if form.validate_on_submit():
        _check(form, lines)
    written, answers = 0, []
    if not form.errors:
        answers = [form.answer(line.item_id) for line in lines]
        with form.refusals(), transaction() as session:
            actor, now, seen = current_actor(), clock.now(), form.seen_at
            written = self_check_tables.save_lines(
                session, place.inspection, place.unit, answers, seen=seen, actor=actor, now=now
            )
    if form.errors:
        return _refused_page(place, form)
    if request.form.get("then") == "hand_in":
        return _hand_in(place, answers)
    flash(_("已保存，改动 %(n)s 项。", n=written) if written else _("没有改动。"), "good")
    return redirect(_address(place))


def _check(form: TableForm, lines: Sequence[Line]) -> None:
    """Name everything that is wrong at once; the service would stop at the first."""
    for line in lines:
        with form.refusals():
            checked(form.answer(line.item_id), points=line.points)


def _hand_in(place: UnitOfCheck, shown: Sequence[Answer]) -> ResponseReturnValue:
    """Hand in what was on the page; where the table says something else by now, show that first."""
    found = _page(place)
    form = _blank(found.lines(), found.last_change)
    with form.refusals(), transaction() as session:
        actor, now = current_actor(), clock.now()
        row = self_check_tables.hand_in(session, place.inspection, place.unit, shown=shown, actor=actor, now=now)
        number = row.number
    if form.errors:
        flash(_("填写的内容已保存，还没有报送。"))
        return _filling_page(place, found, form, {})
    due_on = fact_of(db.session(), place.inspection).self_check_due_on
    if is_late(clock.today(), due_on=due_on):
        flash(_("已报送（第 %(n)s 次）。报送期限是 %(day)s，本次记为逾期报送。", n=number, day=due_on), "good")
    else:
        flash(_("已报送（第 %(n)s 次）。", n=number), "good")
    return redirect(_address(place))


def _address(place: UnitOfCheck) -> str:
    return url_for("self_checks.show", number=place.inspection.number, code=place.unit.code)


def _refused_page(place: UnitOfCheck, form: TableForm) -> ResponseReturnValue:
    """The page with all that was typed, beside it what somebody else has written since this form was opened.

    After a conflict the form counts as opened now: whoever saves again has been shown both.
    """
    found = _page(place)
    if form.refused_with != status_of(Conflict("")):
        return _filling_page(place, found, form, {})
    then = found.answers(as_of=form.seen_at)
    both = {
        line.item_id: merged(
            form.answer(line.item_id), seen=answer_of(then.get(line.item_id), line.item_id), stands=line.answer
        )
        for line in found.lines()
    }
    fresh = _blank([replace(line, answer=both[line.item_id].shown) for line in found.lines()], found.last_change)
    fresh.take_refusal_of(form)
    theirs = {item_id: one.theirs for item_id, one in both.items() if one.theirs is not None}
    return _filling_page(place, found, fresh, theirs)


def _filling_page(
    place: UnitOfCheck, found: TablePage, form: TableForm, theirs: Mapping[str, Answer]
) -> ResponseReturnValue:
    signs = can(db.session(), current_actor(), Act.HAND_IN, place)
    more = {"form": form, "theirs": theirs, "signs": signs, "limit": STATEMENT_LIMIT, "team": False}
    return render_template("self_checks/fill.html", **_common(place, found, found.lines()), **more), form.status


def _reading_page(place: UnitOfCheck, *, fills: bool) -> ResponseReturnValue:
    """What the team reads is what was handed in; the unit's own people read what stands now."""
    found = _page(place)
    as_of = found.sent[0].row.at if found.sent and not fills else None
    more = {"shown": fills or bool(found.sent), "fills": fills, "team": not fills}
    return render_template("self_checks/read.html", **_common(place, found, found.lines(as_of=as_of)), **more)


def _common(place: UnitOfCheck, found: TablePage, lines: Sequence[Line]) -> dict[str, Any]:
    return {
        "inspection": place.inspection,
        "unit": place.unit,
        "fact": found.fact,
        "lines": lines,
        "groups": _by_level(lines),
        "sent": found.sent,
        "overdue": is_late(clock.today(), due_on=found.fact.self_check_due_on),
        "checklist": checklist_of(place.inspection.cycle.checklist_version),
        "points_of": points_of,
    }


def _by_level(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """The lines under their levels, in the order of the list."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.level, []).append(line)
    return groups
