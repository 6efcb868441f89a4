"""The year: what opening it would make, opening and closing it, and the days on which the city works."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import DateField, IntegerField, RadioField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from tracker.db import db, transaction
from tracker.domain.burden import YearBurden
from tracker.domain.calendar import is_official
from tracker.models import ChecklistVersion
from tracker.policy import Act
from tracker.queries.calendar import overrides
from tracker.queries.checklists import checklist_of, published
from tracker.queries.cycles import all_cycles, cycle_of, plan_cycle, state_counts
from tracker.services import calendar, cycles
from tracker.web import clock
from tracker.web.access import current_actor, guard
from tracker.web.forms import Confirmation, Form, entered, page
from tracker.web.language import named

bp = Blueprint("cycles", __name__, url_prefix="/cycles")


class OpenForm(Form):
    """Which year, with which list."""

    year = IntegerField(_l("年度"), validators=[InputRequired(), NumberRange(cycles.EARLIEST, cycles.LATEST)])
    checklist = SelectField(_l("责任清单"), validators=[InputRequired()])


class DayForm(Form):
    """A day, whether it is worked, and what it is."""

    day = DateField(_l("日期"), validators=[InputRequired()])
    is_working = RadioField(_l("当天"), default="no")
    name = StringField(_l("名称或依据"), validators=[InputRequired(), Length(max=calendar.NAME_LENGTH)])


@bp.get("")
@guard(Act.ADMINISTER)
def index() -> ResponseReturnValue:
    """The years, and the way to open another."""
    form = _open_form()
    found = [(cycle, is_official(cycle.year)) for cycle in all_cycles(db.session())]
    return render_template("cycles/index.html", cycles=found, form=form)


@bp.get("/open")
@guard(Act.ADMINISTER)
def preview() -> ResponseReturnValue:
    """The burden page: what opening a year would make, before anything is written."""
    form = _open_form()
    form.year.data = request.args.get("year", type=int) or form.year.data
    form.checklist.data = request.args.get("checklist", "")
    return _burden_page(form)


@bp.post("/open")
@guard(Act.ADMINISTER)
def open_year() -> ResponseReturnValue:
    """Open the year that was shown."""
    form = _open_form()
    if form.validate_on_submit():
        year: int = entered(form.year)
        with form.refusals(), transaction() as session:
            version = next(v for v in published(session) if v.sha256 == form.checklist.data)
            done = cycles.open_cycle(session, year=year, version=version, actor=current_actor(), now=clock.now())
            made = done.duties
        if not form.errors:
            flash(_("%(year)s 年度已开启，本次生成 %(count)s 项任务。", year=year, count=made), "good")
            return redirect(url_for("cycles.show", year=year))
    return _burden_page(form)


@bp.get("/<int:year>")
@guard(Act.ADMINISTER)
def show(year: int) -> ResponseReturnValue:
    """One year: its list, and how many duties stand where."""
    cycle = cycle_of(db.session(), year)
    counts = state_counts(db.session(), cycle)
    return render_template("cycles/show.html", cycle=cycle, counts=counts, official=is_official(year))


@bp.route("/<int:year>/close", methods=["GET", "POST"])
@guard(Act.ADMINISTER)
def close(year: int) -> ResponseReturnValue:
    """End a year, after showing what that means."""
    cycle, form = cycle_of(db.session(), year), Confirmation()
    counts = state_counts(db.session(), cycle)
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            cycles.close_cycle(session, cycle_of(session, year), actor=current_actor(), now=clock.now())
        if not form.errors:
            flash(_("%(year)s 年度已结束。", year=year), "good")
            return redirect(url_for("cycles.show", year=year))
    return page("cycles/close.html", form, cycle=cycle, counts=counts)


@bp.route("/calendar", methods=["GET", "POST"])
@guard(Act.ADMINISTER)
def days() -> ResponseReturnValue:
    """The days that were decided about, and a form to decide about one."""
    form = DayForm()
    form.is_working.choices = [("no", _("休息")), ("yes", _("上班"))]
    if form.validate_on_submit() and _override(form):
        flash(_("已登记，相关任务的期限已重新计算。"), "good")
        return redirect(url_for("cycles.days"))
    years = sorted({clock.today().year, clock.today().year + 1, *(c.year for c in all_cycles(db.session()))})
    marks = [(year, is_official(year)) for year in years]
    return page("cycles/calendar.html", form, days=overrides(db.session()), years=marks)


def _override(form: DayForm) -> bool:
    """Decide about the day; False where a rule refuses, which the form then shows."""
    working = form.is_working.data == "yes"
    day, name = entered(form.day), entered(form.name)
    with form.refusals(), transaction() as session:
        actor, now = current_actor(), clock.now()
        calendar.override_day(session, day=day, is_working=working, name=name, actor=actor, now=now)
    return not form.errors


def _open_form() -> OpenForm:
    form = OpenForm()
    form.checklist.choices = [
        (v.sha256, _("%(text)s（%(more)s）", text=v.title, more=v.version)) for v in published(db.session())
    ]
    if form.year.data is None:
        form.year.data = clock.today().year
    return form


def _burden_page(form: OpenForm) -> ResponseReturnValue:
    """What opening makes, with the button that does it unless the year is open already."""
    opened = {cycle.year for cycle in all_cycles(db.session())}
    version = _chosen_version(form)
    return page(
        "cycles/open.html",
        form,
        burden=_burden(form, version),
        level_names={level.id: named(level) for level in checklist_of(version).levels} if version else {},
        is_opened=form.year.data in opened,
    )


def _chosen_version(form: OpenForm) -> ChecklistVersion | None:
    return next((v for v in published(db.session()) if v.sha256 == form.checklist.data), None)


def _burden(form: OpenForm, version: ChecklistVersion | None) -> YearBurden | None:
    """What would be made; nothing where the year or the list cannot be."""
    year = form.year.data
    if version is None or year is None or not cycles.EARLIEST <= year <= cycles.LATEST:
        return None
    return plan_cycle(db.session(), year=year, version=version)
