"""Hand-overs: list the open duties of a seat when its holder changes, and let both people sign the list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor, Sitting
from tracker.domain.canonical import digest
from tracker.domain.errors import Conflict, Invalid, NotAllowed
from tracker.domain.handover import Side, handover_content, signature_digest
from tracker.domain.text import _n
from tracker.models import Appointment, Handover, HandoverSignature, Organization, OrganizationAncestor, Seat
from tracker.policy import Act, require
from tracker.queries.handovers import open_duties, signatures_of, successions
from tracker.services.log import chain_of, record


def prepare(session: Session, *, outgoing: Appointment, incoming: Appointment, actor: Actor, now: datetime) -> Handover:
    """Write down what the seat has not settled at this moment, for both people to sign; the duties stay where they are.

    Raises NotAllowed; Invalid if the two do not follow one another in one seat; Conflict if there is a list already.
    """
    require(session, actor, Act.ADMINISTER)
    _check_pair(outgoing, incoming)
    if _listed(session, incoming):
        raise Conflict(_n("席位 %(seat)s 的这次交接已有移交清单。"), seat=incoming.seat.key)
    seat = incoming.seat
    duties = open_duties(session, seat)
    covered = handover_content(
        seat=seat.key,
        outgoing=outgoing.key,
        outgoing_person=outgoing.person.key,
        incoming=incoming.key,
        incoming_person=incoming.person.key,
        made_at=now,
        duties=duties,
    )
    handover = Handover(
        key=f"{seat.key}.H{_count(session, seat) + 1}",
        seat_id=seat.id,
        outgoing_id=outgoing.id,
        incoming_id=incoming.id,
        made_at=now,
        covered=covered,
        digest=digest(covered),
    )
    session.add(handover)
    session.flush()
    after = {"outgoing": outgoing.key, "incoming": incoming.key, "duties": len(duties), "digest": handover.digest}
    _log(session, handover, "handover.prepared", after, actor=actor, now=now)
    return handover


def prepare_due(
    session: Session, *, today: date, actor: Actor, now: datetime, seat_ids: Iterable[int] | None = None
) -> list[Handover]:
    """Prepare the list of every change of holder in an open year that has none; also to be called daily.

    A successor who begins on a later day gets the list of that day.
    """
    pairs = successions(session, today=today, seat_ids=seat_ids)
    return [
        prepare(session, outgoing=outgoing, incoming=incoming, actor=actor, now=now) for outgoing, incoming in pairs
    ]


def sign(session: Session, handover: Handover, *, actor: Actor, now: datetime, reason: str = "") -> HandoverSignature:
    """Sign a list: the incoming or the outgoing person, or, with a reason, somebody above in place of the outgoing one.

    The outgoing person signs also after the appointment has ended. Raises NotAllowed if the actor is none of these;
    Invalid if somebody above gives no reason; Conflict if this side has signed.
    """
    signed = signatures_of(session, handover)
    side, appointment = side_of(session, handover, actor, signed=frozenset(signed))
    if side in signed:
        raise Conflict(_n("这一方已由 %(name)s 签过，不必再签。"), name=signed[side].person.name)
    in_place = appointment.id not in (handover.incoming_id, handover.outgoing_id)
    reason = reason.strip()
    if in_place and not reason:
        raise Invalid(_n("请写明移交人为什么不能签字；理由会记入日志。"), field="reason")
    signature = HandoverSignature(
        handover_id=handover.id,
        side=side.value,
        person_id=actor.person_id,
        appointment_id=appointment.id,
        at=now,
        digest=signature_digest(
            handover_digest=handover.digest, side=side, person=actor.person_key, appointment=appointment.key, at=now
        ),
    )
    session.add(signature)
    session.flush()
    after = {"side": side.value, "digest": signature.digest} | ({"reason": reason} if in_place else {})
    _log(session, handover, "handover.signed", after, actor=actor, now=now, appointment=appointment.key)
    return signature


def side_of(session: Session, handover: Handover, actor: Actor, *, signed: frozenset[Side]) -> tuple[Side, Appointment]:
    """Which side somebody signs for, and in which appointment. Raises NotAllowed if for none."""
    own = {Side.IN: handover.incoming, Side.OUT: handover.outgoing}
    mine = [side for side, appointment in own.items() if appointment.person_id == actor.person_id]
    if mine:
        return mine[0], own[mine[0]]
    sitting = _sitting_above(session, handover.seat.organization, actor)
    if sitting is None or (Side.OUT in signed and Side.IN not in signed):
        raise NotAllowed(_n("移交清单由移交人和接收人签字；移交人不能签的，由上级组织的负责人代签。"))
    appointment = session.get(Appointment, sitting.appointment_id)
    if appointment is None:
        raise NotAllowed(_n("您现在没有任职，不能代签。"))
    return Side.OUT, appointment


def _sitting_above(session: Session, organization: Organization, actor: Actor) -> Sitting | None:
    """The nearest appointment above that may sign; at the top, one in the same organization."""
    query = select(OrganizationAncestor.ancestor_id, OrganizationAncestor.distance).where(
        OrganizationAncestor.descendant_id == organization.id
    )
    distance = {number: far for number, far in session.execute(query)}  # noqa: C416  rows are not pairs for mypy
    least = 0 if organization.parent_id is None else 1
    above = [s for s in actor.sittings if s.may_sign and distance.get(s.organization_id, -1) >= least]
    return min(above, key=lambda sitting: distance[sitting.organization_id], default=None)


def _check_pair(outgoing: Appointment, incoming: Appointment) -> None:
    follows = outgoing.ends_on is not None and outgoing.ends_on < incoming.starts_on
    if outgoing.seat_id != incoming.seat_id or outgoing.person_id == incoming.person_id or not follows:
        raise Invalid(_n("移交双方须先后在同一席位任职，且不是同一个人；请核对任职的起止日期。"))


def _listed(session: Session, incoming: Appointment) -> bool:
    query = select(Handover.id).join(Appointment, Appointment.id == Handover.incoming_id)
    return session.scalar(query.where(Appointment.key == incoming.key)) is not None


def _count(session: Session, seat: Seat) -> int:
    return session.scalar(select(func.count(Handover.id)).where(Handover.seat_id == seat.id)) or 0


def _log(
    session: Session,
    handover: Handover,
    verb: str,
    after: Mapping[str, object],
    *,
    actor: Actor,
    now: datetime,
    appointment: str | None = None,
) -> None:
    record(
        session,
        actor=actor,
        now=now,
        verb=verb,
        kind="handover",
        key=handover.key,
        chains={chain_of(handover.seat.organization)},
        after=after,
        appointment=appointment,
    )
