"""Records and their files: look at them, hand the bytes out, add, correct, withdraw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from wtforms import DateField, IntegerField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from tracker.db import db, transaction
from tracker.domain.checklist import CountKind
from tracker.domain.errors import Conflict
from tracker.domain.evidence import COUNT_LIMIT, REASON_LIMIT, SENTENCE_LIMIT, asked_counts
from tracker.domain.media import accept_attribute, accepted_endings
from tracker.domain.text import _n
from tracker.models import Cycle, Duty, Evidence
from tracker.policy import Act, can
from tracker.queries.assignments import items_of_year
from tracker.queries.checklists import checklist_of
from tracker.queries.duties import duties_named
from tracker.queries.duty_as_of import served_then
from tracker.queries.evidence import Attached, Record, Served, before_of, duties_served, file_of, record_of
from tracker.queries.good_practice import checks_to_mark
from tracker.services import evidence, sign_offs
from tracker.storage.preview import MEDIA_TYPE, NotShown, Size
from tracker.web import clock
from tracker.web.access import current_actor, guard
from tracker.web.as_of import Past, answers_past, asked, refuse_unless_known
from tracker.web.downloads import send_open
from tracker.web.duties import ReasonForm, next_step
from tracker.web.forms import Confirmation, Form, entered, page
from tracker.web.language import named
from tracker.web.readers import note_opening, readers_shown
from tracker.web.uploads import UploadForm, allowance, previews, settings, store

bp = Blueprint("evidence", __name__, url_prefix="/evidence")


class CorrectForm(Form):
    """What a record says, to be said anew; one field for each of its counts is added."""

    act_on = DateField(_l("办理日期"), validators=[InputRequired(message=_l("请填写实际办理的日期。"))])
    sentence = TextAreaField(_l("一句话说明"), validators=[Length(max=SENTENCE_LIMIT * 2)])


class AgainForm(ReasonForm):
    """What changed after signing, said once for everything that is handed in anew."""

    reason = TextAreaField(_l("改动了什么"), validators=[Length(max=REASON_LIMIT)])


class WithdrawForm(ReasonForm):
    """Why a record is void."""

    reason = TextAreaField(_l("作废原因"), validators=[Length(max=REASON_LIMIT)])


@bp.get("/<key>")
@guard(Act.VIEW, Evidence)
@answers_past
def show(found: Evidence) -> ResponseReturnValue:
    """One record: what it says, its files, what it serves."""
    past = asked()
    answer = _shown(found, UploadForm()) if past is None else _shown_then(found, past)
    note_opening(found, "evidence.open")
    return answer


def _shown(found: Evidence, form: Form) -> ResponseReturnValue:
    session, actor = db.session(), current_actor()
    served = duties_served(session, found, actor=actor)
    cycle = session.get_one(Cycle, found.cycle_id)
    limits = allowance()
    return page(
        "evidence/show.html",
        form,
        found=found,
        record=record_of(session, found),
        before=before_of(session, found),
        readers=readers_shown(found, [found.key]),
        served=served,
        items=items_of_year(session, cycle),
        counts=checklist_of(cycle.checklist_version).count_kind,
        may_prepare=can(session, actor, Act.PREPARE, found) and not found.withdrawn,
        checks=[] if found.withdrawn else checks_to_mark(session, found, actor=actor),
        bound=[duty for duty in served if duty.is_signed],
        again=_to_hand_in(served),
        limits=limits,
        left=evidence.room_left(session, found.organization, allowance=limits),
        request_limit=settings().request_limit,
        accept=accept_attribute(),
        endings=accepted_endings(),
    )


def _shown_then(found: Evidence, past: Past) -> ResponseReturnValue:
    """The page of a record as it was at the end of a past day: nothing can be done on it."""
    refuse_unless_known(found.entered_at)
    session, cycle = db.session(), db.session().get_one(Cycle, found.cycle_id)
    return page(
        "evidence/show.html",
        ReasonForm(formdata=None),
        found=found,
        record=record_of(session, found, as_of=past.at),
        before=before_of(session, found, as_of=past.at),
        readers=readers_shown(found, [found.key]),
        served=served_then(session, found, actor=current_actor(), as_of=past.at),
        items=items_of_year(session, cycle, as_of=past.at),
        counts=checklist_of(cycle.checklist_version).count_kind,
        may_prepare=False,
    )


@bp.post("/<key>/files")
@guard(Act.PREPARE, Evidence)
def add_files(found: Evidence) -> ResponseReturnValue:
    """Put more files to a record."""
    form = UploadForm()
    if form.validate_on_submit():
        form.take_in()
        with form.refusals(), transaction() as session:
            evidence.add_files(
                session, found, files=form.accepted, actor=current_actor(), now=clock.now(), allowance=allowance()
            )
        if not form.errors:
            flash(_added(found, len(form.accepted)), "good")
            return redirect(url_for("evidence.show", key=found.key))
    return _shown(found, form)


def _added(found: Evidence, count: int) -> str:
    """What to tell after so many files were added: how many duties have to be handed in anew for that."""
    told = _("已补充 %(count)s 个文件。", count=count)
    again = sum(duty.waits_again for duty in duties_served(db.session(), found, actor=current_actor()))
    more = _("%(n)s 项已经签认的任务现在显示“签认后有改动”，需要重新提交，见本页“用于这些任务”。", n=again)
    return f"{told}{more}" if again else str(told)


def _to_hand_in(served: Iterable[Served]) -> list[Served]:
    """Those of the duties that this person has to hand in anew."""
    sittings = ((duty, current_actor().sitting_in(duty.seat_id)) for duty in served if duty.waits_again)
    return [duty for duty, sitting in sittings if sitting is not None and sitting.may_sign]


@bp.post("/<key>/submit")
@guard(Act.PREPARE, Evidence)
def submit(found: Evidence) -> ResponseReturnValue:
    """Hand in anew, in one step, the duties that changed after signing and were shown with the record."""
    form = AgainForm()
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            duties = _chosen(session, found)
            sign_offs.submit_all(
                session,
                list(duties.values()),
                reason=form.reason.data or "",
                seen={key: request.form.get(f"seen-{key}", "") for key in duties},
                actor=current_actor(),
                now=clock.now(),
            )
            told = f"{_('已重新提交 %(count)s 项任务。', count=len(duties))}{next_step(session, duties.values())}"
        if not form.errors:
            flash(told, "good")
            return redirect(url_for("evidence.show", key=found.key))
    return _shown(found, form)


def _chosen(session: Session, found: Evidence) -> dict[str, Duty]:
    """The duties that the form names, by key: nothing but what waits to be handed in anew by this person."""
    asked = set(request.form.getlist("duty"))
    waiting = {duty.key for duty in _to_hand_in(duties_served(session, found, actor=current_actor()))}
    if not asked or not asked <= waiting:
        raise Conflict(_n("这份佐证所用的任务有变动，请刷新页面后再提交。"))
    return {duty.key: duty for duty in duties_named(session, asked, actor=current_actor())}


@bp.route("/<key>/correct", methods=["GET", "POST"])
@guard(Act.PREPARE, Evidence)
def correct(found: Evidence) -> ResponseReturnValue:
    """Say anew what a record says."""
    record = record_of(db.session(), found)
    kinds = _counted(found, record)
    form = _correct_form(record, kinds)
    if form.validate_on_submit():
        given = {kind: form[f"count-{kind}"].data for kind in kinds}
        counts = {kind: number for kind, number in given.items() if number is not None}
        said = {"act_on": entered(form.act_on), "sentence": form.sentence.data or "", "counts": counts}
        with form.refusals(), transaction() as session:
            evidence.correct(session, found, actor=current_actor(), now=clock.now(), **said)
        if not form.errors:
            flash(_("已更正，原内容可在“以前的内容”中查看。"), "good")
            return redirect(url_for("evidence.show", key=found.key))
    return page("evidence/correct.html", form, found=found, record=record, kinds=kinds, **_bound(found))


def _counted(found: Evidence, record: Record) -> dict[str, CountKind]:
    """The counts that a record has, and those that the duties ask for which it serves: a correction may add them."""
    session, cycle = db.session(), db.session().get_one(Cycle, found.cycle_id)
    checklist, items = checklist_of(cycle.checklist_version), items_of_year(session, cycle)
    served = duties_served(session, found, actor=current_actor())
    asked = (kind.id for duty in served for kind in asked_counts(items[duty.item_id], checklist))
    return {kind: checklist.count_kind[kind] for kind in (*record.counts, *asked)}


def _correct_form(record: Record, kinds: Mapping[str, CountKind]) -> Form:
    rules = [Optional(), NumberRange(0, COUNT_LIMIT, _l("应是不小于 0 的整数。"))]
    fields = {f"count-{kind}": IntegerField(named(known), validators=rules) for kind, known in kinds.items()}
    was = {"act_on": record.act_on, "sentence": record.sentence}
    values = {**was, **{f"count-{kind}": number for kind, number in record.counts.items()}}
    form: Form = type("CorrectFormOfRecord", (CorrectForm,), fields)(data=values)
    return form


@bp.route("/<key>/withdraw", methods=["GET", "POST"])
@guard(Act.PREPARE, Evidence)
def withdraw(found: Evidence) -> ResponseReturnValue:
    """Declare a record void, with a reason."""
    form = WithdrawForm()
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            evidence.withdraw(session, found, reason=form.reason.data or "", actor=current_actor(), now=clock.now())
        if not form.errors:
            flash(_("已作废，记录仍可查。"), "good")
            return redirect(url_for("evidence.show", key=found.key))
    return page("evidence/withdraw.html", form, found=found, record=record_of(db.session(), found), **_bound(found))


def _bound(found: Evidence) -> dict[str, Any]:
    """The signed duties for which the record cannot be changed, and what the items of its year are called."""
    session = db.session()
    bound = [duty for duty in duties_served(session, found, actor=current_actor()) if duty.is_signed]
    return {"bound": bound, "items": items_of_year(session, session.get_one(Cycle, found.cycle_id)) if bound else {}}


@bp.post("/<key>/files/<digest>/off")
@guard(Act.PREPARE, Evidence)
def take_off(found: Evidence, digest: str) -> ResponseReturnValue:
    """Take a file off a record."""
    form = Confirmation()
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            evidence.take_off_file(session, found, sha256=digest, actor=current_actor(), now=clock.now())
        if not form.errors:
            flash(_("文件已取下，仍可在“以前的内容”中查看。"), "good")
            return redirect(url_for("evidence.show", key=found.key))
    return _shown(found, form)


@bp.get("/<key>/files/<digest>")
@guard(Act.VIEW, Evidence)
def download(found: Evidence, digest: str) -> ResponseReturnValue:
    """The bytes of a file, to keep; never shown inside a page."""
    file = _file(found, digest)
    if file.sealed_at:
        abort(404)
    try:
        content = store().open(file.sha256)
    except FileNotFoundError:
        abort(404)
    note_opening(found, "file.download", f"{found.key}/{digest}")
    return send_open(content, media_type=file.media_type, name=file.name, digest=file.sha256)


@bp.get("/<key>/files/<digest>/preview/<int:number>")
@guard(Act.VIEW, Evidence)
def preview(found: Evidence, digest: str, number: int) -> ResponseReturnValue:
    """A picture of a page of a file, made anew without its metadata."""
    file = _file(found, digest)
    size = Size.SMALL if request.args.get("size") == "small" else Size.LARGE
    if file.sealed_at:
        abort(404)
    shown = previews().show(file.sha256, kind=file.kind, number=number, size=size)
    if isinstance(shown, NotShown):
        return Response(_(shown.reason), 404, mimetype="text/plain")
    if size is Size.LARGE:
        note_opening(found, "file.view", f"{found.key}/{digest}")
    answer = send_file(shown.path, mimetype=MEDIA_TYPE)
    answer.headers["X-Evidence"] = "1"
    return answer


def _file(found: Evidence, digest: str) -> Attached:
    file = file_of(db.session(), found, digest)
    if file is None:
        abort(404)
    return file
