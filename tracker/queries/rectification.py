"""The rectification of findings: where each stands, who may do what, and the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Date,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    true,
    union,
)
from sqlalchemy.orm import Session, joinedload

from tracker.domain.actor import Actor, AppointmentKind
from tracker.domain.inspection import STATE_AFTER, RectificationAction, RectificationState
from tracker.domain.rectification import DOING, REPORTING, SETTLING, UNFINISHED, Part, Standing, is_overdue
from tracker.models import (
    Appointment,
    Evidence,
    EvidenceFact,
    Finding,
    FindingFact,
    Inspection,
    InspectionMember,
    Organization,
    OrganizationAncestor,
    Person,
    PersonFact,
    RectificationStep,
    Seat,
)
from tracker.policy import Act, Viewer, ViewerKind, can, findings_to, kind_of, rectifies, values_of, visible
from tracker.queries.actors import in_force_on
from tracker.queries.columns import Columns, read
from tracker.queries.history import known
from tracker.queries.organizations import names_of as names_of_places
from tracker.queries.people import names_of

PAGE = 50
CHOICES = 50


@dataclass(frozen=True)
class StepLine:
    """One step as it is shown: with the name that the person had, and the number of the evidence."""

    step: RectificationStep
    person: str
    evidence: str | None


@dataclass(frozen=True)
class Row:
    """One line of the ledger: a finding, what it says, and its steps as known at the time.

    `organization` and `unit` are what these were called then.
    """

    finding: Finding
    fact: FindingFact
    number: int
    steps: tuple[StepLine, ...]
    today: date
    organization: str
    unit: str

    @property
    def standing(self) -> Standing:
        """Where the steps have led."""
        return Standing.after([line.step.action for line in self.steps])

    @property
    def state(self) -> RectificationState:
        """The state that is shown and counted."""
        return self.standing.state

    @property
    def deadline(self) -> date:
        """The deadline in force: that of the last extension granted, or the first one."""
        granted = [s.step.deadline for s in self.steps if s.step.action is RectificationAction.GRANT_EXTENSION]
        return next((deadline for deadline in reversed(granted) if deadline), self.fact.deadline)

    @property
    def overdue(self) -> bool:
        """Whether the unit is late."""
        return is_overdue(self.state, self.deadline, today=self.today)

    def last(self, *actions: RectificationAction) -> StepLine | None:
        """The latest step of these kinds."""
        return next((line for line in reversed(self.steps) if line.step.action in actions), None)


class Mine(StrEnum):
    """What waits for one person."""

    RECTIFY = "rectify"  # findings of their own organizations that are to be put right
    NOTIFY = "notify"  # findings of their checks of which no notice was given
    DECIDE = "decide"  # more time was asked for
    RECHECK = "recheck"  # reported as put right, and theirs to look at


@dataclass(frozen=True)
class Filters:
    """What the ledger is narrowed to; empty means everything. `unit` is a code, `inspection` a number."""

    unit: str = ""
    state: RectificationState | None = None
    inspection: int | None = None
    overdue: bool = False
    repeated: bool = False
    mine: Mine | None = None


@dataclass(frozen=True)
class Counts:
    """How many findings the ledger shows in each state, and how many where it is narrowed further."""

    states: Mapping[RectificationState, int]
    overdue: int
    repeated: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.states.values())


@dataclass(frozen=True)
class Waiting:
    """How many findings wait for one person, by what for; the nearest deadline of those that they put right."""

    numbers: Mapping[Mine, int]
    overdue: int
    nearest: date | None


@dataclass(frozen=True)
class Page:
    """A part of the ledger; `following` is the key of its last finding where there is more."""

    rows: tuple[Row, ...]
    following: str = ""


def steps_of(session: Session, finding: Finding) -> Sequence[RectificationStep]:
    """Every step on a finding, in order."""
    query = select(RectificationStep).where(RectificationStep.finding_id == finding.id)
    return session.scalars(query.order_by(RectificationStep.number)).all()


def standing_of(session: Session, finding: Finding) -> Standing:
    """Where the steps on a finding have led."""
    return Standing.after([step.action for step in steps_of(session, finding)])


def finders_of(session: Session, finding: Finding) -> list[int]:
    """Who worded the finding (row numbers), the first in front."""
    query = select(FindingFact.entered_by_id).where(FindingFact.finding_id == finding.id)
    return list(session.scalars(query.order_by(FindingFact.id)))


def doers_on(session: Session, finding: Finding) -> set[int]:
    """Everyone with a hand in putting it right: who took a step for the unit, or entered evidence that was attached."""
    return set(session.scalars(_doers(finding)))


def _doers(finding: Finding) -> CompoundSelect[int]:
    of_finding = RectificationStep.finding_id == finding.id
    took = select(RectificationStep.person_id).where(of_finding, RectificationStep.action.in_(DOING))
    entered = select(EvidenceFact.entered_by_id).join(
        RectificationStep, RectificationStep.evidence_id == EvidenceFact.evidence_id
    )
    return union(took, entered.where(of_finding))


def parts_of(session: Session, finding: Finding, actor: Actor) -> frozenset[Part]:
    """As what this person may act on the finding."""
    parts: set[Part] = set()
    sits = rectifies(session, actor, finding)
    if sits:
        parts.add(Part.CLERK)
    if True in sits:
        parts.add(Part.UNIT)
    if not can(session, actor, Act.RECHECK, finding):
        return frozenset(parts)
    parts.add(Part.TEAM)
    finders = finders_of(session, finding)
    if actor.person_id in finders:
        parts.add(Part.FINDER)
    elif actor.person_id not in doers_on(session, finding):
        parts.add(Part.RECHECKER)
    return frozenset(parts)


def signers_of(session: Session, finding: Finding, *, today: date) -> list[tuple[str, str, str]]:
    """Who may answer for the unit today: organization, post and name; those of the finding's organization in front."""
    query = (
        select(Organization.name, Seat.post, PersonFact.name)
        .join(Seat, Seat.organization_id == Organization.id)
        .join(Appointment, Appointment.seat_id == Seat.id)
        .join(PersonFact, and_(PersonFact.person_id == Appointment.person_id, known(PersonFact)))
        .join(
            OrganizationAncestor,
            and_(
                OrganizationAncestor.ancestor_id == Organization.id,
                OrganizationAncestor.descendant_id == finding.organization_id,
            ),
        )
        .where(
            Organization.unit_id == finding.unit_id,
            in_force_on(today),
            Appointment.kind != AppointmentKind.CLERK,
        )
        .order_by(OrganizationAncestor.distance, Seat.post, Seat.number, Appointment.id)
    )
    return [(organization, post, name) for organization, post, name in session.execute(query)]


