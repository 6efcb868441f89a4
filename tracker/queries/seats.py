"""Seats, and who sat in them when, as known at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, bindparam, func, or_, select
from sqlalchemy.orm import Session

from tracker.domain.actor import AppointmentKind
from tracker.models import Appointment, Person, PersonFact, Seat
from tracker.queries.columns import Columns, read
from tracker.queries.history import known

ORDER = {AppointmentKind.HOLDER: 0, AppointmentKind.ACTING: 1, AppointmentKind.CLERK: 2}


@dataclass(frozen=True)
class Holder:
    """A person in a seat. `name` is what they were called then, as known at the time that was asked for."""

    appointment_id: int
    appointment_key: str
    seat_id: int
    person_id: int
    person_key: str
    name: str
    kind: AppointmentKind
    starts_on: date
    ends_on: date | None

    def sits_on(self, day: date) -> bool:
        """Whether the person sits there on that day."""
        return self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)


def seats_of(session: Session, organization_ids: Iterable[int], *, as_of: datetime | None = None) -> list[Seat]:
    """The seats that these organizations had at a time, in the order of post and number."""
    query = select(Seat).where(Seat.organization_id.in_(list(organization_ids)))
    query = query if as_of is None else query.where(Seat.opened_at <= as_of)
    return list(session.scalars(query.order_by(Seat.organization_id, Seat.post, Seat.number)))


def by_key(session: Session, key: str) -> Seat | None:
    """The seat with that key."""
    return session.scalar(select(Seat).where(Seat.key == key))


def seat_named(session: Session, key: str) -> Seat:
    """The seat with that key, which is known to be there."""
    return session.scalars(select(Seat).where(Seat.key == key)).one()


def holders_of(
    session: Session, seat_ids: Iterable[int], *, on: date, as_of: datetime | None = None
) -> dict[int, list[Holder]]:
    """Who sits in each seat on a day: the holder first, then acting ones, then clerks. Vacant seats are left out."""
    return _by_seat(read(session, _sitting_on(as_of), {"seats": list(seat_ids), "day": on}))


def terms_of(session: Session, seat_ids: Iterable[int], *, as_of: datetime | None = None) -> dict[int, list[Holder]]:
    """Everybody who ever sat, sits or will sit in each seat, the latest first."""
    found = _by_seat(read(session, _terms(as_of), {"seats": list(seat_ids)}))
    for holders in found.values():
        holders.sort(key=lambda holder: (holder.starts_on, holder.appointment_id), reverse=True)
    return found


@lru_cache(maxsize=16)
def _terms(as_of: datetime | None) -> Columns:
    """What `Holder` says of every term in some seats."""
    return (
        select(
            Appointment.id,
            Appointment.key,
            Appointment.seat_id,
            Appointment.person_id,
            Person.key,
            func.coalesce(PersonFact.name, Person.key),
            Appointment.kind,
            Appointment.starts_on,
            Appointment.ends_on,
        )
        .join(Person, Person.id == Appointment.person_id)
        .outerjoin(PersonFact, (PersonFact.person_id == Person.id) & known(PersonFact, as_of))
        .where(Appointment.seat_id.in_(bindparam("seats", expanding=True)), known(Appointment, as_of))
        .order_by(Appointment.starts_on, Appointment.id)
    )


@lru_cache(maxsize=16)
def _sitting_on(as_of: datetime | None) -> Columns:
    """The same of the terms that a day lies in."""
    day: BindParameter[date] = bindparam("day")
    within = Appointment.starts_on <= day, or_(Appointment.ends_on.is_(None), Appointment.ends_on >= day)
    return _terms(as_of).where(*within)


def _by_seat(rows: Iterable[Any]) -> dict[int, list[Holder]]:
    found: dict[int, list[Holder]] = {}
    for row in rows:
        holder = Holder(*row)
        found.setdefault(holder.seat_id, []).append(holder)
    for holders in found.values():
        holders.sort(key=lambda holder: ORDER[holder.kind])
    return found
