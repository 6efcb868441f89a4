"""Rectification on pages: the ledger, one finding with every step, and the step that each person may take now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from wtforms import DateField, Field, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from tracker.db import db, transaction
from tracker.domain.actor import RoleName
from tracker.domain.checklist import Checklist, Item, Post
from tracker.domain.errors import Invalid
from tracker.domain.evidence import SENTENCE_LIMIT
from tracker.domain.inspection import (
    KIND_NAMES,
    RECTIFICATION_ACTION_NAMES,
    RECTIFICATION_STATE_NAMES,
    SEVERITY_NAMES,
    InspectionState,
    RectificationAction,
    RectificationState,
)
from tracker.domain.media import accept_attribute, accepted_endings
from tracker.domain.pictures import BurnDown
from tracker.domain.rectification import TRANSITIONS, Deadline, Part, awaited, possible_actions
from tracker.domain.text import _n
from tracker.models import Evidence, Finding, Inspection
from tracker.policy import Act, can
from tracker.queries import rectification as queries
from tracker.queries.assignments import items_of_year
from tracker.queries.checklists import checklist_of
from tracker.queries.evidence import evidence_named
from tracker.queries.look_back import outcomes_of
from tracker.queries.rectification import Filters, Mine, Row
from tracker.services import evidence, rectification
from tracker.services.rectification import TEXT_LIMIT
from tracker.web import clock, findings, pictures
from tracker.web.access import current_actor, guard, number_asked
from tracker.web.as_of import answers_past, asked, day_shown, known_at, refuse_unless_known
from tracker.web.forms import Confirmation, Form, entered, page
from tracker.web.language import named
from tracker.web.uploads import UploadForm, allowance, settings

bp = Blueprint("rectification", __name__, url_prefix="/rectification")

A = RectificationAction

VERBS: Mapping[A, Callable[..., object]] = {
    A.NOTIFY: rectification.notify,
    A.RECEIVE: rectification.receive,
    A.MEASURE: rectification.measure,
    A.ASK_EXTENSION: rectification.ask_extension,
    A.GRANT_EXTENSION: rectification.grant_extension,
    A.REFUSE_EXTENSION: rectification.refuse_extension,
    A.ATTACH: rectification.attach,
    A.FIX: rectification.fix,
    A.REPORT: rectification.report,
    A.RETURN: rectification.return_,
    A.CLOSE: rectification.close,
}
TEXT_NAMES: Mapping[A, str] = {
    A.NOTIFY: _n("附言（可以不填）"),
    A.RECEIVE: _n("附言（可以不填）"),
    A.MEASURE: _n("整改措施"),
    A.ASK_EXTENSION: _n("申请延期的理由"),
    A.GRANT_EXTENSION: _n("同意延期的理由"),
    A.REFUSE_EXTENSION: _n("不同意延期的理由"),
    A.ATTACH: _n("说明（可以不填）"),
    A.FIX: _n("当场怎样整改的"),
    A.REPORT: _n("整改结果"),
    A.RETURN: _n("退回的原因"),
    A.CLOSE: _n("复核意见"),
}
DONE: Mapping[A, str] = {
    A.NOTIFY: _n("已下达整改通知，等待责任单位签收。"),
    A.RECEIVE: _n("已签收，请提出整改措施。"),
    A.MEASURE: _n("已提出整改措施。"),
    A.ASK_EXTENSION: _n("已申请延期，等待检查组决定。"),
    A.GRANT_EXTENSION: _n("已同意延期。"),
    A.REFUSE_EXTENSION: _n("已登记：不同意延期。"),
    A.ATTACH: _n("已补充整改佐证。"),
    A.FIX: _n("已登记立行立改，等待检查组其他成员复核。"),
    A.REPORT: _n("已报告整改结果，等待检查组其他成员复核。"),
    A.RETURN: _n("已退回重新整改。"),
    A.CLOSE: _n("已复核销号。"),
}
TOO_LATE = _n("计划完成日期晚于整改期限 %(day)s：请在期限前申请延期，或者重新提出更早的完成日期。")
# Who has to act and what for, where it is not the person who looks.
AWAITED: Mapping[A, str] = {
    A.NOTIFY: _n("等检查组下达整改通知。"),
    A.RECEIVE: _n("等责任单位签收整改通知。"),
    A.MEASURE: _n("等责任单位提出整改措施、责任岗位和计划完成日期。"),
    A.GRANT_EXTENSION: _n("等检查组对延期申请作出决定。"),
    A.REPORT: _n("等责任单位报告整改结果。"),
    A.CLOSE: _n("等检查组另一名成员复核：登记这个问题和参与整改的人员不能复核。"),
}
UNIT_STEPS = frozenset({A.RECEIVE, A.MEASURE, A.REPORT})


class RecordForm(UploadForm):
    """A new record of how a finding was put right."""

    act_on = DateField(_l("办理日期"), validators=[InputRequired(message=_l("请填写实际办理的日期。"))])
    sentence = TextAreaField(_l("一句话说明"), validators=[Length(max=SENTENCE_LIMIT)])


@bp.get("")
@guard(Act.USE)
@answers_past
def index() -> ResponseReturnValue:
    """The ledger: every finding that this person may see, narrowed as they like."""
    session, actor, filters = db.session(), current_actor(), _filters()
    when: dict[str, Any] = {"today": day_shown(), "as_of": known_at()}
    found = queries.ledger(session, actor, filters, after=request.args.get("after", ""), **when)
    return render_template(
        "rectification/index.html",
        found=found,
        outcomes=outcomes_of(session, [row.finding for row in found.rows], as_of=known_at()),
        counts=queries.counts_of(session, actor, filters, **when),
        burn_down=_burn_down(filters),
        filters=filters,
        link=lambda **changes: url_for("rectification.index", **_arguments(filters, changes)),
        units=queries.units_with_findings(session, actor, as_of=known_at()),
        checks=queries.checks_with_findings(session, actor, as_of=known_at()),
        mine_names=MINE_NAMES,
        **_words(),
    )


MINE_NAMES: Mapping[Mine, str] = {
    Mine.RECTIFY: _n("只列出等本组织整改的问题。"),
    Mine.NOTIFY: _n("只列出等下达整改通知的问题。"),
    Mine.DECIDE: _n("只列出等决定是否延期的问题。"),
    Mine.RECHECK: _n("只列出等我复核的问题。"),
}


def _burn_down(filters: Filters) -> BurnDown | None:
    """The picture above the ledger of everything, of a check or of a unit; not of one state, nor on a later page."""
    if request.args.get("after") or replace(filters, unit="", inspection=None) != Filters():
        return None
    return pictures.of_findings(inspection=filters.inspection, unit=filters.unit)


def _filters() -> Filters:
    """What the address narrows the ledger to; what it cannot mean is left out."""
    given = request.args
    state, mine = given.get("state", ""), given.get("mine", "")
    return Filters(
        unit=given.get("unit", ""),
        state=RectificationState(state) if state in set(RectificationState) else None,
        inspection=number_asked("inspection"),
        overdue=given.get("overdue") == "1",
        repeated=given.get("repeated") == "1",
        mine=Mine(mine) if mine in set(Mine) and asked() is None else None,
    )


def _arguments(filters: Filters, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The filters as an address says them, with some of them changed."""
    wanted = {**asdict(filters), **changes}
    return {name: 1 if value is True else value for name, value in wanted.items() if value}


