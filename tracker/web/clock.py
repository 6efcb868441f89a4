"""What time it is: the one clock of the web layer. Days are those of Asia/Shanghai."""

from __future__ import annotations

from datetime import UTC, date, datetime

from tracker.queries.history import SHANGHAI


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def today() -> date:
    """The present day in Asia/Shanghai."""
    return now().astimezone(SHANGHAI).date()
