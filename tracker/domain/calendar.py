"""Chinese working days: the State Council's holidays and make-up workdays, weekdays beyond, and overrides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache, lru_cache

import chinese_calendar

_ONE_DAY = timedelta(days=1)
_NO_WORK = 366  # days without a working day after which the override table must be wrong
_SATURDAY = 5


@cache
def is_official(year: int) -> bool:
    """Whether the holidays of that year have been announced and are known; if not, dates are shown as provisional."""
    try:
        chinese_calendar.is_workday(date(year, 1, 1))
    except NotImplementedError:
        return False
    return True


@lru_cache(maxsize=20_000)
def _is_usual_working_day(day: date) -> bool:
    """Whether it is a working day before any override; in a year without data every weekday is."""
    if is_official(day.year):
        return bool(chinese_calendar.is_workday(day))
    return day.weekday() < _SATURDAY


class WorkCalendar:
    """Working days with local overrides: `{day: True}` makes a working day, `{day: False}` a day off."""

    def __init__(self, overrides: Mapping[date, bool] | None = None) -> None:
        self._overrides = dict(overrides or {})
        self._shifted: dict[tuple[date, int], date] = {}

    def is_working_day(self, day: date) -> bool:
        """Whether people work on that day."""
        override = self._overrides.get(day)
        return _is_usual_working_day(day) if override is None else override

    def is_official(self, year: int) -> bool:
        """Whether official data stand behind that year; without them weekdays count and dates are provisional."""
        return is_official(year)

    def shift(self, day: date, working_days: int) -> date:
        """Return the day that lies so many working days after `day`; 0: `day` itself or the next working day.

        Raises ValueError for a negative number, and where the overrides leave no working day within a year.
        """
        if working_days < 0:
            raise ValueError(f"working days must not be negative: {working_days}")
        key = day, working_days
        if key not in self._shifted:
            self._shifted[key] = self._count_on(day, working_days)
        return self._shifted[key]

    def _count_on(self, day: date, working_days: int) -> date:
        if working_days == 0:
            return self._working_day_from(day)
        for _ in range(working_days):
            day = self._working_day_from(day + _ONE_DAY)
        return day

    def _working_day_from(self, day: date) -> date:
        """Return the first working day that is not before `day`."""
        for _ in range(_NO_WORK):
            if self.is_working_day(day):
                return day
            day += _ONE_DAY
        raise ValueError(f"no working day in the year before {day}")
