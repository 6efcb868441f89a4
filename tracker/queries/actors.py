"""Who somebody is today: the appointments in force and the roles of the account."""

from __future__ import annotations

from datetime import date

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor, RoleName, Sitting
from tracker.models import Account, Appointment, Organization, Person, Role, Seat


def in_force_on(day: date) -> ColumnElement[bool]:
    """The filter on `Appointment` that leaves those in force on a day, as known now."""
    return (
        Appointment.superseded_at.is_(None)
        & (Appointment.starts_on <= day)
        & or_(Appointment.ends_on.is_(None), Appointment.ends_on >= day)
    )


def sittings_of(session: Session, person_id: int, *, today: date) -> tuple[Sitting, ...]:
    """The seats that a person sits in today."""
    rows = session.execute(
        select(Appointment, Seat, or_(Organization.is_unit.is_(True), Organization.parent_id.is_(None)))
        .join(Seat, Seat.id == Appointment.seat_id)
        .join(Organization, Organization.id == Seat.organization_id)
        .where(Appointment.person_id == person_id, in_force_on(today))
    )
    return tuple(
        Sitting(a.id, a.key, seat.id, seat.key, seat.post, seat.organization_id, a.kind, at_unit=at_unit)
        for a, seat, at_unit in rows
    )


def actor_of_person(session: Session, person: Person, *, today: date, request_id: str = "") -> Actor:
    """The person as an actor, with the roles of their account if they have one that is active."""
    held = select(Role.name).join(Account.roles).where(Account.person_id == person.id, Account.active.is_(True))
    roles = frozenset(RoleName(name) for name in session.scalars(held))
    return Actor(person.id, person.key, person.name, roles, sittings_of(session, person.id, today=today), request_id)
