"""Sign-offs: what was signed, and who has to decide next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, true
from sqlalchemy.orm import Session

from tracker.domain.actor import AppointmentKind
from tracker.domain.confirmation import Place
from tracker.domain.confirmation import Seat as SeatHeld
from tracker.domain.duty import Action
from tracker.domain.sign_off import ClaimContent
from tracker.models import Appointment, Organization, OrganizationAncestor, Person, Seat, SignOff
from tracker.queries.actors import in_force_on
from tracker.queries.evidence import Ids


def signed_by(as_of: datetime | None) -> ColumnElement[bool]:
    """The filter on `SignOff` that leaves what was signed by a recorded time."""
    return true() if as_of is None else SignOff.at <= as_of


def last_of(
    session: Session, duties: Ids, *, action: Action | None = None, as_of: datetime | None = None
) -> dict[int, Any]:
    """The last sign-off (of one action, if it is named) of each duty that has one, by the duty's row number."""
    which = [SignOff.duty_id.in_(duties), signed_by(as_of)] + ([SignOff.action == action] if action else [])
    last = select(SignOff.duty_id, func.max(SignOff.number).label("number")).where(*which).group_by(SignOff.duty_id)
    newest = last.subquery()
    rows = session.execute(
        select(
            SignOff.duty_id, SignOff.number, SignOff.action, SignOff.claim, SignOff.reason_sha256, SignOff.digest
        ).join(newest, and_(newest.c.duty_id == SignOff.duty_id, newest.c.number == SignOff.number))
    )
    return {row.duty_id: row for row in rows}


def claims_of(session: Session, duties: Ids, *, as_of: datetime | None = None) -> dict[int, ClaimContent]:
    """What was claimed last for each duty for which anything ever was, by the duty's row number."""
    rows = last_of(session, duties, action=Action.CLAIM, as_of=as_of)
    return {number: ClaimContent(row.claim.value, row.reason_sha256) for number, row in rows.items()}


def chains_of(session: Session, organizations: Collection[int], *, today: date) -> dict[int, tuple[Place, ...]]:
    """For each organization (row numbers) the places from itself up to the root, with who holds their seats today."""
    above = session.execute(
        select(OrganizationAncestor.descendant_id, Organization.id, Organization.code)
        .join(Organization, Organization.id == OrganizationAncestor.ancestor_id)
        .where(OrganizationAncestor.descendant_id.in_(organizations))
        .order_by(OrganizationAncestor.descendant_id, OrganizationAncestor.distance)
    ).all()
    seats = _seats_held(session, {ancestor for _, ancestor, _ in above}, today=today)
    found: defaultdict[int, list[Place]] = defaultdict(list)
    for organization, ancestor, code in above:
        found[organization].append(Place(code, seats.get(ancestor, ())))
    return {organization: tuple(places) for organization, places in found.items()}


def _seats_held(session: Session, organizations: Collection[int], *, today: date) -> Mapping[int, tuple[SeatHeld, ...]]:
    signs = and_(Appointment.seat_id == Seat.id, in_force_on(today), Appointment.kind != AppointmentKind.CLERK)
    rows = session.execute(
        select(Seat.organization_id, Seat.key, Seat.post, Person.key)
        .outerjoin(Appointment, signs)
        .outerjoin(Person, Person.id == Appointment.person_id)
        .where(Seat.organization_id.in_(organizations))
        .order_by(Seat.organization_id, Seat.post, Seat.number)
    )
    holders: dict[tuple[int, str, str], set[str]] = {}
    for organization, key, post, person in rows:
        holders.setdefault((organization, key, post), set()).update({person} if person else set())
    found: defaultdict[int, tuple[SeatHeld, ...]] = defaultdict(tuple)
    for (organization, key, post), people in holders.items():
        found[organization] += (SeatHeld(key, post, frozenset(people)),)
    return found
