"""What an organization owes and why; deciding about it, taking a decision back, and reporting an event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import (
    DateField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from tracker.db import db, transaction
from tracker.domain.applicability import DECISION_NAMES, DecisionKind, Owed
from tracker.domain.checklist import Checklist
from tracker.domain.schedule import MOST_TIMES
from tracker.domain.text import _n
from tracker.models import Cycle, Decision, Organization
from tracker.policy import Act, can
from tracker.queries.assignments import (
    decision_history,
    decision_named,
    holding_of,
    posts_of,
    seen_organizations,
    year_plan,
)
from tracker.queries.checklists import checklist_of
from tracker.queries.cycles import current_cycle
from tracker.queries.organizations import names_of as names_of_places
from tracker.queries.people import names_of
from tracker.queries.printed_checklists import DUTY_NAMES, RESPONSIBILITY_NAMES
from tracker.queries.seats import seat_named, seats_of
from tracker.services import assignments, cycles
from tracker.web import clock
from tracker.web.access import current_actor, guard
from tracker.web.as_of import answers_past, day_shown, known_at, refuse_unless_known
from tracker.web.forms import Form, entered, page
from tracker.web.language import named

bp = Blueprint("assignments", __name__, url_prefix="/assignments")

EVERY_NAMES = {
    "month": _n("每月"),
    "quarter": _n("每季度"),
    "half": _n("每半年"),
    "year": _n("每年"),
    "event": _n("发生时"),
}
CHOSEN = (DecisionKind.OFF, DecisionKind.GIVE, DecisionKind.MORE)


class ManyField(SelectMultipleField):
    """Several of a list, as check boxes."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class DecideForm(Form):
    """A decision about an item of the list. Which of `post` and `times` is needed depends on the kind."""

    item_id = SelectField(_l("事项"), validators=[InputRequired()])
    kind = RadioField(_l("决定"), default=DecisionKind.OFF.value, validators=[InputRequired()])
    post = SelectField(_l("改由哪个岗位承担"), validators=[Optional()])
    times = IntegerField(_l("每期几次"), validators=[Optional(), NumberRange(1, MOST_TIMES)])
    reason = TextAreaField(_l("理由"), validators=[InputRequired(), Length(max=assignments.REASON_LENGTH)])
    effective_from = DateField(_l("生效日期"), validators=[InputRequired()])

    def offer(self, items: list[tuple[str, str]], posts: list[tuple[str, str]]) -> None:
        """Fill in what can be chosen."""
        self.item_id.choices = items
        self.kind.choices = [(kind.value, _(DECISION_NAMES[kind])) for kind in CHOSEN]
        self.post.choices = [("", _("不改")), *posts]
        if self.effective_from.data is None and not self.is_submitted():
            self.effective_from.data = clock.today()


class OwnItemForm(Form):
    """An item that the organization sets for itself."""

    item_id = StringField(_l("编号"), default="U-01", validators=[InputRequired(), Length(max=32)])
    title = StringField(_l("事项名称"), validators=[InputRequired(), Length(max=200)])
    requirement = TextAreaField(_l("工作要求"), validators=[InputRequired(), Length(max=2000)])
    post = SelectField(_l("责任岗位"), validators=[InputRequired()])
    confirmer = SelectField(_l("确认岗位"), validators=[Optional()])
    dimension = SelectField(_l("类别"), validators=[InputRequired()])
    every = SelectField(_l("周期"), validators=[InputRequired()])
    times = IntegerField(_l("每期几次"), default=1, validators=[InputRequired(), NumberRange(1, MOST_TIMES)])
    grace = IntegerField(_l("到期后几个工作日内录入"), default=5, validators=[InputRequired(), NumberRange(0, 60)])
    evidence = ManyField(_l("佐证"))
    points = IntegerField(_l("分值"), default=0, validators=[InputRequired(), NumberRange(0, 100)])
    reason = TextAreaField(_l("理由"), validators=[InputRequired(), Length(max=assignments.REASON_LENGTH)])
    effective_from = DateField(_l("生效日期"), validators=[InputRequired()])

    def offer(self, checklist: Checklist, level: str) -> None:
        """Fill in what can be chosen."""
        posts = [post for post in checklist.posts if post.level == level]
        lowest = max((checklist.rank(post.id) for post in posts), default=(0, 0))
        above = [post for post in checklist.posts if checklist.rank(post.id) < lowest]
        self.post.choices = [(post.id, named(post)) for post in posts]
        self.confirmer.choices = [("", _("提交即成立")), *((post.id, named(post)) for post in reversed(above))]
        self.dimension.choices = [(dimension.id, named(dimension)) for dimension in checklist.dimensions]
        self.every.choices = [(every, _(name)) for every, name in EVERY_NAMES.items()]
        self.evidence.choices = [(kind.id, named(kind)) for kind in checklist.evidence_kinds]
        if self.effective_from.data is None and not self.is_submitted():
            self.effective_from.data = clock.today()

    def text(self, level: str) -> dict[str, Any]:
        """The item in the checklist's form."""
        label = _(EVERY_NAMES[entered(self.every)])
        times: int = entered(self.times)
        return {
            "id": entered(self.item_id).strip(),
            "level": level,
            "duty": "individual",
            "responsibility": "post",
            "post": self.post.data,
            "confirmer": self.confirmer.data or None,
            "dimension": self.dimension.data,
            "title": entered(self.title).strip(),
            "requirement": entered(self.requirement).strip(),
            "frequency": {
                "every": self.every.data,
                "times": times,
                "grace": self.grace.data,
                "label": label if times == 1 else _("%(label)s%(times)s次", label=label, times=times),
                "basis": "local",
            },
            "evidence": list(self.evidence.data or ()),
            "points": self.points.data,
        }


