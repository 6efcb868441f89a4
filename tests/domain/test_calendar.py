"""Working days: holidays, make-up workdays, overrides, and years nobody has announced yet."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.calendar import WorkCalendar

CALENDAR = WorkCalendar({})
DAYS = st.dates(date(2025, 1, 1), date(2029, 12, 31))
UNANNOUNCED = 2031


def test_a_national_holiday_is_no_working_day():
    assert not CALENDAR.is_working_day(date(2026, 10, 1))


def test_a_make_up_saturday_is_a_working_day():
    assert date(2026, 10, 10).isoweekday() == 6
    assert CALENDAR.is_working_day(date(2026, 10, 10))


def test_an_override_wins_over_the_library():
    calendar = WorkCalendar({date(2026, 10, 1): True, date(2026, 10, 10): False})
    assert calendar.is_working_day(date(2026, 10, 1))
    assert not calendar.is_working_day(date(2026, 10, 10))


def test_a_year_without_data_counts_weekdays_and_says_so():
    assert CALENDAR.is_official(2026)
    assert not CALENDAR.is_official(UNANNOUNCED)
    assert CALENDAR.is_working_day(date(UNANNOUNCED, 10, 1))
    assert not CALENDAR.is_working_day(date(UNANNOUNCED, 10, 4))


def test_five_working_days_after_the_end_of_september_lie_behind_the_holiday():
    assert CALENDAR.shift(date(2026, 9, 30), 5) == date(2026, 10, 13)


def test_no_working_days_after_a_holiday_is_the_first_working_day():
    assert CALENDAR.shift(date(2026, 10, 1), 0) == date(2026, 10, 8)
    assert CALENDAR.shift(date(2026, 10, 8), 0) == date(2026, 10, 8)


def test_days_are_never_counted_backwards():
    with pytest.raises(ValueError, match="negative"):
        CALENDAR.shift(date(2026, 1, 5), -1)


def test_a_table_that_abolishes_work_is_refused():
    start = date(2026, 1, 1)
    calendar = WorkCalendar({start + timedelta(days=n): False for n in range(800)})
    with pytest.raises(ValueError, match="no working day"):
        calendar.shift(start, 1)


@given(DAYS, DAYS, st.integers(0, 40))
def test_a_later_day_is_never_due_earlier(one, other, working_days):
    first, second = sorted((one, other))
    assert CALENDAR.shift(first, working_days) <= CALENDAR.shift(second, working_days)


@given(DAYS, st.integers(0, 40))
def test_every_due_day_is_a_working_day_and_more_days_are_later(day, working_days):
    due = CALENDAR.shift(day, working_days)
    assert CALENDAR.is_working_day(due)
    assert day <= due
    assert working_days == 0 or CALENDAR.shift(day, working_days + 1) > due


@given(DAYS, st.integers(1, 40))
def test_exactly_so_many_working_days_are_counted(day, working_days):
    due = CALENDAR.shift(day, working_days)
    passed = [day + timedelta(days=n) for n in range(1, (due - day).days + 1)]
    assert sum(CALENDAR.is_working_day(d) for d in passed) == working_days
