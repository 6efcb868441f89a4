"""The counters of the board: compared with the duties themselves, and counted anew."""
# ruff: noqa: S608  what is put together are names of our own columns

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from tracker.models import DutyCount
from tracker.models.duty_count import PLACE, recount
from tracker.services.recount import Difference

STREAM = 1_000
# One statement, so that nothing moves between its two sides, whoever works meanwhile.
_DIFFERENCES = f"""SELECT cycle.year, organization.code, both_sides.* FROM (
    SELECT {PLACE}, sum(found) AS found, sum(expected) AS expected FROM (
        SELECT {PLACE}, number AS found, 0 AS expected FROM duty_count
        UNION ALL SELECT {PLACE}, 0, number FROM ({recount()}) AS counted
    ) AS sides GROUP BY {PLACE} HAVING sum(found) <> sum(expected)
) AS both_sides
JOIN cycle ON cycle.id = both_sides.cycle_id JOIN organization ON organization.id = both_sides.unit_id
ORDER BY cycle.year, organization.code, kind, heading, state, timing, due_on"""


def verify_counts(session: Session) -> Iterator[Difference]:
    """Yield every counter that is not the number of duties in its place, and every place without a counter."""
    session.flush()
    for row in session.execute(text(_DIFFERENCES), execution_options={"yield_per": STREAM}):
        place = (row.year, row.code, row.kind, row.heading, row.state, row.timing, row.due_on)
        yield Difference("duty_count", "/".join(map(str, place)), "number", str(row.found), str(row.expected))


def rebuild(session: Session, cycle_id: int) -> int:
    """Count a year anew; return how many counters it has. Nobody else changes a duty meanwhile."""
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE duty IN SHARE ROW EXCLUSIVE MODE"))
    session.execute(delete(DutyCount).where(DutyCount.cycle_id == cycle_id))
    anew = f"INSERT INTO duty_count ({PLACE}, number) {recount('AND duty.cycle_id = :cycle')}"
    session.execute(text(anew), {"cycle": cycle_id})
    counters = select(func.count()).where(DutyCount.cycle_id == cycle_id)
    return session.scalar(counters) or 0
