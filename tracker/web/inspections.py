"""Supervision checks: plan one, work through its sample, note findings, look at scores, close it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import DateField, DecimalField, RadioField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from tracker.db import db, transaction
from tracker.domain.checklist import Checklist, Item
from tracker.domain.inspection import KIND_NAMES, MEMBER_NAMES, SEVERITY_NAMES, InspectionKind, MemberRole, Severity
from tracker.domain.score import VERDICT_NAMES
from tracker.domain.score import Verdict as VerdictValue
from tracker.models import Duty, Inspection, Organization, Person
from tracker.policy import Act, can
from tracker.queries import inspections as queries
from tracker.queries.assignments import item_of, items_of_year
from tracker.queries.checklists import checklist_of
from tracker.queries.cycles import current_cycle
from tracker.queries.duties import timeliness_of_duty
from tracker.queries.evidence import records_of
from tracker.services import inspections
from tracker.tasks.papers import KINDS
from tracker.web import clock
from tracker.web.access import current_actor, guard, load
from tracker.web.forms import Confirmation, Form, entered, page
from tracker.web.language import named

bp = Blueprint("inspections", __name__, url_prefix="/inspections")


class ManyField(SelectMultipleField):
    """Several of a list, as check boxes."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class PlanForm(Form):
    """What a check is about."""

    title = StringField(_l("名称"), validators=[InputRequired(), Length(max=100)])
    basis = TextAreaField(_l("依据"), validators=[InputRequired(), Length(max=1000)])
    kind = RadioField(_l("类型"), default=InspectionKind.REGULAR.value)
    starts_on = DateField(_l("检查开始"), validators=[InputRequired()])
    ends_on = DateField(_l("检查结束"), validators=[InputRequired()])
    period_starts_on = DateField(_l("检查时段自"), validators=[InputRequired()])
    period_ends_on = DateField(_l("检查时段至"), validators=[InputRequired()])
    leader = SelectField(_l("组长"), validators=[InputRequired()])
    members = ManyField(_l("成员"))
    units = ManyField(_l("被检查单位"))
    dimensions = ManyField(_l("检查维度（不选为全部）"))
    sample = RadioField(_l("抽查方式"), default="all")

    def offer(self, checklist: Checklist, people: Iterable[Person], units: Iterable[Organization]) -> None:
        """Fill in what can be chosen."""
        team = [(person.key, person.name) for person in people]
        self.kind.choices = [(kind.value, _(name)) for kind, name in KIND_NAMES.items()]
        self.leader.choices = self.members.choices = team
        self.units.choices = [(unit.code, unit.name) for unit in units]
        self.dimensions.choices = [(dimension.id, named(dimension)) for dimension in checklist.dimensions]
        self.sample.choices = [("all", _("范围内全部任务")), ("hand", _("在任务清单中逐项挑选"))]


class VerdictForm(Form):
    """The judgement of one duty."""

    value = RadioField(_l("核查结论"), validators=[InputRequired(message=_l("请选择核查结论。"))])
    note = TextAreaField(_l("说明"), validators=[Length(max=inspections.NOTE_LIMIT)])


class FindingForm(Form):
    """A problem found."""

    organization = SelectField(_l("组织"), validators=[InputRequired()])
    problem = TextAreaField(_l("问题"), validators=[InputRequired(), Length(max=inspections.NOTE_LIMIT)])
    basis = StringField(_l("依据（法规、条款）"), validators=[Length(max=500)])
    post = SelectField(_l("责任岗位"), validators=[InputRequired()])
    severity = RadioField(_l("程度"), default=Severity.ORDINARY.value)
    demand = TextAreaField(_l("整改要求"), validators=[InputRequired(), Length(max=inspections.NOTE_LIMIT)])
    deadline = DateField(_l("整改期限"), validators=[InputRequired()])


def one_decimal(form: Form, field: DecimalField) -> None:  # noqa: ARG001  as WTForms calls it
    """Refuse a second decimal: nothing is rounded without a word."""
    if field.data is not None and field.data * 10 != int(field.data * 10):
        raise ValidationError(_("得分最多保留一位小数，请改正。"))


