"""The two supervision checks of the demo: number 1 finished, number 2 under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import select

from tracker.cli.demo import words
from tracker.cli.demo.clock import YEAR, chance, moment
from tracker.cli.demo.stage import Stage, later
from tracker.domain.duty import State
from tracker.domain.inspection import InspectionKind, MemberRole, Severity
from tracker.domain.sampling import Draw, Rule, Trait
from tracker.domain.score import Verdict as VerdictValue
from tracker.models import Cycle, Duty, Inspection, InspectionDuty, Organization, Person, Verdict
from tracker.services import inspections

LEADER, MEMBER = "ducha", "ducha2"
MET, PARTLY, MISSING = VerdictValue.MET, VerdictValue.PARTLY, VerdictValue.MISSING
BASIS = "《" + words.CITY + "市直机关2026年度督查计划》（示例）"


def put_on_queue(stage: Stage) -> None:
    """Number 1 in September, from the plan to the end; number 2 in November, half done."""
    units = stage.town.units
    half_year = (date(YEAR, 1, 1), date(YEAR, 6, 30))
    stage.at(moment(date(YEAR, 9, 7), 9), plan_first, units[1:4][:-1] or units[:1], *half_year)
    for day in (8, 9, 10):
        stage.at(moment(date(YEAR, 9, day), 9), judge_some, 1, 3 - (day - 8))
    stage.at(moment(date(YEAR, 9, 11), 9), judge_some, 1, 1)
    stage.at(moment(date(YEAR, 9, 11), 10), revise_one)
    stage.at(moment(date(YEAR, 9, 11), 15), overrule_one)
    stage.at(moment(date(YEAR, 9, 14), 9), find_problems, 1, 5, "")
    stage.at(moment(date(YEAR, 9, 16), 16), close_first)
    stage.at(moment(date(YEAR, 11, 2), 9), plan_second, units[:1] + units[-1:])
    stage.at(moment(date(YEAR, 11, 10), 9), judge_some, 2, 3)
    stage.at(moment(date(YEAR, 11, 10), 16), judge_branch, 2, f"{units[0]}-01")
    stage.at(moment(date(YEAR, 11, 11), 9), find_problems, 2, 1, f"{units[0]}-01")


def plan_first(stage: Stage, units: Sequence[str], first: date, last: date, now: datetime) -> None:
    """Two units, a sample picked by hand over all levels."""
    title = "2026年上半年责任清单落实情况督查"
    picked = _sample(stage, units, (first, last), title, today=now.date(), share=0.17)
    wanted = _plan(stage, title, InspectionKind.REGULAR, units, period=(first, last))
    _keep(stage, replace(wanted, starts_on=now.date(), ends_on=date(YEAR, 9, 18), picked=picked), now)


def plan_second(stage: Stage, units: Sequence[str], now: datetime) -> None:
    """The first unit and the smallest one, third quarter; the sample is drawn, and the units check themselves first."""
    period = (date(YEAR, 7, 1), date(YEAR, 9, 30))
    wanted = _plan(stage, "2026年第三季度专项督查", InspectionKind.SPECIAL, units, period=period)
    draw = Draw(words.SEED, Rule(by=(Trait.LEVEL, Trait.RETURNED), percent=Decimal(30)))
    dated = replace(wanted, starts_on=date(YEAR, 11, 9), ends_on=date(YEAR, 11, 27))
    _keep(stage, replace(dated, draw=draw, self_check_due_on=date(YEAR, 11, 6)), now)


def _plan(
    stage: Stage, title: str, kind: InspectionKind, units: Sequence[str], *, period: tuple[date, date]
) -> inspections.Plan:
    wanted = select(Person).where(Person.account_name.in_((LEADER, MEMBER)))
    people = {person.account_name: person for person in stage.session.scalars(wanted)}
    return inspections.Plan(
        title=title,
        basis=BASIS,
        kind=kind,
        starts_on=period[1],
        ends_on=period[1],
        period_starts_on=period[0],
        period_ends_on=period[1],
        team=[(people[LEADER], MemberRole.LEADER), (people[MEMBER], MemberRole.MEMBER)],
        units=[stage.organization(code) for code in units],
    )


def _keep(stage: Stage, wanted: inspections.Plan, now: datetime) -> None:
    cycle = stage.session.scalars(select(Cycle)).one()
    inspections.plan(stage.session, cycle=cycle, plan=wanted, actor=stage.actor(LEADER, now), now=now)


def _sample(
    stage: Stage, units: Sequence[str], period: tuple[date, date], title: str, *, today: date, share: float
) -> list[Duty]:
    """Some duties that were due, and every one at the top."""
    query = (
        select(Duty)
        .join(Organization, Organization.id == Duty.unit_id)
        .where(Organization.code.in_(units), Duty.in_force.is_(True), Duty.due_on < today)
        .where(Duty.period_starts_on <= period[1], Duty.period_ends_on >= period[0])
        .order_by(Duty.key)
    )
    found = stage.session.scalars(query).all()
    top = stage.town.ladder.top.id
    return [d for d in found if chance(title, d.key).random() < (3 * share if d.level == top else share)]


def _inspection(stage: Stage, number: int) -> Inspection:
    return stage.session.scalars(select(Inspection).where(Inspection.number == number)).one()


def _sampled(stage: Stage, inspection: Inspection, *, judged: bool) -> Sequence[Duty]:
    """The duties of the sample that have a verdict, or have none."""
    verdicts = select(Verdict.duty_id).where(Verdict.inspection_id == inspection.id, Verdict.superseded_at.is_(None))
    query = (
        select(Duty)
        .join(InspectionDuty, InspectionDuty.duty_id == Duty.id)
        .where(InspectionDuty.inspection_id == inspection.id)
        .where(Duty.id.in_(verdicts) if judged else Duty.id.not_in(verdicts))
    )
    return stage.session.scalars(query.order_by(Duty.key)).all()


def judge_some(stage: Stage, number: int, part: int, now: datetime) -> None:
    """Judge one in `part` of what has no verdict yet."""
    inspection = _inspection(stage, number)
    team = [stage.actor(LEADER, now), stage.actor(MEMBER, now)]
    for place, duty in enumerate(_sampled(stage, inspection, judged=False)[::part]):
        value, note = _verdict(duty)
        at = later(now, minutes=2 * place)
        actor = team[place % 2]
        inspections.judge(stage.session, inspection, duty, value=value, note=note, actor=actor, now=at)


def _verdict(duty: Duty) -> tuple[VerdictValue, str]:
    luck = chance(duty.key, "verdict")
    if duty.state in (State.NOT_APPLICABLE, State.EXCUSED):
        return VerdictValue.NOT_APPLICABLE, luck.choice(words.VERDICT_NOTES["not_applicable"])
    if duty.state not in (State.CONFIRMED, State.SUBMITTED):
        return MISSING, luck.choice(words.VERDICT_NOTES["missing"])
    if luck.random() < 0.12:
        return PARTLY, luck.choice(words.VERDICT_NOTES["partly"])
    return MET, ""


def revise_one(stage: Stage, now: datetime) -> None:
    """A verdict is revised after the unit has brought the paper."""
    inspection = _inspection(stage, 1)
    query = select(Verdict).where(Verdict.inspection_id == inspection.id, Verdict.value == PARTLY).order_by(Verdict.id)
    verdict = stage.session.scalars(query.limit(1)).first()
    if verdict is not None:
        note = "单位当场补充了原始记录，经核对属实。"
        actor = stage.actor(LEADER, now)
        inspections.judge(stage.session, inspection, verdict.duty, value=MET, note=note, actor=actor, now=now)


def overrule_one(stage: Stage, now: datetime) -> None:
    """One item is given fewer points than the formula gives."""
    inspection = _inspection(stage, 1)
    known = stage.checklist.item
    duty = next(
        d for d in _sampled(stage, inspection, judged=True) if d.item_id in known and known[d.item_id].points > 3
    )
    inspections.overrule(
        stage.session,
        inspection,
        organization=duty.organization,
        item=known[duty.item_id],
        tenths=15,
        reason="记录系集中补写，不能反映实际开展情况，经检查组集体研究改定。",
        actor=stage.actor(LEADER, now),
        now=now,
    )


def judge_branch(stage: Stage, number: int, code: str, now: datetime) -> None:
    """What a branch owes in the sample is not all met, so that somebody with an account has a finding to answer."""
    inspection, branch = _inspection(stage, number), stage.organization(code)
    if _faults(stage, inspection, code):
        return
    for duty in [*_sampled(stage, inspection, judged=False), *_sampled(stage, inspection, judged=True)]:
        if duty.organization_id == branch.id and duty.state not in (State.NOT_APPLICABLE, State.EXCUSED):
            value = PARTLY if duty.state in (State.CONFIRMED, State.SUBMITTED) else MISSING
            note = words.VERDICT_NOTES[value.value][0]
            actor = stage.actor(LEADER, now)
            inspections.judge(stage.session, inspection, duty, value=value, note=note, actor=actor, now=now)
            return


def _faults(stage: Stage, inspection: Inspection, code: str = "") -> Sequence[Verdict]:
    """What was found partly done or missing, of the whole check or of one organization."""
    query = (
        select(Verdict)
        .where(Verdict.inspection_id == inspection.id, Verdict.superseded_at.is_(None))
        .where(Verdict.value.in_((PARTLY, MISSING)))
        .order_by(Verdict.id)
    )
    return [one for one in stage.session.scalars(query) if code in ("", one.duty.organization.code)]


def find_problems(stage: Stage, number: int, most: int, code: str, now: datetime) -> None:
    """Note findings about what was partly done or missing, each with a deadline."""
    inspection = _inspection(stage, number)
    for place, verdict in enumerate(_faults(stage, inspection, code)[:most]):
        duty = verdict.duty
        problem, demand, severity = words.PROBLEMS[place % len(words.PROBLEMS)]
        inspections.find(
            stage.session,
            inspection,
            organization=duty.organization,
            duty=duty,
            problem=inspections.Problem(
                problem=problem,
                basis=_basis(stage, duty),
                post=duty.post,
                severity=Severity(severity),
                demand=demand,
                deadline=date(YEAR, now.month + 1, 9 + 3 * place),
            ),
            actor=stage.actor(LEADER, now),
            now=later(now, minutes=place),
        )


def _basis(stage: Stage, duty: Duty) -> str:
    """The regulation that the item names, with the article."""
    item = stage.checklist.item.get(duty.item_id)
    if item is None or not item.sources:
        return stage.checklist.title
    source = item.sources[0]
    return f"《{stage.checklist.regulation[source.regulation].name}》{source.article}"


def close_first(stage: Stage, now: datetime) -> None:
    """The first check ends."""
    inspections.close(stage.session, _inspection(stage, 1), actor=stage.actor(LEADER, now), now=now)
