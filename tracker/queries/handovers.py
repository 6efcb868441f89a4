"""Hand-overs: which successions have none yet, what is on a list, and who has signed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from sqlalchemy import extract, func, or_, select
from sqlalchemy.orm import Session, joinedload

from tracker.domain.actor import Actor, AppointmentKind
from tracker.domain.handover import UNSETTLED, HandedDuty, Side
from tracker.models import (
    Appointment,
    Cycle,
    CycleState,
    Duty,
    Handover,
    HandoverSignature,
    Seat,
)
from tracker.policy import visible
from tracker.queries.actors import in_force_on


def open_duties(session: Session, seat: Seat) -> list[HandedDuty]:
    """What a seat has not settled in the open years, in the order of the day by which it is due."""
    query = (
        select(Duty)
        .join(Cycle, Cycle.id == Duty.cycle_id)
        .where(
            Duty.seat_id == seat.id,
            Duty.in_force.is_(True),
            Cycle.state == CycleState.OPEN,
            or_(Duty.state.in_(UNSETTLED), Duty.is_changed.is_(True)),
        )
        .order_by(Duty.due_on, Duty.key)
    )
    return [
        HandedDuty(duty.key, duty.item_id, duty.period, duty.due_on, duty.state, duty.content_digest)
        for duty in session.scalars(query)
    ]


def successions(
    session: Session, *, today: date, seat_ids: Iterable[int] | None = None
) -> list[tuple[Appointment, Appointment]]:
    """Pairs of the last and the present holder of a seat, where the change fell into an open year and is not on a list.

    Only seats that have duties in that year count, and only changes from one person to another.
    """
    first = session.scalar(select(func.min(Cycle.year)).where(Cycle.state == CycleState.OPEN))
    if first is None:
        return []
    begin = date(first, 1, 1)
    listed = select(Appointment.key).join(Handover, Handover.incoming_id == Appointment.id)
    query = (
        select(Appointment)
        .options(joinedload(Appointment.seat), joinedload(Appointment.person))
        .where(
            in_force_on(today),
            Appointment.kind == AppointmentKind.HOLDER,
            Appointment.starts_on >= begin,
            Appointment.key.not_in(listed),
            Appointment.seat_id.in_(select(Duty.seat_id).where(extract("year", Duty.due_on) >= first)),
        )
        .order_by(Appointment.key)
    )
    if seat_ids is not None:
        query = query.where(Appointment.seat_id.in_(list(seat_ids)))
    incoming = session.scalars(query).all()
    last = _last_holders(session, incoming, begin=begin)
    pairs = [(last[appointment.seat_id], appointment) for appointment in incoming if appointment.seat_id in last]
    return [(outgoing, appointment) for outgoing, appointment in pairs if outgoing.person_id != appointment.person_id]


def _last_holders(session: Session, incoming: Sequence[Appointment], *, begin: date) -> dict[int, Appointment]:
    """By seat: the holder before the present one, if they left within the open years."""
    starts = {appointment.seat_id: appointment.starts_on for appointment in incoming}
    query = (
        select(Appointment)
        .options(joinedload(Appointment.seat), joinedload(Appointment.person))
        .where(
            Appointment.seat_id.in_(starts),
            Appointment.kind == AppointmentKind.HOLDER,
            Appointment.superseded_at.is_(None),
            Appointment.ends_on >= begin,
        )
        .order_by(Appointment.ends_on)
    )
    ended = session.scalars(query)
    return {a.seat_id: a for a in ended if a.ends_on is not None and a.ends_on < starts[a.seat_id]}


def handover_of(session: Session, key: str) -> Handover | None:
    """The hand-over with that key."""
    return session.scalar(select(Handover).where(Handover.key == key))


def handovers_for(session: Session, actor: Actor) -> list[tuple[Handover, frozenset[Side]]]:
    """The hand-overs that somebody may see, the latest first, with the sides that have signed."""
    found = handovers_of(session, actor)
    signed = signed_sides(session, [handover.id for handover in found]) if found else {}
    return [(handover, frozenset(signed.get(handover.id, ()))) for handover in found]


def handovers_of(
    session: Session,
    actor: Actor,
    *,
    seat_ids: Iterable[int] | None = None,
    most: int = 500,
    as_of: datetime | None = None,
) -> Sequence[Handover]:
    """The hand-overs (of these seats) made by then that somebody may see, the latest first, at most so many."""
    query = (
        select(Handover)
        .options(
            joinedload(Handover.seat).joinedload(Seat.organization),
            joinedload(Handover.outgoing).joinedload(Appointment.person),
            joinedload(Handover.incoming).joinedload(Appointment.person),
        )
        .where(visible(actor, Handover))
        .order_by(Handover.id.desc())
        .limit(most)
    )
    if seat_ids is not None:
        query = query.where(Handover.seat_id.in_(list(seat_ids)))
    if as_of is not None:
        query = query.where(Handover.made_at <= as_of)
    return session.scalars(query).all()


def signatures_of(session: Session, handover: Handover) -> dict[Side, HandoverSignature]:
    """Who has signed a list, by side."""
    query = select(HandoverSignature).options(joinedload(HandoverSignature.person))
    rows = session.scalars(query.where(HandoverSignature.handover_id == handover.id))
    return {Side(row.side): row for row in rows}


def signed_sides(session: Session, handover_ids: Iterable[int]) -> dict[int, set[Side]]:
    """The sides that have signed, by hand-over."""
    query = select(HandoverSignature.handover_id, HandoverSignature.side)
    found: dict[int, set[Side]] = {}
    for number, side in session.execute(query.where(HandoverSignature.handover_id.in_(list(handover_ids)))):
        found.setdefault(number, set()).add(Side(side))
    return found
