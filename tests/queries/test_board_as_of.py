"""The board of a past day says what the board said at the end of that day, whatever happened since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.city import BEGIN, NOW, TODAY, City
from tests.queries.test_duties import RECORD_VERBS, VERBS, act
from tests.work import cycle_of, duty
from tracker.domain.actor import operator
from tracker.domain.board import Column
from tracker.domain.duty import State
from tracker.domain.errors import RuleError
from tracker.models import Duty, DutyPlan, OrganizationFact
from tracker.queries import board, board_as_of
from tracker.queries.cycles import all_cycles
from tracker.queries.history import end_of_day, known
from tracker.queries.organizations import codes, facts_of_row, in_force, known_facts
from tracker.services import organizations
from tracker.services.cycles import close_cycle

OWED = (("L3-02", "M05"), ("L3-20", "Y"), ("L3-05", "M04"))
STRUCTURE = ("rename", "move_due", "drop", "close_year")
STEPS = st.lists(
    st.tuples(
        st.sampled_from((*VERBS, *RECORD_VERBS, *STRUCTURE)), st.integers(0, 2), st.integers(0, 3), st.integers(0, 2)
    ),
    max_size=16,
)


def reshape(session: Session, city: City, verb: str, which: int, number: int, now: datetime) -> None:
    """Change what the board is made of: a name, a plan, the year."""
    if verb == "rename":
        [facts] = [facts_of_row(fact, codes(session)) for fact in _fact_of(session, city, now)]
        renamed = replace(facts, name=f"林业局{number}")
        organizations.apply(session, code="D1", facts=renamed, valid_from=now.date(), actor=operator(), now=now)
    elif verb == "close_year":
        close_cycle(session, cycle_of(session), actor=operator(), now=now)
    else:
        one = session.scalars(select(Duty).order_by(Duty.id)).all()[which]
        due_on = one.due_on + timedelta(days=number * 7 - 9) if verb == "move_due" else one.due_on
        plan_anew(session, one, due_on=due_on, in_force=verb == "move_due" and one.in_force, now=now)


def _fact_of(session: Session, city: City, now: datetime) -> list[OrganizationFact]:
    number = city.organizations["D1"].id
    found = in_force(known_facts(session, organization_ids=[number])[number], now.date())
    return [found] if found else []


def plan_anew(session: Session, one: Duty, *, due_on: date, in_force: bool, now: datetime) -> None:
    """Put a new plan in the place of the one that holds, and bring the caches in step."""
    old = session.scalars(select(DutyPlan).where(DutyPlan.duty_id == one.id, known(DutyPlan))).one()
    old.superseded_at = now
    session.flush()
    dates = {"starts_on": one.starts_on, "ends_on": one.ends_on, "due_on": due_on, "in_force": in_force}
    session.add(DutyPlan(duty_id=one.id, reason="调整", recorded_at=now, **dates))
    one.due_on, one.in_force = due_on, in_force
    session.flush()


def said(session: Session, city: City, day: date, as_of: datetime | None = None) -> list[Any]:
    """Everything that the pages of the board take from their queries: those of today, or those of a past day."""
    reads: Any = board if as_of is None else board_as_of
    then = {} if as_of is None else {"as_of": as_of}
    filters = board.Filters(cycle_id=cycle_of(session).id, today=day)
    views = [
        filters,
        replace(filters, unit="D1"),
        replace(filters, item="L3-20", level="L3", post="P4"),
        replace(filters, period_from=date(2026, 5, 1), period_to=date(2026, 5, 31)),
        *(replace(filters, state=state) for state in State),
        *(replace(filters, columns=(column,)) for column in Column),
    ]
    answers: list[Any] = []
    for who in ("Rong", "Asha"):
        actor = city.actor(who)
        for view in views:
            cells = reads.matrix(session, actor, view, by=Duty.dimension, **then)
            answers.append((cells, reads.organizations_named(session, {unit for unit, _ in cells}, **then)))
            answers.append(reads.totals(session, actor, view, **then))
            answers.append(reads.duties_behind(session, actor, view, **then))
        answers.append(reads.matrix(session, actor, filters, by=Duty.item_id, **then))
        answers.append(reads.organizations_of_unit(session, actor, replace(filters, unit="D1"), **then))
        answers.append(reads.names_of_codes(session, actor, ["D1", "D2-B1"], **then))
    return answers


def play(session: Session, city: City, steps: list[tuple[str, int, int, int]]) -> Iterator[date]:
    """Do one thing after the other, each on the same day as the one before or later; yield each day at its end."""
    people, day = {name: city.actor(name) for name in ("Asha", "Chen")}, TODAY
    for minute, (verb, which, number, later) in enumerate(steps):
        for _ in range(later):
            yield day
            day += timedelta(days=1)
        now = NOW + (day - TODAY) + timedelta(minutes=minute)
        try:
            with session.begin_nested():
                if verb in STRUCTURE:
                    reshape(session, city, verb, which, number, now)
                else:
                    act(session, people, verb, which, number, now)
        except RuleError:
            session.expire_all()
    yield day


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_board_of_a_past_day_says_what_the_board_said_then(session: Session, city: City, steps: Any) -> None:
    with session.begin_nested() as point:
        for item_id, period in OWED:
            duty(city, "D1-B1.P4-1", item_id, period)
        duty(city, "D2-B1.P4-1", "L3-20", "Y")
        seen = {day: said(session, city, day) for day in play(session, city, steps)}
        for day, then in seen.items():
            assert said(session, city, day, end_of_day(day)) == then
        point.rollback()
    session.expire_all()


def test_before_anything_was_laid_out_the_board_is_empty(session: Session, city: City) -> None:
    ours = duty(city, "D1-B1.P4-1", "L3-02", "M03")
    filters, before = board.Filters(cycle_id=ours.cycle_id, today=BEGIN.date()), BEGIN - timedelta(seconds=1)

    assert board_as_of.matrix(session, city.actor("Rong"), filters, by=Duty.item_id, as_of=before) == {}
    assert all_cycles(session, as_of=before) == []
    assert all_cycles(session, as_of=BEGIN) == [ours.cycle]


def test_the_past_shows_nobody_more_than_the_present(session: Session, city: City) -> None:
    ours = duty(city, "D1-B1.P4-1", "L3-02", "M03")
    duty(city, "D2-B1.P4-1", "L3-02", "M03")
    filters, then = board.Filters(cycle_id=ours.cycle_id, today=TODAY), end_of_day(TODAY)

    lines = board_as_of.duties_behind(session, city.actor("Asha"), filters, as_of=then)
    assert [line.key for line in lines] == [ours.key]


def test_a_list_of_a_past_day_goes_on_where_the_page_before_ended(session: Session, city: City) -> None:
    keys = sorted(duty(city, "D1-B1.P4-1", "L3-20", "Y", occurrence=n).key for n in range(1, 6))
    filters = board.Filters(cycle_id=cycle_of(session).id, today=TODAY)
    rong, then = city.actor("Rong"), end_of_day(TODAY)
    first = board_as_of.duties_behind(session, rong, filters, as_of=then, size=3)
    place = first[-1].due_on, first[-1].key
    second = board_as_of.duties_behind(session, rong, filters, as_of=then, after=place, size=3)

    assert [line.key for line in (*first, *second)] == keys


def test_an_organization_that_begins_later_keeps_its_name_on_the_board(session: Session, city: City) -> None:
    later = TODAY + timedelta(days=30)
    facts = facts_of_row(_fact_of(session, city, NOW)[0], codes(session))
    coming = replace(facts, name="清河市新设局", opened_on=later, position=99)
    made = organizations.apply(session, code="D9", facts=coming, valid_from=later, actor=operator(), now=NOW)

    [(_, code, name)] = board_as_of.organizations_named(session, [made.id], as_of=end_of_day(TODAY))
    assert (code, name) == ("D9", "清河市新设局")
