"""What a measurement acts on: duties that can be ticked, and who sits in a seat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.duty import State
from tracker.models import Appointment, Cycle, Duty, Inspection, Person
from tracker.queries.actors import in_force_on


def tickable(session: Session, cycle: Cycle, unit_id: int, *, level: str, today: date, most: int) -> Sequence[int]:
    """Row numbers of duties of a unit's level that are open and may be done already, the first ones."""
    query = select(Duty.id).where(
        Duty.unit_id == unit_id,
        Duty.cycle_id == cycle.id,
        Duty.level == level,
        Duty.state == State.OPEN,
        Duty.in_force.is_(True),
        Duty.starts_on <= today,
    )
    return session.scalars(query.order_by(Duty.id).limit(most)).all()


def holder_of(session: Session, seat_id: int | None, *, today: date) -> Person:
    """Who holds a seat on a day."""
    query = select(Person).join(Appointment, Appointment.person_id == Person.id)
    return session.scalars(query.where(Appointment.seat_id == seat_id, in_force_on(today)).limit(1)).one()


def duties_numbered(session: Session, numbers: Sequence[int]) -> Sequence[Duty]:
    """The duties of these row numbers."""
    return session.scalars(select(Duty).where(Duty.id.in_(numbers))).all()


def duty_in(session: Session, cycle: Cycle, organization_id: int, *, state: State) -> str:
    """The key of the first duty of an organization that is in a state, or else of its first duty."""
    query = select(Duty.key).where(Duty.organization_id == organization_id, Duty.cycle_id == cycle.id)
    found = session.scalar(query.where(Duty.state == state).order_by(Duty.id).limit(1))
    return found or session.scalars(query.order_by(Duty.id).limit(1)).one()


def last_inspection(session: Session) -> int:
    """The number of the check that was planned last."""
    return session.scalars(select(Inspection.number).order_by(Inspection.id.desc()).limit(1)).one()


def latest_year(session: Session) -> Cycle | None:
    """The latest year that there is."""
    return session.scalar(select(Cycle).order_by(Cycle.year.desc()).limit(1))
