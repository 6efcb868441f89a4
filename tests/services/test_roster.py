"""Importing a roster: all or nothing, the same twice is nothing, and what follows from a change."""

from datetime import date

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.city import NOW, TODAY, City, at
from tests.roster_files import EXAMPLE, PEOPLE, SINCE, SITTINGS, TREE, example_list, read, roster, roster_file
from tracker.domain.actor import operator
from tracker.domain.errors import NotAllowed
from tracker.domain.roster import RosterRefused
from tracker.models import (
    Account,
    Appointment,
    Base,
    Duty,
    DutyPlan,
    Handover,
    Organization,
    Person,
    Seat,
)
from tracker.queries.seats import holders_of
from tracker.services import checklists, cycles
from tracker.services.roster import Outcome, carry_out, plan_import, rehearse


def bring_in(session: Session, *, today: date = TODAY, close_missing: bool = False, **sheets) -> Outcome:
    plan = plan_import(session, roster(**sheets), today=today, close_missing=close_missing)
    return carry_out(session, plan, actor=operator(), now=at(today))


def errors_of(session: Session, *, today: date = TODAY, **sheets) -> list[str]:
    return [str(error) for error in plan_import(session, roster(**sheets), today=today).errors]


def rows_of_everything(session: Session) -> dict[str, int]:
    session.flush()
    tables = Base.metadata.sorted_tables
    return {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


def open_year(session: Session, year: int = 2026) -> None:
    version = checklists.publish(session, EXAMPLE.read_bytes(), actor=operator(), now=NOW)
    cycles.open_cycle(session, year=year, version=version, actor=operator(), now=at(date(2026, 1, 5)))


def seat_names(session: Session, key: str, on: date) -> list[str]:
    seat = session.scalars(select(Seat).where(Seat.key == key)).one()
    return [holder.person_key for holder in holders_of(session, [seat.id], on=on).get(seat.id, [])]


def test_a_roster_fills_an_empty_system(session: Session) -> None:
    outcome = bring_in(session)

    assert outcome.counts["组织"]["add"] == 4
    branch = session.scalars(select(Organization).where(Organization.code == "QH-LY-1")).one()
    assert (branch.unit.code, branch.parent.code if branch.parent else None) == ("QH-LY", "QH-LY-M")
    assert seat_names(session, "QH-LY-1.P4-1", TODAY) == ["asha"]
    assert session.scalar(select(func.count(Account.id))) == 5


def test_the_same_file_twice_writes_no_row_and_no_log_entry(session: Session) -> None:
    bring_in(session)
    before = rows_of_everything(session)

    bring_in(session, today=date(2026, 6, 3))

    assert rows_of_everything(session) == before


def test_two_people_of_one_name_are_two_people(session: Session) -> None:
    bring_in(session)
    assert session.scalar(select(func.count(Person.id)).where(Person.name == "陆明远")) == 2


def test_a_number_that_meets_another_account_is_an_error_row(session: Session) -> None:
    bring_in(session)
    wrong = [("yue", "0004", "陆明远")]
    assert errors_of(session, organizations=(), people=wrong, appointments=()) == [
        "人员 第2行 工号：工号 0004 属于账号 asha。一行只能写一个人，请核对账号和工号。"
    ]


def test_a_plan_with_errors_is_not_carried_out_at_all(session: Session) -> None:
    rows = (*SITTINGS, ("QH-LY-9", "P4", "", "yue", "任职", SINCE))
    plan = plan_import(session, roster(appointments=rows), today=TODAY)
    before = rows_of_everything(session)

    with pytest.raises(RosterRefused, match="1 处错误"):
        carry_out(session, plan, actor=operator(), now=NOW)

    assert "没有代码为 QH-LY-9 的组织" in str(plan.errors[0])
    assert rows_of_everything(session) == before


def test_errors_of_reading_and_of_planning_are_told_together_without_echoes(session: Session) -> None:
    bad_branch = (*TREE[:3], ("QH-LY-1", "QH-LY-M", "", "L3"))
    rows = (*SITTINGS, ("NONE", "P4", 1, "asha", "任职", SINCE))
    found, unread = read(roster_file(organizations=bad_branch, appointments=rows))

    plan = plan_import(session, found, today=TODAY, unread=unread)

    assert [(error.sheet, error.row) for error in plan.errors] == [("组织", 5), ("任职", 6)]


def test_a_missing_row_changes_nothing(session: Session) -> None:
    bring_in(session)
    before = rows_of_everything(session)

    bring_in(session, organizations=TREE[:2], people=PEOPLE[:1], appointments=SITTINGS[:1])

    assert rows_of_everything(session) == before


def test_close_missing_closes_what_the_file_leaves_out(session: Session) -> None:
    bring_in(session)
    bring_in(session, organizations=TREE[:3], appointments=SITTINGS[:3], close_missing=True)

    branch = session.scalars(select(Organization).where(Organization.code == "QH-LY-1")).one()
    assert branch.closed_on == TODAY
    assert seat_names(session, "QH-LY-1.P4-1", TODAY) == ["asha"]
    assert seat_names(session, "QH-LY-1.P4-1", date(2026, 5, 21)) == []


def test_close_missing_takes_back_an_appointment_of_the_wrong_person(session: Session) -> None:
    bring_in(session)
    right = (*SITTINGS[:3], ("QH-LY-1", "P4", "", "yue", "任职", SINCE))
    bring_in(session, appointments=right, close_missing=True)

    assert seat_names(session, "QH-LY-1.P4-1", TODAY) == ["yue"]


def test_a_successor_needs_the_end_of_the_one_before(session: Session) -> None:
    bring_in(session)
    rows = [("QH-LY-1", "P4", "", "yue", "任职", date(2026, 5, 11))]
    assert errors_of(session, appointments=rows) == [
        "任职 第2行 起：席位 QH-LY-1.P4-1 已由 陆明远 任职（2024-01-01 起），任期重叠。请在表中写明 陆明远 的止日。"
    ]


def test_a_wrong_start_is_corrected_under_the_same_key(session: Session) -> None:
    bring_in(session)
    bring_in(session, appointments=[("QH-LY-1", "P4", 1, "asha", "任职", date(2024, 3, 1))])

    rows = session.scalars(
        select(Appointment).where(Appointment.key == "QH-LY-1.P4-1#1").order_by(Appointment.id)
    ).all()
    assert [(row.starts_on, row.superseded_at is None) for row in rows] == [(SINCE, False), (date(2024, 3, 1), True)]


def change_of_holder(day: date = date(2026, 5, 11)) -> list[tuple[object, ...]]:
    last = date.fromordinal(day.toordinal() - 1)
    return [("QH-LY-1", "P4", 1, "asha", "任职", SINCE, last), ("QH-LY-1", "P4", 1, "yue", "任职", day)]


def test_a_change_of_holder_makes_the_list_to_hand_over(session: Session) -> None:
    bring_in(session)
    open_year(session)

    outcome = bring_in(session, appointments=change_of_holder())

    handover = session.scalars(select(Handover)).one()
    assert outcome.handovers == [handover]
    assert (handover.outgoing.person.key, handover.incoming.person.key) == ("asha", "yue")
    before = rows_of_everything(session)
    bring_in(session, appointments=change_of_holder())
    assert rows_of_everything(session) == before


def test_without_an_open_year_there_is_nothing_to_hand_over(session: Session) -> None:
    bring_in(session)
    assert bring_in(session, appointments=change_of_holder()).handovers == []


def test_a_tag_changed_in_mid_year_lays_out_the_periods_to_come_and_keeps_the_past(session: Session) -> None:
    bring_in(session)
    open_year(session)
    held = (
        select(Duty.key)
        .join(Organization, Organization.id == Duty.organization_id)
        .where(Organization.code == "QH-LY-1")
    )
    before = set(session.scalars(held.where(Duty.in_force.is_(True))))

    of_level = [item.applies for item in example_list().items if item.level == "L3"]
    tag = next(tag for applies in of_level for tag in (*applies.all_of, *applies.any_of))
    bring_in(session, organizations=[("QH-LY-1", "QH-LY-M", "第一基层组织", "L3", tag, "否", "", "", "", "", TODAY)])

    after = set(session.scalars(held.where(Duty.in_force.is_(True))))
    assert before != after
    assert {key for key in before if ".M01." in key} <= after
    starts = session.scalars(
        select(DutyPlan.ends_on).join(Duty, Duty.id == DutyPlan.duty_id).where(Duty.key.in_(after - before))
    )
    assert all(day >= TODAY for day in starts)


def test_an_organization_added_in_mid_year_gets_its_duties(session: Session) -> None:
    bring_in(session)
    open_year(session)
    bring_in(
        session,
        organizations=[("QH-LY-2", "QH-LY-M", "第二基层组织", "L3", "", "否", 5, TODAY)],
        appointments=[("QH-LY-2", "P4", 1, "yue", "任职", TODAY)],
    )

    duties = session.scalar(
        select(func.count(Duty.id))
        .join(Organization, Organization.id == Duty.organization_id)
        .where(Organization.code == "QH-LY-2")
    )
    assert duties


def test_a_decision_of_the_file_is_taken_once_and_a_refused_one_names_its_row(session: Session) -> None:
    bring_in(session)
    open_year(session)
    item = next(item for item in example_list().items if item.level == "L3")
    off = [(2026, "QH-LY-1", item.id, "停用", "", "", "", "没有这项业务", date(2026, 6, 1))]
    assert bring_in(session, assignments=off).assignments == 1
    before = rows_of_everything(session)
    assert bring_in(session, assignments=off).assignments == 0
    assert rows_of_everything(session) == before

    unknown = [(2026, "QH-LY-1", "NONE-1", "停用", "", "", "", "没有这项业务", date(2026, 6, 1))]
    plan = plan_import(session, roster(assignments=unknown), today=TODAY)
    rehearsed, _ = rehearse(session, plan, actor=operator(), now=NOW)
    assert [(error.sheet, error.row, error.column) for error in rehearsed.errors] == [("分配", 2, "事项编号")]


def test_a_rehearsal_leaves_no_trace(session: Session) -> None:
    before = rows_of_everything(session)
    plan, outcome = rehearse(session, plan_import(session, roster(), today=TODAY), actor=operator(), now=NOW)

    assert plan.errors == ()
    assert outcome.counts["任职"]["add"] == 4
    assert rows_of_everything(session) == before


def test_chen_cannot_import(session: Session, city: City) -> None:
    plan = plan_import(session, roster(organizations=(), people=PEOPLE, appointments=()), today=TODAY)
    with pytest.raises(NotAllowed):
        carry_out(session, plan, actor=city.actor("Chen"), now=NOW)