def _words() -> dict[str, Any]:
    return {
        "severities": SEVERITY_NAMES,
        "states": RECTIFICATION_STATE_NAMES,
        "kinds": KIND_NAMES,
        "action_names": RECTIFICATION_ACTION_NAMES,
        "State": RectificationState,
        "Step": A,
        "Mine": Mine,
    }


@bp.get("/<key>")
@guard(Act.VIEW, Finding)
@answers_past
def show(finding: Finding) -> ResponseReturnValue:
    """One finding: what it says, every step on it, and what this person may do now."""
    refuse_unless_known(finding.created_at)
    return _shown(finding, None, None)


def _shown(finding: Finding, taken: A | None, form: Form | None) -> ResponseReturnValue:
    """The page of a finding; the form of the step that was refused keeps what was typed."""
    session, actor = db.session(), current_actor()
    row = queries.row_of(session, finding, today=day_shown(), as_of=known_at())
    checklist = checklist_of(finding.inspection.cycle.checklist_version)
    parts = queries.parts_of(session, finding, actor)
    possible = () if asked() else possible_actions(row.standing, parts)
    offered = [action for action in TRANSITIONS if action in possible or action is taken]
    forms = {a: form if a is taken else _form(finding, row, a, checklist, bound=False) for a in offered}
    return page(
        "rectification/show.html",
        form or Form(formdata=None),
        finding=finding,
        row=row,
        checklist=checklist,
        item=_item_of(session, finding, checklist),
        forms=forms,
        possible=possible,
        taken=taken,
        finder=queries.finder_of(session, finding, as_of=known_at()),
        undecided=queries.undecided(row.steps),
        to_receive=len(queries.to_be_received(session, finding, actor)) if A.RECEIVE in possible else 0,
        fix_route="rectification.fix" if Part.UNIT in parts else "rectification.fix_as_finder",
        **_awaited(session, finding, row, possible, checklist),
        **_linked(session, finding, parts),
        **_words(),
    )


