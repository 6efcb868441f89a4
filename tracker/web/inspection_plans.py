"""Planning a check on one page: what it is about, who goes where, what is looked at; and how its sample was drawn.

Whoever plans sees what a draw would pick before anything is written, and exactly that is written, or nothing.
"""

from __future__ import annotations

import secrets
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

from flask import Blueprint, abort, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from wtforms import (
    BooleanField,
    DateField,
    DecimalField,
    Field,
    HiddenField,
    IntegerField,
    MultipleFileField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Length, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from tracker.db import db, transaction
from tracker.domain.checklist import Checklist
from tracker.domain.errors import Invalid
from tracker.domain.inspection import KIND_NAMES, InspectionKind, MemberRole
from tracker.domain.media import accept_attribute, accepted_endings
from tracker.domain.sampling import (
    REASON_LIMIT,
    SEED_LIMIT,
    TRAIT_NAMES,
    Draw,
    Rule,
    Sample,
    Stratum,
    Trait,
    Values,
    check,
    exclusions_in,
    shortages,
    strata_of,
)
from tracker.domain.text import _n
from tracker.models import Cycle, Inspection, Organization, Person
from tracker.policy import Act, can
from tracker.queries import inspections as queries
from tracker.queries.assignments import items_of_year
from tracker.queries.checklists import checklist_of
from tracker.queries.cycles import current_cycle
from tracker.queries.organizations import names_of as names_of_places
from tracker.queries.sampling import (
    Picked,
    Population,
    draw_of,
    picked_named,
    population_of,
    redrawn,
    stratum_name,
)
from tracker.services import inspections, log
from tracker.services.sampling import draw_from
from tracker.storage.intake import Accepted
from tracker.web import clock
from tracker.web.access import current_actor, guard
from tracker.web.as_of import answers_past, known_at, refuse_unless_known
from tracker.web.downloads import send_open
from tracker.web.forms import entered, page
from tracker.web.language import named
from tracker.web.uploads import UploadForm, settings, store

bp = Blueprint("inspection_plans", __name__, url_prefix="/inspections")

SHOWN = 300  # duties that a preview lists; of the others it gives the number
ON_PAGE = 200
EXCLUSIONS_LIMIT = 20_000
OF_STRATUM = "stratum:"  # how the names of the fields begin that hold the numbers of single strata
DRAWN = "drawn"


class ManyField(SelectMultipleField):
    """Several of a list, as check boxes."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class PlanForm(UploadForm):
    """What a check is about, and how its sample comes about. `files` holds the paper that orders it."""

    title = StringField(_l("名称"), validators=[InputRequired(), Length(max=100)])
    basis = TextAreaField(_l("依据"), validators=[InputRequired(), Length(max=1000)])
    files = MultipleFileField(_l("督查通知（附件）"))
    kind = RadioField(_l("类型"), default=InspectionKind.REGULAR.value)
    starts_on = DateField(_l("检查开始"), validators=[InputRequired()])
    ends_on = DateField(_l("检查结束"), validators=[InputRequired()])
    self_check_due_on = DateField(_l("自查截止日"), validators=[Optional()])
    leader = SelectField(_l("组长"), validators=[InputRequired()])
    members = ManyField(_l("成员"))
    units = ManyField(_l("被检查单位"))
    all_units = BooleanField(_l("全部单位"))
    period_starts_on = DateField(_l("检查时段自"), validators=[InputRequired()])
    period_ends_on = DateField(_l("检查时段至"), validators=[InputRequired()])
    dimensions = ManyField(_l("检查维度"))
    items = ManyField(_l("检查事项"))
    sample = RadioField(_l("抽查方式"), default="all")
    by = ManyField(_l("分层依据"))
    how = RadioField(_l("各层抽多少"), default="percent")
    percent = DecimalField(_l("抽取比例"), places=None, validators=[Optional()])
    number = IntegerField(_l("每层项数"), validators=[Optional()])
    seed = StringField(_l("抽样种子"), validators=[Length(max=SEED_LIMIT)])
    exclusions = TextAreaField(_l("剔除的任务"), validators=[Length(max=EXCLUSIONS_LIMIT)])
    reason = StringField(_l("剔除所勾任务的理由"), validators=[Length(max=REASON_LIMIT)])
    mark = HiddenField()

    def offer(self, checklist: Checklist, people: Iterable[Person], units: Iterable[Organization]) -> None:
        """Fill in what can be chosen."""
        team = [(person.key, person.name) for person in people]
        self.kind.choices = [(kind.value, _(name)) for kind, name in KIND_NAMES.items()]
        self.leader.choices = self.members.choices = team
        self.units.choices = [(unit.code, unit.name) for unit in units]
        self.dimensions.choices = [(dimension.id, named(dimension)) for dimension in checklist.dimensions]
        self.items.choices = [(item.id, item.title) for item in checklist.items]
        self.sample.choices = [
            ("all", _("范围内全部任务")),
            (DRAWN, _("抽签：按种子随机抽取，可以重抽验证")),
            ("hand", _("在任务清单中逐项挑选")),
        ]
        self.by.choices = [(trait.value, _(name)) for trait, name in TRAIT_NAMES.items()]
        self.how.choices = [("percent", _("按比例抽取")), ("number", _("按数量抽取"))]

    def validate_self_check_due_on(self, field: Field) -> None:
        """Refuse a day on which nobody can hand anything in any more."""
        if field.data and field.data < clock.today():
            raise ValidationError(_("自查截止日已经过去，请改选今天以后的日期。"))

    def take_in(self) -> None:
        """Take in the notice; a new one takes the place of one that the page carried."""
        super().take_in()
        self.accepted = self.accepted[-1:]

    @property
    def notice(self) -> Accepted | None:
        """The paper that orders the check."""
        return self.accepted[0] if self.accepted else None

    @property
    def is_drawn(self) -> bool:
        """Whether the sample is to be drawn."""
        return bool(self.sample.data == DRAWN)

    @property
    def asks_to_preview(self) -> bool:
        """Whether to show and not to save: as was asked, or because no draw was shown yet."""
        return "preview" in request.form or (self.is_drawn and not self.mark.data)

    @property
    def traits(self) -> tuple[Trait, ...]:
        """By what the population is divided, always in the same order."""
        return tuple(trait for trait in Trait if trait.value in (self.by.data or ()))

    @property
    def own_numbers(self) -> dict[str, str]:
        """What was typed for single strata, by the names of the fields."""
        return {name: text for name, text in request.form.items() if name.startswith(OF_STRATUM) and text.strip()}

    @property
    def ticked(self) -> list[str]:
        """The duties that were ticked in a preview, to be left out."""
        return request.form.getlist("out") if self.is_drawn else []

    def leave_out_ticked(self) -> None:
        """Write the ticked duties to those that are left out. Raises Invalid where the reason is missing."""
        reason = (self.reason.data or "").strip()
        if not self.ticked:
            return
        if not reason:
            raise Invalid(_n("请写明剔除所勾任务的理由。"), field="reason")
        lines = [(self.exclusions.data or "").rstrip(), *(f"{key} {reason}" for key in self.ticked)]
        self.exclusions.data, self.reason.data = "\n".join(filter(None, lines)), ""


@dataclass(frozen=True)
class Line:
    """A stratum in words: `field` is the name of the field for a number of its own, `picked` how many it gives."""

    name: str
    field: str
    stratum: Stratum
    picked: int


@dataclass(frozen=True)
class OfUnit:
    """How many duties of a unit are in scope, and how many of them in the sample."""

    name: str
    population: int
    picked: int


@dataclass(frozen=True)
class Preview:
    """What saving would put into the sample; without `sample` more is asked for than there is."""

    lines: Sequence[Line]
    units: Sequence[OfUnit]
    population: int
    sample: Sample | None = None
    duties: Sequence[Picked] = ()


@bp.route("/new", methods=["GET", "POST"])
@guard(Act.INSPECT)
def new() -> ResponseReturnValue:
    """Plan a check: look at what its sample would be as often as you like, then set it up."""
    cycle = current_cycle(db.session(), today=clock.today())
    if cycle is None:
        return render_template("board/nothing.html")
    form = PlanForm()
    checklist = checklist_of(cycle.checklist_version)
    form.offer(checklist, queries.inspectors_to_choose(db.session()), queries.units_to_choose(db.session()))
    sound = form.validate_on_submit()
    if request.method == "POST":
        form.take_in()
        with form.refusals():
            form.leave_out_ticked()
    if sound and not form.errors and not form.asks_to_preview:
        made = _saved(form, cycle)
        if made is not None:
            flash(_("已建立第 %(number)s 号督查。", number=made.number), "good")
            return redirect(_first_step(made))
    shown = _preview(form, cycle) if sound and _is_to_be_shown(form) else None
    return _plan_page(form, cycle, shown)


def _is_to_be_shown(form: PlanForm) -> bool:
    """After a conflict, what was shown before is not true any more; and what was ticked must still be there."""
    return form.asks_to_preview or form.refused_with == 409 or bool(form.ticked)


def _plan_page(form: PlanForm, cycle: Cycle, shown: Preview | None) -> ResponseReturnValue:
    checklist = checklist_of(cycle.checklist_version)
    return page(
        "inspections/new.html",
        form,
        preview=shown,
        dimension_of={item.id: item.dimension for item in checklist.items},
        items=items_of_year(db.session(), cycle),
        levels={level.id: named(level) for level in checklist.levels},
        file_limit=settings().file_limit,
        accept=accept_attribute(),
        endings=accepted_endings(),
        exclusions_limit=EXCLUSIONS_LIMIT,
    )


def _first_step(inspection: Inspection) -> str:
    """Where to go on: to picking duties, if they are picked by hand by whoever planned the check."""
    session = db.session()
    by_hand = queries.fact_of(session, inspection).sample == "hand"
    picks = by_hand and can(session, current_actor(), Act.INSPECT, inspection)
    return url_for("inspections.sample" if picks else "inspections.show", number=inspection.number)


def _saved(form: PlanForm, cycle: Cycle) -> Inspection | None:
    """Set the check up; None where it was refused."""
    made = None
    with form.refusals(), transaction() as session:
        plan = _plan(session, form, cycle)
        made = inspections.plan(session, cycle=cycle, plan=plan, actor=current_actor(), now=clock.now())
    return None if form.errors else made


def _plan(session: Session, form: PlanForm, cycle: Cycle) -> inspections.Plan:
    people = {person.key: person for person in queries.inspectors_to_choose(session)}
    chosen = set(form.units.data or [])
    members = [key for key in form.members.data or [] if key != form.leader.data]
    plan = inspections.Plan(
        title=entered(form.title),
        basis=entered(form.basis),
        kind=InspectionKind(form.kind.data),
        starts_on=entered(form.starts_on),
        ends_on=entered(form.ends_on),
        period_starts_on=entered(form.period_starts_on),
        period_ends_on=entered(form.period_ends_on),
        team=[(people[form.leader.data], MemberRole.LEADER), *((people[key], MemberRole.MEMBER) for key in members)],
        units=[unit for unit in queries.units_to_choose(session) if form.all_units.data or unit.code in chosen],
        items=_items(form, checklist_of(cycle.checklist_version)),
        picked=[] if form.sample.data == "hand" else None,
        self_check_due_on=form.self_check_due_on.data,
        notice=form.notice,
    )
    return replace(plan, draw=_draw(session, form, cycle, plan)) if form.is_drawn else plan


def _items(form: PlanForm, checklist: Checklist) -> list[str]:
    """The items of the chosen dimensions and those that were chosen one by one; none means all."""
    dimensions, items = set(form.dimensions.data or []), set(form.items.data or [])
    return [item.id for item in checklist.items if item.dimension in dimensions or item.id in items]


def _draw(session: Session, form: PlanForm, cycle: Cycle, plan: inspections.Plan) -> Draw:
    """What the form asks for; a seed is made where none is given."""
    form.seed.data = (form.seed.data or "").strip() or f"{secrets.randbelow(10**10):010}"
    population = population_of(session, inspections.scope_of(cycle, plan), by=form.traits)
    rule = Rule(
        by=form.traits,
        percent=form.percent.data if form.how.data == "percent" else None,
        number=form.number.data if form.how.data == "number" else None,
        numbers=_own_numbers(form, population) if form.how.data == "number" else {},
    )
    exclusions = exclusions_in(form.exclusions.data or "", population.ids)
    return Draw(form.seed.data, rule, exclusions, shown=form.mark.data or None)


def _own_numbers(form: PlanForm, population: Population) -> dict[Values, int]:
    """The numbers that were typed for strata that there still are."""
    strata = {one.stratum for one in population.candidates}
    found = {tuple(name.removeprefix(OF_STRATUM).split("/")): text for name, text in form.own_numbers.items()}
    try:
        return {values: int(text) for values, text in found.items() if values in strata}
    except ValueError as error:
        raise Invalid(_n("各层的抽取数量须是整数，请改正。"), field="number") from error


def _preview(form: PlanForm, cycle: Cycle) -> Preview | None:
    """What saving would take. Everything that is wrong stands beside its field; the mark is that of what is shown."""
    form.mark.data, shown = "", None
    with form.refusals():
        session = db.session()
        plan = _plan(session, form, cycle)
        shown = _sample_shown(session, form, cycle, plan) if plan.draw else _scope_shown(session, cycle, plan)
    if shown is not None and shown.sample is not None:
        form.mark.data = shown.sample.mark
    return shown


def _scope_shown(session: Session, cycle: Cycle, plan: inspections.Plan) -> Preview:
    """How many duties are in scope; all of them are looked at, or none before somebody picks them."""
    population = population_of(session, inspections.scope_of(cycle, plan))
    taken = [] if plan.sample == "hand" else population.ids
    return Preview((), _of_units(plan, population, taken), len(population.ids))


def _sample_shown(session: Session, form: PlanForm, cycle: Cycle, plan: inspections.Plan) -> Preview | None:
    assert plan.draw is not None  # noqa: S101  asked before
    scope, rule, checklist = inspections.scope_of(cycle, plan), plan.draw.rule, checklist_of(cycle.checklist_version)
    population = population_of(session, scope, by=rule.by)
    check(plan.draw, population.candidates)
    strata = strata_of(plan.draw, population.candidates)
    short = list(shortages(strata, name=lambda values: _name_of(values, rule.by, checklist)))
    for refusal in short:
        with form.refusals():
            raise refusal
    if short:
        lines = _lines(strata, Counter(), rule.by, checklist)
        return Preview(lines, _of_units(plan, population, []), len(population.ids))
    sample, population = draw_from(session, scope, replace(plan.draw, shown=None))
    return Preview(
        _lines(sample.strata, _taken(sample), rule.by, checklist),
        _of_units(plan, population, sample.picked),
        len(population.ids),
        sample,
        picked_named(session, sample.picked[:SHOWN]),
    )


def _taken(sample: Sample) -> Counter[Values]:
    """How many duties each stratum gives."""
    picked = set(sample.picked)
    return Counter(one.stratum for one in sample.population if one.key in picked)


def _lines(
    strata: Iterable[Stratum], taken: Mapping[Values, int], by: Sequence[Trait], checklist: Checklist
) -> list[Line]:
    return [
        Line(_name_of(one.values, by, checklist), OF_STRATUM + "/".join(one.values), one, taken.get(one.values, 0))
        for one in strata
    ]


def _name_of(values: Values, by: Sequence[Trait], checklist: Checklist) -> str:
    return stratum_name(values, by=by, checklist=checklist, words=_, title=named) or str(_("全部任务"))


def _of_units(plan: inspections.Plan, population: Population, picked: Iterable[str]) -> list[OfUnit]:
    """The units in their official order, those of which nothing is picked among them."""
    held = Counter(population.units.values())
    taken = Counter(population.units[key] for key in picked)
    return [OfUnit(unit.name, held[unit.id], taken[unit.id]) for unit in plan.units]


@bp.get("/<int:number>/draw")
@guard(Act.VIEW, Inspection, param="number")
@answers_past
def draw(inspection: Inspection) -> ResponseReturnValue:
    """How the sample was drawn, whether drawing it again gives the same, and how anybody can do that."""
    refuse_unless_known(inspection.created_at)
    session, at = db.session(), known_at()
    found = redrawn(session, inspection, as_of=at)
    if found is None:
        abort(404)
    checklist, rule, picked = checklist_of(inspection.cycle.checklist_version), found.asked.rule, found.sample.picked
    after = request.args.get("after", "")
    rest = [key for key in picked if key > after]
    duties = sorted(picked_named(session, rest[:ON_PAGE]), key=lambda one: one.key)
    return render_template(
        "inspections/draw.html",
        inspection=inspection,
        found=found,
        by=[TRAIT_NAMES[trait] for trait in rule.by],
        lines=_lines(found.sample.strata, _taken(found.sample), rule.by, checklist),
        excluded=_by_reason(found.draw.excluded),
        duties=duties,
        called=names_of_places(session, {one.organization_id for one in duties}, as_of=at) if at else {},
        before=len(picked) - len(rest),
        following=rest[ON_PAGE - 1] if len(rest) > ON_PAGE else None,
        items=items_of_year(session, inspection.cycle, as_of=at),
        levels={level.id: named(level) for level in checklist.levels},
        may_report=at is None and can(session, current_actor(), Act.REPORT, inspection),
    )


def _by_reason(excluded: Collection[Mapping[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in excluded:
        found.setdefault(one["reason"], []).append(one["key"])
    return found


@bp.get("/<int:number>/draw/population")
@guard(Act.VIEW, Inspection, param="number")
def population(inspection: Inspection) -> ResponseReturnValue:
    """The bytes that a sample was drawn from, whose digest is printed: anybody can draw from them again."""
    found = draw_of(db.session(), inspection)
    if found is None:
        abort(404)
    name = _("第%(number)s号督查抽样总体.txt", number=inspection.number)
    content = BytesIO(zlib.decompress(found.population))
    return send_file(content, mimetype="text/plain", as_attachment=True, download_name=name)


@bp.get("/<int:number>/notice")
@guard(Act.VIEW, Inspection, param="number")
def notice(inspection: Inspection) -> ResponseReturnValue:
    """The paper that orders the check, to keep."""
    file = queries.notice_of(db.session(), inspection)
    if file is None or file.sealed_at:
        abort(404)
    try:
        content = store().open(file.sha256)
    except FileNotFoundError:
        abort(404)
    name = queries.fact_of(db.session(), inspection).notice_name or file.sha256
    _note(inspection, file.sha256)
    return send_open(content, media_type=file.media_type, name=name, digest=file.sha256)


def _note(inspection: Inspection, digest: str) -> None:
    """Write into the access log who took the notice along."""
    actor, key = current_actor(), f"{inspection.number}/{digest}"
    verb = {"verb": "file.download", "kind": "inspection", "key": key}
    with transaction() as session:
        log.record_access(session, actor=actor, now=clock.now(), unit_id=None, **verb)
