"""The look-back on pages: draw closed findings of earlier checks, and say of each whether it held."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import DecimalField, IntegerField, RadioField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from tracker.db import db, transaction
from tracker.domain.inspection import InspectionKind
from tracker.domain.sampling import SEED_LIMIT, Draw, Rule
from tracker.models import Finding, Inspection
from tracker.policy import Act, can
from tracker.queries import look_back as queries
from tracker.queries.inspections import fact_of
from tracker.services import look_back
from tracker.web import clock
from tracker.web.access import current_actor, guard, load
from tracker.web.as_of import answers_past, asked, day_shown, known_at, refuse_unless_known
from tracker.web.forms import Form, page

bp = Blueprint("look_back", __name__, url_prefix="/inspections")

HELD, CAME_BACK = "held", "came_back"


class DrawForm(Form):
    """How many closed findings to look at again, and by which seed."""

    how = RadioField(_l("抽多少"), default="percent")
    percent = DecimalField(_l("抽取比例（百分之几）"), places=None, validators=[Optional()])
    number = IntegerField(_l("抽取个数"), validators=[Optional()])
    seed = StringField(_l("抽样种子"), validators=[Length(max=SEED_LIMIT)])

    @property
    def draw(self) -> Draw:
        """What the form asks for; a seed is made where none is given."""
        self.seed.data = (self.seed.data or "").strip() or f"{secrets.randbelow(10**10):010}"
        by_share = self.how.data == "percent"
        rule = Rule(percent=self.percent.data if by_share else None, number=None if by_share else self.number.data)
        return Draw(self.seed.data, rule)


class SeenForm(Form):
    """Whether what was closed has held."""

    value = RadioField(_l("核查结论"), validators=[InputRequired(message=_l("请选择核查结论。"))])
    note = TextAreaField(_l("说明"), validators=[Length(max=look_back.NOTE_LIMIT)])


@bp.get("/<int:number>/look-back")
@guard(Act.VIEW, Inspection, param="number")
@answers_past
def show(inspection: Inspection) -> ResponseReturnValue:
    """The sample of a look-back with what was said of each finding; before that, the form to draw it."""
    refuse_unless_known(inspection.created_at)
    return _shown(inspection, _draw_form(), None)


@bp.post("/<int:number>/look-back/draw")
@guard(Act.INSPECT, Inspection, param="number")
def draw(inspection: Inspection) -> ResponseReturnValue:
    """Draw the sample."""
    form = _draw_form()
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            made = look_back.draw_sample(session, inspection, form.draw, actor=current_actor(), now=clock.now())
            told = _("已抽取 %(n)s 个问题，抽样种子 %(seed)s。", n=made.picked_size, seed=made.seed)
        if not form.errors:
            flash(told, "good")
            return redirect(url_for("look_back.show", number=inspection.number))
    return _shown(inspection, form, None)


@bp.post("/<int:number>/look-back/<finding>")
@guard(Act.INSPECT, Inspection, param="number")
def judge(inspection: Inspection, finding: str) -> ResponseReturnValue:
    """Say of one finding whether it held."""
    found: Finding = load(Finding, finding)
    form = _seen_form(found.key)
    if form.validate_on_submit():
        held, note = form.value.data == HELD, form.note.data or ""
        with form.refusals(), transaction() as session:
            look_back.judge(session, inspection, found, held=held, note=note, actor=current_actor(), now=clock.now())
        if not form.errors:
            flash(_("已保存问题 %(key)s 的核查结论。", key=found.key), "good")
            return redirect(url_for("look_back.show", number=inspection.number, _anchor=f"finding-{found.key}"))
    return _shown(inspection, form, found.key)


def _draw_form() -> DrawForm:
    form = DrawForm(**({} if request.method == "POST" else {"formdata": None}))
    form.how.choices = [("percent", _("按比例抽取")), ("number", _("按数量抽取"))]
    return form


def _seen_form(key: str, **data: str) -> SeenForm:
    form = SeenForm(prefix=f"{key}-", **({"formdata": None, "data": data} if data else {}))
    form.value.choices = [(HELD, _("整改到位，没有反弹")), (CAME_BACK, _("问题反弹"))]
    return form


def _shown(inspection: Inspection, form: Form, refused: str | None) -> ResponseReturnValue:
    """The page; `refused` is the finding whose form is shown with what was typed."""
    session, at = db.session(), known_at()
    fact = fact_of(session, inspection, as_of=at)
    seen = queries.seen_of(session, inspection, today=day_shown(), as_of=at)
    may_judge = asked() is None and can(session, current_actor(), Act.INSPECT, inspection)
    return page(
        "look_back/show.html",
        form,
        inspection=inspection,
        fact=fact,
        is_look_back=fact.kind is InspectionKind.LOOK_BACK,
        drawn=queries.drawn_of(session, inspection, as_of=at),
        closed=len(queries.closed_before(session, inspection)) if may_judge else 0,
        seen=seen,
        forms={one.row.finding.key: _form_of(one, form, refused) for one in seen} if may_judge else {},
        refused=refused,
        may_judge=may_judge,
    )


def _form_of(one: queries.Seen, form: Form, refused: str | None) -> Form:
    key = one.row.finding.key
    if key == refused:
        return form
    said: dict[str, Any] = {"value": "", "note": ""}
    if one.verdict is not None:
        said = {"value": HELD if one.verdict.held else CAME_BACK, "note": one.verdict.note}
    return _seen_form(key, **said)
