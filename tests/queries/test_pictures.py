"""Pictures: every count equals the rows behind it, today and on any past day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from tests.city import NOW, TODAY, City
from tests.queries.test_board import DAYS, lay_out, standings
from tests.queries.test_board_as_of import OWED, STEPS, play
from tests.services.test_inspections import judge, planned, problem
from tests.work import cycle_of, duty
from tracker.domain.board import Column
from tracker.domain.duty import State
from tracker.domain.errors import RuleError
from tracker.domain.inspection import RectificationAction as A
from tracker.domain.pictures import Month, burn_down, point_on
from tracker.domain.score import Verdict
from tracker.models import Duty
from tracker.queries import board, board_as_of, pictures, rectification
from tracker.queries.history import end_of_day
from tracker.services import inspections
from tracker.services import rectification as steps_of

BY = (Duty.unit_id, Duty.organization_id, Duty.item_id)


def within(filters: board.Filters, month: int) -> board.Filters:
    """The same view, narrowed to the due dates of a column of the year."""
    column = Month(2026, month)
    return replace(filters, due_from=column.starts_on, due_to=column.ends_on)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(standings(), max_size=24), far=st.lists(DAYS, max_size=3))
def test_every_number_of_a_picture_equals_the_list_behind_it(
    session: Session, city: City, found: Any, far: list[date]
) -> None:
    with session.begin_nested() as point:
        made = lay_out(session, city, found)
        for one, day in zip(made, far, strict=False):
            one.due_on = day + timedelta(days=400)
        session.flush()
        rong = city.actor("Rong")
        filters = board.Filters(cycle_id=cycle_of(session).id, today=TODAY)
        owed = [one for one in made if one.in_force]

        drawn = pictures.counted(session, rong, filters, *BY)

        assert [sum((c.total for c in months.values()), 0) for months in drawn.months] == [len(owed)] * len(BY)
        assert drawn.flow.total == len(owed)
        for (item, month), cell in drawn.months[2].items():
            for column in Column:
                view = replace(within(filters, month), item=str(item), columns=(column,))
                assert len(board.duties_behind(session, rong, view)) == cell[column]
        for step in (*drawn.flow.way[:-1], *drawn.flow.beside):
            assert len(board.duties_behind(session, rong, replace(filters, state=State(step.key)))) == step.count
        point.rollback()


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_a_picture_of_a_past_day_is_what_was_drawn_then(session: Session, city: City, steps: Any) -> None:
    with session.begin_nested() as point:
        for item_id, period in OWED:
            duty(city, "D1-B1.P4-1", item_id, period)
        duty(city, "D2-B1.P4-1", "L3-20", "Y")
        seen = {day: drawn_for(session, city, day) for day in play(session, city, steps)}
        for day, then in seen.items():
            assert drawn_for(session, city, day, end_of_day(day)) == then
        point.rollback()
    session.expire_all()


def drawn_for(session: Session, city: City, day: date, as_of: datetime | None = None) -> list[Any]:
    """What the pictures of several people and views are made of."""
    filters = board.Filters(cycle_id=cycle_of(session).id, today=day)
    may = replace(filters, due_from=date(2026, 5, 1), due_to=date(2026, 6, 30))
    counted = [
        pictures.counted(session, city.actor(who), view, *BY, as_of=as_of)
        for who in ("Rong", "Asha")
        for view in (filters, replace(filters, unit="D1"), may)
    ]
    rong = city.actor("Rong")
    listed = (
        board.duties_behind(session, rong, may)
        if as_of is None
        else board_as_of.duties_behind(session, rong, may, as_of=as_of)
    )
    return [*counted, listed]


@pytest.fixture
def check(session: Session, city: City) -> Any:
    """A check in which one of two duties was judged."""
    ours = duty(city, "D1-B1.P4-1", "L3-02", "M03")
    duty(city, "D1-B1.P4-1", "L3-05", "M04")
    made = planned(session, city, team=("Ines", "Ivan"))
    judge(session, city, made, ours, Verdict.MISSING, note="没有记录")
    return made


def judged_to(session: Session, city: City, who: str, as_of: datetime | None = None) -> tuple[int, int]:
    """How many judged duties a person is told of, and how many the list behind that number has."""
    filters = board.Filters(cycle_id=cycle_of(session).id, today=TODAY)
    actor, narrowed = city.actor(who), replace(filters, judged=True)
    told = pictures.counted(session, actor, filters, as_of=as_of).flow.judged
    if as_of is None:
        return told, len(board.duties_behind(session, actor, narrowed))
    return told, len(board_as_of.duties_behind(session, actor, narrowed, as_of=as_of))


def test_what_was_judged_is_known_to_the_team_first_and_to_all_when_the_check_has_ended(
    session: Session, city: City, check: Any
) -> None:
    assert (judged_to(session, city, "Ines"), judged_to(session, city, "Asha")) == ((1, 1), (0, 0))

    other = next(row for row in session.query(Duty) if row.item_id == "L3-05")
    judge(session, city, check, other, Verdict.MET)
    inspections.close(session, check, actor=city.actor("Ines"), now=NOW + timedelta(days=2))

    assert judged_to(session, city, "Asha") == (2, 2)
    assert judged_to(session, city, "Omar") == (0, 0)
    for who, number in (("Asha", 0), ("Ines", 2)):
        assert judged_to(session, city, who, end_of_day(TODAY)) == (number, number)


ACTS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([a for a in A if a is not A.ATTACH]), st.integers(0, 9)), max_size=14
)


def take(session: Session, city: City, finding: Any, action: A, now: datetime) -> None:
    """Take a step as whoever may take it, with what it asks for."""
    who = {
        A.NOTIFY: "Ines",
        A.GRANT_EXTENSION: "Ines",
        A.REFUSE_EXTENSION: "Ines",
        A.RETURN: "Ivan",
        A.CLOSE: "Ivan",
    }.get(action, "Asha")
    said: dict[str, Any] = {} if action in {A.NOTIFY, A.RECEIVE} else {"text": "按要求办理"}
    if action in {A.ASK_EXTENSION, A.GRANT_EXTENSION}:
        said["deadline"] = now.date() + timedelta(days=20)
    if action is A.MEASURE:
        said |= {"post": "P4", "planned_on": now.date()}
    verb = getattr(steps_of, "return_" if action is A.RETURN else action.value)
    verb(session, finding, **said, actor=city.actor(who), now=now)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_findings_burn_down_as_the_ledger_said_on_each_day(
    session: Session, city: City, check: Any, acts: list[tuple[int, A, int]]
) -> None:
    with session.begin_nested() as point:
        found = [
            inspections.find(
                session,
                check,
                organization=city.organizations["D1-B1"],
                duty=None,
                problem=problem(),
                actor=city.actor("Ines"),
                now=NOW + timedelta(days=number),
            )
            for number in range(3)
        ]
        now, seen = NOW + timedelta(days=2), {}
        for which, action, later in acts:
            for _ in range(later):
                seen[now.date()] = said_by_ledger(session, check, now.date())
                now += timedelta(days=1)
            try:
                with session.begin_nested():
                    take(session, city, found[which], action, now)
            except RuleError:
                session.expire_all()
        seen[now.date()] = said_by_ledger(session, check, now.date())

        for day, (ledger, drawn) in seen.items():
            then = pictures.lives(session, inspection=check.number, as_of=end_of_day(day))
            assert burn_down(then, today=day) == drawn
            assert point_on(pictures.lives(session, inspection=check.number), day) == point_on(then, day)
            last = point_on(then, day)
            assert (last.total, last.closed, last.reported, last.overdue) == ledger
        point.rollback()
    session.expire_all()


def said_by_ledger(session: Session, check: Any, day: date) -> tuple[tuple[int, int, int, int], Any]:
    """What the rows of the ledger say today, and the picture of today."""
    rows = rectification.rows_of(session, check, today=day)
    states = [row.state.value for row in rows]
    numbers = (len(rows), states.count("closed"), states.count("reported"), sum(row.overdue for row in rows))
    return numbers, burn_down(pictures.lives(session, inspection=check.number), today=day)


def test_a_person_sees_the_findings_that_are_theirs_to_see(session: Session, city: City, check: Any) -> None:
    inspections.find(
        session,
        check,
        organization=city.organizations["D1-B1"],
        duty=None,
        problem=problem(),
        actor=city.actor("Ines"),
        now=NOW,
    )
    numbers = {
        who: len(pictures.lives(session, inspection=check.number, actor=city.actor(who)))
        for who in ("Ines", "Asha", "Omar")
    }

    assert numbers == {"Ines": 1, "Asha": 1, "Omar": 0}
    assert pictures.lives(session, inspection=check.number, units=[city.organizations["D2"].id]) == []