def recheckers_of(session: Session, finding: Finding) -> list[str]:
    """Who of the team may look at it: neither worded it nor had a hand in putting it right."""
    finders = select(FindingFact.entered_by_id).where(FindingFact.finding_id == finding.id)
    query = _team(finding).where(Person.id.not_in(finders), Person.id.not_in(_doers(finding)))
    return list(session.scalars(query))


def finder_of(session: Session, finding: Finding, *, as_of: datetime | None = None) -> str:
    """Who noted it, as they were called then."""
    query = (
        select(PersonFact.name)
        .join(FindingFact, FindingFact.entered_by_id == PersonFact.person_id)
        .where(FindingFact.finding_id == finding.id, known(PersonFact, as_of))
        .order_by(FindingFact.id)
    )
    return session.scalars(query.limit(1)).first() or ""


def levels_of_unit(session: Session, finding: Finding) -> set[str]:
    """The levels that the organizations of its unit have."""
    query = select(Organization.level).where(Organization.unit_id == finding.unit_id)
    return set(session.scalars(query.distinct()))


def undecided(steps: Sequence[StepLine]) -> frozenset[int]:
    """The requests for more time (numbers of steps) that were never decided: the unit reported before."""
    found, open_one = set(), None
    for line in steps:
        action = line.step.action
        if action is RectificationAction.ASK_EXTENSION:
            open_one = line.step.number
        elif open_one is not None and action in SETTLING:
            if action in REPORTING:
                found.add(open_one)
            open_one = None
    return frozenset(found)


