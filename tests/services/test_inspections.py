"""Supervision checks: scope, verdicts that are revised by new rows, findings, points, and closing."""

import json
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from tests.city import NOW, City
from tests.work import ACT, CHECKLIST, PRESENT, cycle_of, duty, file, queries_of
from tracker.domain.errors import Invalid, NotAllowed, WrongState
from tracker.domain.inspection import InspectionKind, InspectionState, MemberRole, Severity
from tracker.domain.score import Verdict
from tracker.models import Duty, EvidenceLink, Inspection, InspectionDuty, LogChain, LogEntry
from tracker.models import Verdict as VerdictRow
from tracker.policy import visible
from tracker.queries import inspections as queries
from tracker.queries.inspection_as_of import sample_then
from tracker.services import inspections, sign_offs
from tracker.services.inspections import Plan, Problem
from tracker.web.access import WITH

ITEM = CHECKLIST.item["L3-02"]


@pytest.fixture
def meetings(session, city):
    """March and April of a monthly item of Asha, and March of the same item of Omar in the other unit."""
    return [
        duty(city, "D1-B1.P4-1", "L3-02", "M03"),
        duty(city, "D1-B1.P4-1", "L3-02", "M04"),
        duty(city, "D2-B1.P4-1", "L3-02", "M03"),
    ]


def plan_of(city: City, *, units=("D1",), team=("Ines",), **changes):
    members = [(city.people[who], MemberRole.LEADER if who == team[0] else MemberRole.MEMBER) for who in team]
    values = {
        "title": "上半年督查",
        "basis": "年度工作安排",
        "kind": InspectionKind.REGULAR,
        "starts_on": date(2026, 5, 18),
        "ends_on": date(2026, 5, 29),
        "period_starts_on": date(2026, 1, 1),
        "period_ends_on": date(2026, 5, 31),
        "team": members,
        "units": [city.organizations[unit] for unit in units],
    }
    return Plan(**{**values, **changes})


def planned(session, city, **changes):
    plan = plan_of(city, **changes)
    return inspections.plan(session, cycle=cycle_of(session), plan=plan, actor=city.actor(plan_leader(plan)), now=NOW)


def plan_leader(plan):
    return plan.team[0][0].name


def problem(**changes):
    values = {
        "problem": "三月没有会议记录",
        "basis": "",
        "post": "P4",
        "severity": Severity.ORDINARY,
        "demand": "补齐记录，说明原因",
        "deadline": date(2026, 6, 12),
    }
    return Problem(**{**values, **changes})


def judge(session, city, inspection, sampled, value, *, who="Ines", note=""):
    return inspections.judge(session, inspection, sampled, value=value, note=note, actor=city.actor(who), now=NOW)


def test_the_sample_is_what_lies_in_the_units_items_and_periods(session, city, meetings):
    inspection = planned(session, city, items=("L3-02",), period_ends_on=date(2026, 3, 31))

    sampled = session.scalars(select(InspectionDuty.duty_id).where(InspectionDuty.inspection_id == inspection.id)).all()
    assert sampled == [meetings[0].id]


def test_a_sample_may_be_picked_by_hand(session, city, meetings):
    inspection = planned(session, city, picked=())
    inspections.add_to_sample(session, inspection, meetings[1], actor=city.actor("Ines"), now=NOW)

    assert [row.key for row in queries.sample_of(session, inspection)] == [meetings[1].key]


def test_the_sample_is_read_page_by_page_behind_a_duty_also_one_that_was_judged_meanwhile(session, city, meetings):
    for month in ("M01", "M02"):
        duty(city, "D1-B1.P4-1", "L3-02", month)
    inspection = planned(session, city)
    whole = [row.key for row in queries.sample_of(session, inspection, size=None)]
    assert len(whole) == 4
    seen, after = [], ""
    while page := [row.key for row in queries.sample_of(session, inspection, pending=True, after=after, size=2)]:
        seen, after = seen + page, page[-1]
        judge(session, city, inspection, session.scalars(select(Duty).where(Duty.key == after)).one(), Verdict.MET)
    assert seen == whole

    on_that_day = [row.key for row in sample_then(session, inspection, as_of=NOW, after=whole[1], size=2)]
    assert on_that_day == [row.key for row in sample_then(session, inspection, as_of=NOW)][2:4] == whole[2:4]


