"""The year: opening it, laying out again what is to come, reporting events, closing it.

A duty that is laid out stays. What is no longer owed is marked so, with the reason, as a new row of its plan.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.applicability import Owed
from tracker.domain.cycle import YearPlan
from tracker.domain.errors import Conflict, Invalid, WrongState
from tracker.domain.schedule import event_slot
from tracker.domain.text import _n
from tracker.models import ChecklistVersion, Cycle, CycleState, Duty, Organization, Seat
from tracker.policy import Act, require
from tracker.queries.assignments import Held, holdings
from tracker.queries.cycles import Progress, cycle_of, open_cycles, state_counts
from tracker.queries.history import SHANGHAI
from tracker.queries.log import SYSTEM
from tracker.services import log
from tracker.services.duty_plans import Layer, Relaid, opened

EARLIEST, LATEST = 2000, 2199
WHAT_LENGTH = 300
CHUNK = 500
OPENED_AT_ONCE = 50  # organizations whose duties are written together: memory does not grow with the city


@dataclass(frozen=True)
class Opened:
    """What opening a year did. `is_new` is False where the year was open already and nothing was added."""

    cycle: Cycle
    is_new: bool
    organizations: int
    duties: int


def open_cycle(
    session: Session,
    *,
    year: int,
    version: ChecklistVersion,
    actor: Actor,
    now: datetime,
    progress: Progress | None = None,
) -> Opened:
    """Open a year with a published checklist and lay out every duty of every organization. Twice adds nothing.

    `progress` is called with how many organizations are done and how many there are. Raises `Conflict` if the year is
    open with another checklist, `WrongState` if it has been closed.
    """
    require(session, actor, Act.ADMINISTER)
    if not EARLIEST <= year <= LATEST:
        raise Invalid(_n("年度应在 %(first)s 到 %(last)s 之间。"), field="year", first=EARLIEST, last=LATEST)
    there = session.scalar(select(Cycle).where(Cycle.year == year).with_for_update())
    if there is not None:
        return _as_opened(there, version)
    cycle = Cycle(year=year, checklist_version_id=version.id, state=CycleState.OPEN, opened_at=now, closed_at=None)
    session.add(cycle)
    session.flush()
    layer = Layer(session, cycle, actor=actor, now=now)
    found = list(holdings(session, cycle=cycle))
    counts: list[int] = []
    for start in range(0, len(found), OPENED_AT_ONCE):
        counts += layer.open(found[start : start + OPENED_AT_ONCE])
        if progress:
            progress(len(counts), len(found))
    laid, organizations = sum(counts), sum(map(bool, counts))
    told = opened(cycle, organizations=organizations, duties=laid)
    log.record_all(session, [told], actor=actor, now=now)
    return Opened(cycle, True, organizations, laid)


def relay(
    session: Session,
    *,
    organizations: Iterable[Organization],
    from_day: date,
    actor: Actor,
    now: datetime,
    reason: str,
) -> Relaid:
    """Lay out again, in every open year, the windows of these organizations that end on or after `from_day`.

    New duties are added; open ones that are no longer owed are marked so with the reason; those owed again come back;
    changed dates get a new plan. What ended before, and what has been handed in, stays. Twice is as good as once.
    Whoever calls has asked whether the actor may.
    """
    numbers = sorted({organization.id for organization in organizations})
    done = Relaid()
    session.flush()
    for cycle in open_cycles(session):
        if cycle.year < from_day.year or not numbers:
            continue
        layer = Layer(session, cycle, actor=actor, now=now)
        for chunk in (numbers[start : start + CHUNK] for start in range(0, len(numbers), CHUNK)):
            for held in list(holdings(session, cycle=cycle, organizations=chunk)):
                layer.lay_again(held, from_day=from_day, reason=reason, done=done)
    _forget_loaded(session)
    return done


def report_event(
    session: Session,
    *,
    seat: Seat,
    item_id: str,
    happened_on: date,
    what: str,
    actor: Actor,
    now: datetime,
) -> Duty:
    """Make the duty of one event that happened: due so many working days after it.

    Raises `NotAllowed` unless the actor sits in the organization, `Invalid` for a day to come or out of the year, for
    an empty or overlong account and for an item that is not an event item of this seat, `WrongState` for a closed
    year, `Conflict` for the same event told twice.
    """
    organization = seat.organization
    require(session, actor, Act.PREPARE, organization)
    account = _account_of_event(happened_on, what, now=now)
    cycle = cycle_of(session, happened_on.year)
    if cycle.state is not CycleState.OPEN:
        raise WrongState(_n("%(year)s 年度已经结束，不能再登记事项。"), year=cycle.year)
    session.execute(select(Seat.id).where(Seat.id == seat.id).with_for_update())
    layer = Layer(session, cycle, actor=actor, now=now)
    held = next(holdings(session, cycle=cycle, organizations=[organization.id]))
    owed = _event_item(layer.plan, held, seat=seat, item_id=item_id, on=happened_on)
    told = session.execute(
        select(Duty.happened_on, Duty.happening).where(
            Duty.cycle_id == cycle.id, Duty.seat_id == seat.id, Duty.item_id == item_id
        )
    ).all()
    if any(row == (happened_on, account) for row in told):
        raise Conflict(_n("这件事已经登记过，不必再报；请在待办中查看。"))
    slot = event_slot(
        owed.item.frequency, happened_on=happened_on, number=len(told) + 1, calendar=layer.plan.calendar
    )
    return layer.add_event(held, owed, slot, seat=seat, what=account)


def close_cycle(session: Session, cycle: Cycle, *, actor: Actor, now: datetime) -> None:
    """End a year: states stay as they are, and what was not done is missed from now on."""
    require(session, actor, Act.ADMINISTER)
    if cycle.state is CycleState.CLOSED:
        raise WrongState(_n("%(year)s 年度已经结束。"), year=cycle.year)
    cycle.state, cycle.closed_at = CycleState.CLOSED, now
    session.flush()
    states = state_counts(session, cycle)
    units = session.scalars(select(Organization.code).where(Organization.is_unit.is_(True)))
    log.record(
        session,
        actor=actor,
        now=now,
        verb="close",
        kind="cycle",
        key=str(cycle.year),
        chains=[SYSTEM, *units],
        before={"state": CycleState.OPEN.value},
        after={"state": CycleState.CLOSED.value, "duties": {state.value: count for state, count in states.items()}},
    )


def replan(session: Session, *, day: date, actor: Actor, now: datetime, reason: str) -> int:
    """Work out anew the due dates that count over `day`, in every open year; return how many moved.

    To be called after the calendar changed; a due date that has passed moves as well, and its old plan stays readable.
    """
    moved = 0
    for cycle in open_cycles(session):
        layer = Layer(session, cycle, actor=actor, now=now)
        affected = session.scalars(
            select(Duty.organization_id)
            .where(Duty.cycle_id == cycle.id, Duty.in_force.is_(True), Duty.ends_on <= day, Duty.due_on >= day)
            .distinct()
        ).all()
        for held in list(holdings(session, cycle=cycle, organizations=affected)) if affected else ():
            moved += layer.move_due_dates(held, day=day, reason=reason)
    _forget_loaded(session)
    return moved


def _as_opened(cycle: Cycle, version: ChecklistVersion) -> Opened:
    if cycle.checklist_version_id != version.id:
        raise Conflict(
            _n("%(year)s 年度已经使用清单 %(key)s（版本 %(version)s）开启，不能换用其他清单。"),
            year=cycle.year,
            key=cycle.checklist_version.key,
            version=cycle.checklist_version.version,
        )
    if cycle.state is CycleState.CLOSED:
        raise WrongState(_n("%(year)s 年度已经结束，不能重新开启。"), year=cycle.year)
    return Opened(cycle, False, 0, 0)


def _account_of_event(happened_on: date, what: str, *, now: datetime) -> str:
    account = what.strip()
    if not account:
        raise Invalid(_n("请用一句话写明发生了什么事；不要写谈话内容、病情和困难人员姓名。"), field="what")
    if len(account) > WHAT_LENGTH:
        raise Invalid(_n("请精简到 %(most)s 字以内。"), field="what", most=WHAT_LENGTH)
    if happened_on > now.astimezone(SHANGHAI).date():
        raise Invalid(_n("发生日期在今天之后；事情发生后再登记。"), field="happened_on")
    return account


def _event_item(plan: YearPlan, held: Held, *, seat: Seat, item_id: str, on: date) -> Owed:
    for owed in plan.owed_on(held.holding, on):
        if owed.item.id == item_id and owed.item.frequency.every == "event" and seat.key in owed.seats:
            return owed
    raise Invalid(
        _n("这个岗位在 %(day)s 没有按发生登记的事项 %(item)s，请核对。"), field="item_id", item=item_id, day=on
    )


def _forget_loaded(session: Session) -> None:
    """Let duties that were loaded before be read anew."""
    for loaded in list(session.identity_map.values()):
        if isinstance(loaded, Duty):
            session.expire(loaded)