def team_names(session: Session, finding: Finding) -> list[str]:
    """The team of the check that found it, its leader in front."""
    return list(session.scalars(_team(finding)))


def _team(finding: Finding) -> Select[str]:
    return (
        select(Person.name)
        .join(InspectionMember, InspectionMember.person_id == Person.id)
        .where(InspectionMember.inspection_id == finding.inspection_id, known(InspectionMember))
        .order_by(InspectionMember.role, Person.key)
    )


def deadline_of(session: Session, finding: Finding) -> date:
    """The deadline in force now."""
    return row_of(session, finding, today=date.min).deadline


def _found(as_of: datetime | None) -> Select[Finding, FindingFact, int]:
    query = (
        select(Finding, FindingFact, Inspection.number)
        .join(FindingFact, and_(FindingFact.finding_id == Finding.id, known(FindingFact, as_of)))
        .join(Inspection, Inspection.id == Finding.inspection_id)
        .options(joinedload(Finding.organization).joinedload(Organization.unit), joinedload(Finding.duty))
    )
    return query if as_of is None else query.where(Finding.created_at <= as_of)


def row_of(session: Session, finding: Finding, *, today: date, as_of: datetime | None = None) -> Row:
    """One finding with everything that its page shows."""
    [row] = _rows(session, _found(as_of).where(Finding.id == finding.id), today=today, as_of=as_of)
    return row


def rows_of(
    session: Session, inspection: Inspection, *, today: date, as_of: datetime | None = None, unit_id: int | None = None
) -> list[Row]:
    """The findings of a check, or of one unit of it, in the order of their numbers."""
    query = _found(as_of).where(Finding.inspection_id == inspection.id).order_by(Finding.number)
    if unit_id is not None:
        query = query.where(Finding.unit_id == unit_id)
    return _rows(session, query, today=today, as_of=as_of)


def narrowed_rows(
    session: Session, condition: ColumnElement[bool], *, today: date, as_of: datetime | None = None
) -> list[Row]:
    """The findings for which a condition holds, in the order of check and number."""
    query = _found(as_of).where(condition).order_by(Inspection.number, Finding.number)
    return _rows(session, query, today=today, as_of=as_of)


def ledger(
    session: Session,
    actor: Actor,
    filters: Filters,
    *,
    today: date,
    as_of: datetime | None = None,
    after: str = "",
    size: int = PAGE,
) -> Page:
    """The findings that this person may see, the newest check first, in the order of their numbers.

    `after` is the key of the last finding of the page before.
    """
    query = _found(as_of).where(visible(actor, Finding), *_narrowed(actor, filters, today=today, as_of=as_of))
    query = query.where(_beyond(session, actor, after)).order_by(Inspection.number.desc(), Finding.number)
    rows = _rows(session, query.limit(size + 1), today=today, as_of=as_of)
    more = len(rows) > size
    return Page(tuple(rows[:size]), rows[size - 1].finding.key if more else "")


def counts_of(
    session: Session, actor: Actor, filters: Filters, *, today: date, as_of: datetime | None = None
) -> Counts:
    """How many rows the ledger has: in each state whatever state is chosen, and where it is narrowed one step more."""

    def counted(narrowed: Filters) -> dict[RectificationState, int]:
        conditions = _narrowed(actor, narrowed, today=today, as_of=as_of)
        found = _found(as_of).where(visible(actor, Finding), *conditions)
        last = found.with_only_columns(_last_action(as_of).label("action"), maintain_column_froms=True).subquery()
        numbers = dict.fromkeys(RectificationState, 0)
        query = select(last.c.action, func.count()).group_by(last.c.action)
        for action, number in session.execute(query):
            numbers[STATE_AFTER[action] if action else RectificationState.NOT_STARTED] += number
        return numbers

    return Counts(
        states=counted(replace(filters, state=None)),
        overdue=sum(counted(replace(filters, overdue=True)).values()),
        repeated=sum(counted(replace(filters, repeated=True)).values()),
    )