class OverruleForm(Form):
    """Points given by an inspector. Left empty, the worked-out points count again."""

    points = DecimalField(_l("改定得分"), places=1, validators=[Optional(), NumberRange(min=0, max=100), one_decimal])
    reason = TextAreaField(_l("理由"), validators=[InputRequired(), Length(max=inspections.NOTE_LIMIT)])


@bp.get("")
@guard(Act.USE)
def index() -> ResponseReturnValue:
    """The checks that this person may see."""
    found = queries.inspections_seen(db.session(), current_actor())
    may_plan = can(db.session(), current_actor(), Act.INSPECT)
    return render_template("inspections/index.html", found=found, may_plan=may_plan, kinds=KIND_NAMES)


@bp.route("/new", methods=["GET", "POST"])
@guard(Act.INSPECT)
def new() -> ResponseReturnValue:
    """Plan a check."""
    cycle = current_cycle(db.session(), today=clock.today())
    if cycle is None:
        return render_template("board/nothing.html")
    checklist = checklist_of(cycle.checklist_version)
    form = PlanForm()
    form.offer(checklist, queries.inspectors_to_choose(db.session()), queries.units_to_choose(db.session()))
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            plan = _plan(form, checklist)
            made = inspections.plan(session, cycle=cycle, plan=plan, actor=current_actor(), now=clock.now())
            number = made.number
        if not form.errors:
            flash(_("已建立第 %(number)s 号督查。", number=number), "good")
            return redirect(url_for("inspections.show", number=number))
    return page("inspections/new.html", form)


def _plan(form: PlanForm, checklist: Checklist) -> inspections.Plan:
    session = db.session()
    people = {person.key: person for person in queries.inspectors_to_choose(session)}
    units = {unit.code: unit for unit in queries.units_to_choose(session)}
    members = [key for key in form.members.data or [] if key != form.leader.data]
    chosen = set(form.dimensions.data or [])
    return inspections.Plan(
        title=entered(form.title),
        basis=entered(form.basis),
        kind=InspectionKind(form.kind.data),
        starts_on=entered(form.starts_on),
        ends_on=entered(form.ends_on),
        period_starts_on=entered(form.period_starts_on),
        period_ends_on=entered(form.period_ends_on),
        team=[(people[form.leader.data], MemberRole.LEADER), *((people[key], MemberRole.MEMBER) for key in members)],
        units=[units[code] for code in form.units.data or []],
        items=[item.id for item in checklist.items if item.dimension in chosen],
        picked=None if form.sample.data == "all" else [],
    )


@bp.get("/<int:number>")
@guard(Act.VIEW, Inspection, param="number")
def show(inspection: Inspection) -> ResponseReturnValue:
    """One check: what it is, how far it is, what was found."""
    session = db.session()
    sampled, judged = queries.progress_of(session, inspection)
    return render_template(
        "inspections/show.html",
        inspection=inspection,
        fact=queries.fact_of(session, inspection),
        team=queries.team_of(session, inspection),
        units=queries.units_of(session, inspection),
        sampled=sampled,
        judged=judged,
        pending=queries.next_pending(session, inspection),
        findings=queries.findings_of(session, inspection),
        may_judge=can(session, current_actor(), Act.INSPECT, inspection),
        may_report=can(session, current_actor(), Act.REPORT, inspection),
        papers=KINDS,
        **_words(inspection),
    )


def _words(inspection: Inspection) -> dict[str, Any]:
    return {
        "checklist": checklist_of(inspection.cycle.checklist_version),
        "kinds": KIND_NAMES,
        "severities": SEVERITY_NAMES,
        "roles": MEMBER_NAMES,
    }


@bp.get("/<int:number>/duties")
@guard(Act.VIEW, Inspection, param="number")
def duties(inspection: Inspection) -> ResponseReturnValue:
    """The sample with its verdicts."""
    unit, pending = request.args.get("unit", ""), request.args.get("pending") == "1"
    after = max(0, request.args.get("after", 0, type=int))
    return render_template(
        "inspections/duties.html",
        inspection=inspection,
        rows=queries.sample_of(db.session(), inspection, unit=unit or None, pending=pending, after=after),
        units=queries.units_of(db.session(), inspection),
        unit=unit,
        pending=pending,
        after=after,
        size=queries.PAGE,
        items=items_of_year(db.session(), inspection.cycle),
        may_judge=can(db.session(), current_actor(), Act.INSPECT, inspection),
    )


