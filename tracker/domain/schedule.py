"""The year of duties: which periods an item has, in which days each occurrence falls, and when it is due."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from tracker.domain.calendar import WorkCalendar
from tracker.domain.checklist import Frequency, Window
from tracker.domain.errors import Invalid
from tracker.domain.text import _n

MOST_TIMES = 31  # occurrences in a period, as in the checklist language
TERM_MONTHS = 6  # how long before the end of a term its duties may be done


@dataclass(frozen=True)
class Period:
    """A stretch of a year with a code that never changes: Y, H1, Q3, M03, T (end of a term), E0001 (an event)."""

    code: str
    starts_on: date
    ends_on: date


@dataclass(frozen=True)
class Slot:
    """One occurrence in a period: the first and the last day for doing it, and the day by which it is recorded."""

    period: Period
    occurrence: int
    starts_on: date
    ends_on: date
    due_on: date


_MONTHS_OF: Mapping[str, int] = {"month": 1, "quarter": 3, "half": 6, "year": 12}

_NAMES: Mapping[str, str] = {
    "Y": _n("全年"),
    "H1": _n("上半年"),
    "H2": _n("下半年"),
    "Q1": _n("一季度"),
    "Q2": _n("二季度"),
    "Q3": _n("三季度"),
    "Q4": _n("四季度"),
    "T": _n("届满换届"),
}


def periods(every: str, *, year: int) -> tuple[Period, ...]:
    """The periods of a calendar year; none for `term` and `event`, which the calendar does not know."""
    months = _MONTHS_OF.get(every)
    if months is None:
        return ()
    return tuple(_period(months, number, year=year) for number in range(1, 12 // months + 1))


def slots(
    frequency: Frequency,
    *,
    year: int,
    calendar: WorkCalendar,
    term_ends_on: date | None = None,
    times: int | None = None,
) -> tuple[Slot, ...]:
    """Lay out a frequency over a year, in order of period and occurrence.

    `times` replaces the frequency's own number (a local decision). Occurrences without a window of their own share
    their period. An item of a term has slots only in the year in which the term ends; an event item has none here.
    Raises ValueError if a window ends before it begins.
    """
    if frequency.every == "term":
        found: Iterable[Period] = _end_of_term(term_ends_on, year=year)
    else:
        found = periods(frequency.every, year=year)
    return tuple(
        _slot(period, occurrence, window, calendar=calendar, grace=frequency.grace)
        for index, period in enumerate(found)
        for occurrence, window in _occurrences(frequency, index, times or frequency.times)
    )


def event_slot(frequency: Frequency, *, happened_on: date, number: int, calendar: WorkCalendar) -> Slot:
    """The slot of one reported event: due `grace` working days after it. `number` counts the year's events from 1."""
    if frequency.every != "event" or number < 1:
        raise ValueError(f"no event number {number} of an item that is owed every {frequency.every}")
    period = Period(f"E{number:04d}", happened_on, happened_on)
    return _slot(period, 1, None, calendar=calendar, grace=frequency.grace)


def remaining(found: Iterable[Slot], *, from_day: date) -> tuple[Slot, ...]:
    """The slots that an organization added or re-tagged on `from_day` still owes: whose last day has not passed."""
    return tuple(slot for slot in found if slot.ends_on >= from_day)


def period_name(code: str) -> tuple[str, dict[str, object]]:
    """Return a gettext key and its values for the name of a period."""
    if code in _NAMES:
        return _NAMES[code], {}
    if code[:1] == "M" and code[1:].isdigit():
        return _n("%(month)s月"), {"month": int(code[1:])}
    if code[:1] == "E" and code[1:].isdigit():
        return _n("第%(number)s次"), {"number": int(code[1:])}
    raise ValueError(f"not the code of a period: {code!r}")


def can_raise(frequency: Frequency, times: int) -> None:
    """Refuse a local number of occurrences that a regulation forbids or that cannot be meant.

    Raises Invalid: below the number of a regulation; outside 1–31; for event items, which nobody can count beforehand.
    """
    if frequency.every == "event":
        raise Invalid(_n("这是按事项发生的任务，发生一次报一次，不能规定次数。"), field="times")
    if not 1 <= times <= MOST_TIMES:
        raise Invalid(_n("次数应在 1 到 %(most)s 之间。"), field="times", most=MOST_TIMES)
    if frequency.basis == "regulation" and times < frequency.times:
        raise Invalid(
            _n("不能少于法规规定的次数：每期 %(least)s 次。请填写 %(least)s 或更大的数。"),
            field="times",
            least=frequency.times,
        )


def _period(months: int, number: int, *, year: int) -> Period:
    code = {1: f"M{number:02d}", 3: f"Q{number}", 6: f"H{number}", 12: "Y"}[months]
    last = number * months
    return Period(code, date(year, last - months + 1, 1), _day(year, last, 31))


def _end_of_term(ends_on: date | None, *, year: int) -> tuple[Period, ...]:
    """The months before the end of a term, if it ends in this year; they do not reach back into the year before."""
    if ends_on is None or ends_on.year != year:
        return ()
    starts_on = _day(year, ends_on.month - TERM_MONTHS, ends_on.day) if ends_on.month > TERM_MONTHS else None
    return (Period("T", starts_on or date(year, 1, 1), ends_on),)


def _occurrences(frequency: Frequency, index: int, times: int) -> Iterator[tuple[int, Window | None]]:
    """The occurrences of the period at `index` with their windows; what is asked beyond the list's number has none."""
    first = index * frequency.times
    windows = frequency.windows[first : first + frequency.times]
    for occurrence in range(1, times + 1):
        yield occurrence, windows[occurrence - 1] if occurrence <= len(windows) else None


def _slot(period: Period, occurrence: int, window: Window | None, *, calendar: WorkCalendar, grace: int) -> Slot:
    starts_on, ends_on = _days_of(window, year=period.starts_on.year) if window else (period.starts_on, period.ends_on)
    return Slot(period, occurrence, starts_on, ends_on, calendar.shift(ends_on, grace))


def _days_of(window: Window, *, year: int) -> tuple[date, date]:
    starts_on, ends_on = (_day(year, int(text[:2]), int(text[3:])) for text in (window.start, window.end))
    if ends_on < starts_on:
        raise ValueError(f"window ends before it begins: {window.start} to {window.end}")
    return starts_on, ends_on


def _day(year: int, month: int, day: int) -> date:
    """That day, or the last of the month where the month is shorter (02-29 in a common year)."""
    return date(year, month, min(day, monthrange(year, month)[1]))
