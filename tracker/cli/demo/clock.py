"""The clock of the demo: every moment in it is fixed, and every choice follows from a word."""

from __future__ import annotations

import random
from datetime import date, datetime, time, timedelta

from tracker.queries.history import SHANGHAI

YEAR = 2026
BEGIN = date(YEAR, 1, 4)
END = date(YEAR, 11, 20)


def moment(day: date, hour: int = 10, minute: int = 0) -> datetime:
    """A moment of a day in the city."""
    return datetime.combine(day, time(hour, minute), SHANGHAI)


def chance(*words: object) -> random.Random:
    """Return a source of choices that is the same at every run for the same words."""
    return random.Random("|".join(map(str, words)))  # noqa: S311  the same at every run is what is wanted


def workday(day: date) -> date:
    """The day itself, or the Friday before a weekend."""
    return day - timedelta(days=max(0, day.weekday() - 4))