def _sampled_duty(inspection: Inspection, key: str) -> Duty:
    duty: Duty = load(Duty, key)
    if not queries.is_sampled(db.session(), inspection, duty):
        abort(404)
    return duty


@bp.route("/<int:number>/duties/<key>", methods=["GET", "POST"])
@guard(Act.INSPECT, Inspection, param="number")
def judge(inspection: Inspection, key: str) -> ResponseReturnValue:
    """Judge one duty of the sample, then go on to the next without a verdict."""
    duty = _sampled_duty(inspection, key)
    form = _verdict_form(inspection, duty)
    if form.validate_on_submit():
        value = VerdictValue(form.value.data)
        with form.refusals(), transaction() as session:
            actor, now = current_actor(), clock.now()
            inspections.judge(session, inspection, duty, value=value, note=form.note.data or "", actor=actor, now=now)
        if not form.errors and request.form.get("then") == "find":
            return redirect(url_for("inspections.find", number=inspection.number, duty=duty.key))
        if not form.errors:
            return _on_to_next(inspection)
    return _judge_page(inspection, duty, form)


def _judge_page(inspection: Inspection, duty: Duty, form: VerdictForm) -> ResponseReturnValue:
    session = db.session()
    sampled, judged = queries.progress_of(session, inspection)
    return page(
        "inspections/judge.html",
        form,
        inspection=inspection,
        duty=duty,
        item=item_of(session, duty),
        records=records_of(session, duty.id),
        timeliness=timeliness_of_duty(duty, today=clock.today()),
        verdicts=queries.verdicts_on(session, inspection, duty),
        findings=queries.findings_on(session, inspection, duty),
        sampled=sampled,
        judged=judged,
        **_words(inspection),
    )


def _verdict_form(inspection: Inspection, duty: Duty) -> VerdictForm:
    current = next((v for v in queries.verdicts_on(db.session(), inspection, duty) if v.superseded_at is None), None)
    form = VerdictForm(value=current.value.value if current else None, note=current.note if current else "")
    form.value.choices = [(value.value, _(name)) for value, name in VERDICT_NAMES.items()]
    return form


def _on_to_next(inspection: Inspection) -> ResponseReturnValue:
    following = queries.next_pending(db.session(), inspection)
    if following is None:
        flash(_("抽查任务已全部核查。"), "good")
        return redirect(url_for("inspections.show", number=inspection.number))
    flash(_("已保存，接着核查下一项。"), "good")
    return redirect(url_for("inspections.judge", number=inspection.number, key=following))


@bp.route("/<int:number>/sample", methods=["GET", "POST"])
@guard(Act.INSPECT, Inspection, param="number")
def sample(inspection: Inspection) -> ResponseReturnValue:
    """Pick duties by hand: those of the units of the check that are not in the sample yet."""
    form = Confirmation()
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            for key in request.form.getlist("duty"):
                duty = load(Duty, key)
                inspections.add_to_sample(session, inspection, duty, actor=current_actor(), now=clock.now())
        if not form.errors:
            flash(_("已加入抽查。"), "good")
            return redirect(url_for("inspections.duties", number=inspection.number))
    candidates = queries.candidates_of(db.session(), inspection, unit=request.args.get("unit") or None)
    return page(
        "inspections/sample.html",
        form,
        inspection=inspection,
        candidates=candidates,
        units=queries.units_of(db.session(), inspection),
        items=items_of_year(db.session(), inspection.cycle),
    )


