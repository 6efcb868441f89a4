"""Rows of duties and of their plans, written organization by organization and in bulk: the hand of `services.cycles`.

A duty that is laid out stays. What is no longer owed is marked so, with the reason, as a new row of its plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Row, select, update
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.applicability import Owed
from tracker.domain.canonical import canonical_json, digest
from tracker.domain.cycle import PlannedDuty, YearPlan, duty_key
from tracker.domain.duty import State
from tracker.domain.schedule import Slot
from tracker.domain.sign_off import duty_content
from tracker.models import Cycle, Duty, DutyPlan, Organization, Seat
from tracker.queries.assignments import Held, year_plan
from tracker.services import log
from tracker.services.bulk import insert_rows, row_numbers, update_rows
from tracker.services.seats import ensure_seat

REASON_LENGTH = 200
_CHUNK = 500
_Row = Row[int, str, str, State, bool, date, date, date]


@dataclass
class Relaid:
    """What laying out again did: duties added, ended (no longer owed), revived (owed again) and moved (other dates)."""

    added: int = 0
    ended: int = 0
    revived: int = 0
    moved: int = 0

    @property
    def total(self) -> int:
        """How many duties were touched."""
        return self.added + self.ended + self.revived + self.moved

    def add(self, change: Change) -> None:
        """Count what was done for one more organization."""
        self.added += len(change.added)
        self.ended += len(change.ended)
        self.revived += len(change.revived)
        self.moved += len(change.moved)


@dataclass(frozen=True)
class Change:
    """What is to be done to the duties of one organization."""

    added: Sequence[PlannedDuty]
    ended: Sequence[_Row]
    revived: Sequence[_Row]
    moved: Sequence[_Row]

    @property
    def total(self) -> int:
        """How many duties are touched."""
        return len(self.added) + len(self.ended) + len(self.revived) + len(self.moved)


@dataclass(frozen=True)
class Plan:
    """One row of a plan to be written."""

    duty_id: int
    starts_on: date
    ends_on: date
    due_on: date
    in_force: bool


class Layer:
    """Writes duties and plans of one year, organization by organization, in bulk."""

    def __init__(self, session: Session, cycle: Cycle, *, actor: Actor, now: datetime) -> None:
        self.session = session
        self.cycle = cycle
        self.actor = actor
        self.now = now
        self.plan: YearPlan = year_plan(session, cycle)

    def open(self, organizations: Sequence[Held]) -> list[int]:
        """Lay out the whole year of some organizations and log it for each; return their numbers of duties."""
        planned = [(held, list(self.plan.duties(held.holding))) for held in organizations]
        self._insert([(held, duty) for held, duties in planned for duty in duties], reason="")
        told = [laid_out(self.cycle.year, held, duties) for held, duties in planned if duties]
        log.record_all(self.session, told, actor=self.actor, now=self.now)
        return [len(duties) for _, duties in planned]

    def lay_again(self, held: Held, *, from_day: date, reason: str, done: Relaid) -> None:
        """Bring what is to come in line with what is owed now."""
        wanted = {duty.key: duty for duty in self.plan.duties(held.holding, from_day=from_day)}
        there = {row.key: row for row in self._duties_of(held, Duty.happened_on.is_(None))}
        change = _compare(wanted, there, from_day=from_day)
        if not change.total:
            return
        self._insert([(held, duty) for duty in change.added], reason=reason)
        plans = [Plan(row.id, row.starts_on, row.ends_on, row.due_on, in_force=False) for row in change.ended]
        plans += [plan_by(row.id, wanted[row.key].slot) for row in (*change.revived, *change.moved)]
        self._replace_plans(plans, reason=reason)
        changes = {
            "reason": reason,
            "from": from_day,
            "added": _summary(change.added),
            "ended": [row.key for row in change.ended],
            "revived": [row.key for row in change.revived],
            "moved": [[row.key, wanted[row.key].slot.due_on] for row in change.moved],
        }
        self._log(held, verb="lay_again", after=changes)
        done.add(change)

    def add_event(self, held: Held, owed: Owed, slot: Slot, *, seat: Seat, what: str) -> Duty:
        """Write the duty of one event."""
        key = duty_key(
            year=self.cycle.year,
            seat=seat.key,
            item_id=owed.item.id,
            period=slot.period.code,
            occurrence=slot.occurrence,
        )
        planned = PlannedDuty(key, seat.key, owed.item, owed.post, slot)
        self._insert([(held, planned)], reason="", happening=what)
        log.record(
            self.session,
            actor=self.actor,
            now=self.now,
            verb="report_event",
            kind="duty",
            key=key,
            chains=[held.unit],
            after={"happened_on": slot.starts_on, "what": what, "due_on": slot.due_on},
            appointment=_appointment(self.actor, seat),
        )
        return self.session.scalars(select(Duty).where(Duty.key == key)).one()

    def move_due_dates(self, held: Held, *, day: date, reason: str) -> int:
        """Count the due dates around a day anew."""
        rows = self._duties_of(held, Duty.in_force.is_(True), Duty.ends_on <= day, Duty.due_on >= day)
        own = (ruling.decision.item for ruling in held.holding.rulings)
        items = self.plan.checklist.item | {item.id: item for item in own if item is not None}
        known = [(row, items[row.item_id].frequency.grace) for row in rows if row.item_id in items]
        due = {row.id: self.plan.calendar.shift(row.ends_on, grace) for row, grace in known}
        moved = [row for row, _ in known if due[row.id] != row.due_on]
        if not moved:
            return 0
        plans = [Plan(row.id, row.starts_on, row.ends_on, due[row.id], in_force=True) for row in moved]
        self._replace_plans(plans, reason=reason)
        changes = {"reason": reason, "moved": [[row.key, due[row.id]] for row in moved]}
        self._log(held, verb="lay_again", after=changes)
        return len(moved)

    def _duties_of(self, held: Held, *conditions: ColumnElement[bool]) -> Sequence[_Row]:
        """The organization's duties of the year as plain rows, locked until the end of the transaction."""
        columns = (
            Duty.id,
            Duty.key,
            Duty.item_id,
            Duty.state,
            Duty.in_force,
            Duty.starts_on,
            Duty.ends_on,
            Duty.due_on,
        )
        return self.session.execute(
            select(*columns)
            .where(Duty.cycle_id == self.cycle.id, Duty.organization_id == held.id, *conditions)
            .order_by(Duty.id)
            .with_for_update()
        ).all()

    def _insert(self, owed: Sequence[tuple[Held, PlannedDuty]], *, reason: str, happening: str | None = None) -> None:
        if not owed:
            return
        seats = self._seat_numbers(owed)
        numbers = row_numbers(self.session, Duty, len(owed))
        rows = [
            duty_row(number, held, duty, self.plan.digest_of(duty.item), cycle_id=self.cycle.id,
                     seat_id=seats[duty.seat], happening=happening, now=self.now)
            for number, (held, duty) in zip(numbers, owed, strict=True)
        ]  # fmt: skip
        insert_rows(self.session, Duty, rows)
        plans = (plan_by(number, duty.slot) for number, (_, duty) in zip(numbers, owed, strict=True))
        self._add_plans(plans, reason=reason)

    def _seat_numbers(self, owed: Sequence[tuple[Held, PlannedDuty]]) -> Mapping[str, int]:
        """Row numbers of seats by key; seats of a single holder are made where they are missing."""
        keys = {duty.seat: (held, duty.post) for held, duty in owed}
        rows = self.session.execute(select(Seat.key, Seat.id).where(Seat.key.in_(keys)))
        numbers = dict(rows.all())
        for key, (held, post) in keys.items():
            if key not in numbers:
                organization = self.session.get_one(Organization, held.id)
                number = int(key.rsplit("-", 1)[1])
                numbers[key] = ensure_seat(self.session, organization, post, number, now=self.now).id
        return numbers

    def _add_plans(self, plans: Iterable[Plan], *, reason: str) -> None:
        rows = [plan_row(plan, reason=reason[:REASON_LENGTH], now=self.now) for plan in plans]
        insert_rows(self.session, DutyPlan, rows)

    def _replace_plans(self, plans: Sequence[Plan], *, reason: str) -> None:
        """Let new plans take the place of those in force, and renew what the duties show of them."""
        table = DutyPlan.__table__
        versions: dict[int, int] = {}  # of duties that are locked
        for start in range(0, len(plans), _CHUNK):
            numbers = [plan.duty_id for plan in plans[start : start + _CHUNK]]
            old = table.c.duty_id.in_(numbers) & table.c.superseded_at.is_(None)
            self.session.execute(update(table).where(old).values(superseded_at=self.now))  # type: ignore[arg-type]
            versions |= dict(self.session.execute(select(Duty.id, Duty.version).where(Duty.id.in_(numbers))).all())
        self._add_plans(plans, reason=reason)
        rows = [{"id": plan.duty_id, "version": versions[plan.duty_id], **_shown(plan)} for plan in plans]
        update_rows(self.session, Duty, rows, key=("id", "version"))

    def _log(self, held: Held, *, verb: str, after: object) -> None:
        log.record(
            self.session,
            actor=self.actor,
            now=self.now,
            verb=verb,
            kind="organization",
            key=held.holding.code,
            chains=[held.unit],
            after={"cycle": self.cycle.year, "duties": after},
        )


