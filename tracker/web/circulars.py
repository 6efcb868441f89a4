"""The words of a team's papers, written by the team over a draft of the numbers; and whether units are ranked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from wtforms import HiddenField, TextAreaField
from wtforms.validators import Length

from tracker.db import db, transaction
from tracker.domain.errors import Invalid
from tracker.domain.text import _n
from tracker.models import Inspection
from tracker.policy import Act
from tracker.queries.circulars import PAPERS, Words, draft, said, text_of
from tracker.queries.inspections import fact_of
from tracker.queries.people import names_of
from tracker.services import circulars
from tracker.services.circulars import PART_LIMIT, Parts
from tracker.services.ranking import set_ranking
from tracker.tasks.words import translator
from tracker.web import clock
from tracker.web.access import current_actor, guard
from tracker.web.forms import Confirmation, Form, page
from tracker.web.language import current_language

bp = Blueprint("circulars", __name__, url_prefix="/inspections")

PARTS = ("overall", "good_practice", "problems", "demands")
PRINTED = {"summary": "team_summary", "circular": "circular"}  # what the papers of a check call them


class WordsForm(Form):
    """The four parts; `seen` is when the words that the writer started from were recorded."""

    overall = TextAreaField(_l("一、总体情况"), validators=[Length(max=PART_LIMIT)])
    good_practice = TextAreaField(_l("二、亮点做法"), validators=[Length(max=PART_LIMIT)])
    problems = TextAreaField(_l("三、存在问题"), validators=[Length(max=PART_LIMIT)])
    demands = TextAreaField(_l("四、整改要求"), validators=[Length(max=PART_LIMIT)])
    seen = HiddenField()


@dataclass(frozen=True)
class Standing:
    """What is recorded now, what the numbers alone say, and who wrote last."""

    words: Words
    draft: Words
    writer: str

    @property
    def seen(self) -> str:
        """The mark of these words; empty while nobody has saved any."""
        return self.words.recorded_at.isoformat() if self.words.recorded_at else ""


@bp.route("/<int:number>/circulars/<paper>", methods=["GET", "POST"])
@guard(Act.REPORT, Inspection, param="number")
def edit(inspection: Inspection, paper: str) -> ResponseReturnValue:
    """Write the parts of a paper, from the draft on; nobody writes over what somebody else has just saved."""
    if paper not in PAPERS:
        abort(404)
    standing = _standing(db.session(), inspection, paper)
    form = WordsForm(data={name: getattr(standing.words, name) for name in PARTS} | {"seen": standing.seen})
    if form.validate_on_submit():
        parts = Parts(**{name: form[name].data or "" for name in PARTS})
        with form.refusals(), transaction() as session:
            circulars.save(
                session, inspection, paper=paper, parts=parts, seen=_seen(form), actor=current_actor(), now=clock.now()
            )
        if not form.errors:
            flash(_("已保存。"), "good")
            return redirect(url_for("circulars.edit", number=inspection.number, paper=paper))
        standing = _standing(db.session(), inspection, paper)
    newer = form.is_submitted() and bool(standing.seen) and form.seen.data != standing.seen
    form.seen.data = standing.seen
    return page(
        "circulars/edit.html",
        form,
        inspection=inspection,
        paper=paper,
        name=PAPERS[paper],
        others={key: name for key, name in PAPERS.items() if key != paper},
        printed=PRINTED[paper],
        standing=standing,
        newer=newer,
        parts=PARTS,
        limit=PART_LIMIT,
        ranked=fact_of(db.session(), inspection).ranked,
    )


def _seen(form: WordsForm) -> datetime | None:
    if not form.seen.data:
        return None
    try:
        return datetime.fromisoformat(form.seen.data)
    except ValueError:
        raise Invalid(_n("页面已过期，请刷新后重新保存。")) from None


def _standing(session: Session, inspection: Inspection, paper: str) -> Standing:
    row = text_of(session, inspection, paper)
    numbers = draft(session, inspection, words=translator(current_language()))
    if row is None:
        return Standing(numbers, numbers, "")
    return Standing(said(row), numbers, names_of(session, [row.entered_by_id])[row.entered_by_id])


@bp.post("/<int:number>/ranking")
@guard(Act.ADMINISTER, Inspection, param="number")
def rank(inspection: Inspection) -> ResponseReturnValue:
    """Let the circular list units by score, or in their official order again."""
    ranked = request.form.get("ranked") == "1"
    form = Confirmation()
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            set_ranking(session, inspection, ranked=ranked, actor=current_actor(), now=clock.now())
    if form.errors:
        form.tell()
    else:
        flash(_("通报中的单位将按得分排列。") if ranked else _("通报中的单位将按规定次序排列。"), "good")
    return redirect(url_for("inspections.show", number=inspection.number))
