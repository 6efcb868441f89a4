"""Supervision checks: plan one, judge the duties of its sample, note findings, overrule points, close it."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.checklist import Item
from tracker.domain.errors import Invalid, NotAllowed, WrongState
from tracker.domain.inspection import (
    InspectionKind,
    InspectionState,
    MemberRole,
    RectificationState,
    Severity,
)
from tracker.domain.rectification import deadline_on
from tracker.domain.sampling import Draw
from tracker.domain.score import NEEDS_A_REASON, item_score
from tracker.domain.score import Verdict as VerdictValue
from tracker.domain.text import _n
from tracker.models import (
    Cycle,
    Duty,
    Finding,
    FindingFact,
    Inspection,
    InspectionDuty,
    InspectionFact,
    InspectionMember,
    InspectionUnit,
    Organization,
    Overrule,
    Person,
    Verdict,
)
from tracker.policy import Act, require
from tracker.queries.assignments import items_of_year
from tracker.queries.calendar import work_calendar
from tracker.queries.evidence import Ids, doers_of
from tracker.queries.history import SHANGHAI, known
from tracker.queries.inspections import fact_of, is_sampled, units_of
from tracker.queries.look_back import unseen
from tracker.queries.rectification import steps_of
from tracker.queries.sampling import Scope, population_of
from tracker.services import log
from tracker.services.evidence import stored_files
from tracker.services.sampling import draw_from, keep_draw
from tracker.storage.intake import Accepted

NOTE_LIMIT = 1000


@dataclass(frozen=True)
class Plan:
    """What a check is about. `items` empty means all of them; the sample is all that is in scope, or what is picked.

    `picked` are the duties of a sample picked by hand; `draw` says how one is drawn. `notice` is the paper that orders
    the check.
    """

    title: str
    basis: str
    kind: InspectionKind
    starts_on: date
    ends_on: date
    period_starts_on: date
    period_ends_on: date
    team: Sequence[tuple[Person, MemberRole]]
    units: Sequence[Organization]
    items: Sequence[str] = ()
    picked: Sequence[Duty] | None = None
    draw: Draw | None = None
    self_check_due_on: date | None = None
    notice: Accepted | None = None

    @property
    def sample(self) -> str:
        """How the sample comes about: `all`, by `hand`, or `drawn`."""
        if self.draw is not None:
            return "drawn"
        return "all" if self.picked is None else "hand"


@dataclass(frozen=True)
class Problem:
    """What a finding says. `basis` names the regulation and article; `post` is the post responsible.

    `item_id` names the item where no duty does.
    """

    problem: str
    basis: str
    post: str
    severity: Severity
    demand: str
    deadline: date
    item_id: str | None = None


def plan(session: Session, *, cycle: Cycle, plan: Plan, actor: Actor, now: datetime) -> Inspection:
    """Set up a check with its scope, team and sample, and return it."""
    require(session, actor, Act.INSPECT)
    _check_plan(plan)
    number = (session.scalar(select(func.max(Inspection.number))) or 0) + 1
    inspection = Inspection(
        number=number, cycle_id=cycle.id, state=InspectionState.OPEN, created_by_id=actor.person_id, created_at=now
    )
    session.add(inspection)
    session.flush()
    session.add(_fact_of(session, plan, inspection, actor=actor, now=now))
    for person, role in plan.team:
        session.add(InspectionMember(inspection_id=inspection.id, person_id=person.id, role=role, recorded_at=now))
    for unit in plan.units:
        session.add(InspectionUnit(inspection_id=inspection.id, organization_id=unit.id, recorded_at=now))
    sample = _choose(session, inspection, plan, actor=actor, now=now)
    _add_to_sample(session, inspection, sample, now=now)
    log.record(
        session,
        actor=actor,
        now=now,
        verb="inspection.plan",
        kind="inspection",
        key=str(number),
        chains={unit.code for unit in plan.units},
        after=_told(plan, len(sample)),
    )
    return inspection


def scope_of(cycle: Cycle, plan: Plan) -> Scope:
    """What the plan lets a sample be taken from."""
    _check_plan(plan)
    return Scope(cycle, plan.units, plan.period_starts_on, plan.period_ends_on, plan.ends_on, plan.items)


def _choose(session: Session, inspection: Inspection, plan: Plan, *, actor: Actor, now: datetime) -> list[int]:
    """The row numbers of the duties in the sample, by their keys; a draw is written down."""
    scope = scope_of(inspection.cycle, plan)
    if plan.draw is not None:
        sample, population = draw_from(session, scope, plan.draw)
        keep_draw(session, inspection, plan.draw, sample, actor=actor, now=now)
        return [population.ids[key] for key in sample.picked]
    if plan.picked is not None:
        return [duty.id for duty in plan.picked]
    found = population_of(session, scope)
    return [found.ids[one.key] for one in found.candidates]


def _told(plan: Plan, sampled: int) -> dict[str, object]:
    return {
        "title": plan.title,
        "basis": plan.basis,
        "kind": plan.kind.value,
        "dates": [plan.starts_on.isoformat(), plan.ends_on.isoformat()],
        "periods": [plan.period_starts_on.isoformat(), plan.period_ends_on.isoformat()],
        "team": sorted(f"{person.key}:{role.value}" for person, role in plan.team),
        "units": sorted(unit.code for unit in plan.units),
        "items": sorted(plan.items),
        "sample": plan.sample,
        "duties": sampled,
        **({"seed": plan.draw.seed, "rule": plan.draw.rule.told()} if plan.draw else {}),
        **({"notice": plan.notice.sha256} if plan.notice else {}),
        **({"self_check_due_on": plan.self_check_due_on.isoformat()} if plan.self_check_due_on else {}),
    }


def _check_plan(plan: Plan) -> None:
    if plan.draw is not None and plan.picked is not None:
        raise ValueError("a sample is either drawn or picked by hand")
    if not plan.units:
        raise Invalid(_n("请至少选择一个被检查单位。"), field="units")
    if not plan.team:
        raise Invalid(_n("请至少选择一名检查组成员。"), field="team")
    if plan.ends_on < plan.starts_on:
        raise Invalid(_n("结束日期早于开始日期，请改正。"), field="ends_on")
    if plan.period_ends_on < plan.period_starts_on:
        raise Invalid(_n("检查时段的止日早于起日，请改正。"), field="period_ends_on")
    _check_self_check(plan)
    not_units = [unit.name for unit in plan.units if not unit.is_unit]
    if not_units:
        raise Invalid(_n("%(names)s 不是接受检查的单位，请改选其所属单位。"), field="units", names="、".join(not_units))


def _check_self_check(plan: Plan) -> None:
    if plan.self_check_due_on is None:
        return
    if plan.self_check_due_on > plan.starts_on:
        raise Invalid(_n("自查截止日不能晚于检查开始日，请改选日期。"), field="self_check_due_on")
    if plan.self_check_due_on < plan.period_starts_on:
        raise Invalid(_n("自查截止日不能早于检查时段的开始，请改选日期。"), field="self_check_due_on")


def _fact_of(session: Session, plan: Plan, inspection: Inspection, *, actor: Actor, now: datetime) -> InspectionFact:
    notice = stored_files(session, [plan.notice], now=now)[plan.notice.sha256] if plan.notice else None
    return InspectionFact(
        inspection_id=inspection.id,
        title=plan.title,
        basis=plan.basis,
        kind=plan.kind,
        state=InspectionState.OPEN,
        starts_on=plan.starts_on,
        ends_on=plan.ends_on,
        period_starts_on=plan.period_starts_on,
        period_ends_on=plan.period_ends_on,
        items=sorted(plan.items),
        sample=plan.sample,
        notice_file_id=notice,
        notice_name=plan.notice.name if plan.notice else None,
        self_check_due_on=plan.self_check_due_on,
        ranked=False,
        entered_by_id=actor.person_id,
        recorded_at=now,
    )


def _add_to_sample(session: Session, inspection: Inspection, duties: Iterable[int], *, now: datetime) -> None:
    session.add_all(InspectionDuty(inspection_id=inspection.id, duty_id=duty, recorded_at=now) for duty in duties)
    session.flush()


def add_to_sample(session: Session, inspection: Inspection, duty: Duty, *, actor: Actor, now: datetime) -> None:
    """Pick one more duty by hand; it must lie in the units of the check."""
    add_many(session, inspection, [duty], actor=actor, now=now)


def add_many(
    session: Session, inspection: Inspection, duties: Iterable[Duty], *, actor: Actor, now: datetime
) -> list[Duty]:
    """Pick more duties by hand, in the units of the check; return those that were not in the sample yet.

    Each unit gets one entry in its log.
    """
    _require_own(session, inspection, actor)
    units, there = set(_units(session, inspection)), set(_sampled_ids(session, inspection))
    wanted = {duty.id: duty for duty in duties}
    if any(duty.cycle_id != inspection.cycle_id or duty.unit_id not in units for duty in wanted.values()):
        raise Invalid(_n("这项任务不属于本次检查的单位，不能加入抽查。"))
    new = sorted((duty for duty in wanted.values() if duty.id not in there), key=lambda duty: duty.key)
    _add_to_sample(session, inspection, [duty.id for duty in new], now=now)
    of_new = select(Organization).where(Organization.id.in_({duty.unit_id for duty in new}))
    for unit in sorted(session.scalars(of_new), key=lambda unit: unit.code):  # as the log orders its chains
        added = {"duties": [duty.key for duty in new if duty.unit_id == unit.id]}
        _log(session, inspection, unit, actor=actor, now=now, verb="inspection.sample", after=added)
    return new


def _sampled_ids(session: Session, inspection: Inspection) -> Iterable[int]:
    query = select(InspectionDuty.duty_id).where(InspectionDuty.inspection_id == inspection.id, known(InspectionDuty))
    return session.scalars(query)


def _units(session: Session, inspection: Inspection) -> list[int]:
    query = select(InspectionUnit.organization_id).where(
        InspectionUnit.inspection_id == inspection.id, known(InspectionUnit)
    )
    return list(session.scalars(query))


def _log(
    session: Session,
    inspection: Inspection,
    unit: Organization,
    *,
    actor: Actor,
    now: datetime,
    verb: str,
    before: object = None,
    after: object = None,
) -> None:
    log.record(
        session,
        actor=actor,
        now=now,
        verb=verb,
        kind="inspection",
        key=str(inspection.number),
        chains=[unit.code],
        before=before,
        after=after,
    )


def judge(
    session: Session,
    inspection: Inspection,
    duty: Duty,
    *,
    value: VerdictValue,
    note: str = "",
    actor: Actor,
    now: datetime,
) -> Verdict:
    """Give a verdict on a sampled duty, or revise it by a new row; the earlier one is kept."""
    _require_own(session, inspection, actor)
    assert actor.person_id is not None  # noqa: S101  an operator is not in any team
    if not is_sampled(session, inspection, duty):
        raise Invalid(_n("这项任务不在本次抽查范围内，请先加入抽查。"))
    if actor.person_id in _doers(session, [duty.id]):
        raise NotAllowed(_n("您提交或录入过这项任务的内容，不能核查它；请由检查组其他成员核查。"))
    if value in NEEDS_A_REASON and not note.strip():
        raise Invalid(_n("结论为部分落实、未落实或不适用时，请写明理由。"), field="note")
    if len(note) > NOTE_LIMIT:
        raise Invalid(_n("说明超过 %(limit)s 字，请精简。"), field="note", limit=NOTE_LIMIT)
    old = current_verdict(session, inspection, duty)
    if old is not None:
        old.superseded_at = now
        session.flush()
    verdict = Verdict(
        inspection_id=inspection.id,
        duty_id=duty.id,
        unit_id=duty.unit_id,
        person_id=actor.person_id,
        submitter_id=duty.submitted_by_id,
        value=value,
        note=note.strip(),
        recorded_at=now,
    )
    session.add(verdict)
    session.flush()
    before = {"value": old.value.value, "note": old.note} if old else None
    after = {"duty": duty.key, "value": value.value, "note": verdict.note}
    _log(session, inspection, duty.unit, actor=actor, now=now, verb="inspection.judge", before=before, after=after)
    return verdict


def current_verdict(session: Session, inspection: Inspection, duty: Duty) -> Verdict | None:
    """The verdict in force, locked so that two inspectors do not judge at once."""
    return session.scalar(
        select(Verdict)
        .where(Verdict.inspection_id == inspection.id, Verdict.duty_id == duty.id, known(Verdict))
        .with_for_update()
    )


def _require_own(session: Session, inspection: Inspection, actor: Actor) -> None:
    """Refuse whoever may not inspect here; the check is locked, so that nothing is written while it is closed."""
    session.flush()
    session.refresh(inspection, with_for_update={"key_share": True, "of": Inspection})
    require(session, actor, Act.INSPECT, inspection)


def _doers(session: Session, duties: Ids) -> set[int]:
    """Everyone who submitted one of the duties, or entered or linked something that serves it."""
    return {person for people in doers_of(session, duties).values() for person in people}


def overrule(
    session: Session,
    inspection: Inspection,
    *,
    organization: Organization,
    item: Item,
    tenths: int | None,
    reason: str,
    actor: Actor,
    now: datetime,
) -> Overrule:
    """Give an item of an organization other points than the formula does, in tenths (None takes that back)."""
    _require_own(session, inspection, actor)
    assert actor.person_id is not None  # noqa: S101  an operator is not in any team
    if not reason.strip():
        raise Invalid(_n("改定得分须写明理由，报告会同时列出计算得分和改定得分。"), field="reason")
    if organization.unit_id not in set(_units(session, inspection)):
        raise Invalid(_n("这个组织不属于本次检查的单位。"))
    judged = _judged(inspection, organization, item)
    if actor.person_id in _doers(session, judged):
        raise NotAllowed(_n("您提交或录入过这项任务的内容，不能核查它；请由检查组其他成员核查。"))
    given = None if tenths is None else Fraction(tenths, 10)
    item_score(item.points, _values(session, inspection, judged), overruled=given)
    old = session.scalar(
        select(Overrule).where(
            Overrule.inspection_id == inspection.id,
            Overrule.organization_id == organization.id,
            Overrule.item_id == item.id,
            known(Overrule),
        )
    )
    if old is not None:
        old.superseded_at = now
        session.flush()
    row = Overrule(
        inspection_id=inspection.id,
        organization_id=organization.id,
        item_id=item.id,
        tenths=tenths,
        reason=reason.strip(),
        person_id=actor.person_id,
        recorded_at=now,
    )
    session.add(row)
    session.flush()
    before = {"tenths": old.tenths} if old else None
    after = {"organization": organization.code, "item": item.id, "tenths": tenths, "reason": row.reason}
    unit = organization.unit
    _log(session, inspection, unit, actor=actor, now=now, verb="inspection.overrule", before=before, after=after)
    return row


def _judged(inspection: Inspection, organization: Organization, item: Item) -> Select[int]:
    """The duties (row numbers) whose verdicts make up the points of an item in an organization."""
    return (
        select(Duty.id)
        .join(Verdict, Verdict.duty_id == Duty.id)
        .where(
            Verdict.inspection_id == inspection.id,
            known(Verdict),
            Duty.organization_id == organization.id,
            Duty.item_id == item.id,
        )
    )


def _values(session: Session, inspection: Inspection, duties: Select[int]) -> list[VerdictValue]:
    of_check = Verdict.inspection_id == inspection.id
    return list(session.scalars(select(Verdict.value).where(of_check, known(Verdict), Verdict.duty_id.in_(duties))))


def find(
    session: Session,
    inspection: Inspection,
    *,
    organization: Organization,
    duty: Duty | None,
    problem: Problem,
    actor: Actor,
    now: datetime,
) -> Finding:
    """Note a problem at an organization, or with one of its duties; its rectification has not begun."""
    _require_own(session, inspection, actor)
    if duty is not None and duty.organization_id != organization.id:
        raise Invalid(_n("这个组织不是该任务所属的组织；不涉及这项任务的问题，请从督查页登记。"), field="organization")
    if organization.unit_id not in set(_units(session, inspection)):
        raise Invalid(_n("这个组织不属于本次检查的单位。"), field="organization")
    _check_problem(problem, now=now)
    item_id = duty.item_id if duty else problem.item_id
    if item_id is not None and item_id not in items_of_year(session, inspection.cycle):
        raise Invalid(_n("本年度没有事项 %(item)s，请重新选择。"), field="item", item=item_id)
    last = session.scalar(select(func.max(Finding.number)).where(Finding.inspection_id == inspection.id)) or 0
    finding = Finding(
        key=f"{inspection.number}-{last + 1}",
        inspection_id=inspection.id,
        number=last + 1,
        unit_id=organization.unit_id,
        organization_id=organization.id,
        duty_id=duty.id if duty else None,
        item_id=item_id,
        repeats=_repeated(session, inspection, organization.unit_id, item_id, now=now),
        state=RectificationState.NOT_STARTED,
        created_at=now,
    )
    session.add(finding)
    session.flush()
    _state(session, finding, problem, duty, actor=actor, now=now, before=None)
    return finding


def _repeated(
    session: Session, inspection: Inspection, unit_id: int, item_id: str | None, *, now: datetime
) -> str | None:
    """The key of the finding that the item had in the unit within the year before, in another check: the latest."""
    if item_id is None:
        return None
    day = now.astimezone(SHANGHAI)
    year_ago = day.replace(year=day.year - 1, day=min(day.day, monthrange(day.year - 1, day.month)[1]))
    return session.scalar(
        select(Finding.key)
        .where(
            Finding.unit_id == unit_id,
            Finding.item_id == item_id,
            Finding.created_at >= year_ago,
            Finding.inspection_id != inspection.id,
        )
        .order_by(Finding.created_at.desc(), Finding.id.desc())
        .limit(1)
    )


def correct_finding(session: Session, finding: Finding, *, problem: Problem, actor: Actor, now: datetime) -> None:
    """Put a finding in other words, while its check is open and it is not closed; the earlier wording is kept.

    Once a step was taken, its deadline moves by an extension only.
    """
    _require_own(session, finding.inspection, actor)
    session.refresh(finding, with_for_update=True)
    if finding.state is RectificationState.CLOSED:
        raise WrongState(_n("这个问题已经销号，不能再更正；确有需要的，请另行登记问题。"))
    old = session.scalars(select(FindingFact).where(FindingFact.finding_id == finding.id, known(FindingFact))).one()
    if problem.deadline != old.deadline and steps_of(session, finding):
        message = _n("整改已经开始，期限 %(day)s 不能直接更正；需要延长的，由责任单位申请延期。")
        raise Invalid(message, field="deadline", day=old.deadline)
    _check_problem(problem, now=now, before=old.deadline)
    old.superseded_at = now
    session.flush()
    before = {"problem": old.problem, "demand": old.demand, "deadline": old.deadline.isoformat()}
    _state(session, finding, problem, finding.duty, actor=actor, now=now, before=before)


def _check_problem(problem: Problem, *, now: datetime, before: date | None = None) -> None:
    """Refuse a problem without words, and a deadline that has passed unless it was that `before`."""
    for field, text in (("problem", problem.problem), ("demand", problem.demand)):
        if not text.strip():
            raise Invalid(_n("请写明发现的问题和整改要求。"), field=field)
        if len(text) > NOTE_LIMIT:
            raise Invalid(_n("说明超过 %(limit)s 字，请精简。"), field=field, limit=NOTE_LIMIT)
    if problem.deadline != before and problem.deadline < now.astimezone(SHANGHAI).date():
        raise Invalid(_n("整改期限不能早于今天，请改选日期。"), field="deadline")


def _state(
    session: Session,
    finding: Finding,
    problem: Problem,
    duty: Duty | None,
    *,
    actor: Actor,
    now: datetime,
    before: object,
) -> None:
    assert actor.person_id is not None  # noqa: S101  an operator is not in any team
    deadline = deadline_on(work_calendar(session), problem.deadline).on
    fact = FindingFact(
        finding_id=finding.id,
        problem=problem.problem.strip(),
        basis=problem.basis.strip(),
        post=problem.post,
        severity=problem.severity,
        demand=problem.demand.strip(),
        deadline=deadline,
        entered_by_id=actor.person_id,
        recorded_at=now,
    )
    session.add(fact)
    session.flush()
    after = {
        "finding": finding.key,
        "duty": duty.key if duty else None,
        "organization": finding.organization.code,
        "problem": fact.problem,
        "basis": fact.basis,
        "post": fact.post,
        "severity": fact.severity.value,
        "demand": fact.demand,
        "deadline": fact.deadline.isoformat(),
        "repeats": finding.repeats,
    }
    verb = "inspection.correct_finding" if before else "inspection.find"
    unit = finding.organization.unit
    _log(session, finding.inspection, unit, actor=actor, now=now, verb=verb, before=before, after=after)


def close(session: Session, inspection: Inspection, *, actor: Actor, now: datetime) -> None:
    """Close the check: verdicts stand from now on. Every duty of the sample must have one."""
    _require_own(session, inspection, actor)
    fact = fact_of(session, inspection)
    if fact.state is InspectionState.CLOSED:
        raise WrongState(_n("本次检查已经结束。"))
    unjudged = _unjudged(session, inspection)
    if unjudged:
        raise WrongState(_n("还有 %(number)s 项抽查任务没有核查结论，请核查完再结束。"), number=unjudged)
    open_findings = unseen(session, inspection)
    if open_findings:
        raise WrongState(_n("回头看还有 %(number)s 个问题没有核查结论，请核查完再结束。"), number=open_findings)
    supersede_fact(session, fact, actor=actor, now=now, state=InspectionState.CLOSED)
    inspection.state = InspectionState.CLOSED
    session.flush()
    log.record(
        session,
        actor=actor,
        now=now,
        verb="inspection.close",
        kind="inspection",
        key=str(inspection.number),
        chains={unit.code for unit in units_of(session, inspection)},
        after={"state": "closed"},
    )


def _unjudged(session: Session, inspection: Inspection) -> int:
    judged = select(Verdict.duty_id).where(Verdict.inspection_id == inspection.id, known(Verdict))
    query = select(func.count()).where(
        InspectionDuty.inspection_id == inspection.id, known(InspectionDuty), InspectionDuty.duty_id.not_in(judged)
    )
    return session.scalar(query) or 0


def supersede_fact(session: Session, fact: InspectionFact, *, actor: Actor, now: datetime, **changes: object) -> None:
    """Say anew what a check is, with these changes; the earlier row is kept."""
    columns = {c.key for c in InspectionFact.__mapper__.columns} - {"id", "recorded_at", "superseded_at"}
    values = {name: getattr(fact, name) for name in columns} | {"entered_by_id": actor.person_id} | changes
    fact.superseded_at = now
    session.flush()
    session.add(InspectionFact(**values, recorded_at=now))
