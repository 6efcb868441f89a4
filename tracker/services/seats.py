"""Seats and appointments: responsibility hangs on the seat, and whoever sits there is found by date."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor, AppointmentKind
from tracker.domain.appointment import Term, check_holders, check_term
from tracker.domain.errors import Conflict, Invalid
from tracker.domain.text import _n
from tracker.models import Appointment, Organization, Person, Seat
from tracker.policy import Act, require
from tracker.services.log import chain_of, record


@dataclass(frozen=True)
class Sitting:
    """A person to be put in a seat; with `corrects`, that appointment gets these dates and this kind instead."""

    seat: Seat
    person: Person
    kind: AppointmentKind
    starts_on: date
    ends_on: date | None = None
    corrects: Appointment | None = None


def ensure_seat(session: Session, organization: Organization, post: str, number: int, *, now: datetime) -> Seat:
    """Return the seat of that post and number in the organization, opened if need be. Its key never changes."""
    key = f"{organization.code}.{post}-{number}"
    seat = session.scalar(select(Seat).where(Seat.key == key))
    if seat is None:
        if number < 1:
            raise Invalid(_n("席位号从 1 开始，请改正。"), field="number")
        seat = Seat(key=key, organization_id=organization.id, post=post, number=number, opened_at=now)
        session.add(seat)
        session.flush()
    return seat


def apply_appointment(
    session: Session,
    seat: Seat,
    person: Person,
    *,
    kind: AppointmentKind,
    starts_on: date,
    ends_on: date | None = None,
    corrects: Appointment | None = None,
    actor: Actor,
    now: datetime,
) -> Appointment:
    """Put a person in a seat, or correct an appointment: the row is superseded by one with the same key.

    Returns the row now in force; a correction that changes nothing writes nothing. Raises NotAllowed; Invalid if the
    end lies before the start, if the seat would have two holders on one day, or if the correction names another person
    or seat; Conflict if the row to be corrected has been superseded meanwhile.
    """
    sitting = Sitting(seat, person, kind, starts_on, ends_on, corrects)
    return apply_appointments(session, [sitting], actor=actor, now=now)[0]


def apply_appointments(
    session: Session, sittings: Sequence[Sitting], *, actor: Actor, now: datetime
) -> list[Appointment]:
    """As `apply_appointment`, for many at once: holders must not overlap when all of them are written."""
    require(session, actor, Act.ADMINISTER)
    written = [_apply(session, sitting, actor=actor, now=now) for sitting in sittings]
    session.flush()
    check_seats(session, {sitting.seat.id: sitting.seat for sitting in sittings}.values())
    return written


def withdraw_appointment(
    session: Session, appointment: Appointment, *, reason: str, actor: Actor, now: datetime
) -> None:
    """Take back an appointment entered by mistake; what the person signed meanwhile stays. Raises NotAllowed."""
    require(session, actor, Act.ADMINISTER)
    _supersede(appointment, now=now)
    session.flush()
    _log(
        session,
        appointment,
        "appointment.withdrawn",
        before=_facts(appointment),
        after={"reason": reason},
        actor=actor,
        now=now,
    )


def check_seats(session: Session, seats: Iterable[Seat]) -> None:
    """Refuse two holders of one seat on one day, as the rows stand now. Raises Invalid."""
    key_of = {seat.id: seat.key for seat in seats}
    query = select(Appointment.seat_id, Person.name, Appointment.starts_on, Appointment.ends_on).where(
        Appointment.person_id == Person.id,
        Appointment.seat_id.in_(list(key_of)),
        Appointment.kind == AppointmentKind.HOLDER,
        Appointment.superseded_at.is_(None),
    )
    terms: dict[int, list[Term]] = {}
    for seat_id, name, starts_on, ends_on in session.execute(query):
        terms.setdefault(seat_id, []).append(Term(name, starts_on, ends_on))
    for seat_id, of_seat in terms.items():
        check_holders(key_of[seat_id], of_seat)


def _apply(session: Session, sitting: Sitting, *, actor: Actor, now: datetime) -> Appointment:
    check_term(seat=sitting.seat.key, starts_on=sitting.starts_on, ends_on=sitting.ends_on)
    if sitting.corrects is None:
        return _add(session, sitting, key=_next_key(session, sitting.seat), before=None, actor=actor, now=now)
    current = sitting.corrects
    if (current.seat_id, current.person_id) != (sitting.seat.id, sitting.person.id):
        raise Invalid(_n("更正任职不能换人或换席位；请结束原任职，另行登记新的任职。"))
    if (current.kind, current.starts_on, current.ends_on) == (sitting.kind, sitting.starts_on, sitting.ends_on):
        return current
    _supersede(current, now=now)
    return _add(session, sitting, key=current.key, before=_facts(current), actor=actor, now=now)


def _supersede(appointment: Appointment, *, now: datetime) -> None:
    if appointment.superseded_at is not None:
        raise Conflict(_n("这条任职刚刚被别人改过，请刷新后查看最新情况。"))
    appointment.superseded_at = now


def _next_key(session: Session, seat: Seat) -> str:
    keys = session.scalars(select(Appointment.key).where(Appointment.seat_id == seat.id))
    last = max((int(key.rsplit("#", 1)[1]) for key in keys), default=0)
    return f"{seat.key}#{last + 1}"


def _add(
    session: Session, sitting: Sitting, *, key: str, before: dict[str, Any] | None, actor: Actor, now: datetime
) -> Appointment:
    appointment = Appointment(
        key=key,
        seat_id=sitting.seat.id,
        person_id=sitting.person.id,
        kind=sitting.kind,
        starts_on=sitting.starts_on,
        ends_on=sitting.ends_on,
        recorded_at=now,
    )
    session.add(appointment)
    session.flush()
    verb = "appointment.added" if before is None else "appointment.changed"
    _log(session, appointment, verb, before=before, after=_facts(appointment), actor=actor, now=now)
    return appointment


def _facts(appointment: Appointment) -> dict[str, Any]:
    return {
        "seat": appointment.seat.key,
        "person": appointment.person.key,
        "kind": appointment.kind.value,
        "starts_on": appointment.starts_on,
        "ends_on": appointment.ends_on,
    }


def _log(
    session: Session,
    appointment: Appointment,
    verb: str,
    *,
    before: dict[str, Any] | None,
    after: dict[str, Any],
    actor: Actor,
    now: datetime,
) -> None:
    record(
        session,
        actor=actor,
        now=now,
        verb=verb,
        kind="appointment",
        key=appointment.key,
        chains={chain_of(appointment.seat.organization)},
        before=before,
        after=after,
    )