class TakeBackForm(Form):
    """Why a decision is taken back, and from when."""

    reason = TextAreaField(_l("理由"), validators=[InputRequired(), Length(max=assignments.REASON_LENGTH)])
    effective_from = DateField(_l("从哪天起恢复"), validators=[InputRequired()])


class EventForm(Form):
    """Something that happened."""

    place = SelectField(_l("事项"), validators=[InputRequired()])
    happened_on = DateField(_l("发生日期"), validators=[InputRequired()])
    what = TextAreaField(_l("一句话说明"), validators=[InputRequired(), Length(max=cycles.WHAT_LENGTH)])


@bp.get("")
@guard(Act.USE)
def index() -> ResponseReturnValue:
    """The organizations that this person may see, to look up what one owes."""
    wanted = request.args.get("q", "").strip()
    found = seen_organizations(db.session(), current_actor(), wanted=wanted)
    return render_template("assignments/index.html", organizations=found, wanted=wanted)


@bp.get("/<key>")
@guard(Act.VIEW, Organization)
@answers_past
def show(organization: Organization) -> ResponseReturnValue:
    """What an organization owes on a day, by which list, and why."""
    session, actor, at = db.session(), current_actor(), known_at()
    name = _name_of(organization)
    cycle = current_cycle(session, today=day_shown(), as_of=at)
    if cycle is None:
        return render_template("assignments/nothing.html", organization=organization)
    plan = year_plan(session, cycle, as_of=at)
    holding = holding_of(session, organization, cycle=cycle, as_of=at)
    owed = plan.owed_on(holding, day_shown())
    history = decision_history(session, organization, cycle=cycle, as_of=at)
    prepares = at is None and can(session, actor, Act.PREPARE, organization)
    return render_template(
        "assignments/show.html",
        organization=organization,
        name=name,
        cycle=cycle,
        checklist=plan.checklist,
        owed=owed,
        switched_off=plan.switched_off_on(holding, day_shown()),
        history=history,
        called=_called(history),
        decisions=DECISION_NAMES,
        responsibilities=RESPONSIBILITY_NAMES,
        duties=DUTY_NAMES,
        may_decide=at is None and can(session, actor, Act.DECIDE, organization),
        may_report=prepares and any(_is_event(one) for one in owed),
    )


def _name_of(organization: Organization) -> str:
    """What the organization is, or was, called. Raises NotFound for a day on which nobody knew of it."""
    at = known_at()
    if at is None:
        return organization.name
    found = names_of_places(db.session(), [organization.id], as_of=at)
    if organization.id not in found:
        refuse_unless_known(None)
    return found[organization.id]


def _called(history: Iterable[Decision]) -> dict[int, str]:
    """What those who decided are called, by row number: now, or on the day that is looked at."""
    people = {row.decided_by.id: row.decided_by.name for row in history if row.decided_by}
    at = known_at()
    return people if at is None else names_of(db.session(), people, as_of=at)


@bp.route("/<key>/decide", methods=["GET", "POST"])
@guard(Act.DECIDE, Organization)
def decide(organization: Organization) -> ResponseReturnValue:
    """Switch an item off, give it to another post, or ask it more often."""
    cycle, form = _cycle(), DecideForm()
    checklist = checklist_of(cycle.checklist_version)
    form.offer(_items(checklist, organization.level), _posts(checklist, organization.level))
    if form.validate_on_submit():
        kind = DecisionKind(entered(form.kind))
        values = {
            "item_id": form.item_id.data,
            "post": form.post.data or None if kind is DecisionKind.GIVE else None,
            "times": form.times.data if kind is DecisionKind.MORE else None,
        }
        if _decide(form, cycle, organization, kind=kind, **values):
            return redirect(url_for("assignments.show", key=organization.code))
    if request.method == "GET":
        form.item_id.data = request.args.get("item")
    return page("assignments/decide.html", form, organization=organization, cycle=cycle)


