"""Who somebody is today: the appointments in force and the roles of the account."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, or_, select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor, RoleName, Sitting
from tracker.models import Account, Appointment, Organization, Person, Role, Seat


def in_force_on(day: date | BindParameter[date]) -> ColumnElement[bool]:
    """The filter on `Appointment` that leaves those in force on a day, as known now."""
    return (
        Appointment.superseded_at.is_(None)
        & (Appointment.starts_on <= day)
        & or_(Appointment.ends_on.is_(None), Appointment.ends_on >= day)
    )


@cache
def _sittings() -> Any:  # noqa: ANN401  a SELECT
    """The columns of a `Sitting`, put together once: every request of everybody begins with them."""
    return (
        select(
            Appointment.id,
            Appointment.key,
            Seat.id,
            Seat.key,
            Seat.post,
            Seat.organization_id,
            Appointment.kind,
            or_(Organization.is_unit.is_(True), Organization.parent_id.is_(None)),
        )
        .join(Seat, Seat.id == Appointment.seat_id)
        .join(Organization, Organization.id == Seat.organization_id)
        .where(Appointment.person_id == bindparam("person_id"), in_force_on(bindparam("today")))
    )


@cache
def _roles() -> Select[str]:
    """The names of the roles of a person's account, while it is active."""
    held = Account.person_id == bindparam("person_id")
    return select(Role.name).join(Account.roles).where(held, Account.active.is_(True))


def sittings_of(session: Session, person_id: int, *, today: date) -> tuple[Sitting, ...]:
    """The seats that a person sits in today."""
    rows = session.execute(_sittings(), {"person_id": person_id, "today": today})
    return tuple(Sitting(*sitting) for sitting in rows)


def actor_of_person(session: Session, person: Person, *, today: date, request_id: str = "") -> Actor:
    """The person as an actor, with the roles of their account if they have one that is active."""
    roles = frozenset(RoleName(name) for name in session.scalars(_roles(), {"person_id": person.id}))
    return Actor(person.id, person.key, person.name, roles, sittings_of(session, person.id, today=today), request_id)
