"""Days that were decided to be worked or not, and the calendar that they make."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import extract, select
from sqlalchemy.orm import Session

from tracker.domain.calendar import WorkCalendar
from tracker.models import DayOverride
from tracker.queries.history import known


def overrides(session: Session, *, year: int | None = None, as_of: datetime | None = None) -> Sequence[DayOverride]:
    """The overrides known at a recorded time, of one year or of all, in the order of their days."""
    query = select(DayOverride).where(known(DayOverride, as_of)).order_by(DayOverride.day)
    if year is not None:
        query = query.where(extract("year", DayOverride.day) == year)
    return session.scalars(query).all()


def work_calendar(session: Session, *, as_of: datetime | None = None) -> WorkCalendar:
    """The working days as known at a recorded time."""
    return WorkCalendar({override.day: override.is_working for override in overrides(session, as_of=as_of)})


def override_of(session: Session, day: date) -> DayOverride | None:
    """What was decided about a day, as known now."""
    return session.scalar(select(DayOverride).where(known(DayOverride), DayOverride.day == day))
