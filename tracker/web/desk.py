"""The inspectors' desk: one screen with the queue, the duty and its evidence, and the reasons that are written often.

The page works by links and forms; with scripts, `static/desk.js` asks `open` for the next duties ahead of time, sends
verdicts as they are given, and `pulse` tells it what others did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.csrf import generate_csrf
from wtforms import IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import AnyOf, InputRequired, Length
from wtforms.widgets import HiddenInput

from tracker.db import db, transaction
from tracker.domain.checklist import Item
from tracker.domain.desk import REASON_LIMIT
from tracker.domain.errors import NotFound, RuleError
from tracker.domain.inspection import InspectionState
from tracker.domain.media import KINDS
from tracker.domain.score import VERDICT_NAMES
from tracker.domain.score import Verdict as VerdictValue
from tracker.domain.text import _n
from tracker.models import Duty, FrequentReason, Inspection
from tracker.policy import Act, can
from tracker.queries import desk as queries
from tracker.queries import inspections as checks
from tracker.queries.assignments import item_of, items_of_year
from tracker.queries.checklists import checklist_of
from tracker.queries.duties import timeliness_of_duty
from tracker.queries.evidence import records_of
from tracker.queries.hints import hints_about, hints_on
from tracker.queries.history import SHANGHAI
from tracker.queries.sign_offs import history_of
from tracker.services import desk
from tracker.services.inspections import NOTE_LIMIT
from tracker.web import clock
from tracker.web.access import current_actor, guard, load
from tracker.web.errors import sentence_of
from tracker.web.forms import Confirmation, Form, entered, page

bp = Blueprint("desk", __name__, url_prefix="/inspections")

FACT_NAMES = {
    "pages": _n("页数"),
    "sheets": _n("工作表"),
    "slides": _n("幻灯片"),
    "lines": _n("行数"),
    "characters": _n("字数"),
}
TRIES = 9  # duties that may be snatched away while the desk is opened
PAGES_SHOWN = 40  # of one file, in place; the rest is read in the file itself


class VerdictForm(Form):
    """The judgement of one duty; `seen` is how many verdicts on it the page has shown."""

    value = StringField(
        _l("核查结论"), validators=[AnyOf([value.value for value in VerdictValue], message=_l("请选择核查结论。"))]
    )
    note = TextAreaField(_l("说明"), validators=[Length(max=NOTE_LIMIT)])
    seen = IntegerField(  # its label is never shown but with an error; without one, WTForms would translate the name
        _l("核查记录"), widget=HiddenInput(), validators=[InputRequired(message=_l("请刷新页面后再核查。"))]
    )


class ReasonForm(Form):
    """A reason that is often given."""

    value = SelectField(_l("用于"))
    text = StringField(_l("理由"), validators=[InputRequired(message=_l("请填写理由。")), Length(max=REASON_LIMIT)])

    def offer(self) -> None:
        """Fill in what a reason may be for, what needs one first."""
        order = (VerdictValue.PARTLY, VerdictValue.MISSING, VerdictValue.NOT_APPLICABLE, VerdictValue.MET)
        self.value.choices = [(value.value, _(VERDICT_NAMES[value])) for value in order]


# -- the desk ----------------------------------------------------------------------------------------------------------


@bp.get("/<int:number>/desk")
@guard(Act.REPORT, Inspection, param="number")
def show(inspection: Inspection) -> ResponseReturnValue:
    """The desk with one duty on it: the one that is asked for, or the first without a verdict that nobody has open."""
    queue = _queue(inspection)
    wanted = request.args.get("duty")
    duty, refusal = _take(inspection, [wanted] if wanted else _free(queue), queue)
    return _desk(inspection, duty, queue, VerdictForm(formdata=None), refusal)


def _free(queue: list[queries.Queued]) -> list[str]:
    """The duties to begin with: the first ones that are free, or none; what is judged is opened by its link alone."""
    return [line.key for line in queue if line.verdict is None and line.held_by is None][:TRIES]


def _take(inspection: Inspection, keys: list[str], queue: list[queries.Queued]) -> tuple[Duty | None, str | None]:
    """The first of these duties that can be had, or the last with the sentence that says why it cannot."""
    duty, refusal, queued = None, None, {line.key for line in queue}
    for key in keys:
        duty = load(Duty, key) if key in queued else _sampled(inspection, key)
        refusal = _hold(inspection, duty)
        if refusal is None:
            return duty, None
    if duty is not None:  # it is shown, though not to be judged
        with transaction() as session:
            desk.note_reading(session, duty, actor=current_actor(), now=clock.now())
    return duty, refusal


def _queue(inspection: Inspection) -> list[queries.Queued]:
    unit = request.args.get("unit") or None
    now, today = clock.now(), clock.today()
    return queries.queue_of(db.session(), inspection, actor=current_actor(), today=today, now=now, unit=unit)


def _sampled(inspection: Inspection, key: str) -> Duty:
    duty: Duty = load(Duty, key)
    if not checks.is_sampled(db.session(), inspection, duty):
        raise NotFound(_n("这项任务不在本次抽查范围内，请先加入抽查。"))
    return duty


def _hold(inspection: Inspection, duty: Duty) -> str | None:
    """Have a duty open to be read, and to be judged while the check is open; the sentence that says why not, if not."""
    try:
        _have_open(inspection, duty)
    except RuleError as error:
        return sentence_of(error)
    return None


def _have_open(inspection: Inspection, duty: Duty) -> None:
    """The same, raising what says why not. Where all is as it is to be, nothing is written, and nobody waits for it."""
    if queries.lies_open(db.session(), inspection, duty, actor=current_actor(), now=clock.now()):
        return
    is_open = inspection.state is InspectionState.OPEN
    with transaction() as session:
        actor, now = current_actor(), clock.now()
        if is_open:
            desk.hold(session, inspection, duty, actor=actor, now=now)
        desk.note_reading(session, duty, actor=actor, now=now)


def _desk(
    inspection: Inspection, duty: Duty | None, queue: list[queries.Queued], form: VerdictForm, refusal: str | None
) -> ResponseReturnValue:
    session = db.session()
    head = queries.head_of(session, inspection)
    parts: dict[str, Any] = {"duty": None, "may_judge": False}
    if duty:
        parts = _parts(inspection, duty, form, refusal)
        parts["hints"] = hints_about(session, current_actor(), duty, head.starts_on) if parts["may_judge"] else []
    around = {
        "inspection": inspection,
        "head": head,
        "queue": queue,
        "items": _items_in(queue, inspection),
        "units": queries.units_at(session, inspection),
        "unit": request.args.get("unit", ""),
        "verdict_names": VERDICT_NAMES,
    }
    return page("desk/show.html", form, **around | parts)


def _items_in(queue: list[queries.Queued], inspection: Inspection) -> Mapping[str, Item]:
    """The items that the queue names; own ones are read only where one of them does not stand in the list."""
    listed = checklist_of(inspection.cycle.checklist_version).item
    if all(line.item_id in listed for line in queue):
        return listed
    return items_of_year(db.session(), inspection.cycle)


def _parts(inspection: Inspection, duty: Duty, form: VerdictForm, refusal: str | None) -> dict[str, Any]:
    """What the middle and the right of the desk are made of."""
    session, item = db.session(), item_of(db.session(), duty)
    verdicts, score = queries.judged(session, inspection, duty, item)
    return {
        "inspection": inspection,
        "duty": duty,
        "item": item,
        "checklist": checklist_of(inspection.cycle.checklist_version),
        "records": records_of(session, duty.id),
        "history": history_of(session, duty.id),
        "timeliness": timeliness_of_duty(duty, today=clock.today()),
        "verdicts": verdicts,
        "findings": queries.findings_about(session, inspection, duty),
        "score": score,
        "reasons": queries.reasons_in_use(session),
        "note": form.note.data if form.errors else (verdicts[0].note if verdicts else ""),
        "refusal": refusal,
        "may_judge": can(session, current_actor(), Act.INSPECT, inspection),
        "kinds": KINDS,
        "fact_names": FACT_NAMES,
        "pages_shown": PAGES_SHOWN,
        "unit": request.args.get("unit", ""),
    }


@bp.post("/<int:number>/desk/<key>/open")
@guard(Act.REPORT, Inspection, param="number")
def open_(inspection: Inspection, key: str) -> ResponseReturnValue:
    """Have a duty open, and hand out its parts; 409 says who else has it open."""
    duty = _sampled(inspection, key)
    _have_open(inspection, duty)
    return {"html": render_template("desk/_parts.html", **_parts(inspection, duty, VerdictForm(formdata=None), None))}


@bp.get("/<int:number>/desk/<key>/hints")
@guard(Act.REPORT, Inspection, param="number")
def hints(inspection: Inspection, key: str) -> ResponseReturnValue:
    """What could be worth a look, which takes longer than the duty itself."""
    found = hints_on(db.session(), current_actor(), inspection, _sampled(inspection, key))
    return {"html": render_template("desk/_hints_of.html", hints=found)}


@bp.post("/<int:number>/desk/<key>/judge")
@guard(Act.REPORT, Inspection, param="number")
def judge(inspection: Inspection, key: str) -> ResponseReturnValue:
    """Give a verdict; with scripts it is answered in place, without them the next duty comes."""
    duty: Duty = load(Duty, key)
    form = VerdictForm()
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            desk.judge(
                session,
                inspection,
                duty,
                value=VerdictValue(entered(form.value)),
                note=form.note.data or "",
                seen=entered(form.seen),
                actor=current_actor(),
                now=clock.now(),
            )
    if request.accept_mimetypes.best == "application/json":
        return _answer(inspection, duty, form)
    if form.errors:
        return _refused(inspection, duty, form)
    flash(_("已保存：%(text)s", text=_saved(duty, form)), "good")
    return redirect(url_for("desk.show", number=inspection.number, unit=request.args.get("unit") or None))


def _saved(duty: Duty, form: VerdictForm) -> str:
    return f"{duty.item_id} {item_of(db.session(), duty).title} · {_(VERDICT_NAMES[VerdictValue(entered(form.value))])}"


def _answer(inspection: Inspection, duty: Duty, form: VerdictForm) -> ResponseReturnValue:
    if form.errors:
        return {"error": " ".join(str(error) for errors in form.errors.values() for error in errors)}, form.status
    at = clock.now().astimezone(SHANGHAI).strftime("%H:%M:%S")
    return {"said": _("已保存 %(at)s：%(text)s", at=at, text=_saved(duty, form)), **_progress(inspection)}


def _progress(inspection: Inspection) -> dict[str, Any]:
    sampled, judged = checks.progress_of(db.session(), inspection)
    words = _("已核查 %(judged)s / %(sampled)s", judged=judged, sampled=sampled)
    return {"sampled": sampled, "judged": judged, "progress": words}


def _refused(inspection: Inspection, duty: Duty, form: VerdictForm) -> ResponseReturnValue:
    """The desk again with what was typed, where the duty may be on it at all."""
    if not checks.is_sampled(db.session(), inspection, duty):
        sentence = " ".join(str(error) for errors in form.errors.values() for error in errors)
        return render_template("errors/refusal.html", status=form.status, sentence=sentence), form.status
    _, refusal = _take(inspection, [duty.key], [])
    return _desk(inspection, duty, _queue(inspection), form, refusal)


@bp.get("/<int:number>/desk/token")
@guard(Act.REPORT, Inspection, param="number")
def token(inspection: Inspection) -> ResponseReturnValue:  # noqa: ARG001  as the guard hands it over
    """What a desk needs to go on after somebody signed in again elsewhere: who that was, and the token of now."""
    return {"me": current_actor().person_key, "token": generate_csrf()}


@bp.post("/<int:number>/desk/pulse")
@guard(Act.REPORT, Inspection, param="number")
def pulse(inspection: Inspection) -> ResponseReturnValue:
    """Go on having duties open, let go of others, and hear what the rest of the team did."""
    keep, drop = request.form.getlist("keep"), request.form.getlist("drop")
    with transaction() as session:
        desk.renew(session, inspection, keep=keep, drop=drop, actor=current_actor(), now=clock.now())
    standings = queries.standings_of(db.session(), inspection, actor=current_actor(), now=clock.now())
    told = {one.key: {"verdict": one.verdict, "judge": one.judge, "held": one.held_by} for one in standings}
    return {"duties": told, **_progress(inspection)}


# -- frequent reasons --------------------------------------------------------------------------------------------------


@bp.route("/reasons", methods=["GET", "POST"])
@guard(Act.INSPECT)
def reasons() -> ResponseReturnValue:
    """The library of reasons: what there is, and one more."""
    form = ReasonForm()
    form.offer()
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            value, text = VerdictValue(form.value.data), form.text.data or ""
            desk.add_reason(session, value=value, text=text, actor=current_actor(), now=clock.now())
        if not form.errors:
            flash(_("已添加。"), "good")
            return redirect(url_for("desk.reasons"))
    in_use, dropped = queries.reasons_in_use(db.session()), queries.reasons_dropped(db.session())
    return page("desk/reasons.html", form, reasons=in_use, dropped=dropped)


def _reason(key: str) -> FrequentReason:
    reason = queries.reason_named(db.session(), key)
    if reason is None:
        abort(404)
    return reason


@bp.route("/reasons/<reason>", methods=["GET", "POST"])
@guard(Act.INSPECT)
def edit_reason(reason: str) -> ResponseReturnValue:
    """Put a reason in other words."""
    found = _reason(reason)
    form = ReasonForm(value=found.value.value, text=found.text)
    form.offer()
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            value, text = VerdictValue(form.value.data), form.text.data or ""
            desk.edit_reason(session, found, value=value, text=text, actor=current_actor(), now=clock.now())
        if not form.errors:
            flash(_("已修改，原来的写法仍保留在日志中。"), "good")
            return redirect(url_for("desk.reasons"))
    return page("desk/reason.html", form, reason=found)


@bp.post("/reasons/<reason>/drop")
@guard(Act.INSPECT)
def drop_reason(reason: str) -> ResponseReturnValue:
    """Offer a reason no longer."""
    found, form = _reason(reason), Confirmation()
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            desk.drop_reason(session, found, actor=current_actor(), now=clock.now())
        flash(form.form_errors[0] if form.errors else _("已停用，不再列出。"), "alert" if form.errors else "good")
    return redirect(url_for("desk.reasons"))