def _awaited(
    session: Session, finding: Finding, row: Row, possible: tuple[A, ...], checklist: Checklist
) -> dict[str, Any]:
    """What is waited for and who does it, where this person does not."""
    steps = awaited(row.standing)
    if not steps or steps[0] in possible or asked() is not None:
        return {"waits_for": "", "who": []}
    if steps[0] in UNIT_STEPS:
        found = queries.signers_of(session, finding, today=clock.today())
        who = [(organization, named(checklist.post[post]), name) for organization, post, name in found]
    elif steps[0] is A.CLOSE:
        who = [("", "", name) for name in queries.recheckers_of(session, finding)]
    else:
        who = [("", "", name) for name in queries.team_names(session, finding)]
    return {"waits_for": _(AWAITED[steps[0]]), "who": who}


def _linked(session: Session, finding: Finding, parts: frozenset[Part]) -> dict[str, Any]:
    """Where the page leads on to, for this person."""
    actor, of_team, unit = current_actor(), Part.TEAM in parts, finding.organization.unit
    kindred = queries.kindred_of(session, finding, actor=actor, as_of=known_at())
    return {
        "sees_check": of_team
        or (actor.has(RoleName.ADMINISTRATOR) and can(session, actor, Act.VIEW, finding.inspection)),
        "sees_duty": finding.duty is not None and can(session, actor, Act.VIEW, finding.duty),
        "unit": unit,
        "prints_for_team": of_team,
        "corrects": of_team and asked() is None and finding.inspection.state is InspectionState.OPEN,
        "prints_for_unit": not of_team and can(session, actor, Act.REPORT, unit),
        "sees_earlier": finding.repeats in kindred,
        "later": [key for key in kindred if key != finding.repeats],
        "outcomes": outcomes_of(session, [finding], as_of=known_at()).get(finding.id, []),
    }


def _item_of(session: Session, finding: Finding, checklist: Checklist) -> Item | None:
    """The item whose demand was not met; one that is an organization's own is looked up."""
    if finding.item_id is None:
        return None
    return checklist.item.get(finding.item_id) or items_of_year(session, finding.inspection.cycle).get(finding.item_id)


def _form(finding: Finding, row: Row, action: A, checklist: Checklist, *, bound: bool) -> Form:
    """The form of one step, with what is known already."""
    session, asks = db.session(), TRANSITIONS[action].asks
    fields: dict[str, Field] = {"text": TextAreaField(_(TEXT_NAMES[action]), validators=[Length(max=TEXT_LIMIT)])}
    if "post" in asks:
        fields = {"post": SelectField(_("整改责任岗位"), default=row.fact.post), **fields}
    if "planned_on" in asks:
        fields = {"planned_on": DateField(_("计划完成日期"), validators=[Optional()]), **fields}
    if "deadline" in asks:
        fields = {"deadline": DateField(_("延期到"), validators=[Optional()], default=_wanted(row)), **fields}
    if "evidence" in asks:
        fields = {
            "evidence": RadioField(_("已有的佐证"), validate_choice=False),
            "number": StringField(_("佐证编号"), validators=[Optional(), Length(max=100)]),
            **fields,
        }
    options: dict[str, Any] = {} if bound else {"formdata": None}
    form: Form = type("StepForm", (Form,), fields)(prefix=f"{action.value}-", **options)
    if "post" in asks:
        form.post.choices = [(post.id, named(post)) for post in _posts(session, finding, row, checklist)]
    if "evidence" in asks:
        found = queries.evidence_to_attach(session, finding, current_actor())
        form.evidence.choices = _records(found[: queries.CHOICES], row)
        if len(found) <= queries.CHOICES:
            del form.number  # the list has them all
    return form


def _posts(session: Session, finding: Finding, row: Row, checklist: Checklist) -> list[Post]:
    """The posts that may answer for it: those of the levels of its unit, and the one named already."""
    levels = queries.levels_of_unit(session, finding)
    return [post for post in checklist.posts if post.level in levels or post.id == row.fact.post]


