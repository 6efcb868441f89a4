"""What a person has to do: the list, one duty, ticking it with evidence, claiming that it does not apply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from wtforms import DateField, Field, IntegerField, RadioField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError

from tracker.db import db, transaction
from tracker.domain.actor import AppointmentKind
from tracker.domain.appointment import KIND_NAMES
from tracker.domain.checklist import Checklist, CountKind, Item
from tracker.domain.duty import Action, ClaimKind, Standing, State
from tracker.domain.errors import Conflict, Invalid, RuleError
from tracker.domain.evidence import (
    COUNT_LIMIT,
    REASON_LIMIT,
    SENTENCE_LIMIT,
    asked_counts,
    attached_kinds,
    check_act,
    check_counts,
    checked_sentence,
    lacks,
)
from tracker.domain.media import accept_attribute, accepted_endings
from tracker.domain.sign_off import EvidenceContent, FileContent
from tracker.domain.text import _n
from tracker.models import Duty, Evidence
from tracker.policy import Act, can
from tracker.queries.assignments import item_of
from tracker.queries.checklists import checklist_of
from tracker.queries.cycles import was_closed
from tracker.queries.duties import (
    SENT_BACK,
    UNSIGNED,
    DutyThen,
    Section,
    Suggestion,
    duties_named,
    section_of,
    suggested_duties,
    timeliness_of_duty,
    to_do,
)
from tracker.queries.duty_as_of import decider_then, duty_then
from tracker.queries.evidence import Record, contents_of, earlier_records, evidence_named, records_of
from tracker.queries.good_practice import waiting_for_consent
from tracker.queries.organizations import names_of as names_of_places
from tracker.queries.organizations import places_of
from tracker.queries.rectification import waiting_for
from tracker.queries.seats import Holder, holders_of
from tracker.queries.self_check_tables import open_tables
from tracker.queries.sign_offs import Signed, history_of, prospect_of, waiting_count
from tracker.services import evidence, sign_offs
from tracker.web import clock
from tracker.web.access import current_actor, guard
from tracker.web.as_of import Past, answers_past, asked, refuse_unless_known
from tracker.web.errors import sentence_of
from tracker.web.forms import Form, entered, page
from tracker.web.language import listed, named, unit_of
from tracker.web.layout import first_page, navigation
from tracker.web.readers import Readers, note_opening, readers_shown
from tracker.web.uploads import UploadForm, allowance, settings

bp = Blueprint("duties", __name__)

ON_HOME = 8  # duties of a section on the first page: a phone is small

SECTION_NAMES: Mapping[Section, str] = {
    Section.RETURNED: _n("退回和需要重新提交的"),
    Section.OVERDUE: _n("已经逾期的"),
    Section.THIS_MONTH: _n("本月到期的"),
    Section.LATER: _n("以后到期的"),
    Section.HANDED_IN: _n("已经提交的"),
}
CLAIM_NAMES: Mapping[ClaimKind, str] = {
    ClaimKind.NOT_APPLICABLE: _n("这一项对本组织不适用"),
    ClaimKind.EXCUSED: _n("这一次因故未能办理"),
}


class TickForm(UploadForm):
    """What was done: day, sentence, files; the counts are added for what is asked."""

    act_on = DateField(_l("办理日期"), validators=[InputRequired(message=_l("请填写实际办理的日期。"))])
    sentence = TextAreaField(
        _l("一句话说明"),
    )
    reason = StringField(_l("改动了什么"), validators=[Length(max=REASON_LIMIT)])
    asked: tuple[CountKind, ...] = ()

    def validate_act_on(self, field: Field) -> None:
        """Refuse a day that has not come."""
        if field.data:
            with _refused():
                check_act(field.data, today=clock.today())

    def validate_sentence(self, field: Field) -> None:
        """Refuse no sentence, and one that is too long."""
        with _refused():
            checked_sentence(field.data or "")

    def tell_all(self, asked: Iterable[tuple[Item, Sequence[EvidenceContent]]], checklist: Checklist) -> None:
        """Name everything that is still missing for these items, each with the records that its duty has already.

        What a field is refused for is not missing as well.
        """
        refused = {kind.id: 0 for kind in self.asked if self[f"count-{kind.id}"].errors}
        files = tuple(FileContent(file.name, file.sha256, file.size) for file in self.accepted)
        entry = EvidenceContent("", self.act_on.data or clock.today(), "", self.counts | refused, files)
        with self.refusals():
            check_counts({kind: n for kind, n in self.counts.items() if kind not in refused}, checklist)
        for item, records in asked:
            for lack in lacks(item, checklist, [*records, entry]):
                if lack.field != "files" or not self.files.errors:
                    with self.refusals():
                        raise lack

    @property
    def counts(self) -> dict[str, int]:
        """The counts that were filled in."""
        fields = {kind.id: self[f"count-{kind.id}"] for kind in self.asked}
        return {kind: field.data for kind, field in fields.items() if field.data is not None}


@contextmanager
def _refused() -> Iterator[None]:
    """Turn a refusal by a rule into one that a field takes."""
    try:
        yield
    except RuleError as refusal:
        raise ValidationError(sentence_of(refusal)) from refusal


class ReasonForm(Form):
    """An act that may want a reason."""

    reason = TextAreaField(_l("原因"), validators=[Length(max=REASON_LIMIT)])


class ClaimForm(ReasonForm):
    """Why there is nothing to hand in."""

    claim = RadioField(_l("情况"), validators=[InputRequired(message=_l("请选择是哪种情况。"))])


class UseForm(Form):
    """An earlier record to use."""

    evidence = StringField(_l("佐证"), validators=[InputRequired()])


@bp.get("/")
@guard(Act.USE)
def home() -> ResponseReturnValue:
    """The first page: what is to be done, in the order in which it presses."""
    actor, session = current_actor(), db.session()
    entries = navigation()
    if not actor.sittings and entries:
        return redirect(url_for(first_page(actor, entries)))
    found = to_do(session, seats=_seats(), today=clock.today(), limit=ON_HOME)
    signs = _signing_seats()
    waiting = waiting_count(session, seats=signs) if signs else 0
    return render_template(
        "duties/home.html",
        sections=found,
        names=SECTION_NAMES,
        waiting=waiting,
        findings=waiting_for(session, actor, today=clock.today()),
        tables=open_tables(session, actor, today=clock.today()),
        practices=waiting_for_consent(session, actor),
        events=_event_links(),
        several=_several(),
        signs=signs,
    )


@bp.get("/duties")
@guard(Act.USE)
def section() -> ResponseReturnValue:
    """One section of that list, part by part."""
    wanted = request.args.get("section", "")
    chosen = Section(wanted) if wanted in set(Section) else Section.LATER
    after = request.args.get("after", "")
    listed = section_of(db.session(), chosen, seats=_seats(), today=clock.today(), after=after)
    return render_template(
        "duties/section.html",
        section=chosen,
        listed=listed,
        name=SECTION_NAMES[chosen],
        several=_several(),
        signs=_signing_seats(),
    )


@bp.get("/duties/<key>")
@guard(Act.VIEW, Duty)
@answers_past
def show(duty: Duty) -> ResponseReturnValue:
    """One duty: what is asked, what was done, who signed what."""
    past = asked()
    answer = shown(duty, ReasonForm()) if past is None else _shown_then(duty, past)
    note_opening(duty, "duty.open")
    return answer


def shown(duty: Duty, form: Form) -> ResponseReturnValue:
    """The page of a duty, with a form that may carry a refusal."""
    session, actor, today = db.session(), current_actor(), clock.today()
    item, checklist = item_of(session, duty), checklist_of(duty.cycle.checklist_version)
    records, history = records_of(session, duty.id), history_of(session, duty.id)
    return page(
        "duties/show.html",
        form,
        duty=duty,
        **_around(duty, duty.organization.name, holders_of(session, [duty.seat_id], on=today)),
        **_told(duty, records, history),
        readers=_readers(duty, records),
        item=item,
        checklist=checklist,
        prospect=prospect_of(session, duty, item=item, checklist=checklist, actor=actor, today=today),
        timeliness=timeliness_of_duty(duty, today=today),
        may_prepare=can(session, actor, Act.PREPARE, duty),
    )


def _shown_then(duty: Duty, past: Past) -> ResponseReturnValue:
    """The page of a duty as it was at the end of a past day: nothing can be done on it."""
    refuse_unless_known(duty.created_at)
    session, at, then = db.session(), past.at, duty_then(db.session(), duty, as_of=past.at)
    assert then is not None  # noqa: S101  it was laid out by then
    item, checklist = item_of(session, duty, as_of=at), checklist_of(duty.cycle.checklist_version)
    name = names_of_places(session, [duty.organization_id], as_of=at)[duty.organization_id]
    records = records_of(session, duty.id, as_of=at)
    return page(
        "duties/show.html",
        ReasonForm(formdata=None),
        duty=then,
        **_around(duty, name, holders_of(session, [duty.seat_id], on=past.day, as_of=at)),
        **_told(then, records, history_of(session, duty.id, as_of=at)),
        readers=_readers(duty, records),
        item=item,
        checklist=checklist,
        prospect=decider_then(session, duty, item=item, checklist=checklist, as_of=at),
        timeliness=then.timeliness(today=past.day, closed=was_closed(duty.cycle, at)),
        may_prepare=False,
    )


def _readers(duty: Duty, records: Iterable[Record]) -> Readers | None:
    """Who has read the duty or one of its records."""
    return readers_shown(duty, [duty.key, *(record.key for record in records)])


def _around(duty: Duty, organization: str, holders: Mapping[int, list[Holder]]) -> dict[str, Any]:
    """Whose the duty is: the organization, the year, who holds the seat, and what happened where it was reported."""
    sitting = [one for one in holders.get(duty.seat_id, []) if one.kind is not AppointmentKind.CLERK]
    return {"organization": organization, "year": duty.cycle.year, "holders": sitting, "happening": duty.happening}


def _told(duty: Duty | DutyThen, records: list[Record], history: list[Signed]) -> dict[str, Any]:
    """What was done and signed, and what that makes of the duty."""
    return {
        "records": records,
        "history": history,
        "sent_back": _sent_back(duty, history),
        "added": _added(records, history) if Standing(duty.state, duty.is_changed).changed_after_signing else [],
        "claims": CLAIM_NAMES,
        "kinds": KIND_NAMES,
    }


def _sent_back(duty: Duty | DutyThen, history: Iterable[Signed]) -> Signed | None:
    """The last sign-off that gave a duty back to its holder, while it waits to be handed in."""
    found = [row for row in history if row.action in SENT_BACK] if duty.state in UNSIGNED else []
    return found[-1] if found else None


@dataclass(frozen=True)
class Added:
    """Something that came after the last signature: the record, the name of the file (None: its words), when."""

    record: str
    file: str | None
    at: datetime


def _added(records: Iterable[Record], history: Iterable[Signed]) -> list[Added]:
    """What was entered after the duty was handed in last, oldest first."""
    signed = max((row.at for row in history if row.action in {Action.SUBMIT, Action.CLAIM}), default=None)
    if signed is None:
        return []
    words = [Added(record.key, None, record.stated_at) for record in records]
    files = [Added(record.key, file.name, file.uploaded_at) for record in records for file in record.files]
    return sorted((one for one in (*words, *files) if one.at > signed), key=lambda one: one.at)


@bp.route("/duties/<key>/tick", methods=["GET", "POST"])
@guard(Act.PREPARE, Duty)
def tick(duty: Duty) -> ResponseReturnValue:
    """Tick a duty, and others that the same record serves, with evidence, in one step."""
    also = suggested_duties(db.session(), duty, seats=_seats(), act_on=_act_day() or _likely_day(duty))
    form = _tick_form(duty, also)
    sound = form.validate_on_submit()
    if request.method == "POST":
        form.take_in()
        _tell_all(duty, form)
    if sound and not form.errors:
        with form.refusals(), transaction() as session:
            message = _ticked(session, duty, form)
        if not form.errors:
            flash(message, "good")
            to_hand_in = "save" in request.form and can(db.session(), current_actor(), Act.SIGN, duty)
            return redirect(url_for("duties.show", key=duty.key) if to_hand_in else url_for("duties.home"))
    return _tick_page(duty, form, also)


def _tell_all(duty: Duty, form: TickForm) -> None:
    """Say at once what would be refused one by one; what is only saved may lack what is asked."""
    session = db.session()
    if "save" in request.form or not can(session, current_actor(), Act.SIGN, duty):
        return
    with form.refusals():
        duties = [duty, *_others(session)]
        held = contents_of(session, [one.id for one in duties])
        asked = [(item_of(session, one), held.get(one.id, ())) for one in duties]
        form.tell_all(asked, checklist_of(duty.cycle.checklist_version))


def _ticked(session: Session, duty: Duty, form: TickForm) -> str:
    """Record what the form says; whoever may sign submits with it, anybody else prepares. Return what to tell."""
    actor = current_actor()
    done: dict[str, Any] = {
        "duties": [duty, *_others(session)],
        "act_on": entered(form.act_on),
        "sentence": form.sentence.data or "",
        "counts": form.counts,
        "files": form.accepted,
        "actor": actor,
        "now": clock.now(),
        "allowance": allowance(),
    }
    if can(session, actor, Act.SIGN, duty) and "save" not in request.form:
        made = sign_offs.tick(session, reason=form.reason.data or "", **done)
        told = _("已提交 %(count)s 项任务，佐证编号 %(key)s。", count=len(done["duties"]), key=made.key)
        return f"{told}{next_step(session, done['duties'])}"
    return _saved(session, duty, evidence.record(session, **done).key, beside=len(done["duties"]) - 1)


def _saved(session: Session, duty: Duty, key: str, *, beside: int) -> str:
    """What to tell of a record that was saved and handed in nowhere, by who it was that saved it."""
    if not can(session, current_actor(), Act.SIGN, duty):
        return str(_("已保存，佐证编号 %(key)s；提交要由岗位任职人员办理。", key=key))
    if duty.state not in UNSIGNED:
        return str(_("已保存，佐证编号 %(key)s；这项任务已经签认过，需要重新提交。", key=key))
    told = _("已保存，佐证编号 %(key)s，还没有提交；核对后请在本页“办理”中提交。", key=key)
    more = _("一并保存的另外 %(n)s 项任务也还没有提交。", n=beside) if beside else ""
    return f"{told}{more}"


def next_step(session: Session, duties: Iterable[Duty]) -> str:
    """Who decides next on what was just handed in; nothing where it stands by itself."""
    deciders: dict[str, None] = {}
    for duty in {one.waiting_seat_id: one for one in duties if one.state is State.SUBMITTED}.values():
        item, checklist = item_of(session, duty), checklist_of(duty.cycle.checklist_version)
        found = prospect_of(session, duty, item=item, checklist=checklist, actor=current_actor(), today=clock.today())
        if found.post is None:
            return str(_("暂无可以确认的人，请联系管理员安排任职。"))
        post = named(checklist.post[found.post]) if found.post in checklist.post else found.post
        deciders[_("%(text)s（%(more)s）", text=post, more=listed(found.names)) if found.names else post] = None
    return str(_("下一步由%(who)s确认。", who=listed(deciders))) if deciders else ""


def _others(session: Session) -> list[Duty]:
    """The other duties that were ticked with this one."""
    keys = set(request.form.getlist("also"))
    found = duties_named(session, keys, actor=current_actor())
    if len(found) != len(keys):
        raise Conflict(_n("勾选的任务中有的已经不在列表里，请重新勾选。"))
    return found


def _tick_page(duty: Duty, form: Form, also: Iterable[Suggestion]) -> ResponseReturnValue:
    session, actor = db.session(), current_actor()
    item, checklist = item_of(session, duty), checklist_of(duty.cycle.checklist_version)
    limits = allowance()
    return page(
        "duties/tick.html",
        form,
        duty=duty,
        sent_back=_sent_back(duty, history_of(session, duty.id)) if duty.state in UNSIGNED else None,
        item=item,
        kinds=attached_kinds(item, checklist),
        first=[kind.id for kind in asked_counts(item, checklist)],
        also=also,
        nearby=[one for one in also if not one.occasion],
        also_counts={one.key: [kind.id for kind in asked_counts(one.item, checklist)] for one in also},
        also_kinds={one.key: attached_kinds(one.item, checklist) for one in also},
        chosen=set(request.form.getlist("also")),
        serving=[record for record in records_of(session, duty.id) if not record.withdrawn],
        earlier=earlier_records(session, duty, actor=actor),
        may_sign=can(session, actor, Act.SIGN, duty),
        may_submit=Standing(duty.state, duty.is_changed).waits_for_holder,
        again=duty.state not in UNSIGNED,
        limits=limits,
        left=evidence.room_left(session, duty.organization, allowance=limits),
        request_limit=settings().request_limit,
        accept=accept_attribute(),
        endings=accepted_endings(),
        sentence_limit=SENTENCE_LIMIT,
    )


@bp.post("/duties/<key>/use")
@guard(Act.PREPARE, Duty)
def use(duty: Duty) -> ResponseReturnValue:
    """Use an earlier record for a duty; whoever may sign hands it in with that."""
    form = UseForm()
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            message = _used(session, duty, entered(form.evidence))
        if not form.errors:
            flash(message, "good")
            return redirect(url_for("duties.show", key=duty.key))
    also = suggested_duties(db.session(), duty, seats=_seats(), act_on=clock.today())
    fresh = _tick_form(duty, also, bound=False)
    fresh.form_errors.extend(error for errors in form.errors.values() for error in errors)
    fresh.refused_with = form.status
    return _tick_page(duty, fresh, also)


@bp.post("/duties/<key>/unuse")
@guard(Act.PREPARE, Duty)
def unuse(duty: Duty) -> ResponseReturnValue:
    """Use a record for this duty no longer."""
    form = UseForm()
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            record = _record(session, entered(form.evidence))
            evidence.unlink(session, record, duty, actor=current_actor(), now=clock.now())
        if not form.errors:
            flash(_("佐证 %(key)s 不再用于这项任务。", key=form.evidence.data), "good")
            return redirect(url_for("duties.show", key=duty.key))
    return shown(duty, form)


def _used(session: Session, duty: Duty, key: str) -> str:
    """Let the record serve the duty, and hand it in where nothing else is asked. Return what to tell."""
    actor = current_actor()
    evidence.link(session, _record(session, key), [duty], actor=actor, now=clock.now())
    if not can(session, actor, Act.SIGN, duty):
        return str(_("已引用佐证 %(key)s，还没有提交；提交要由岗位任职人员办理。", key=key))
    if duty.state not in UNSIGNED:
        return str(_("已引用佐证 %(key)s；这项任务已经签认过，需要重新提交。", key=key))
    sign_offs.submit(session, duty, actor=actor, now=clock.now())
    return f"{_('已引用佐证 %(key)s 并提交。', key=key)}{next_step(session, [duty])}"


def _record(session: Session, key: str) -> Evidence:
    record = evidence_named(session, key, actor=current_actor())
    if record is None:
        raise Invalid(_n("没有这份佐证，或者它不在您的查看范围内。"))
    return record


@bp.route("/duties/<key>/claim", methods=["GET", "POST"])
@guard(Act.SIGN, Duty)
def claim(duty: Duty) -> ResponseReturnValue:
    """Say that a duty does not apply or could not be done."""
    form = ClaimForm()
    form.claim.choices = [(kind.value, _(name)) for kind, name in CLAIM_NAMES.items()]
    if form.validate_on_submit():
        kind, reason = ClaimKind(form.claim.data), form.reason.data or ""
        with form.refusals(), transaction() as session:
            sign_offs.claim(session, duty, kind=kind, reason=reason, actor=current_actor(), now=clock.now())
        if not form.errors:
            flash(_("已提交说明，等待上级审核。"), "good")
            return redirect(url_for("duties.show", key=duty.key))
    return page("duties/claim.html", form, duty=duty, item=item_of(db.session(), duty))


def _tick_form(duty: Duty, also: Iterable[Suggestion], *, bound: bool = True) -> TickForm:
    """The form with one field for each count that this duty, or one of the others, asks for."""
    checklist = checklist_of(duty.cycle.checklist_version)
    items = [item_of(db.session(), duty), *(one.item for one in also)]
    asked = _asked(items, checklist)
    fields = {f"count-{kind.id}": _count_field(kind) for kind in asked}
    form: TickForm = type("TickFormOfDuty", (TickForm,), {**fields, "asked": asked})(
        **({} if bound else {"formdata": None})
    )
    if form.act_on.data is None and not form.is_submitted():
        is_now = duty.period_starts_on <= clock.today() <= duty.period_ends_on
        form.act_on.data = _act_day() or (clock.today() if is_now else None)  # nobody's guess becomes a date
    return form


def _asked(items: Iterable[Item], checklist: Checklist) -> tuple[CountKind, ...]:
    return tuple(dict.fromkeys(kind for item in items for kind in asked_counts(item, checklist)))


def _count_field(kind: CountKind) -> IntegerField:
    label = _("%(text)s（%(more)s）", text=named(kind), more=unit_of(kind)) if unit_of(kind) else named(kind)
    return IntegerField(label, validators=[Optional(), NumberRange(0, COUNT_LIMIT, _l("应是不小于 0 的整数。"))])


def _act_day() -> date | None:
    """The day of the act that was entered or asked about."""
    try:
        return date.fromisoformat(request.values.get("act_on", ""))
    except ValueError:
        return None


def _likely_day(duty: Duty) -> date:
    """Today, or the day of the duty's period that is nearest to it."""
    return min(max(clock.today(), duty.period_starts_on), duty.period_ends_on)


def _seats() -> set[int]:
    return {sitting.seat_id for sitting in current_actor().sittings}


def _signing_seats() -> set[int]:
    """The seats for which the person signs."""
    return {sitting.seat_id for sitting in current_actor().sittings if sitting.may_sign}


def _several() -> bool:
    """Whether the person sits in more than one organization, so that lists name it."""
    return len({sitting.organization_id for sitting in current_actor().sittings}) > 1


def _event_links() -> list[tuple[str, str]]:
    """Where events of the organizations in which the person sits are reported: names and addresses."""
    known = "assignments.event" in current_app.view_functions
    return (
        [(name, url_for("assignments.event", key=code)) for code, name in places_of(db.session(), current_actor())]
        if known
        else []
    )
