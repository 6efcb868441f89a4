"""Supervision checks: work through the sample of one, note findings, look at scores, close it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import DecimalField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError

from tracker.db import db, transaction
from tracker.domain.inspection import KIND_NAMES, MEMBER_NAMES, SEVERITY_NAMES, InspectionKind, MemberRole
from tracker.models import Duty, Finding, FindingFact, Inspection, InspectionFact, Organization, Person
from tracker.policy import Act, can
from tracker.queries import inspections as queries
from tracker.queries.assignments import items_of_year
from tracker.queries.checklists import checklist_of
from tracker.queries.closing import standing_of
from tracker.queries.duties import duties_named
from tracker.queries.inspection_as_of import Place, sample_then, units_then
from tracker.queries.organizations import names_of as names_of_places
from tracker.queries.people import names_of
from tracker.queries.rectification import waiting_for
from tracker.queries.sampling import draw_of
from tracker.queries.score_sheets import score_sheets
from tracker.queries.self_check_tables import UnitTable, tables_of
from tracker.services import inspections
from tracker.tasks.papers import KINDS, Kind
from tracker.web import clock, findings, pictures
from tracker.web.access import current_actor, guard, load
from tracker.web.as_of import answers_past, known_at, refuse_unless_known
from tracker.web.forms import Confirmation, Form, entered, page

bp = Blueprint("inspections", __name__, url_prefix="/inspections")


def one_decimal(form: Form, field: DecimalField) -> None:  # noqa: ARG001  as WTForms calls it
    """Refuse a second decimal: nothing is rounded without a word."""
    points = field.data
    if points is not None and (not points.is_finite() or points * 10 != int(points * 10)):
        raise ValidationError(_("得分最多保留一位小数，请改正。"))


class OverruleForm(Form):
    """Points given by an inspector. Left empty, the worked-out points count again."""

    points = DecimalField(_l("改定得分"), places=1, validators=[Optional(), NumberRange(min=0, max=100), one_decimal])
    reason = TextAreaField(_l("理由"), validators=[InputRequired(), Length(max=inspections.NOTE_LIMIT)])


@bp.get("")
@guard(Act.USE)
def index() -> ResponseReturnValue:
    """The checks that this person may see."""
    session, actor = db.session(), current_actor()
    return render_template(
        "inspections/index.html",
        found=queries.inspections_seen(session, actor),
        findings=waiting_for(session, actor, today=clock.today()),
        may_plan=can(session, actor, Act.INSPECT),
        kinds=KIND_NAMES,
    )


@bp.get("/<int:number>")
@guard(Act.VIEW, Inspection, param="number")
@answers_past
def show(inspection: Inspection) -> ResponseReturnValue:
    """One check: what it is, how far it is, what was found."""
    refuse_unless_known(inspection.created_at)
    session, at = db.session(), known_at()
    sampled, judged = queries.progress_of(session, inspection, as_of=at)
    may_judge = at is None and can(session, current_actor(), Act.INSPECT, inspection)
    may_report = may_judge or can(session, current_actor(), Act.REPORT, inspection)  # whoever judges prints as well
    fact = queries.fact_of(session, inspection, as_of=at)
    asks = fact.self_check_due_on is not None
    tables = tables_of(session, inspection, fact=fact, as_of=at) if asks and may_report else []
    team = queries.team_of(session, inspection, as_of=at)
    found = queries.findings_of(session, inspection, as_of=at)
    return render_template(
        "inspections/show.html",
        inspection=inspection,
        fact=fact,
        team=team,
        units=[table.unit for table in tables] if tables and at is None else _units(inspection),
        sampled=sampled,
        judged=judged,
        draw=draw_of(session, inspection, as_of=at) if fact.sample == "drawn" else None,
        pending=sampled - judged,
        findings=found,
        burn_down=pictures.of_findings(inspection=inspection.number) if found else None,
        may_judge=may_judge,
        may_report=may_report,
        tables=tables,
        papers=_papers(fact),
        **_called(team, found, tables),
        **_words(inspection),
    )


def _called(
    team: Sequence[tuple[Person, MemberRole]],
    found: Sequence[tuple[Finding, FindingFact]],
    tables: Sequence[UnitTable],
) -> dict[str, dict[int, str]]:
    """What people and organizations on the page are called, by row number: now, or on the day that is looked at."""
    sent = [table.last.row.person for table in tables if table.last]
    people = {person.id: person.name for person in [*(person for person, _ in team), *sent]}
    nodes = [*(finding.organization for finding, _ in found), *(table.unit for table in tables)]
    places = {node.id: node.name for node in nodes}
    if at := known_at():
        people = names_of(db.session(), people, as_of=at)
        places = names_of_places(db.session(), places, as_of=at)
    return {"called": people, "place": places}


def _units(inspection: Inspection) -> Sequence[Organization | Place]:
    """The units of a check in their official order, now or on the past day that is looked at."""
    at = known_at()
    if at is None:
        return queries.units_of(db.session(), inspection)
    return units_then(db.session(), inspection, as_of=at)


def _papers(fact: InspectionFact) -> dict[str, Kind]:
    """What there is to print: no table that nobody asked for, and no record of a draw that was none."""
    asks, drawn = fact.self_check_due_on is not None, fact.sample == "drawn"
    missing = {name for name, kind in KINDS.items() if kind.act is Act.READ_SELF_CHECK and not asks}
    missing |= set() if drawn else {"sampling_record"}
    missing |= set() if fact.kind is InspectionKind.LOOK_BACK else {"look_back_record"}
    return {name: kind for name, kind in KINDS.items() if name not in missing}


def _words(inspection: Inspection) -> dict[str, Any]:
    return {
        "checklist": checklist_of(inspection.cycle.checklist_version),
        "kinds": KIND_NAMES,
        "severities": SEVERITY_NAMES,
        "roles": MEMBER_NAMES,
    }


@bp.get("/<int:number>/duties")
@guard(Act.VIEW, Inspection, param="number")
@answers_past
def duties(inspection: Inspection) -> ResponseReturnValue:
    """The sample with its verdicts."""
    refuse_unless_known(inspection.created_at)
    session, at = db.session(), known_at()
    unit, pending = request.args.get("unit", ""), request.args.get("pending") == "1"
    narrowed: dict[str, Any] = {"unit": unit or None, "pending": pending, "after": request.args.get("after", "")}
    narrowed["size"] = queries.PAGE + 1
    if at is None:
        rows = queries.sample_of(session, inspection, **narrowed)
    else:
        rows = sample_then(session, inspection, as_of=at, **narrowed)
    return render_template(
        "inspections/duties.html",
        inspection=inspection,
        rows=rows[: queries.PAGE],
        units=_units(inspection),
        unit=unit,
        pending=pending,
        following=rows[queries.PAGE - 1].key if len(rows) > queries.PAGE else None,
        items=items_of_year(session, inspection.cycle, as_of=at),
        may_judge=at is None and can(session, current_actor(), Act.INSPECT, inspection),
    )


def _sampled_duty(inspection: Inspection, key: str) -> Duty:
    duty: Duty = load(Duty, key)
    if not queries.is_sampled(db.session(), inspection, duty):
        abort(404)
    return duty


@bp.get("/<int:number>/duties/<key>")
@guard(Act.INSPECT, Inspection, param="number")
def judge(inspection: Inspection, key: str) -> ResponseReturnValue:
    """Where duties were judged before there was a desk."""
    return redirect(url_for("desk.show", number=inspection.number, duty=key))


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
    asked_for = {"item_id": request.args.get("item", ""), "place": request.args.get("organization", "")}
    form = findings.form_for(inspection, duty, **asked_for)
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            told = findings.note(session, inspection, duty, form)
        if not form.errors:
            flash(told, "good")
            if duty is not None:
                return redirect(url_for("desk.show", number=inspection.number, duty=duty.key))
            return redirect(url_for("inspections.show", number=inspection.number))
    return page("inspections/finding.html", form, inspection=inspection, duty=duty, **_words(inspection))


@bp.get("/<int:number>/scores")
@guard(Act.VIEW, Inspection, param="number")
@answers_past
def scores(inspection: Inspection) -> ResponseReturnValue:
    """Every score with the sum behind it."""
    refuse_unless_known(inspection.created_at)
    session, as_of = db.session(), known_at()
    items = items_of_year(session, inspection.cycle, as_of=as_of)
    checklist = checklist_of(inspection.cycle.checklist_version)
    return render_template(
        "inspections/scores.html",
        inspection=inspection,
        units=score_sheets(
            session, inspection, items=items, levels=[level.id for level in checklist.levels], as_of=as_of
        ),
        items=items,
        checklist=checklist,
        may_judge=as_of is None and can(session, current_actor(), Act.INSPECT, inspection),
        may_open=can(session, current_actor(), Act.REPORT, inspection),
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
    back = _back_to(inspection)
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
            return redirect(back)
    return page(
        "inspections/overrule.html",
        form,
        inspection=inspection,
        organization=organization,
        item=items[item_id],
        scored=scored,
        back=back,
    )


def _back_to(inspection: Inspection) -> str:
    """Where points are given from: the desk, with the duty on it, or the scores."""
    duty = request.args.get("desk")
    return url_for("desk.show" if duty else "inspections.scores", number=inspection.number, duty=duty)


def _shown_points(scored: queries.ScoredItem) -> Decimal | None:
    overruled = scored.score.overruled
    return None if overruled is None else Decimal(overruled.numerator) / Decimal(overruled.denominator)


@bp.route("/<int:number>/close", methods=["GET", "POST"])
@guard(Act.INSPECT, Inspection, param="number")
def close(inspection: Inspection) -> ResponseReturnValue:
    """Close the check, after showing what that means and what does not go together; its verdicts stand from then on."""
    form = Confirmation()
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            inspections.close(session, inspection, actor=current_actor(), now=clock.now())
        if not form.errors:
            flash(_("本次督查已结束，核查结论不再变动。"), "good")
            return redirect(url_for("inspections.show", number=inspection.number))
    return page(
        "inspections/close.html",
        form,
        inspection=inspection,
        fact=queries.fact_of(db.session(), inspection),
        standing=standing_of(db.session(), inspection),
        items=items_of_year(db.session(), inspection.cycle),
    )