def _records(found: Sequence[tuple[Evidence, str]], row: Row) -> list[tuple[str, str]]:
    """Those of the records found that may be attached: without those that are attached already."""
    there = {line.evidence for line in row.steps}
    return [(record.key, f"{record.key}　{sentence}") for record, sentence in found if record.key not in there]


def _wanted(row: Row) -> date | None:
    """The day that was asked for last, as the proposal for a decision."""
    last = row.last(A.ASK_EXTENSION)
    return last.step.deadline if last and row.standing.asked else None


def _take(finding: Finding, action: A) -> ResponseReturnValue:
    """Take one step; a refusal is shown on the page of the finding as it is now, with what was typed."""
    row = queries.row_of(db.session(), finding, today=clock.today())
    checklist = checklist_of(finding.inspection.cycle.checklist_version)
    form = _form(finding, row, action, checklist, bound=True)
    if form.validate_on_submit():
        told = ""
        with form.refusals(), transaction() as session:
            done = VERBS[action](session, finding, **_said(session, form), actor=current_actor(), now=clock.now())
            told = _(DONE[action]) + (findings.moved(done) if isinstance(done, Deadline) else "")
        if not form.errors:
            flash(told, "good")
            if action is A.MEASURE and entered(form.planned_on) > row.deadline:
                flash(_(TOO_LATE, day=row.deadline))
            return redirect(url_for("rectification.show", key=finding.key))
    return _shown(finding, action, form)


def _said(session: Session, form: Form) -> dict[str, Any]:
    """What the form says, in the words of the services."""
    said = {name: field.data for name, field in form._fields.items() if name != "csrf_token"}
    said["text"] = said["text"] or ""
    if "evidence" in said:
        chosen, typed = said["evidence"] or "", (said.pop("number", None) or "").strip()
        if chosen and typed and chosen != typed:
            raise Invalid(_n("请在列表中选一条佐证，或者填一个编号，只用一种方式。"), field="number")
        said["evidence"] = _record_named(session, chosen or typed, field="evidence" if chosen else "number")
    return said


def _record_named(session: Session, key: str, *, field: str) -> Evidence | None:
    found = evidence_named(session, key, actor=current_actor())
    if key and found is None:
        raise Invalid(_n("没有这份佐证，或者它不在您的查看范围内。"), field=field)
    return found


@bp.route("/<key>/correct", methods=["GET", "POST"])
@guard(Act.RECHECK, Finding)
def correct(finding: Finding) -> ResponseReturnValue:
    """Put a finding in other words, as the team, while its check is open."""
    fact = queries.row_of(db.session(), finding, today=clock.today()).fact
    form = findings.form_to_correct(finding, fact)
    if form.validate_on_submit():
        told = ""
        with form.refusals(), transaction() as session:
            told = findings.correct(session, finding, form)
        if not form.errors:
            flash(told, "good")
            return redirect(url_for("rectification.show", key=finding.key))
    return page("inspections/finding.html", form, inspection=finding.inspection, duty=finding.duty, corrected=finding)


@bp.post("/<key>/notify")
@guard(Act.RECHECK, Finding)
def notify(finding: Finding) -> ResponseReturnValue:
    """Give the unit notice."""
    return _take(finding, A.NOTIFY)


@bp.post("/<key>/receive")
@guard(Act.RECTIFY, Finding)
def receive(finding: Finding) -> ResponseReturnValue:
    """Sign for the notice."""
    return _take(finding, A.RECEIVE)


@bp.post("/<key>/receive-all")
@guard(Act.RECTIFY, Finding)
def receive_all(finding: Finding) -> ResponseReturnValue:
    """Sign for every notice of the same check that is this person's to sign for, in one step."""
    form, number = Confirmation(), 0
    with form.refusals(), transaction() as session:
        number = rectification.receive_all(session, finding, actor=current_actor(), now=clock.now())
    if form.errors:
        form.tell()
    elif number:
        flash(_("已签收 %(n)s 个整改通知，请逐项提出整改措施。", n=number), "good")
    else:
        flash(_("没有等您签收的整改通知。"))
    return redirect(url_for("rectification.show", key=finding.key))


@bp.post("/<key>/measure")
@guard(Act.RECTIFY, Finding)
def measure(finding: Finding) -> ResponseReturnValue:
    """State what will be done, by which post, and by when."""
    return _take(finding, A.MEASURE)


