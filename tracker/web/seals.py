"""Seals: one administrator asks, another one agrees or does not; both give their password first."""

from __future__ import annotations

from flask import Blueprint, abort, current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from tracker.db import db, transaction
from tracker.domain.evidence import REASON_LIMIT
from tracker.domain.seal import KIND_NAMES, SealKind
from tracker.models import SealState
from tracker.policy import Act
from tracker.queries.seals import Target, seal_requests, target_of
from tracker.services import seals
from tracker.tasks import sealing
from tracker.web import clock
from tracker.web.access import current_actor, guard
from tracker.web.forms import Confirmation, Form, entered, page
from tracker.web.security import fresh

bp = Blueprint("seals", __name__, url_prefix="/seals")


class AskForm(Form):
    """What is to be sealed, and why."""

    kind = SelectField(_l("封存什么"), validators=[InputRequired()])
    key = StringField(_l("编号"), validators=[InputRequired(message=_l("请填写编号。")), Length(max=200)])
    reason = TextAreaField(_l("理由"), validators=[InputRequired(message=_l("请写明理由。")), Length(max=REASON_LIMIT)])


@bp.route("", methods=["GET", "POST"])
@guard(Act.ADMINISTER)
@fresh
def index() -> ResponseReturnValue:
    """The requests, and the form to make one."""
    form = AskForm()
    form.kind.choices = [(kind.value, _(name)) for kind, name in KIND_NAMES.items()]
    if form.validate_on_submit():
        kind, key, reason = SealKind(form.kind.data), entered(form.key).strip(), entered(form.reason)
        with form.refusals(), transaction() as session:
            seals.ask(session, kind=kind, key=key, reason=reason, actor=current_actor(), now=clock.now())
        if not form.errors:
            flash(_("已申请封存，等待另一名管理员办理。"), "good")
            return redirect(url_for("seals.index"))
    return page("seals/index.html", form, requests=seal_requests(db.session()), kinds=KIND_NAMES)


@bp.get("/<kind>/<key>")
@guard(Act.ADMINISTER)
@fresh
def show(kind: str, key: str) -> ResponseReturnValue:
    """What a request is about: everything that stays known, and never the content."""
    target = _target(kind, key)
    history = [r for r in seal_requests(db.session()) if (r.kind, r.key) == (target.kind, key)]
    waiting = next((request for request in history if request.state is SealState.ASKED), None)
    return render_template(
        "seals/show.html",
        target=target,
        history=history,
        waiting=waiting,
        is_own=waiting is not None and waiting.asked_by == current_actor().person_key,
        kinds=KIND_NAMES,
        form=Confirmation(),
    )


def _target(kind: str, key: str) -> Target:
    target = target_of(db.session(), SealKind(kind), key) if kind in set(SealKind) else None
    if target is None:
        abort(404)
    return target


@bp.post("/<kind>/<key>/agree")
@guard(Act.ADMINISTER)
@fresh
def agree(kind: str, key: str) -> ResponseReturnValue:
    """Carry a request out; the bytes go once the database knows it."""
    target = _target(kind, key)
    with transaction() as session:
        gone = seals.agree(session, kind=target.kind, key=key, actor=current_actor(), now=clock.now())
    sealing.destroy(gone, current_app.config["TRACKER"])
    sealing.carried_out(db.session(), current_app.config["TRACKER"])
    flash(_("已封存。内容已销毁，摘要和办理过程保留在日志中。"), "good")
    return redirect(url_for("seals.index"))


@bp.post("/<kind>/<key>/refuse")
@guard(Act.ADMINISTER)
@fresh
def refuse(kind: str, key: str) -> ResponseReturnValue:
    """Decline a request."""
    target = _target(kind, key)
    with transaction() as session:
        seals.refuse(session, kind=target.kind, key=key, actor=current_actor(), now=clock.now())
    flash(_("已记录为不同意封存，内容没有改动。"), "good")
    return redirect(url_for("seals.index"))