@bp.route("/<key>/own", methods=["GET", "POST"])
@guard(Act.DECIDE, Organization)
def own(organization: Organization) -> ResponseReturnValue:
    """Add an item that the organization sets for itself."""
    cycle, form = _cycle(), OwnItemForm()
    form.offer(checklist_of(cycle.checklist_version), organization.level)
    if form.validate_on_submit():
        text = form.text(organization.level)
        if _decide(form, cycle, organization, kind=DecisionKind.OWN, item_id=text["id"], item=text):
            return redirect(url_for("assignments.show", key=organization.code))
    return page("assignments/own.html", form, organization=organization, cycle=cycle)


@bp.route("/<key>/decisions/<decision>/take-back", methods=["GET", "POST"])
@guard(Act.DECIDE, Organization)
def take_back(organization: Organization, decision: str) -> ResponseReturnValue:
    """Take a decision back."""
    row, form = _decision(organization, decision), TakeBackForm()
    if form.validate_on_submit():
        with form.refusals(), transaction():
            assignments.take_back(
                db.session(),
                _decision(organization, decision),
                reason=entered(form.reason),
                effective_from=entered(form.effective_from),
                actor=current_actor(),
                now=clock.now(),
            )
        if not form.errors:
            flash(_("决定已撤回，今后的任务已重新安排。"), "good")
            return redirect(url_for("assignments.show", key=organization.code))
    if request.method == "GET":
        form.effective_from.data = max(clock.today(), row.effective_from)
    return page("assignments/take_back.html", form, organization=organization, row=row, decisions=DECISION_NAMES)


@bp.route("/<key>/event", methods=["GET", "POST"])
@guard(Act.PREPARE, Organization)
def event(organization: Organization) -> ResponseReturnValue:
    """Report that something happened: it becomes a duty of its own."""
    form = EventForm()
    form.place.choices = _event_choices(organization)
    if form.validate_on_submit():
        seat_key, _sign, item_id = entered(form.place).partition("|")
        with form.refusals(), transaction() as session:
            duty = cycles.report_event(
                session,
                seat=seat_named(session, seat_key),
                item_id=item_id,
                happened_on=entered(form.happened_on),
                what=entered(form.what),
                actor=current_actor(),
                now=clock.now(),
            )
            due_on = duty.due_on
        if not form.errors:
            flash(_("已登记，请在 %(day)s 前上传工作纪实并提交。", day=due_on), "good")
            return redirect(url_for("assignments.show", key=organization.code))
    return page("assignments/event.html", form, organization=organization, today=clock.today())


def _cycle() -> Cycle:
    cycle = current_cycle(db.session(), today=clock.today())
    if cycle is None:
        abort(404)
    return cycle


def _decide(form: Form, cycle: Cycle, organization: Organization, **values: Any) -> bool:  # noqa: ANN401
    """Carry out what a form decides; False where a rule refuses, which the form then shows."""
    with form.refusals(), transaction() as session:
        assignments.decide(
            session,
            cycle=cycle,
            organization=organization,
            reason=entered(form["reason"]),
            effective_from=entered(form["effective_from"]),
            actor=current_actor(),
            now=clock.now(),
            **values,
        )
    if not form.errors:
        flash(_("已登记，今后的任务已重新安排。"), "good")
    return not form.errors


def _decision(organization: Organization, key: str) -> Decision:
    """The row of a decision that holds now, of this organization; otherwise 404."""
    row = decision_named(db.session(), organization, key)
    if row is None:
        abort(404)
    return row


def _items(checklist: Checklist, level: str) -> list[tuple[str, str]]:
    return [
        (item.id, f"{item.id} {item.title}") for item in checklist.items if item.level == level and not item.retired
    ]


def _posts(checklist: Checklist, level: str) -> list[tuple[str, str]]:
    return [(post, named(checklist.post[post])) for post in posts_of(checklist, level)]


def _is_event(owed: Owed) -> bool:
    return owed.item.frequency.every == "event"


def _event_choices(organization: Organization) -> list[tuple[str, str]]:
    """The event items of the organization, one for each seat that owes them and is there."""
    cycle = _cycle()
    there = {seat.key for seat in seats_of(db.session(), [organization.id])}
    plan = year_plan(db.session(), cycle)
    holding = holding_of(db.session(), organization, cycle=cycle)
    return [
        (f"{seat}|{owed.item.id}", _event_name(owed, seat, plan.checklist))
        for owed in plan.owed_on(holding, clock.today())
        if _is_event(owed)
        for seat in owed.seats
        if seat in there
    ]


def _event_name(owed: Owed, seat: str, checklist: Checklist) -> str:
    number = f" {seat.rsplit('-', 1)[1]}" if len(owed.seats) > 1 else ""
    post = named(checklist.post[owed.post])
    return str(_("%(text)s（%(more)s）", text=owed.item.title, more=f"{post}{number}"))
