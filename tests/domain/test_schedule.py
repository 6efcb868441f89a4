"""The year of duties: periods, windows, due dates."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.calendar import WorkCalendar
from tracker.domain.checklist import Frequency, Window
from tracker.domain.errors import Invalid
from tracker.domain.schedule import can_raise, event_slot, period_name, periods, remaining, slots

CALENDAR = WorkCalendar({})
PERIODS = {"month": 12, "quarter": 4, "half": 2, "year": 1}


def frequency(every="month", **values):
    return Frequency(**{"every": every, "label": "按清单", "basis": "regulation", **values})


def window(start, end):
    return Window.model_validate({"from": start, "to": end})


def laid_out(found, **values):
    return slots(found, **{"year": 2026, "calendar": CALENDAR, **values})


def test_a_monthly_item_has_twelve_slots_due_five_working_days_after_each_month():
    found = laid_out(frequency("month"))
    assert [slot.period.code for slot in found] == [f"M{month:02d}" for month in range(1, 13)]
    assert (found[8].starts_on, found[8].ends_on, found[8].due_on) == (
        date(2026, 9, 1),
        date(2026, 9, 30),
        date(2026, 10, 13),
    )


def test_the_codes_of_the_other_periods():
    assert [p.code for p in periods("quarter", year=2026)] == ["Q1", "Q2", "Q3", "Q4"]
    assert [p.code for p in periods("half", year=2026)] == ["H1", "H2"]
    assert [p.code for p in periods("year", year=2026)] == ["Y"]


def test_without_grace_a_holiday_moves_the_due_day_to_the_next_working_day():
    third_quarter = laid_out(frequency("quarter", grace=0))[2]
    assert third_quarter.due_on == date(2026, 9, 30)
    october = laid_out(frequency("month", grace=0))[9]
    assert (october.ends_on, october.due_on) == (date(2026, 10, 31), date(2026, 11, 2))


def test_occurrences_without_windows_share_their_period():
    found = laid_out(frequency("quarter", times=2))
    assert [(slot.period.code, slot.occurrence) for slot in found][:3] == [("Q1", 1), ("Q1", 2), ("Q2", 1)]
    assert found[0].ends_on == found[1].ends_on


def test_windows_of_a_year_go_to_its_occurrences_in_order():
    found = laid_out(frequency("year", times=2, windows=(window("01-01", "03-31"), window("10-01", "12-15")), grace=0))
    assert [(s.period.code, s.occurrence, s.starts_on, s.ends_on) for s in found] == [
        ("Y", 1, date(2026, 1, 1), date(2026, 3, 31)),
        ("Y", 2, date(2026, 10, 1), date(2026, 12, 15)),
    ]


def test_windows_of_a_half_go_to_the_halves_in_order():
    found = laid_out(frequency("half", windows=(window("06-01", "06-30"), window("11-15", "12-31"))))
    assert [(s.period.code, s.starts_on) for s in found] == [("H1", date(2026, 6, 1)), ("H2", date(2026, 11, 15))]


def test_what_is_asked_beyond_the_list_has_the_whole_period():
    windows = (window("06-01", "06-30"), window("11-15", "12-31"))
    found = laid_out(frequency("half", windows=windows), times=2)
    assert [(s.period.code, s.occurrence, s.starts_on.month) for s in found] == [
        ("H1", 1, 6),
        ("H1", 2, 1),
        ("H2", 1, 11),
        ("H2", 2, 7),
    ]


def test_the_29th_of_february_is_the_28th_in_a_common_year():
    assert laid_out(frequency("year", windows=(window("02-01", "02-29"),)))[0].ends_on == date(2026, 2, 28)
    assert laid_out(frequency("year", windows=(window("02-01", "02-29"),)), year=2028)[0].ends_on == date(2028, 2, 29)


def test_a_window_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValueError, match="ends before it begins"):
        laid_out(frequency("year", windows=(window("12-01", "01-31"),)))


def test_an_event_item_has_no_slot_until_the_event_is_reported():
    item = frequency("event", grace=10)
    assert laid_out(item) == ()
    # Saturday 9 May makes up for the May holiday, so it counts
    slot = event_slot(item, happened_on=date(2026, 5, 8), number=3, calendar=CALENDAR)
    assert (slot.period.code, slot.starts_on, slot.due_on) == ("E0003", date(2026, 5, 8), date(2026, 5, 21))


def test_a_monthly_item_has_no_events():
    with pytest.raises(ValueError, match="no event"):
        event_slot(frequency("month"), happened_on=date(2026, 5, 8), number=1, calendar=CALENDAR)


def test_the_end_of_a_term_is_prepared_in_the_six_months_before_it():
    (slot,) = laid_out(frequency("term", years=3), term_ends_on=date(2026, 10, 31))
    assert (slot.period.code, slot.starts_on, slot.ends_on) == ("T", date(2026, 4, 30), date(2026, 10, 31))


def test_the_window_of_a_term_does_not_reach_into_the_year_before():
    (slot,) = laid_out(frequency("term", years=3), term_ends_on=date(2026, 3, 15))
    assert slot.starts_on == date(2026, 1, 1)


@pytest.mark.parametrize("ends_on", [None, date(2027, 1, 1)])
def test_a_term_that_does_not_end_this_year_asks_nothing(ends_on):
    assert laid_out(frequency("term", years=3), term_ends_on=ends_on) == ()


def test_a_branch_founded_in_may_owes_what_has_not_ended_by_then():
    found = remaining(laid_out(frequency("quarter")), from_day=date(2026, 6, 30))
    assert [slot.period.code for slot in found] == ["Q2", "Q3", "Q4"]
    assert remaining(laid_out(frequency("quarter")), from_day=date(2026, 7, 1))[0].period.code == "Q3"


@pytest.mark.parametrize(
    ("code", "name"),
    [("Y", "全年"), ("H1", "上半年"), ("Q1", "一季度"), ("M03", "3月"), ("T", "届满换届"), ("E0012", "第12次")],
)
def test_a_period_has_a_chinese_name(code, name):
    message, values = period_name(code)
    assert message % values == name


def test_an_unknown_period_has_no_name():
    with pytest.raises(ValueError, match="not the code"):
        period_name("X1")


def test_a_regulation_may_be_exceeded_but_not_undercut():
    yearly_four = frequency("year", times=4)
    can_raise(yearly_four, 4)
    can_raise(yearly_four, 6)
    with pytest.raises(Invalid, match="不能少于"):
        can_raise(yearly_four, 3)


def test_a_proposed_number_may_be_lowered_but_not_to_nothing():
    proposed = frequency("year", times=4, basis="proposal")
    can_raise(proposed, 2)
    for times in (0, 32):
        with pytest.raises(Invalid):
            can_raise(proposed, times)


def test_events_cannot_be_counted_beforehand():
    with pytest.raises(Invalid, match="发生一次"):
        can_raise(frequency("event"), 2)


@given(st.sampled_from(sorted(PERIODS)), st.integers(1, 31), st.integers(0, 60), st.integers(2024, 2032))
def test_there_are_times_slots_in_each_period_and_all_lie_in_the_year(every, times, grace, year):
    found = laid_out(frequency(every, times=times, grace=grace), year=year)
    assert len(found) == times * PERIODS[every]
    assert len({(slot.period.code, slot.occurrence) for slot in found}) == len(found)
    for slot in found:
        assert date(year, 1, 1) <= slot.starts_on <= slot.ends_on <= date(year, 12, 31)
        assert slot.ends_on <= slot.due_on
        assert CALENDAR.is_working_day(slot.due_on)


@given(st.sampled_from(sorted(PERIODS)), st.integers(2024, 2032))
def test_periods_cover_the_year_without_gap_or_overlap(every, year):
    days = [day.toordinal() for p in periods(every, year=year) for day in (p.starts_on, p.ends_on)]
    assert (days[0], days[-1]) == (date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal())
    assert all(after == before + 1 for before, after in zip(days[1:-1:2], days[2::2], strict=True))
