"""As-of reading: which rows were known at a recorded time, and which fact held on a day."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone

from sqlalchemy import ColumnElement, and_, or_

from tracker.models import Recorded

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")


def end_of_day(day: date) -> datetime:
    """Return the last moment of a day in Asia/Shanghai: what "as of that day" means."""
    return datetime.combine(day, time.max, SHANGHAI)


def known(model: type[Recorded], as_of: datetime | None = None) -> ColumnElement[bool]:
    """The filter that leaves the rows of `model` known at `as_of`; without it, those known now."""
    if as_of is None:
        return model.superseded_at.is_(None)
    return and_(model.recorded_at <= as_of, or_(model.superseded_at.is_(None), model.superseded_at > as_of))
