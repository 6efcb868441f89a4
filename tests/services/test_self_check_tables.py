"""Self-check tables: lines are superseded, handing in is numbered, and only the unit's own people write."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from tests.city import NOW
from tests.work import ACT, PRESENT, cycle_of, duty, file
from tracker.domain.actor import AppointmentKind
from tracker.domain.duty import ClaimKind
from tracker.domain.errors import Conflict, Invalid, NotAllowed, WrongState
from tracker.domain.inspection import InspectionKind, MemberRole
from tracker.domain.score import Verdict
from tracker.domain.self_check_table import Answer, table_digest
from tracker.models import Duty, Inspection, InspectionDuty, LogEntry, SelfCheckLine
from tracker.policy import Act, UnitOfCheck, can, visible
from tracker.queries.self_check_tables import handed_in, open_tables, page_of, table_of, tables_of
from tracker.services import inspections, sign_offs
from tracker.services.self_check_tables import hand_in, save_lines

ITEM = "L3-02"
DUE = date(2026, 5, 19)
MET = Answer(ITEM, Verdict.MET, 20, "每月召开")


def plan(session, city, *, due_on=DUE):
    return inspections.plan(
        session,
        cycle=cycle_of(session),
        plan=inspections.Plan(
            title="上半年督查",
            basis="年度工作安排",
            kind=InspectionKind.REGULAR,
            starts_on=date(2026, 5, 20),
            ends_on=date(2026, 5, 29),
            period_starts_on=date(2026, 1, 1),
            period_ends_on=date(2026, 4, 30),
            team=[(city.people["Ines"], MemberRole.LEADER)],
            units=[city.organizations["D1"], city.organizations["D2"]],
            self_check_due_on=due_on,
        ),
        actor=city.actor("Ines"),
        now=NOW,
    )


@pytest.fixture
def check(session, city):
    for month in ("M03", "M04"):
        duty(city, "D1-B1.P4-1", ITEM, month)
    duty(city, "D2-B1.P4-1", ITEM, "M03")
    return plan(session, city)


@pytest.fixture
def unit(city):
    return city.organizations["D1"]


def test_what_the_system_knows_is_counted(session, check, unit):
    [line] = table_of(session, check, unit, as_of=NOW)

    assert (line.item_id, line.counts.required, line.counts.missing, line.answer.value) == (ITEM, 2, 2, None)


def test_only_a_changed_line_is_written_anew(session, city, check, unit):
    actor = city.actor("Dong")
    assert save_lines(session, check, unit, [MET], actor=actor, now=NOW) == 1
    assert save_lines(session, check, unit, [MET], actor=actor, now=NOW + timedelta(hours=1)) == 0
    partly = Answer(ITEM, Verdict.PARTLY, 10, "缺一次")
    assert save_lines(session, check, unit, [partly], actor=actor, now=NOW + timedelta(hours=2)) == 1

    rows = session.scalars(select(SelfCheckLine).order_by(SelfCheckLine.id)).all()
    assert [(row.value, row.superseded_at is None) for row in rows] == [(Verdict.MET, False), (Verdict.PARTLY, True)]
    [then] = table_of(session, check, unit, as_of=NOW + timedelta(minutes=1))
    assert then.answer == MET


def test_a_line_that_somebody_else_changed_meanwhile_is_not_lost(session, city, check, unit):
    seen = NOW - timedelta(minutes=1)
    save_lines(session, check, unit, [MET], seen=seen, actor=city.actor("Dong"), now=NOW)
    later = NOW + timedelta(hours=1)

    other = Answer(ITEM, Verdict.MISSING)
    with pytest.raises(Conflict):
        save_lines(session, check, unit, [other], seen=seen, actor=city.actor("Lin"), now=later)
    assert save_lines(session, check, unit, [Answer(ITEM)], seen=seen, actor=city.actor("Lin"), now=later) == 0
    assert table_of(session, check, unit, as_of=later)[0].answer == MET


def test_an_item_outside_the_scope_is_refused(session, city, check, unit):
    with pytest.raises(Invalid):
        save_lines(session, check, unit, [Answer("L3-05", Verdict.MET)], actor=city.actor("Dong"), now=NOW)


def test_handing_in_anew_takes_a_new_number_and_late_is_marked(session, city, check, unit):
    actor = city.actor("Dong")
    save_lines(session, check, unit, [MET], actor=actor, now=NOW)
    in_time = hand_in(session, check, unit, actor=actor, now=NOW)
    save_lines(session, check, unit, [Answer(ITEM, Verdict.PARTLY)], actor=actor, now=NOW + timedelta(hours=1))
    assert handed_in(session, check, unit)[0].changed
    again = hand_in(session, check, unit, actor=actor, now=NOW + timedelta(hours=2))

    assert (in_time.number, again.number) == (1, 2)
    assert in_time.digest != again.digest
    assert in_time.digest == table_digest(table_of(session, check, unit, as_of=NOW), inspection=1, unit="D1")
    assert [(each.row.number, each.late, each.changed) for each in handed_in(session, check, unit)] == [
        (2, True, False),
        (1, True, True),
    ]
    assert [row.last is not None for row in tables_of(session, check)] == [True, False]
    verbs = session.scalars(select(LogEntry.verb).order_by(LogEntry.id)).all()
    assert verbs[-4:] == ["inspection.self_check", "inspection.hand_in"] * 2


def test_only_what_was_shown_is_handed_in(session, city, check, unit):
    actor = city.actor("Dong")
    save_lines(session, check, unit, [MET], actor=actor, now=NOW)
    save_lines(session, check, unit, [Answer(ITEM, Verdict.MISSING)], actor=city.actor("Lin"), now=NOW)
    for shown in ([MET], []):
        with pytest.raises(Conflict, match=ITEM):
            hand_in(session, check, unit, shown=shown, actor=actor, now=NOW)
    assert handed_in(session, check, unit) == []
    assert hand_in(session, check, unit, shown=[Answer(ITEM, Verdict.MISSING)], actor=actor, now=NOW).number == 1


def test_a_table_with_open_lines_is_not_handed_in(session, city, check, unit):
    with pytest.raises(WrongState, match=ITEM):
        hand_in(session, check, unit, actor=city.actor("Dong"), now=NOW)


@pytest.mark.parametrize("who", ["Asha", "Chen", "Du", "Ines", "Adam", "Rong"])
def test_others_may_not_write(session, city, check, unit, who):
    with pytest.raises(NotAllowed):
        save_lines(session, check, unit, [MET], actor=city.actor(who), now=NOW)
    with pytest.raises(NotAllowed):
        hand_in(session, check, unit, actor=city.actor(who), now=NOW)


def test_a_clerk_fills_in_and_does_not_hand_in(session, city, check, unit):
    city.appoint("Yue", "D1.P2-3", kind=AppointmentKind.CLERK)
    clerk = city.actor("Yue")
    assert save_lines(session, check, unit, [MET], actor=clerk, now=NOW) == 1
    with pytest.raises(NotAllowed):
        hand_in(session, check, unit, actor=clerk, now=NOW)


def test_after_the_close_nothing_is_written(session, city, check, unit):
    actor, ines = city.actor("Dong"), city.actor("Ines")
    save_lines(session, check, unit, [MET], actor=actor, now=NOW)
    for key in sampled(session, check):
        inspections.judge(session, check, key, value=Verdict.MET, actor=ines, now=NOW)
    inspections.close(session, check, actor=ines, now=NOW)

    with pytest.raises(WrongState):
        save_lines(session, check, unit, [Answer(ITEM)], actor=actor, now=NOW)
    with pytest.raises(WrongState):
        hand_in(session, check, unit, actor=actor, now=NOW)


def sampled(session, check):
    return session.scalars(select(Duty).join(InspectionDuty, InspectionDuty.duty_id == Duty.id)).all()


def test_an_unannounced_check_is_not_known_to_the_unit(session, city, unit):
    duty(city, "D1-B1.P4-1", ITEM, "M03")
    check = plan(session, city, due_on=None)

    assert not can(session, city.actor("Dong"), Act.READ_SELF_CHECK, UnitOfCheck(check, unit))
    assert list(open_tables(session, city.actor("Dong"), today=DUE)) == []


def test_the_people_of_the_unit_find_their_table_and_still_do_not_see_the_check(session, city, check, unit):
    dong = city.actor("Dong")
    [found] = open_tables(session, dong, today=DUE)

    assert (found.unit, found.handed_in, found.overdue) == (unit, False, False)
    assert can(session, dong, Act.READ_SELF_CHECK, UnitOfCheck(check, unit))
    assert not can(session, dong, Act.READ_SELF_CHECK, UnitOfCheck(check, city.organizations["D2"]))
    assert can(session, city.actor("Ines"), Act.READ_SELF_CHECK, UnitOfCheck(check, unit))
    assert not can(session, city.actor("Ivan"), Act.READ_SELF_CHECK, UnitOfCheck(check, unit))
    assert session.scalars(select(Inspection).where(visible(dong, Inspection))).all() == []


def test_what_a_page_counts_now_is_what_the_records_say(session, city, check, unit):
    late = session.scalars(select(Duty).where(Duty.key == f"2026.D1-B1.P4-1.{ITEM}.M03.1")).one()
    aside = session.scalars(select(Duty).where(Duty.key == f"2026.D1-B1.P4-1.{ITEM}.M04.1")).one()
    asha = city.actor("Asha")
    said = {"act_on": ACT, "sentence": "召开会议", "counts": PRESENT, "files": [file()]}
    sign_offs.tick(session, duties=[late], actor=asha, now=NOW, **said)
    sign_offs.claim(session, aside, kind=ClaimKind.EXCUSED, reason="防汛", actor=asha, now=NOW)
    sign_offs.accept(session, aside, actor=city.actor("Chen"), now=NOW)
    save_lines(session, check, unit, [MET], actor=city.actor("Dong"), now=NOW)
    hand_in(session, check, unit, actor=city.actor("Dong"), now=NOW + timedelta(minutes=1))
    save_lines(session, check, unit, [Answer(ITEM)], actor=city.actor("Dong"), now=NOW + timedelta(minutes=2))

    later = NOW + timedelta(minutes=3)
    page = page_of(session, check, unit, today=NOW.date())
    assert page.lines() == table_of(session, check, unit, as_of=later)
    assert page.lines(as_of=NOW)[0].answer == MET
    assert [(one.late, one.set_aside) for one in (line.counts for line in page.lines())] == [(1, 1)]
    assert page.sent == handed_in(session, check, unit)
    assert page.last_change == NOW + timedelta(minutes=2)