@bp.post("/<key>/ask-extension")
@guard(Act.RECTIFY, Finding)
def ask_extension(finding: Finding) -> ResponseReturnValue:
    """Ask for more time."""
    return _take(finding, A.ASK_EXTENSION)


@bp.post("/<key>/grant-extension")
@guard(Act.RECHECK, Finding)
def grant_extension(finding: Finding) -> ResponseReturnValue:
    """Give more time."""
    return _take(finding, A.GRANT_EXTENSION)


@bp.post("/<key>/refuse-extension")
@guard(Act.RECHECK, Finding)
def refuse_extension(finding: Finding) -> ResponseReturnValue:
    """Give no more time."""
    return _take(finding, A.REFUSE_EXTENSION)


@bp.post("/<key>/attach")
@guard(Act.RECTIFY, Finding)
def attach(finding: Finding) -> ResponseReturnValue:
    """Add a record that is there already."""
    return _take(finding, A.ATTACH)


@bp.post("/<key>/fix")
@guard(Act.RECTIFY, Finding)
def fix(finding: Finding) -> ResponseReturnValue:
    """Put it right on the spot, as the unit."""
    return _take(finding, A.FIX)


@bp.post("/<key>/fix-as-finder")
@guard(Act.RECHECK, Finding)
def fix_as_finder(finding: Finding) -> ResponseReturnValue:
    """Note that it was put right on the spot, as the inspector who found it."""
    return _take(finding, A.FIX)


@bp.post("/<key>/report")
@guard(Act.RECTIFY, Finding)
def report(finding: Finding) -> ResponseReturnValue:
    """Report it as put right."""
    return _take(finding, A.REPORT)


@bp.post("/<key>/return")
@guard(Act.RECHECK, Finding)
def return_(finding: Finding) -> ResponseReturnValue:
    """Send it back with the reason."""
    return _take(finding, A.RETURN)


@bp.post("/<key>/close")
@guard(Act.RECHECK, Finding)
def close(finding: Finding) -> ResponseReturnValue:
    """Close it after a second look."""
    return _take(finding, A.CLOSE)


@bp.route("/<key>/record", methods=["GET", "POST"])
@guard(Act.RECTIFY, Finding)
def record(finding: Finding) -> ResponseReturnValue:
    """Enter a new record of what was done and attach it, in one step."""
    form = RecordForm()
    if form.act_on.data is None and not form.is_submitted():
        form.act_on.data = clock.today()
    sound = form.validate_on_submit()
    if request.method == "POST":
        form.take_in()
    if sound and not form.errors:
        with form.refusals(), transaction() as session:
            _attach_new(session, finding, form)
        if not form.errors:
            flash(_(DONE[A.ATTACH]), "good")
            return redirect(url_for("rectification.show", key=finding.key))
    session, limits = db.session(), allowance()
    return page(
        "rectification/record.html",
        form,
        finding=finding,
        row=queries.row_of(session, finding, today=clock.today()),
        limits=limits,
        left=evidence.room_left(session, finding.organization, allowance=limits),
        request_limit=settings().request_limit,
        accept=accept_attribute(),
        endings=accepted_endings(),
        sentence_limit=SENTENCE_LIMIT,
    )


def _attach_new(session: Session, finding: Finding, form: RecordForm) -> None:
    who: dict[str, Any] = {"actor": current_actor(), "now": clock.now()}
    made = evidence.record_at(
        session,
        queries.seated_for(session, finding, current_actor()),
        cycle=finding.inspection.cycle,
        act_on=entered(form.act_on),
        sentence=form.sentence.data or "",
        files=form.accepted,
        allowance=allowance(),
        **who,
    )
    rectification.attach(session, finding, evidence=made, **who)


@bp.post("/inspections/<int:number>/notify")
@guard(Act.REPORT, Inspection, param="number")
def notify_all(inspection: Inspection) -> ResponseReturnValue:
    """Give notice of every finding of a check that nobody was given notice of, of one unit or of all."""
    code, form, number = request.form.get("unit", ""), Confirmation(), 0
    with form.refusals(), transaction() as session:
        number = rectification.notify_all(session, inspection, unit=code, actor=current_actor(), now=clock.now())
    if form.errors:
        form.tell()
    elif number:
        flash(_("已下达 %(n)s 个问题的整改通知，等待责任单位签收。", n=number), "good")
    else:
        flash(_("没有等下达整改通知的问题。"))
    return redirect(url_for("rectification.index", inspection=inspection.number))
