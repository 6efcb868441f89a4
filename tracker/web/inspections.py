"""Supervision checks: work through the sample of one, note findings, look at scores, close it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import DecimalField, RadioField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError

from tracker.db import db, transaction
from tracker.domain.inspection import KIND_NAMES, MEMBER_NAMES, SEVERITY_NAMES
from tracker.domain.score import VERDICT_NAMES
from tracker.domain.score import Verdict as VerdictValue
from tracker.models import Duty, Inspection, Organization
from tracker.policy import Act, can
from tracker.queries import inspections as queries
from tracker.queries.assignments import item_of, items_of_year
from tracker.queries.checklists import checklist_of
from tracker.queries.duties import duties_named, timeliness_of_duty
from tracker.queries.evidence import records_of
from tracker.queries.sampling import draw_of
from tracker.queries.self_check_tables import tables_of
from tracker.services import inspections
from tracker.tasks.papers import KINDS
from tracker.web import clock, findings
from tracker.web.access import current_actor, guard, load
from tracker.web.forms import Confirmation, Form, entered, page

bp = Blueprint("inspections", __name__, url_prefix="/inspections")


class VerdictForm(Form):
    """The judgement of one duty."""

    value = RadioField(_l("核查结论"), validators=[InputRequired(message=_l("请选择核查结论。"))])
    note = TextAreaField(_l("说明"), validators=[Length(max=inspections.NOTE_LIMIT)])


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


@bp.get("/<int:number>")
@guard(Act.VIEW, Inspection, param="number")
def show(inspection: Inspection) -> ResponseReturnValue:
    """One check: what it is, how far it is, what was found."""
    session = db.session()
    sampled, judged = queries.progress_of(session, inspection)
    fact, may_report = queries.fact_of(session, inspection), can(session, current_actor(), Act.REPORT, inspection)
    asks = fact.self_check_due_on is not None
    return render_template(
        "inspections/show.html",
        inspection=inspection,
        fact=fact,
        team=queries.team_of(session, inspection),
        units=queries.units_of(session, inspection),
        sampled=sampled,
        judged=judged,
        draw=draw_of(session, inspection),
        pending=queries.next_pending(session, inspection),
        findings=queries.findings_of(session, inspection),
        may_judge=can(session, current_actor(), Act.INSPECT, inspection),
        may_report=may_report,
        tables=tables_of(session, inspection) if asks and may_report else [],
        papers={name: kind for name, kind in KINDS.items() if asks or kind.act is not Act.READ_SELF_CHECK},
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
            keys = set(request.form.getlist("duty"))
            picked = duties_named(session, keys, actor=current_actor())
            if len(picked) < len(keys):
                abort(404)
            added = inspections.add_many(session, inspection, picked, actor=current_actor(), now=clock.now())
        if not form.errors:
            flash(_("已加入抽查 %(n)s 项。", n=len(added)), "good")
            return redirect(url_for("inspections.duties", number=inspection.number))
    candidates = queries.candidates_of(db.session(), inspection, unit=request.args.get("unit") or None)
    return page(
        "inspections/sample.html",
        form,
        inspection=inspection,
        candidates=candidates,
        size=queries.PAGE,
        units=queries.units_of(db.session(), inspection),
        items=items_of_year(db.session(), inspection.cycle),
    )


@bp.route("/<int:number>/findings/new", methods=["GET", "POST"])
@guard(Act.INSPECT, Inspection, param="number")
def find(inspection: Inspection) -> ResponseReturnValue:
    """Note a finding, about one duty of the sample or about an organization."""
    duty = _sampled_duty(inspection, request.args["duty"]) if request.args.get("duty") else None
    form = findings.form_for(inspection, duty, item_id=request.args.get("item", ""))
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            told = findings.note(session, inspection, duty, form)
        if not form.errors:
            flash(told, "good")
            if duty is not None:
                return redirect(url_for("inspections.judge", number=inspection.number, key=duty.key))
            return redirect(url_for("inspections.show", number=inspection.number))
    return page("inspections/finding.html", form, inspection=inspection, duty=duty, **_words(inspection))


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