def waiting_for(session: Session, actor: Actor, *, today: date) -> Waiting:
    """What waits for this person, in one question."""
    found = read(session, _waiting(kind_of(actor)), {"today": today, **values_of(actor)})
    *numbers, overdue, nearest = found.one()
    return Waiting({mine: n or 0 for mine, n in zip(Mine, numbers, strict=True)}, overdue or 0, nearest)


@cache
def _waiting(kind: ViewerKind) -> Columns:
    """How many findings wait in each way, how many of them are overdue, and the nearest deadline."""
    late, deadline = _overdue(bindparam("today", type_=Date()), None), _deadline_in_force(None)
    own = _is_mine(kind, Mine.RECTIFY)
    asked = [func.sum(case((_is_mine(kind, mine), 1), else_=0)) for mine in Mine]
    columns = [*asked, func.sum(case((and_(own, late), 1), else_=0)), func.min(case((own, deadline)))]
    return _found(None).where(visible(kind, Finding)).with_only_columns(*columns, maintain_column_froms=True)


def _step(as_of: datetime | None, *actions: RectificationAction) -> Select[Any]:
    """The latest step on a finding, or the latest of these kinds."""
    query = select(RectificationStep).where(RectificationStep.finding_id == Finding.id)
    if actions:
        query = query.where(RectificationStep.action.in_(actions))
    if as_of is not None:
        query = query.where(RectificationStep.at <= as_of)
    return query.order_by(RectificationStep.number.desc()).limit(1).correlate(Finding)


def _last_action(as_of: datetime | None, *actions: RectificationAction) -> ScalarSelect[Any]:
    """The latest step: it alone decides the state."""
    return _step(as_of, *actions).with_only_columns(RectificationStep.action).scalar_subquery()


def _deadline_in_force(as_of: datetime | None) -> ColumnElement[date]:
    granted = _step(as_of, RectificationAction.GRANT_EXTENSION).with_only_columns(RectificationStep.deadline)
    return func.coalesce(granted.scalar_subquery(), FindingFact.deadline)


def stands(state: RectificationState, as_of: datetime | None) -> ColumnElement[bool]:
    """The filter that leaves the findings in this state, by their steps."""
    last = _last_action(as_of)
    there = last.in_([action for action, after in STATE_AFTER.items() if after is state])
    return or_(last.is_(None), there) if state is RectificationState.NOT_STARTED else there


def _overdue(today: date | BindParameter[date], as_of: datetime | None) -> ColumnElement[bool]:
    waits = or_(*(stands(state, as_of) for state in UNFINISHED))
    return and_(waits, _deadline_in_force(as_of) < today)


def _is_mine(viewer: Viewer, mine: Mine) -> ColumnElement[bool]:
    """Whether a finding waits for this person now."""
    if mine is Mine.RECTIFY:
        return and_(findings_to(viewer, Act.RECTIFY), or_(*(stands(state, None) for state in UNFINISHED)))
    team = findings_to(viewer, Act.RECHECK)
    if mine is Mine.NOTIFY:
        return and_(team, _last_action(None).is_(None))
    if mine is Mine.DECIDE:
        settling = [a for a in RectificationAction if a in SETTLING or a is RectificationAction.ASK_EXTENSION]
        return and_(team, _last_action(None, *settling) == RectificationAction.ASK_EXTENSION)
    return and_(team, stands(RectificationState.REPORTED, None), ~_had_a_hand(viewer))


