"""The page of one duty, and what a record served, as known at a time: a replay in place of the caches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor, AppointmentKind
from tracker.domain.checklist import Checklist, Item
from tracker.domain.confirmation import Place, confirming_persons, confirming_seat
from tracker.domain.confirmation import Seat as SeatHeld
from tracker.models import Cycle, Duty, Evidence, EvidenceLink, Seat
from tracker.policy import visible
from tracker.queries.duties import DutyThen, duties_as_of
from tracker.queries.evidence import Served, doers_of
from tracker.queries.history import SHANGHAI, known
from tracker.queries.organizations import Node, name_of, tree
from tracker.queries.people import names_of
from tracker.queries.seats import holders_of
from tracker.queries.sign_offs import Prospect


def duty_then(session: Session, duty: Duty, *, as_of: datetime) -> DutyThen | None:
    """One duty as it was known then; None where it was not laid out yet."""
    return next(iter(duties_as_of(session, cycle=duty.cycle, as_of=as_of, numbers=[duty.id])), None)


def decider_then(session: Session, duty: Duty, *, item: Item, checklist: Checklist, as_of: datetime) -> Prospect:
    """Who would have decided on a duty that day, as far as it was known then; nobody may do anything with it now."""
    day = as_of.astimezone(SHANGHAI).date()
    doers = frozenset(doers_of(session, [duty.id], as_of=as_of).get(duty.id, {}).values())
    above = _above(tree(session, on=day, as_of=as_of), duty.organization_id)
    opened = select(Seat).where(Seat.organization_id.in_([node.id for node in above]), Seat.opened_at <= as_of)
    seats = session.scalars(opened.order_by(Seat.post, Seat.number)).all()
    held = holders_of(session, [seat.id for seat in seats], on=day, as_of=as_of)
    signing = {
        seat.id: [one for one in held.get(seat.id, []) if one.kind is not AppointmentKind.CLERK] for seat in seats
    }
    chain = [
        Place(
            node.code,
            tuple(
                SeatHeld(seat.key, seat.post, frozenset(one.person_key for one in signing[seat.id]))
                for seat in seats
                if seat.organization_id == node.id
            ),
        )
        for node in above
    ]
    key = confirming_seat(checklist=checklist, confirmer=item.confirmer, chain=chain, doers=doers)
    deciding = next((seat for place in chain for seat in place.seats if seat.key == key), None)
    if deciding is None:
        return Prospect(None, None, (), ())
    may = confirming_persons(deciding, doers=doers)
    people = {one.person_id: one.person_key for rows in signing.values() for one in rows if one.person_key in may}
    called = names_of(session, people, as_of=as_of)
    names = tuple(called[number] for number in sorted(people, key=lambda number: people[number]))
    return Prospect(key, deciding.post, names, ())


def _above(nodes: Sequence[Node], organization_id: int) -> list[Node]:
    """An organization and what was above it, from itself up to the root."""
    by_code, found = {node.code: node for node in nodes}, [node for node in nodes if node.id == organization_id]
    while found and found[-1].parent in by_code:
        found.append(by_code[found[-1].parent])
    return found


def served_then(session: Session, evidence: Evidence, *, actor: Actor, as_of: datetime) -> list[Served]:
    """The duties that a record served then, as they stood, as far as this person may see them."""
    rows = session.execute(
        select(Duty, name_of(Duty.organization_id, as_of=as_of))
        .join(EvidenceLink, EvidenceLink.duty_id == Duty.id)
        .where(EvidenceLink.evidence_id == evidence.id, known(EvidenceLink, as_of), visible(actor, Duty))
    ).all()
    cycle = session.get_one(Cycle, evidence.cycle_id)
    stood = {one.id: one for one in duties_as_of(session, cycle=cycle, as_of=as_of, numbers=[d.id for d, _ in rows])}
    served = [_served(duty, name, stood[duty.id]) for duty, name in rows if duty.id in stood]
    return sorted(served, key=lambda one: (one.due_on, one.key))


def _served(duty: Duty, organization: str, then: DutyThen) -> Served:
    return Served(
        key=duty.key,
        organization=organization,
        item_id=duty.item_id,
        cycle_id=duty.cycle_id,
        period=duty.period,
        occurrence=duty.occurrence,
        due_on=then.due_on,
        state=then.state,
        is_changed=then.is_changed,
        seat_id=duty.seat_id,
        content_digest=then.content_digest,
    )
