from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.city import BEGIN, NOW, City
from tests.years import opened
from tracker.domain.errors import Invalid, NotAllowed
from tracker.models import DayOverride, Duty, DutyPlan
from tracker.queries.calendar import overrides, work_calendar
from tracker.services import calendar

STORM = date(2026, 4, 2)


def override(session: Session, city: City, *, who: str = "Adam", day: date = STORM, **values: object) -> DayOverride:
    asked = {"is_working": False, "name": "防汛停工"} | values
    return calendar.override_day(session, day=day, actor=city.actor(who), now=NOW, **asked)


def test_a_day_off_moves_the_due_dates_that_count_over_it_and_no_others(session: Session, city: City) -> None:
    opened(session)
    before = {duty.key: duty.due_on for duty in session.scalars(select(Duty))}
    override(session, city)
    for duty in session.scalars(select(Duty)):
        if duty.ends_on == date(2026, 3, 31) and before[duty.key] > STORM:
            assert duty.due_on > before[duty.key]
        if duty.ends_on > STORM or before[duty.key] < STORM:
            assert duty.due_on == before[duty.key]
    moved = session.scalars(select(DutyPlan).where(DutyPlan.reason == "防汛停工")).all()
    assert moved
    old = session.scalars(select(DutyPlan).where(DutyPlan.duty_id == moved[0].duty_id).order_by(DutyPlan.id)).all()
    assert [row.superseded_at for row in old] == [NOW, None]


def test_what_the_plan_says_is_what_laying_out_by_the_new_calendar_says(session: Session, city: City) -> None:
    opened(session)
    override(session, city)
    override(session, city, day=date(2026, 4, 4), is_working=True, name="补班")
    days = work_calendar(session)
    assert days.is_working_day(date(2026, 4, 4))
    for duty in session.scalars(select(Duty).where(Duty.ends_on == date(2026, 3, 31))):
        assert days.is_working_day(duty.due_on)


def test_a_second_decision_takes_the_place_of_the_first_which_stays_readable(session: Session, city: City) -> None:
    first = override(session, city)
    assert override(session, city) is first
    second = override(session, city, is_working=True, name="照常上班")
    assert first.superseded_at == NOW
    assert list(overrides(session, year=2026)) == [second]
    assert list(overrides(session, year=2025)) == []
    assert list(overrides(session, as_of=BEGIN)) == []
    assert list(overrides(session, as_of=NOW + timedelta(1))) == [second]


def test_only_adam_decides_about_days_and_names_them(session: Session, city: City) -> None:
    with pytest.raises(NotAllowed):
        override(session, city, who="Asha")
    with pytest.raises(Invalid):
        override(session, city, name=" ")
