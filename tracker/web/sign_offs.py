"""Signing: the queue of the level above, and every act on one duty."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from wtforms import StringField
from wtforms.validators import Length

from tracker.db import db, transaction
from tracker.domain.errors import Invalid
from tracker.domain.evidence import REASON_LIMIT
from tracker.domain.text import _n
from tracker.models import Duty
from tracker.policy import Act
from tracker.queries.duties import duties_named, names_of, with_surroundings
from tracker.queries.evidence import bound_beside
from tracker.queries.sign_offs import waiting_for
from tracker.services import sign_offs
from tracker.services.sign_offs import Outcome
from tracker.web import clock
from tracker.web.access import current_actor, guard
from tracker.web.duties import CLAIM_NAMES, ReasonForm, shown
from tracker.web.errors import sentence_of
from tracker.web.forms import Form, page
from tracker.web.language import listed

bp = Blueprint("sign_offs", __name__)

AT_ONCE = 50  # duties on a page of the queue
_STILL_BOUND = _n(
    "已撤回，可以重新提交。佐证 %(keys)s 还用于另外 %(n)s 项已经签认的任务，要改它的内容，须先一并撤回，见佐证页面。"
)


class QueueForm(Form):
    """What is done to the duties that were chosen, and why."""

    reason = StringField(_l("退回原因"), validators=[Length(max=REASON_LIMIT)])


@bp.route("/sign-offs", methods=["GET", "POST"])
@guard(Act.USE)
def queue() -> ResponseReturnValue:
    """What waits for this person's decision; the chosen ones are decided on in one step."""
    form = QueueForm()
    outcomes: Sequence[Outcome] = ()
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            outcomes = _decide(session, form)
        refused = [outcome for outcome in outcomes if outcome.refusal]
        if not form.errors and not refused:
            flash(_said(len(outcomes)), "good")
            return redirect(url_for("sign_offs.queue"))
    return _queue_page(form, outcomes)


def _decide(session: Session, form: QueueForm) -> Sequence[Outcome]:
    keys, actor, now = set(request.form.getlist("duty")), current_actor(), clock.now()
    if not keys:
        raise Invalid(_n("请先勾选要处理的任务。"))
    duties = duties_named(session, keys, actor=actor)
    if "return" in request.form:
        return sign_offs.return_many(session, duties, reason=form.reason.data or "", actor=actor, now=now)
    seen = {key: request.form[f"seen-{key}"] for key in keys if f"seen-{key}" in request.form}
    return sign_offs.confirm_many(session, duties, actor=actor, now=now, seen=seen)


def _said(count: int) -> str:
    """What was done to so many duties."""
    if "return" in request.form:
        return str(_("已退回 %(count)s 项。", count=count))
    return str(_("已确认 %(count)s 项。", count=count))


def _queue_page(form: QueueForm, outcomes: Sequence[Outcome]) -> ResponseReturnValue:
    session = db.session()
    seats = {sitting.seat_id for sitting in current_actor().sittings if sitting.may_sign}
    found = waiting_for(session, seats=seats, today=clock.today(), after=request.args.get("after", ""), limit=AT_ONCE)
    refused = {outcome.duty: sentence_of(outcome.refusal) for outcome in outcomes if outcome.refusal}
    done = len(outcomes) - len(refused)
    return page(
        "sign_offs/queue.html",
        form,
        rows=found.lines,
        total=found.total,
        more=found.after,
        chosen=set(request.form.getlist("duty")) if form.errors or refused else set(),
        said=_said(done) if done else "",
        refused=refused,
        called=names_of(session, refused, actor=current_actor()) if refused else {},
        claims=CLAIM_NAMES,
    )


def _act(duty: Duty, step: Callable[[Session, ReasonForm], str | None], said: str) -> ResponseReturnValue:
    """Do one act on one duty; a refusal is shown on the page of the duty as it is now.

    What is told is what the step returns, or else `said`.
    """
    form = ReasonForm()
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            told = step(session, form)
        if not form.errors:
            flash(told or said, "good")
            return redirect(url_for("duties.show", key=duty.key))
    return shown(with_surroundings(db.session(), duty), form)


@bp.post("/duties/<key>/submit")
@guard(Act.SIGN, Duty)
def submit(duty: Duty) -> ResponseReturnValue:
    """Hand in what was prepared, or what changed after signing."""

    def step(session: Session, form: ReasonForm) -> None:
        reason, seen = form.reason.data or "", request.form.get("seen")
        sign_offs.submit(session, duty, reason=reason, actor=current_actor(), now=clock.now(), seen=seen)

    return _act(duty, step, _("已提交。"))


@bp.post("/duties/<key>/withdraw")
@guard(Act.WITHDRAW, Duty)
def withdraw(duty: Duty) -> ResponseReturnValue:
    """Take one's own submission back."""

    def step(session: Session, _form: ReasonForm) -> str | None:
        sign_offs.withdraw(session, duty, actor=current_actor(), now=clock.now())
        records, others = bound_beside(session, duty)
        return _(_STILL_BOUND, keys=listed(records), n=others) if records else None

    return _act(duty, step, _("已撤回，可以修改后重新提交。"))


@bp.post("/duties/<key>/confirm")
@guard(Act.CONFIRM, Duty)
def confirm(duty: Duty) -> ResponseReturnValue:
    """Agree that it was done."""

    def step(session: Session, _form: ReasonForm) -> None:
        sign_offs.confirm(session, duty, actor=current_actor(), now=clock.now(), seen=request.form.get("seen"))

    return _act(duty, step, _("已确认。"))


@bp.post("/duties/<key>/return")
@guard(Act.CONFIRM, Duty)
def return_(duty: Duty) -> ResponseReturnValue:
    """Send it back with a reason."""

    def step(session: Session, form: ReasonForm) -> None:
        sign_offs.return_(session, duty, reason=form.reason.data or "", actor=current_actor(), now=clock.now())

    return _act(duty, step, _("已退回。"))


@bp.post("/duties/<key>/accept")
@guard(Act.CONFIRM, Duty)
def accept(duty: Duty) -> ResponseReturnValue:
    """Agree to a claim."""

    def step(session: Session, _form: ReasonForm) -> None:
        sign_offs.accept(session, duty, actor=current_actor(), now=clock.now(), seen=request.form.get("seen"))

    return _act(duty, step, _("已同意。"))


@bp.post("/duties/<key>/refuse")
@guard(Act.CONFIRM, Duty)
def refuse(duty: Duty) -> ResponseReturnValue:
    """Reject a claim with a reason."""

    def step(session: Session, form: ReasonForm) -> None:
        sign_offs.refuse(session, duty, reason=form.reason.data or "", actor=current_actor(), now=clock.now())

    return _act(duty, step, _("未予同意，任务恢复为待提交。"))


@bp.post("/duties/<key>/reopen")
@guard(Act.CONFIRM, Duty)
def reopen(duty: Duty) -> ResponseReturnValue:
    """Send a settled duty back with a reason."""

    def step(session: Session, form: ReasonForm) -> None:
        sign_offs.reopen(session, duty, reason=form.reason.data or "", actor=current_actor(), now=clock.now())

    return _act(duty, step, _("已退回重新办理。"))