def duty_row(
    number: int,
    held: Held,
    duty: PlannedDuty,
    version: str,
    *,
    cycle_id: int,
    seat_id: int,
    happening: str | None,
    now: datetime,
) -> dict[str, Any]:
    """A duty as it is laid out; `version` is the digest of its item's text."""
    item, slot = duty.item, duty.slot
    return {
        "id": number,
        "key": duty.key,
        "cycle_id": cycle_id,
        "unit_id": held.unit_id,
        "organization_id": held.id,
        "seat_id": seat_id,
        "item_id": item.id,
        "item_digest": version,
        "level": item.level,
        "post": duty.post,
        "dimension": item.dimension,
        "occasion": item.occasion,
        "period": slot.period.code,
        "period_starts_on": slot.period.starts_on,
        "period_ends_on": slot.period.ends_on,
        "occurrence": slot.occurrence,
        "happened_on": None if happening is None else slot.starts_on,
        "happening": happening,
        "created_at": now,
        "starts_on": slot.starts_on,
        "ends_on": slot.ends_on,
        "due_on": slot.due_on,
        "in_force": True,
        "state": State.OPEN,
        "content_digest": _empty_content(duty, version),
        "is_changed": False,
        "version": 1,
    }


def _shown(plan: Plan) -> dict[str, Any]:
    """What a duty shows of its plan."""
    return {
        "starts_on": plan.starts_on,
        "ends_on": plan.ends_on,
        "due_on": plan.due_on,
        "in_force": plan.in_force,
    }


