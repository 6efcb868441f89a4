"""Who somebody is today: the appointments in force and the roles of the account."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, or_, select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor, RoleName, Sitting
from tracker.models import Account, Appointment, Organization, Person, Role, Seat
from tracker.queries.columns import read


def in_force_on(day: date | BindParameter[date]) -> ColumnElement[bool]:
    """The filter on `Appointment` that leaves those in force on a day, as known now."""
    return (
        Appointment.superseded_at.is_(None)
        & (Appointment.starts_on <= day)
        & or_(Appointment.ends_on.is_(None), Appointment.ends_on >= day)
    )


@cache
def _roles_and_sittings() -> Any:  # noqa: ANN401  a SELECT
    """A person, a role of their account while it is active, and the columns of a `Sitting`: a row for each pair.

    Put together once: every request of everybody begins with it.
    """
    return (
        select(
            Person.key,
            Person.name,
            Role.name,
            Appointment.id,
            Appointment.key,
            Seat.id,
            Seat.key,
            Seat.post,
            Seat.organization_id,
            Appointment.kind,
            or_(Organization.is_unit.is_(True), Organization.parent_id.is_(None)),
        )
        .select_from(Person)
        .outerjoin(Account, and_(Account.person_id == Person.id, Account.active.is_(True)))
        .outerjoin(Account.roles)
        .outerjoin(Appointment, and_(Appointment.person_id == Person.id, in_force_on(bindparam("today"))))
        .outerjoin(Seat, Seat.id == Appointment.seat_id)
        .outerjoin(Organization, Organization.id == Seat.organization_id)
        .where(Person.id == bindparam("person_id"))
        .order_by(Appointment.id)
    )


def actor_numbered(session: Session, person_id: int, *, today: date, request_id: str = "") -> Actor:
    """The person of that row number as an actor: the seats of today, and the roles of an account that is active."""
    rows = read(session, _roles_and_sittings(), {"person_id": person_id, "today": today}).all()
    roles = frozenset(RoleName(role) for _, _, role, *_ in rows if role is not None)
    sittings = {sitting[0]: Sitting(*sitting) for _, _, _, *sitting in rows if sitting[0] is not None}
    key, name, *_ = rows[0]
    return Actor(person_id, key, name, roles, tuple(sittings.values()), request_id)


def actor_of_person(session: Session, person: Person, *, today: date, request_id: str = "") -> Actor:
    """The person as an actor."""
    return actor_numbered(session, person.id, today=today, request_id=request_id)
