"""Years: which are open, and what opening one would make."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.burden import OrganizationBurden, YearBurden, burden_of, level_burdens
from tracker.domain.cycle import Holding, PlannedDuty, YearPlan
from tracker.domain.duty import State
from tracker.domain.errors import NotFound
from tracker.domain.text import _n
from tracker.models import ChecklistVersion, Cycle, CycleState, DutyCount
from tracker.queries.assignments import Held, holdings
from tracker.queries.calendar import work_calendar
from tracker.queries.checklists import checklist_of

Progress = Callable[[int, int], None]


def all_cycles(session: Session, *, as_of: datetime | None = None) -> Sequence[Cycle]:
    """All years that had been opened at a time, the newest first."""
    found = session.scalars(select(Cycle).order_by(Cycle.year.desc())).all()
    return found if as_of is None else [cycle for cycle in found if cycle.opened_at <= as_of]


def was_closed(cycle: Cycle, as_of: datetime | None = None) -> bool:
    """Whether a year had been ended at a time."""
    if as_of is None:
        return cycle.state is CycleState.CLOSED
    return cycle.closed_at is not None and cycle.closed_at <= as_of


def open_cycles(session: Session) -> Sequence[Cycle]:
    """The years that take ticks, in order."""
    return session.scalars(select(Cycle).where(Cycle.state == CycleState.OPEN).order_by(Cycle.year)).all()


def cycle_of(session: Session, year: int) -> Cycle:
    """The cycle of a year. Raises `NotFound` if it has not been opened."""
    found = session.scalar(select(Cycle).where(Cycle.year == year))
    if found is None:
        raise NotFound(_n("%(year)s 年度还没有开启。"), year=year)
    return found


def cycles_of(session: Session, years: Collection[int]) -> Sequence[Cycle]:
    """The cycles of these years."""
    return session.scalars(select(Cycle).where(Cycle.year.in_(years))).all()


def current_cycle(session: Session, *, today: date, as_of: datetime | None = None) -> Cycle | None:
    """The year that people work on: this one, else the latest that is open, else the latest, as known at a time."""
    return current_of(all_cycles(session, as_of=as_of), today=today, as_of=as_of)


def current_of(cycles: Sequence[Cycle], *, today: date, as_of: datetime | None = None) -> Cycle | None:
    """That year among some."""

    def far(cycle: Cycle) -> tuple[bool, bool, int]:
        return cycle.year != today.year, was_closed(cycle, as_of), -cycle.year

    return min(cycles, key=far, default=None)


def state_counts(session: Session, cycle: Cycle) -> dict[State, int]:
    """How many duties that are owed stand where, as states are shown; in their order, without those of none."""
    numbers = select(DutyCount.state, func.sum(DutyCount.number)).group_by(DutyCount.state)
    rows = session.execute(numbers.where(DutyCount.cycle_id == cycle.id, DutyCount.kind == "unit"))
    counts = {State(state): count for state, count in rows}
    return {state: counts[state] for state in State if counts.get(state)}


def plan_cycle(
    session: Session, *, year: int, version: ChecklistVersion, progress: Progress | None = None
) -> YearBurden:
    """Work out, without writing anything, what opening a year makes: the same computation as `services.cycles`."""
    checklist = checklist_of(version)
    plan = YearPlan(checklist, year=year, calendar=work_calendar(session))
    cycle = session.scalar(select(Cycle).where(Cycle.year == year))
    found = list(holdings(session, cycle=cycle))
    organizations: list[OrganizationBurden] = []
    for number, held in enumerate(found, start=1):
        organizations += _burden_of(held, plan)
        if progress:
            progress(number, len(found))
    return YearBurden(
        year=year,
        checklist=checklist.key,
        version=checklist.version,
        organizations=tuple(organizations),
        levels=level_burdens(organizations, checklist=checklist),
        event_items=sum(item.frequency.every == "event" and not item.retired for item in checklist.items),
        official=plan.calendar.is_official(year),
    )


def _burden_of(held: Held, plan: YearPlan) -> Iterable[OrganizationBurden]:
    """The burden of an organization that exists in the year and stands on a level; nothing otherwise."""
    level = level_in_year(held.holding, plan.year)
    if level not in plan.checklist.level:
        return
    duties: Iterable[PlannedDuty] = plan.duties(held.holding)
    yield burden_of(
        duties,
        checklist=plan.checklist,
        code=held.holding.code,
        name=held.name,
        unit=held.unit,
        level=level,
    )


def level_in_year(holding: Holding, year: int) -> str:
    """The level on which an organization stands at the end of the year, or stood last in it; empty if it never did."""
    last = date(year, 12, 31)
    days = [last, *(s.closed_on for s in reversed(holding.standings) if s.closed_on and s.closed_on.year == year)]
    return next((found.level for day in days if (found := holding.standing_on(day))), "")