def plan_row(plan: Plan, *, reason: str, now: datetime) -> dict[str, Any]:
    """A row of a plan."""
    return {"duty_id": plan.duty_id, **_shown(plan), "reason": reason, "recorded_at": now}


def opened(cycle: Cycle, *, organizations: int, duties: int) -> log.Told:
    """What the log tells of a year that was opened."""
    after = {"checklist": cycle.checklist_version.sha256, "organizations": organizations, "duties": duties}
    return log.Told("open", "cycle", str(cycle.year), after=after)


def laid_out(year: int, held: Held, planned: Sequence[PlannedDuty]) -> log.Told:
    """What the log tells of the year of an organization."""
    after = {"cycle": year, "duties": _summary(planned)}
    return log.Told("lay_out", "organization", held.holding.code, (held.unit,), after=after)


def _appointment(actor: Actor, seat: Seat) -> str | None:
    sitting = actor.sitting_in(seat.id)
    return sitting.appointment_key if sitting else None


def _empty_content(duty: PlannedDuty, version: str) -> str:
    head, tail = _around_key(duty.item.id, version, duty.slot.period.code, duty.slot.occurrence)
    return digest(head + canonical_json(duty.key) + tail)


@lru_cache(maxsize=4096)
def _around_key(item_id: str, version: str, period: str, occurrence: int) -> tuple[bytes, bytes]:
    """The content of a duty without evidence before and after its key: all that is the same for a whole city."""
    key = "key-of-the-duty"
    content = duty_content(
        duty_key=key, item_id=item_id, item_digest=version, period=period, occurrence=occurrence, evidence=()
    )
    head, _, tail = content.partition(canonical_json(key))
    return head, tail


def _summary(planned: Sequence[PlannedDuty]) -> dict[str, object]:
    """How many duties, and the digest of their keys and due dates in canonical form, in the order of the keys."""
    listed = sorted([duty.key, duty.slot.due_on.isoformat()] for duty in planned)
    return {"count": len(listed), "digest": digest(canonical_json(listed))}


def plan_by(duty_id: int, slot: Slot) -> Plan:
    """The plan that a slot makes."""
    return Plan(duty_id, slot.starts_on, slot.ends_on, slot.due_on, in_force=True)


def _compare(wanted: Mapping[str, PlannedDuty], there: Mapping[str, _Row], *, from_day: date) -> Change:
    """Hold what is owed from a day on against the duties that are there."""
    done = {_occasion_of(row.key) for row in there.values() if row.key not in wanted and _is_handed_in(row)}
    asked = {key: duty for key, duty in wanted.items() if _occasion_of(key) not in done}
    return Change(
        added=[duty for key, duty in asked.items() if key not in there],
        ended=[row for key, row in there.items() if key not in wanted and _may_end(row, from_day)],
        revived=[row for key, row in there.items() if key in asked and not row.in_force],
        moved=[row for key, row in there.items() if key in wanted and _is_moved(row, wanted[key].slot, from_day)],
    )


def _occasion_of(key: str) -> tuple[str, ...]:
    """Item, period and occurrence: what another seat has handed in is not asked for a second time."""
    return tuple(key.rsplit(".", 3)[1:])


def _is_handed_in(row: _Row) -> bool:
    return bool(row.in_force and row.state is not State.OPEN)


def _may_end(row: _Row, from_day: date) -> bool:
    """Only what is to come and has not been handed in may cease to be owed."""
    return bool(row.in_force and row.state is State.OPEN and row.ends_on >= from_day)


def _is_moved(row: _Row, slot: Slot, from_day: date) -> bool:
    """Whether the days of a duty that is to come, or that still waits, have changed."""
    changed = (row.starts_on, row.ends_on, row.due_on) != (slot.starts_on, slot.ends_on, slot.due_on)
    return bool(changed and row.in_force and (row.state is State.OPEN or row.ends_on >= from_day))
