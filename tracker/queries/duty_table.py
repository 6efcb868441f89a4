"""All duties of a year as rows of plain values, for whoever takes them along, read as they come.

The names of organizations are those of today.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from tracker.domain.duty import State
from tracker.domain.text import _n
from tracker.models import Cycle, Duty, Organization, Seat

AT_ONCE = 2_000  # rows in memory
HEADINGS = (
    _n("任务编号"),
    _n("单位"),
    _n("组织"),
    _n("组织编码"),
    _n("层级"),
    _n("岗位"),
    _n("席位"),
    _n("事项编号"),
    _n("事项"),
    _n("维度"),
    _n("时段"),
    _n("时段内次序"),
    _n("可办理日期"),
    _n("截止办理日期"),
    _n("到期日"),
    _n("要求办理"),
    _n("状态"),
    _n("签后有改动"),
    _n("首次提交日期"),
    _n("办理日期"),
    _n("内容摘要（SHA-256）"),
)


class Taken(NamedTuple):
    """One duty as it is taken along."""

    key: str
    unit: str
    organization: str
    code: str
    level: str
    post: str
    seat: str
    item: str
    dimension: str
    period: str
    occurrence: int
    starts_on: date
    ends_on: date
    due_on: date
    in_force: bool
    state: State
    is_changed: bool
    first_submitted_on: date | None
    act_on: date | None
    content_digest: str


def duty_rows(session: Session, cycle: Cycle) -> Iterator[Taken]:
    """The duties of a year by key."""
    unit = aliased(Organization)
    query = (
        select(
            Duty.key,
            unit.name,
            Organization.name,
            Organization.code,
            Duty.level,
            Duty.post,
            Seat.key,
            Duty.item_id,
            Duty.dimension,
            Duty.period,
            Duty.occurrence,
            Duty.starts_on,
            Duty.ends_on,
            Duty.due_on,
            Duty.in_force,
            Duty.state,
            Duty.is_changed,
            Duty.first_submitted_on,
            Duty.act_on,
            Duty.content_digest,
        )
        .join(Organization, Organization.id == Duty.organization_id)
        .join(unit, unit.id == Duty.unit_id)
        .join(Seat, Seat.id == Duty.seat_id)
        .where(Duty.cycle_id == cycle.id)
        .order_by(Duty.key)
    )
    for row in session.execute(query, execution_options={"yield_per": AT_ONCE}):
        yield Taken._make(row)


def number_of_duties(session: Session, cycle: Cycle) -> int:
    """How many there are."""
    return session.scalar(select(func.count()).where(Duty.cycle_id == cycle.id)) or 0