def _had_a_hand(viewer: Viewer) -> ColumnElement[bool]:
    """Whether the person worded the finding, or had a hand in putting it right (`doers_on`)."""
    of_finding = FindingFact.finding_id == Finding.id, RectificationStep.finding_id == Finding.id
    worded = select(FindingFact.id).where(of_finding[0], FindingFact.entered_by_id == viewer.person_id)
    of_record = EvidenceFact.evidence_id == RectificationStep.evidence_id
    entered = select(EvidenceFact.id).where(of_record, EvidenceFact.entered_by_id == viewer.person_id)
    took = and_(RectificationStep.person_id == viewer.person_id, RectificationStep.action.in_(DOING))
    did = select(RectificationStep.id).where(of_finding[1], or_(took, entered.correlate(RectificationStep).exists()))
    return or_(worded.correlate(Finding).exists(), did.correlate(Finding).exists())


def _narrowed(actor: Actor, filters: Filters, *, today: date, as_of: datetime | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.unit:
        conditions.append(Finding.unit_id.in_(select(Organization.id).where(Organization.code == filters.unit)))
    if filters.inspection is not None:
        conditions.append(Inspection.number == filters.inspection)
    if filters.state is not None:
        conditions.append(stands(filters.state, as_of))
    if filters.overdue:
        conditions.append(_overdue(today, as_of))
    if filters.repeated:
        conditions.append(Finding.repeats.is_not(None))
    if filters.mine is not None and as_of is None:
        conditions.append(_is_mine(actor, filters.mine))
    return conditions


def _beyond(session: Session, actor: Actor, after: str) -> ColumnElement[bool]:
    """Everything behind the finding of that key in the order of the ledger."""
    place = session.execute(
        select(Inspection.number, Finding.number)
        .join(Inspection, Inspection.id == Finding.inspection_id)
        .where(Finding.key == after, visible(actor, Finding))
    ).first()
    if place is None:
        return Finding.id.is_not(None)
    check, number = place
    return or_(Inspection.number < check, and_(Inspection.number == check, Finding.number > number))


def _rows(
    session: Session, query: Select[Finding, FindingFact, int], *, today: date, as_of: datetime | None
) -> list[Row]:
    found = session.execute(query).all()
    lines = _lines(session, [finding.id for finding, _, _ in found], as_of=as_of)
    numbers = {number for finding, _, _ in found for number in (finding.organization_id, finding.unit_id)}
    name = names_of_places(session, numbers, as_of=as_of)
    return [
        Row(f, fact, number, tuple(lines[f.id]), today, name[f.organization_id], name[f.unit_id])
        for f, fact, number in found
    ]


def _lines(session: Session, findings: Collection[int], *, as_of: datetime | None) -> defaultdict[int, list[StepLine]]:
    query = (
        select(RectificationStep, Evidence.key)
        .outerjoin(Evidence, Evidence.id == RectificationStep.evidence_id)
        .where(RectificationStep.finding_id.in_(findings))
        .order_by(RectificationStep.finding_id, RectificationStep.number)
    )
    if as_of is not None:
        query = query.where(RectificationStep.at <= as_of)
    steps = session.execute(query).all()
    names = names_of(session, {step.person_id for step, _ in steps}, as_of=as_of)
    lines: defaultdict[int, list[StepLine]] = defaultdict(list)
    for step, evidence in steps:
        lines[step.finding_id].append(StepLine(step, names.get(step.person_id, ""), evidence))
    return lines


def evidence_to_attach(session: Session, finding: Finding, actor: Actor) -> list[tuple[Evidence, str]]:
    """Records of the finding's unit that the person sees, with their sentences, the newest first.

    There is one more than `CHOICES` where there are more.
    """
    query = (
        select(Evidence, EvidenceFact.sentence)
        .join(EvidenceFact, and_(EvidenceFact.evidence_id == Evidence.id, known(EvidenceFact)))
        .where(Evidence.unit_id == finding.unit_id, Evidence.withdrawn.is_(False), visible(actor, Evidence))
        .order_by(Evidence.entered_at.desc(), Evidence.id.desc())
        .limit(CHOICES + 1)
    )
    return [(evidence, sentence or "") for evidence, sentence in session.execute(query)]


def units_with_findings(session: Session, actor: Actor, *, as_of: datetime | None = None) -> list[Organization]:
    """The units in the ledger of this person, now or then, in their official order."""
    units = select(Finding.unit_id).where(visible(actor, Finding), _there(as_of))
    return list(session.scalars(select(Organization).where(Organization.id.in_(units)).order_by(Organization.place)))


def _there(as_of: datetime | None) -> ColumnElement[bool]:
    """Whether a finding had been noted by then."""
    return true() if as_of is None else Finding.created_at <= as_of


def checks_with_findings(session: Session, actor: Actor, *, as_of: datetime | None = None) -> list[int]:
    """The numbers of the checks in the ledger of this person, now or then, the newest first."""
    checks = select(Finding.inspection_id).where(visible(actor, Finding), _there(as_of))
    return list(
        session.scalars(select(Inspection.number).where(Inspection.id.in_(checks)).order_by(Inspection.number.desc()))
    )


def kindred_of(session: Session, finding: Finding, *, actor: Actor, as_of: datetime | None = None) -> list[str]:
    """The keys of the finding that this one repeats and of those that repeat it, as far as this person sees them."""
    if finding.item_id is None:
        return []
    query = select(Finding.key).where(
        or_(Finding.key == finding.repeats, Finding.repeats == finding.key), visible(actor, Finding)
    )
    query = query if as_of is None else query.where(Finding.created_at <= as_of)
    return list(session.scalars(query.order_by(Finding.id)))


def without_notice(session: Session, inspection: Inspection, *, unit: str = "") -> list[Finding]:
    """The findings of a check, or of one unit of it (a code), on which no step was taken yet."""
    query = select(Finding).where(Finding.inspection_id == inspection.id, _last_action(None).is_(None))
    if unit:
        query = query.where(Finding.unit_id.in_(select(Organization.id).where(Organization.code == unit)))
    return list(session.scalars(query.order_by(Finding.number)))


def was_given_notice(session: Session, inspection: Inspection, unit: Organization) -> bool:
    """Whether the unit was given notice of any finding of the check."""
    query = (
        select(RectificationStep.id)
        .join(Finding, Finding.id == RectificationStep.finding_id)
        .where(
            Finding.inspection_id == inspection.id,
            Finding.unit_id == unit.id,
            RectificationStep.action == RectificationAction.NOTIFY,
        )
    )
    return session.scalar(query.limit(1)) is not None


def to_be_received(session: Session, finding: Finding, actor: Actor) -> list[Finding]:
    """The findings of the same check of which notice was given and that this person may sign for, and nobody did."""
    query = select(Finding).where(
        Finding.inspection_id == finding.inspection_id,
        findings_to(actor, Act.RECTIFY),
        _last_action(None) == RectificationAction.NOTIFY,
    )
    waiting = session.scalars(query.order_by(Finding.number)).all()
    if all(sitting.may_sign for sitting in actor.sittings):
        return list(waiting)
    return [one for one in waiting if True in rectifies(session, actor, one)]  # not where they are a clerk


def seated_for(session: Session, finding: Finding, actor: Actor) -> Organization:
    """Where the person sits who answers for a finding: its organization, else the nearest above it in its unit."""
    seats = {sitting.organization_id for sitting in actor.sittings}
    query = (
        select(Organization)
        .join(OrganizationAncestor, OrganizationAncestor.ancestor_id == Organization.id)
        .where(
            OrganizationAncestor.descendant_id == finding.organization_id,
            Organization.unit_id == finding.unit_id,
            Organization.id.in_(seats),
        )
        .order_by(OrganizationAncestor.distance)
    )
    return session.scalars(query).first() or finding.organization
