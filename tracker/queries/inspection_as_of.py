"""The pages of a check as known at a time: units and sample with the names, the order and the states of that day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.models import Duty, Inspection
from tracker.queries.board_as_of import places_then
from tracker.queries.duties import duties_as_of
from tracker.queries.inspections import PAGE, Sampled, sample_of, units_of


@dataclass(frozen=True)
class Place:
    """An organization as it was called."""

    id: int
    code: str
    name: str


def units_then(session: Session, inspection: Inspection, *, as_of: datetime) -> list[Place]:
    """The units of the check in the official order of that day."""
    chosen = {unit.id for unit in units_of(session, inspection, as_of=as_of)}
    return [Place(*place) for place in places_then(session, as_of) if place[0] in chosen]


def sample_then(
    session: Session,
    inspection: Inspection,
    *,
    as_of: datetime,
    unit: str | None = None,
    pending: bool = False,
    after: str = "",
    size: int = PAGE,
) -> list[Sampled]:
    """The duties of the sample as they stood then, in the official order of that day; those behind the duty `after`."""
    rows = sample_of(session, inspection, unit=unit, pending=pending, size=None, as_of=as_of)
    numbers = _numbers(session, rows)
    stood = {
        one.key: one
        for one in duties_as_of(session, cycle=inspection.cycle, as_of=as_of, numbers=list(numbers.values()))
    }
    order = {code: (place, name) for place, (_, code, name) in enumerate(places_then(session, as_of))}
    found = [
        replace(
            row,
            organization=order[row.organization_code][1],
            due_on=stood[row.key].due_on,
            act_on=stood[row.key].act_on,
            first_submitted_on=stood[row.key].first_submitted_on,
            state=stood[row.key].state,
            is_changed=stood[row.key].is_changed,
        )
        for row in rows
    ]
    found.sort(key=lambda row: order[row.organization_code][0])  # within an organization the order never changes
    start = next((place for place, row in enumerate(found, start=1) if row.key == after), 0)
    return found[start : start + size]


def _numbers(session: Session, rows: Sequence[Sampled]) -> dict[str, int]:
    keys = [row.key for row in rows]
    return dict(session.execute(select(Duty.key, Duty.id).where(Duty.key.in_(keys))).all())
