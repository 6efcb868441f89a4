"""What is filled in to note a finding: whose it is, on what basis, until when; put right on the spot in one step."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from wtforms import DateField, IntegerField, RadioField, SelectField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from tracker.db import db
from tracker.domain.checklist import Checklist, Item
from tracker.domain.errors import Invalid
from tracker.domain.inspection import SEVERITY_NAMES, Severity
from tracker.domain.rectification import Deadline, deadline_after, deadline_on
from tracker.domain.text import _n
from tracker.models import Duty, Finding, FindingFact, Inspection, Organization
from tracker.queries import inspections as queries
from tracker.queries.assignments import items_of_year
from tracker.queries.calendar import work_calendar
from tracker.queries.checklists import checklist_of
from tracker.services import inspections, rectification
from tracker.web import clock
from tracker.web.access import current_actor, load
from tracker.web.forms import Form, entered
from tracker.web.language import named

DAYS_LIMIT = 250  # working days: about a year


class FindingForm(Form):
    """A problem found."""

    organization = SelectField(_l("组织"), validators=[InputRequired()])
    item = SelectField(_l("涉及事项"), validators=[Optional()])
    problem = TextAreaField(_l("问题"), validators=[InputRequired(), Length(max=inspections.NOTE_LIMIT)])
    basis = TextAreaField(_l("依据（法规、条款）"), validators=[Length(max=500)])
    post = SelectField(_l("责任岗位"), validators=[InputRequired()])
    severity = RadioField(_l("程度"), default=Severity.ORDINARY.value)
    fixed = TextAreaField(_l("当场整改情况"), validators=[Length(max=rectification.TEXT_LIMIT)])
    demand = TextAreaField(_l("整改要求"), validators=[InputRequired(), Length(max=inspections.NOTE_LIMIT)])
    working_days = IntegerField(_l("整改期限（工作日数）"), validators=[Optional(), NumberRange(1, DAYS_LIMIT)])
    deadline = DateField(_l("或者整改期限到哪一天"), validators=[Optional()])

    @property
    def on_the_spot(self) -> bool:
        """Whether it is to be put right at once."""
        return bool(self.severity.data == Severity.ON_THE_SPOT.value)


def form_for(inspection: Inspection, duty: Duty | None, *, item_id: str = "", place: str = "") -> FindingForm:
    """The form with what the duty, or the item and the organization (a code), say already."""
    session, checklist = db.session(), checklist_of(inspection.cycle.checklist_version)
    items = items_of_year(session, inspection.cycle)
    item = items.get(duty.item_id if duty else item_id)
    form = FindingForm(
        organization=duty.organization.code if duty else place or None,
        item=item.id if item else "",
        post=duty.post if duty else None,
        basis=basis_of(item, checklist) if item else "",
    )
    units = [unit.id for unit in queries.units_of(session, inspection)]
    form.organization.choices = [(node.code, node.name) for node in queries.organizations_in(session, units)]
    form.item.choices = _items_to_choose(items, duty)
    blank = [] if duty else [("", _("请选择"))]
    levels = {level.id for level in checklist.levels}
    form.post.choices = [*blank, *((post.id, named(post)) for post in checklist.posts if post.level in levels)]
    form.severity.choices = [(severity.value, _(name)) for severity, name in SEVERITY_NAMES.items()]
    return form


def form_to_correct(finding: Finding, fact: FindingFact) -> FindingForm:
    """The form with what a finding says; whose it is and its item stay."""
    place, item_id = finding.organization.code, finding.item_id or ""
    form = form_for(finding.inspection, finding.duty, item_id=item_id, place=place)
    if not form.is_submitted():
        for name in ("problem", "basis", "post", "demand", "deadline"):
            form[name].data = getattr(fact, name)
        form.severity.data = fact.severity.value
    return form


def correct(session: Session, finding: Finding, form: FindingForm) -> str:
    """Put a finding in the words of the form, and return what to tell."""
    until = _until(session, form)
    problem = _problem(session, finding.inspection, finding.duty, form, until)
    inspections.correct_finding(session, finding, problem=problem, actor=current_actor(), now=clock.now())
    return str(_("已更正问题 %(key)s，原内容仍可查。", key=finding.key)) + _said_of(form, until)


def _items_to_choose(items: Mapping[str, Item], duty: Duty | None) -> list[tuple[str, str]]:
    if duty is not None:
        return [(duty.item_id, duty.item_id)]
    return [("", _("不涉及某一事项")), *((item.id, f"{item.id} {item.title}") for item in items.values())]


def basis_of(item: Item, checklist: Checklist) -> str:
    """The regulation and article that an item is founded on, as a first proposal for the finding."""
    return "；".join(f"《{checklist.regulation[source.regulation].name}》{source.article}" for source in item.sources)


def note(session: Session, inspection: Inspection, duty: Duty | None, form: FindingForm) -> str:
    """Note the finding of the form, put right on the spot where it says so; return what to tell."""
    until, actor, now = _until(session, form), current_actor(), clock.now()
    problem = _problem(session, inspection, duty, form, until)
    finding = inspections.find(
        session,
        inspection,
        organization=load(Organization, form.organization.data),
        duty=duty,
        problem=problem,
        actor=actor,
        now=now,
    )
    told = [_("已登记问题 %(key)s，整改期限 %(day)s。", key=finding.key, day=until.on), _said_of(form, until)]
    if finding.repeats:
        told.append(_("本单位一年内在同一事项上有过问题 %(key)s，本问题已标为重复出现。", key=finding.repeats))
    if form.fixed.data and form.fixed.data.strip():
        _refuse_unless_on_the_spot(form)
        rectification.fix(session, finding, text=form.fixed.data, actor=actor, now=now)
        told.append(_("已登记当场整改，由检查组其他成员复核销号。"))
    return "".join(told)


def moved(until: Deadline) -> str:
    """What is said where a deadline fell on a day off; nothing where it did not."""
    if until.moved_from is None:
        return ""
    return str(_("所选的 %(day)s 是休息日，期限已顺延到下一个工作日 %(on)s。", day=until.moved_from, on=until.on))


def _said_of(form: FindingForm, until: Deadline) -> str:
    """What is said of a deadline: where it moved from, or, where none was chosen, which one is set."""
    if form.deadline.data is not None or form.working_days.data is not None:
        return moved(until)
    if until.moved_from is None:
        return str(_("没有填写期限，立行立改的期限定为当天 %(on)s。", on=until.on))
    return str(_("没有填写期限，今天是休息日，立行立改的期限定为下一个工作日 %(on)s。", on=until.on))


def _refuse_unless_on_the_spot(form: FindingForm) -> None:
    if not form.on_the_spot:
        raise Invalid(_n("只有程度为“立行立改”的问题才填当场整改情况；请改选程度，或者清空这一栏。"), field="fixed")


def _until(session: Session, form: FindingForm) -> Deadline:
    """The deadline that was chosen: a number of working days, or a day. What is put right on the spot may have none."""
    days, day = form.working_days.data, form.deadline.data
    if days is not None and day is not None:
        raise Invalid(_n("整改期限请在工作日数和日期中只填一项。"), field="deadline")
    calendar = work_calendar(session)
    if days is not None:
        return deadline_after(calendar, clock.today(), days)
    if day is None and not form.on_the_spot:
        raise Invalid(_n("请填写整改期限：填工作日数，或者选一个日期。"), field="working_days")
    return deadline_on(calendar, day or clock.today())


def _problem(
    session: Session, inspection: Inspection, duty: Duty | None, form: FindingForm, until: Deadline
) -> inspections.Problem:
    chosen = duty.item_id if duty else form.item.data or None
    basis = (form.basis.data or "").strip()
    item = items_of_year(session, inspection.cycle).get(chosen or "")
    if not basis and item is not None:
        basis = basis_of(item, checklist_of(inspection.cycle.checklist_version))
    return inspections.Problem(
        problem=entered(form.problem),
        basis=basis,
        post=form.post.data,
        severity=Severity(form.severity.data),
        demand=entered(form.demand),
        deadline=until.on,
        item_id=chosen,
    )