def test_behind_a_duty_that_was_never_in_the_sample_the_list_begins_anew(session, city, meetings):
    inspection = planned(session, city, items=("L3-02",))
    whole = queries.sample_of(session, inspection)
    assert queries.sample_of(session, inspection, after=meetings[2].key) == whole
    assert sample_then(session, inspection, as_of=NOW, after=meetings[2].key) == whole


def test_a_duty_of_another_unit_cannot_be_picked(session, city, meetings):
    inspection = planned(session, city, picked=())
    with pytest.raises(Invalid, match="不属于本次检查的单位"):
        inspections.add_to_sample(session, inspection, meetings[2], actor=city.actor("Ines"), now=NOW)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"units": ()}, "units"),
        ({"ends_on": date(2026, 5, 1)}, "ends_on"),
        ({"period_ends_on": date(2025, 12, 31)}, "period_ends_on"),
        ({"units": ("D1-B1",)}, "units"),
        ({"self_check_due_on": date(2026, 5, 19)}, "self_check_due_on"),
        ({"self_check_due_on": date(2025, 12, 31)}, "self_check_due_on"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_at_its_field(session, city, meetings, changes, field):
    with pytest.raises(Invalid) as refusal:
        planned(session, city, **changes)
    assert refusal.value.field == field


def test_several_duties_are_picked_with_one_entry_in_the_log_of_each_unit(session, city, meetings):
    inspection = planned(session, city, units=("D1", "D2"), picked=())
    picked = {"actor": city.actor("Ines"), "now": NOW}
    inspections.add_many(session, inspection, meetings, **picked)
    assert inspections.add_many(session, inspection, meetings, **picked) == []

    entries = session.scalars(select(LogEntry).where(LogEntry.verb == "inspection.sample")).all()
    told = {entry.chain.key: json.loads(entry.payload.body)["after"]["duties"] for entry in entries}
    assert len(entries) == 2
    assert told == {"D1": [meetings[0].key, meetings[1].key], "D2": [meetings[2].key]}


def test_picking_more_duties_takes_no_more_queries(session, city, meetings):
    inspection = planned(session, city, picked=())
    actor = city.actor("Ines")
    for month in range(5, 13):
        meetings.append(duty(city, "D1-B1.P4-1", "L3-02", f"M{month:02}"))
    with queries_of(session) as of_one:
        inspections.add_many(session, inspection, meetings[:1], actor=actor, now=NOW)
    with queries_of(session) as of_nine:
        inspections.add_many(session, inspection, [meetings[1], *meetings[3:]], actor=actor, now=NOW)

    assert len(of_nine) <= len(of_one)


def test_a_branch_secretary_cannot_plan_a_check(session, city, meetings):
    with pytest.raises(NotAllowed):
        inspections.plan(session, cycle=cycle_of(session), plan=plan_of(city), actor=city.actor("Asha"), now=NOW)


def test_an_inspector_sees_what_the_check_covers_and_nothing_else(session, city, meetings):
    from_model = type(meetings[0])
    before = session.scalars(select(from_model).where(visible(city.actor("Ines"), from_model))).all()
    planned(session, city)
    after = session.scalars(select(from_model).where(visible(city.actor("Ines"), from_model))).all()

    assert before == []
    assert set(after) == set(meetings[:2])


def test_an_inspector_of_a_check_of_one_item_sees_that_item_only(session, city, meetings):
    other = duty(city, "D1-B1.P4-1", "L3-05", "M03")
    planned(session, city, items=("L3-05",))
    seen = session.scalars(select(type(other)).where(visible(city.actor("Ines"), type(other)))).all()

    assert seen == [other]


def test_a_verdict_is_revised_by_a_new_row_and_the_old_one_stays(session, city, meetings):
    inspection = planned(session, city)
    judge(session, city, inspection, meetings[0], Verdict.MISSING, note="没有记录")
    judge(session, city, inspection, meetings[0], Verdict.PARTLY, note="记录不全")

    rows = queries.verdicts_on(session, inspection, meetings[0])
    assert [(row.value, row.superseded_at is None) for row in rows] == [
        (Verdict.PARTLY, True),
        (Verdict.MISSING, False),
    ]


def test_a_verdict_that_is_not_met_says_why(session, city, meetings):
    inspection = planned(session, city)
    with pytest.raises(Invalid, match="请写明理由"):
        judge(session, city, inspection, meetings[0], Verdict.MISSING)


def test_an_inspector_of_another_team_cannot_judge(session, city, meetings):
    inspection = planned(session, city)
    with pytest.raises(NotAllowed):
        judge(session, city, inspection, meetings[0], Verdict.MET, who="Ivan")


def test_nobody_judges_what_they_submitted(session, city, meetings):
    city.give_role("Asha", "inspector")
    asha = city.actor("Asha")
    tick = {"act_on": ACT, "sentence": "召开会议", "counts": PRESENT, "files": [file()], "now": NOW}
    sign_offs.tick(session, duties=[meetings[0]], actor=asha, **tick)
    inspection = planned(session, city, team=("Ines", "Asha"))

    with pytest.raises(NotAllowed, match="不能核查"):
        judge(session, city, inspection, meetings[0], Verdict.MET, who="Asha")
    row = VerdictRow(
        inspection_id=inspection.id,
        duty_id=meetings[0].id,
        unit_id=meetings[0].unit_id,
        person_id=asha.person_id,
        submitter_id=asha.person_id,
        value=Verdict.MET,
        note="",
        recorded_at=NOW,
    )
    session.add(row)
    with pytest.raises(IntegrityError, match="doer_is_not_judge"):
        session.flush()


def test_a_finding_carries_its_number_and_its_entry_in_the_log(session, city, meetings):
    inspection = planned(session, city)
    first = inspections.find(
        session,
        inspection,
        organization=city.organizations["D1-B1"],
        duty=meetings[0],
        problem=problem(),
        actor=city.actor("Ines"),
        now=NOW,
    )

    assert first.key == f"{inspection.number}-1"
    entry = session.scalars(select(LogEntry).where(LogEntry.verb == "inspection.find")).one()
    assert entry.chain.key == "D1"


def test_a_finding_whose_deadline_has_passed_is_refused(session, city, meetings):
    inspection = planned(session, city)
    with pytest.raises(Invalid) as refusal:
        inspections.find(
            session,
            inspection,
            organization=city.organizations["D1-B1"],
            duty=None,
            problem=problem(deadline=date(2026, 5, 1)),
            actor=city.actor("Ines"),
            now=NOW,
        )
    assert refusal.value.field == "deadline"


def test_a_corrected_finding_keeps_its_earlier_words(session, city, meetings):
    inspection, ines = planned(session, city), city.actor("Ines")
    node = city.organizations["D1-B1"]
    finding = inspections.find(
        session, inspection, organization=node, duty=None, problem=problem(), actor=ines, now=NOW
    )
    inspections.correct_finding(session, finding, problem=problem(problem="三月、四月没有记录"), actor=ines, now=NOW)

    [(_, fact)] = queries.findings_of(session, inspection)
    assert fact.problem == "三月、四月没有记录"


def test_points_are_worked_out_and_an_overruled_number_stands_beside_them(session, city, meetings):
    inspection, ines = planned(session, city), city.actor("Ines")
    items = {"L3-02": ITEM}
    judge(session, city, inspection, meetings[0], Verdict.MET)
    judge(session, city, inspection, meetings[1], Verdict.PARTLY, note="缺表决结果")
    [scored] = queries.scores_of(session, inspection, items=items)
    assert scored.items[0].score.formula == "5 × (1 + 1 × ½) ÷ 2 = 3.75"

    node = city.organizations["D1-B1"]
    overrule = {"organization": node, "item": ITEM, "reason": "现场核实已补齐", "actor": ines, "now": NOW}
    inspections.overrule(session, inspection, tenths=45, **overrule)
    [scored] = queries.scores_of(session, inspection, items=items)
    assert (scored.items[0].score.value, scored.items[0].score.worked_out) == (4.5, 3.75)

    with pytest.raises(Invalid, match="0 到 5"):
        inspections.overrule(session, inspection, tenths=51, **overrule)


def test_nobody_overrules_the_points_of_what_they_submitted(session, city, meetings):
    city.give_role("Asha", "inspector")
    tick = {"act_on": ACT, "sentence": "召开会议", "counts": PRESENT, "files": [file()], "now": NOW}
    sign_offs.tick(session, duties=[meetings[0]], actor=city.actor("Asha"), **tick)
    inspection = planned(session, city, team=("Ines", "Asha"))
    judge(session, city, inspection, meetings[0], Verdict.MET)

    overrule = {"organization": city.organizations["D1-B1"], "item": ITEM, "reason": "现场核实", "now": NOW}
    with pytest.raises(NotAllowed, match="不能核查"):
        inspections.overrule(session, inspection, tenths=50, actor=city.actor("Asha"), **overrule)
    inspections.overrule(session, inspection, tenths=40, actor=city.actor("Ines"), **overrule)


def test_nobody_judges_what_they_linked_a_record_to(session, city, meetings):
    city.give_role("Asha", "inspector")
    tick = {"act_on": ACT, "sentence": "召开会议", "counts": PRESENT, "files": [file()], "now": NOW}
    record = sign_offs.tick(session, duties=[meetings[0]], actor=city.actor("Asha"), **tick)
    session.add(
        EvidenceLink(
            evidence_id=record.id, duty_id=meetings[1].id, linked_by_id=city.people["Ivan"].id, recorded_at=NOW
        )
    )
    inspection = planned(session, city, team=("Ivan", "Ines"))
    with pytest.raises(NotAllowed, match="不能核查"):
        judge(session, city, inspection, meetings[1], Verdict.MET, who="Ivan")


def test_a_finding_names_a_duty_of_its_own_organization(session, city, meetings):
    inspection = planned(session, city)
    with pytest.raises(Invalid) as refusal:
        inspections.find(
            session,
            inspection,
            organization=city.organizations["D1-B1"],
            duty=meetings[2],
            problem=problem(),
            actor=city.actor("Ines"),
            now=NOW,
        )
    assert refusal.value.field == "organization"


def test_a_check_closes_when_every_duty_has_its_verdict(session, city, meetings):
    inspection, ines = planned(session, city), city.actor("Ines")
    with pytest.raises(WrongState, match="还有 2 项"):
        inspections.close(session, inspection, actor=ines, now=NOW)
    for sampled in meetings[:2]:
        judge(session, city, inspection, sampled, Verdict.MET)
    inspections.close(session, inspection, actor=ines, now=NOW)

    assert inspection.state is InspectionState.CLOSED
    with pytest.raises(NotAllowed):
        judge(session, city, inspection, meetings[0], Verdict.MISSING, note="改判")


def test_closing_a_check_of_several_units_is_one_act_in_each_of_their_chains(session, city, meetings):
    inspection = planned(session, city, units=("D2", "D1"))
    for sampled in meetings:
        judge(session, city, inspection, sampled, Verdict.MET)
    inspections.close(session, inspection, actor=city.actor("Ines"), now=NOW)
    query = select(LogChain.key, LogEntry.act_id).join(LogChain, LogChain.id == LogEntry.chain_id)
    entries = session.execute(query.where(LogEntry.verb == "inspection.close").order_by(LogEntry.id)).all()
    assert [chain for chain, _ in entries] == ["D1", "D2"]
    assert len({act for _, act in entries}) == 1


def test_a_check_that_a_page_loaded_with_its_year_can_be_locked(session, city, meetings):
    """PostgreSQL locks no row at the far side of an outer join: only the check itself is to be locked."""
    check = planned(session, city)
    session.expunge(check)
    loaded = session.scalars(select(Inspection).options(*WITH[Inspection])).one()

    judge(session, city, loaded, meetings[0], Verdict.MET)

    assert session.scalars(select(VerdictRow.value)).all() == [Verdict.MET]