@bp.route("/<int:number>/findings/new", methods=["GET", "POST"])
@guard(Act.INSPECT, Inspection, param="number")
def find(inspection: Inspection) -> ResponseReturnValue:
    """Note a finding, about one duty of the sample or about an organization."""
    duty = _sampled_duty(inspection, request.args["duty"]) if request.args.get("duty") else None
    form = _finding_form(inspection, duty)
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            organization = load(Organization, form.organization.data)
            problem, actor = _problem(form), current_actor()
            inspections.find(
                session,
                inspection,
                organization=organization,
                duty=duty,
                problem=problem,
                actor=actor,
                now=clock.now(),
            )
        if not form.errors:
            flash(_("已登记问题。"), "good")
            if duty is not None:
                return redirect(url_for("inspections.judge", number=inspection.number, key=duty.key))
            return redirect(url_for("inspections.show", number=inspection.number))
    return page("inspections/finding.html", form, inspection=inspection, duty=duty, **_words(inspection))


def _problem(form: FindingForm) -> inspections.Problem:
    return inspections.Problem(
        problem=entered(form.problem),
        basis=form.basis.data or "",
        post=form.post.data,
        severity=Severity(form.severity.data),
        demand=entered(form.demand),
        deadline=entered(form.deadline),
    )


def _finding_form(inspection: Inspection, duty: Duty | None) -> FindingForm:
    session, checklist = db.session(), checklist_of(inspection.cycle.checklist_version)
    items = items_of_year(session, inspection.cycle)
    item = items.get(duty.item_id) if duty else None
    form = FindingForm(
        organization=duty.organization.code if duty else None,
        post=duty.post if duty else None,
        basis=_basis_of(item, checklist) if item else "",
    )
    units = [unit.id for unit in queries.units_of(session, inspection)]
    form.organization.choices = [(node.code, node.name) for node in queries.organizations_in(session, units)]
    form.post.choices = [(post.id, named(post)) for post in checklist.posts]
    form.severity.choices = [(severity.value, _(name)) for severity, name in SEVERITY_NAMES.items()]
    return form


def _basis_of(item: Item, checklist: Checklist) -> str:
    """The regulation and article that an item is founded on, as a first proposal for the finding."""
    return "；".join(f"《{checklist.regulation[source.regulation].name}》{source.article}" for source in item.sources)


@bp.get("/<int:number>/scores")
@guard(Act.VIEW, Inspection, param="number")
def scores(inspection: Inspection) -> ResponseReturnValue:
    """Every score with the sum behind it."""
    items = items_of_year(db.session(), inspection.cycle)
    return render_template(
        "inspections/scores.html",
        inspection=inspection,
        scored=queries.scores_of(db.session(), inspection, items=items),
        items=items,
        may_judge=can(db.session(), current_actor(), Act.INSPECT, inspection),
    )


@bp.route("/<int:number>/scores/<code>/<item_id>", methods=["GET", "POST"])
@guard(Act.INSPECT, Inspection, param="number")
def overrule(inspection: Inspection, code: str, item_id: str) -> ResponseReturnValue:
    """Give an item of an organization other points, with the reason."""
    organization = load(Organization, code)
    items = items_of_year(db.session(), inspection.cycle)
    scored = queries.scored_item(db.session(), inspection, organization, items=items, item_id=item_id)
    if scored is None:
        abort(404)
    form = OverruleForm(points=_shown_points(scored), reason=scored.reason)
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            inspections.overrule(
                session,
                inspection,
                organization=organization,
                item=items[item_id],
                tenths=None if form.points.data is None else int(form.points.data * 10),
                reason=entered(form.reason),
                actor=current_actor(),
                now=clock.now(),
            )
        if not form.errors:
            return redirect(url_for("inspections.scores", number=inspection.number))
    return page(
        "inspections/overrule.html",
        form,
        inspection=inspection,
        organization=organization,
        item=items[item_id],
        scored=scored,
    )


def _shown_points(scored: queries.ScoredItem) -> Decimal | None:
    overruled = scored.score.overruled
    return None if overruled is None else Decimal(overruled.numerator) / Decimal(overruled.denominator)


@bp.post("/<int:number>/close")
@guard(Act.INSPECT, Inspection, param="number")
def close(inspection: Inspection) -> ResponseReturnValue:
    """Close the check; its verdicts stand from now on."""
    with transaction() as session:
        inspections.close(session, inspection, actor=current_actor(), now=clock.now())
    flash(_("本次督查已结束，核查结论不再变动。"), "good")
    return redirect(url_for("inspections.show", number=inspection.number))
