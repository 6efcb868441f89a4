"""Good practice on pages: what units agreed to let others read, and the steps until then."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from tracker.db import db, transaction
from tracker.domain.good_practice import GOOD_PRACTICE_ACTION_NAMES, GOOD_PRACTICE_STATE_NAMES, GoodPracticeState
from tracker.models import Evidence, GoodPractice, Inspection
from tracker.policy import Act, sees
from tracker.queries import good_practice as queries
from tracker.queries.evidence import record_of
from tracker.services import good_practice
from tracker.services.good_practice import TEXT_LIMIT, TITLE_LIMIT
from tracker.web import clock
from tracker.web.access import current_actor, guard, load, number_asked
from tracker.web.as_of import answers_past, known_at, refuse_unless_known
from tracker.web.forms import Form, entered, page

bp = Blueprint("good_practice", __name__)


class MarkForm(Form):
    """What others can learn from a record."""

    title = StringField(_l("亮点做法名称"), validators=[InputRequired(), Length(max=TITLE_LIMIT)])
    text = TextAreaField(_l("好在哪里、怎样做的"), validators=[InputRequired(), Length(max=TEXT_LIMIT)])


class StepForm(Form):
    """A step, which may want a reason."""

    reason = TextAreaField(_l("理由"), validators=[Length(max=TEXT_LIMIT)])


@bp.get("/good-practice")
@guard(Act.USE)
@answers_past
def index() -> ResponseReturnValue:
    """What all units may read; in front of it, what waits for the units of this person."""
    session, actor, as_of = db.session(), current_actor(), known_at()
    years = queries.years_shared(session, actor=actor, as_of=as_of)
    year = number_asked("year")
    year = year if year in years else None
    return render_template(
        "good_practice/index.html",
        pending=queries.pending(session, actor=actor) if as_of is None else [],
        shared=queries.shared(session, actor=actor, year=year, as_of=as_of),
        years=years,
        year=year,
        **_words(),
    )


@bp.get("/good-practice/<key>")
@guard(Act.VIEW, GoodPractice)
@answers_past
def show(practice: GoodPractice) -> ResponseReturnValue:
    """One of them: what others can learn from it, and for those concerned the record and the steps."""
    refuse_unless_known(practice.created_at)
    return _shown(practice, StepForm(formdata=None))


def _shown(practice: GoodPractice, form: StepForm) -> ResponseReturnValue:
    session, actor, as_of = db.session(), current_actor(), known_at()
    reads_record = sees(session, actor, practice.evidence)
    concerned = reads_record or sees(session, actor, practice.inspection)
    return page(
        "good_practice/show.html",
        form,
        practice=queries.practice_then(session, practice, as_of=as_of),
        inspection=practice.inspection if sees(session, actor, practice.inspection) else None,
        record=practice.evidence.key if reads_record else None,
        steps=queries.steps_of(session, practice, as_of=as_of) if concerned else [],
        actions=queries.actions_for(session, practice, actor=actor) if as_of is None else (),
        **_words(),
    )


def _words() -> dict[str, object]:
    return {
        "states": GOOD_PRACTICE_STATE_NAMES,
        "actions_named": GOOD_PRACTICE_ACTION_NAMES,
        "State": GoodPracticeState,
    }


def _step(practice: GoodPractice, step: Callable[[Session, str], None], said: str) -> ResponseReturnValue:
    """Take one step; a refusal is shown on the page as it is now, with the reason that was typed."""
    form = StepForm()
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            step(session, form.reason.data or "")
        if not form.errors:
            flash(said, "good")
            if not sees(db.session(), current_actor(), practice):
                return redirect(url_for("good_practice.index"))
            return redirect(url_for("good_practice.show", key=practice.key))
    return _shown(practice, form)


@bp.post("/good-practice/<key>/agree")
@guard(Act.CONFIRM, GoodPractice)
def agree(practice: GoodPractice) -> ResponseReturnValue:
    """Agree, for the unit, that all units read it."""

    def step(session: Session, _reason: str) -> None:
        good_practice.agree(session, practice, actor=current_actor(), now=clock.now())

    return _step(practice, step, _("已同意交流，所有单位都可以看到。"))


@bp.post("/good-practice/<key>/decline")
@guard(Act.CONFIRM, GoodPractice)
def decline(practice: GoodPractice) -> ResponseReturnValue:
    """Keep it from others, or take the consent back."""

    def step(session: Session, reason: str) -> None:
        good_practice.decline(session, practice, reason=reason, actor=current_actor(), now=clock.now())

    return _step(practice, step, _("已记录：不同意交流，其他单位看不到。"))


@bp.post("/good-practice/<key>/withdraw")
@guard(Act.WITHDRAW, GoodPractice)
def withdraw(practice: GoodPractice) -> ResponseReturnValue:
    """Take the mark back, as the team."""

    def step(session: Session, reason: str) -> None:
        good_practice.withdraw(session, practice, reason=reason, actor=current_actor(), now=clock.now())

    return _step(practice, step, _("已撤回推荐，其他单位看不到。"))


@bp.route("/inspections/<int:number>/good-practice/<record>", methods=["GET", "POST"])
@guard(Act.INSPECT, Inspection, param="number")
def mark(inspection: Inspection, record: str) -> ResponseReturnValue:
    """Mark a record of the sample."""
    evidence: Evidence = load(Evidence, record)
    form = MarkForm()
    if form.validate_on_submit():
        said = {"title": entered(form.title), "text": entered(form.text)}
        with form.refusals(), transaction() as session:
            made = good_practice.mark(session, inspection, evidence, actor=current_actor(), now=clock.now(), **said)
            key = made.key
        if not form.errors:
            flash(_("已推荐为亮点做法，等待单位同意。"), "good")
            return redirect(url_for("good_practice.show", key=key))
    return page(
        "good_practice/mark.html",
        form,
        inspection=inspection,
        record=record_of(db.session(), evidence),
        limits={"title": TITLE_LIMIT, "text": TEXT_LIMIT},
    )
