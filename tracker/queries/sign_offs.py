"""Sign-offs: what was signed, and who has to decide next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, func, select, true, tuple_
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor, AppointmentKind
from tracker.domain.checklist import Checklist, Item
from tracker.domain.confirmation import Place, confirming_seat
from tracker.domain.confirmation import Seat as SeatHeld
from tracker.domain.duty import Action, ClaimKind, Part, State, Timeliness, possible_actions
from tracker.domain.sign_off import ClaimContent
from tracker.models import (
    Appointment,
    ChecklistVersion,
    Cycle,
    Duty,
    EvidenceFact,
    EvidenceFile,
    EvidenceLink,
    Organization,
    OrganizationAncestor,
    Person,
    Seat,
    SignOff,
)
from tracker.queries.actors import in_force_on
from tracker.queries.assignments import items_named
from tracker.queries.columns import Columns, read
from tracker.queries.duties import place_of, timeliness_now
from tracker.queries.evidence import Ids, doers_of
from tracker.queries.history import known
from tracker.queries.people import name_of


def signed_by(as_of: datetime | None) -> ColumnElement[bool]:
    """The filter on `SignOff` that leaves what was signed by a recorded time."""
    return true() if as_of is None else SignOff.at <= as_of


def last_of(
    session: Session, duties: Ids, *, action: Action | None = None, as_of: datetime | None = None
) -> dict[int, Any]:
    """The last sign-off (of one action, if it is named) of each duty that has one, by the duty's row number."""
    if isinstance(duties, Select):
        rows = read(session, _last(duties, action, as_of)).all()
    else:
        rows = read(session, _last_of_some(action, as_of), {"duties": list(duties)}).all() if duties else []
    return {row.duty_id: row for row in rows}


@lru_cache(maxsize=16)
def _last_of_some(action: Action | None, as_of: datetime | None) -> Columns:
    return _last(bindparam("duties", expanding=True), action, as_of)


def _last(duties: Select[Any] | BindParameter[int], action: Action | None, as_of: datetime | None) -> Columns:
    which = [SignOff.duty_id.in_(duties), signed_by(as_of)] + ([SignOff.action == action] if action else [])
    last = select(SignOff.duty_id, func.max(SignOff.number).label("number")).where(*which).group_by(SignOff.duty_id)
    newest = last.subquery()
    return select(
        SignOff.duty_id, SignOff.number, SignOff.action, SignOff.claim, SignOff.reason_sha256, SignOff.digest
    ).join(newest, and_(newest.c.duty_id == SignOff.duty_id, newest.c.number == SignOff.number))


def claims_of(session: Session, duties: Ids, *, as_of: datetime | None = None) -> dict[int, ClaimContent]:
    """What was claimed last for each duty for which anything ever was, by the duty's row number."""
    rows = last_of(session, duties, action=Action.CLAIM, as_of=as_of)
    return {number: ClaimContent(row.claim.value, row.reason_sha256) for number, row in rows.items()}


def chains_of(session: Session, organizations: Collection[int], *, today: date) -> dict[int, tuple[Place, ...]]:
    """For each organization (row numbers) the places from itself up to the root, with who holds their seats today."""
    above = read(session, _above(), {"organizations": list(organizations)}).all()
    seats = _seats_held(session, {ancestor for _, ancestor, _ in above}, today=today)
    found: defaultdict[int, list[Place]] = defaultdict(list)
    for organization, ancestor, code in above:
        found[organization].append(Place(code, seats.get(ancestor, ())))
    return {organization: tuple(places) for organization, places in found.items()}


@cache
def _above() -> Select[int, int, str]:
    """The ancestors of organizations with their codes, from each itself up to the root."""
    return (
        select(OrganizationAncestor.descendant_id, Organization.id, Organization.code)
        .join(Organization, Organization.id == OrganizationAncestor.ancestor_id)
        .where(OrganizationAncestor.descendant_id.in_(bindparam("organizations", expanding=True)))
        .order_by(OrganizationAncestor.descendant_id, OrganizationAncestor.distance)
    )


def _signs(today: date | BindParameter[date]) -> ColumnElement[bool]:
    """The filter that leaves the appointments by which somebody signs for a seat on a day."""
    return and_(Appointment.seat_id == Seat.id, in_force_on(today), Appointment.kind != AppointmentKind.CLERK)


def _seats_held(session: Session, organizations: Collection[int], *, today: date) -> Mapping[int, tuple[SeatHeld, ...]]:
    rows = read(session, _seats_and_holders(), {"organizations": list(organizations), "today": today})
    holders: dict[tuple[int, str, str], set[str]] = {}
    for organization, key, post, person in rows:
        holders.setdefault((organization, key, post), set()).update({person} if person else set())
    found: defaultdict[int, tuple[SeatHeld, ...]] = defaultdict(tuple)
    for (organization, key, post), people in holders.items():
        found[organization] += (SeatHeld(key, post, frozenset(people)),)
    return found


@cache
def _seats_and_holders() -> Select[int, str, str, str | None]:
    return (
        select(Seat.organization_id, Seat.key, Seat.post, Person.key)
        .outerjoin(Appointment, _signs(bindparam("today")))
        .outerjoin(Person, Person.id == Appointment.person_id)
        .where(Seat.organization_id.in_(bindparam("organizations", expanding=True)))
        .order_by(Seat.organization_id, Seat.post, Seat.number)
    )


def seats_keyed(session: Session, keys: Collection[str]) -> dict[str, int]:
    """The row numbers of seats by their keys."""
    return dict(read(session, _keyed(), {"keys": list(keys)}).all()) if keys else {}


@cache
def _keyed() -> Select[str, int]:
    return select(Seat.key, Seat.id).where(Seat.key.in_(bindparam("keys", expanding=True)))


# ---------------------------------------------------------------- pages


@dataclass(frozen=True)
class Signed:
    """One sign-off of a history: who did what, in which post, when and why. `reason` is None once it is sealed."""

    action: Action
    claim: ClaimKind | None
    person: str
    post: str
    at: datetime
    reason: str | None
    content_digest: str
    digest: str
    sealed_at: datetime | None


def history_of(session: Session, duty_id: int, *, as_of: datetime | None = None) -> list[Signed]:
    """The sign-offs of a duty by then, oldest first."""
    return [Signed(*row) for row in read(session, _history(as_of), {"duty": duty_id})]


@lru_cache(maxsize=16)
def _history(as_of: datetime | None) -> Columns:
    """What `Signed` says of a duty."""
    return (
        select(
            SignOff.action,
            SignOff.claim,
            name_of(SignOff.person_id, as_of=as_of),
            Seat.post,
            SignOff.at,
            SignOff.reason,
            SignOff.content_digest,
            SignOff.digest,
            SignOff.sealed_at,
        )
        .join(Appointment, Appointment.id == SignOff.appointment_id)
        .join(Seat, Seat.id == Appointment.seat_id)
        .where(SignOff.duty_id == bindparam("duty"), signed_by(as_of))
        .order_by(SignOff.number)
    )


@dataclass(frozen=True)
class Prospect:
    """Who decides on a duty (None: nobody is named, or nobody may), and what a person may do with it now.

    `names` are those of the people in the deciding seat who had no hand in it.
    """

    seat: str | None
    post: str | None
    names: tuple[str, ...]
    actions: tuple[Action, ...]


def prospect_of(
    session: Session, duty: Duty, *, item: Item, checklist: Checklist, actor: Actor, today: date
) -> Prospect:
    """Who decides on a duty today, and what the actor may do: what a page says and offers."""
    alone = item.confirmer is None  # it stands on submission: there is nobody to look for
    doers = {} if alone else doers_of(session, [duty.id]).get(duty.id, {})
    chain, called = ((), {}) if alone else _chain_of(session, duty.organization_id, today=today)
    key = confirming_seat(checklist=checklist, confirmer=item.confirmer, chain=chain, doers=frozenset(doers.values()))
    seat = next((seat for place in chain for seat in place.seats if seat.key == key), None)
    keys = seat.holders - frozenset(doers.values()) if seat else frozenset()
    names = [called[person] for person in sorted(keys)]
    parts = [part for part in Part if _has(duty, part, actor, seat=key, doers=doers)]
    actions = tuple(
        action
        for part in parts
        for action in possible_actions(duty.state, part, changed=duty.is_changed, stands_alone=alone)
    )
    return Prospect(key, seat.post if seat else None, tuple(names), actions)


def _chain_of(session: Session, organization_id: int, *, today: date) -> tuple[tuple[Place, ...], Mapping[str, str]]:
    """The places from an organization up to the root as `chains_of` has them, and the names of those in their seats."""
    places: dict[str, dict[tuple[str, str], set[str]]] = {}
    called: dict[str, str] = {}
    for code, seat, post, person, name in read(session, _places_above(), {"place": organization_id, "today": today}):
        seats = places.setdefault(code, {})
        if seat is not None:
            seats.setdefault((seat, post), set()).update({person} if person else set())
        called[person] = name
    chain = (
        Place(code, tuple(SeatHeld(*seat, frozenset(people)) for seat, people in seats.items()))
        for code, seats in places.items()
    )
    return tuple(chain), called


@cache
def _places_above() -> Columns:
    """Every place above an organization with its seats, and everybody who signs for them on a day."""
    return (
        select(Organization.code, Seat.key, Seat.post, Person.key, Person.name)
        .select_from(OrganizationAncestor)
        .join(Organization, Organization.id == OrganizationAncestor.ancestor_id)
        .outerjoin(Seat, Seat.organization_id == Organization.id)
        .outerjoin(Appointment, _signs(bindparam("today")))
        .outerjoin(Person, Person.id == Appointment.person_id)
        .where(OrganizationAncestor.descendant_id == bindparam("place"))
        .order_by(OrganizationAncestor.distance, Seat.post, Seat.number)
    )


def _has(duty: Duty, part: Part, actor: Actor, *, seat: str | None, doers: Mapping[int, str]) -> bool:
    """Whether the actor has a part in what may be done with the duty."""
    if part is Part.SUBMITTER:
        return actor.person_id is not None and duty.submitted_by_id == actor.person_id
    if part is Part.CONFIRMER:
        deciding = any(sitting.seat_key == seat and sitting.may_sign for sitting in actor.sittings)
        return deciding and actor.person_id not in doers
    sitting = actor.sitting_in(duty.seat_id)
    return sitting is not None and sitting.may_sign


@dataclass(frozen=True)
class Waiting:
    """One duty that waits for a decision, with what there is to judge it by."""

    id: int
    key: str
    organization: str
    item: Item
    period: str
    occurrence: int
    due_on: date
    act_on: date | None
    state: State
    timeliness: Timeliness
    submitted_by: str
    submitted_at: datetime | None
    sentences: tuple[str, ...]
    files: int
    claim: ClaimKind | None
    reason: str | None
    content_digest: str


@dataclass(frozen=True)
class Queue:
    """How many wait in all, the lines that are shown, and where the next ones begin (None: no more)."""

    total: int
    lines: list[Waiting]
    after: str | None


def waiting_for(session: Session, *, seats: Collection[int], today: date, after: str = "", limit: int = 50) -> Queue:
    """What waits for the decision of these seats, the earliest due first, `limit` from a place on.

    One statement reads the lines and the total, so that the number always equals the rows behind it. Where nothing is
    left behind the place, since others were decided on meanwhile, the list begins again with what waits before it.
    """
    query, asked = _lines(), {"seats": list(seats), "most": limit + 1}
    if after:
        query = query.where(tuple_(Duty.due_on, Duty.key) > tuple_(*place_of(after)))
    found = read(session, query, asked).all()
    if after and not found:
        return waiting_for(session, seats=seats, today=today, limit=limit)
    rows, more = found[:limit], len(found) > limit
    items = items_named(session, ((row.cycle_id, row.sha256, row.item_id) for row in rows))
    told = _told(session, [row.id for row in rows])
    claims = _claims(session, [row.id for row in rows if row.state is State.CLAIMED])
    nothing: Told = ((), 0)
    lines = [
        Waiting(
            id=row.id,
            key=row.key,
            organization=row.organization,
            item=items[row.cycle_id, row.item_id],
            period=row.period,
            occurrence=row.occurrence,
            due_on=row.due_on,
            act_on=row.act_on,
            state=row.state,
            timeliness=timeliness_now(
                state=row.state,
                starts_on=row.starts_on,
                due_on=row.due_on,
                act_on=row.act_on,
                submitted_on=row.first_submitted_on,
                today=today,
            ),
            submitted_by=row.submitted_by,
            submitted_at=row.submitted_at,
            sentences=told.get(row.id, nothing)[0],
            files=told.get(row.id, nothing)[1],
            claim=claims[row.id][0] if row.state is State.CLAIMED else None,
            reason=claims[row.id][1] if row.state is State.CLAIMED else None,
            content_digest=row.content_digest,
        )
        for row in rows
    ]
    return Queue(rows[0].total if rows else 0, lines, f"{lines[-1].due_on}~{lines[-1].key}" if more else None)


@cache
def _lines() -> Columns:
    """What a line of the queue says of its duty, and how many there are."""
    total = select(func.count()).select_from(Duty).where(_waits()).scalar_subquery()
    return (
        select(
            Duty.id,
            Duty.key,
            Duty.cycle_id,
            ChecklistVersion.sha256,
            Duty.item_id,
            Duty.period,
            Duty.occurrence,
            Duty.starts_on,
            Duty.due_on,
            Duty.act_on,
            Duty.first_submitted_on,
            Duty.state,
            Duty.submitted_at,
            Duty.content_digest,
            Organization.name.label("organization"),
            Person.name.label("submitted_by"),
            total.label("total"),
        )
        .join(Organization, Organization.id == Duty.organization_id)
        .join(Person, Person.id == Duty.submitted_by_id)
        .join(Cycle, Cycle.id == Duty.cycle_id)
        .join(ChecklistVersion, ChecklistVersion.id == Cycle.checklist_version_id)
        .where(_waits())
        .order_by(Duty.due_on, Duty.key)
        .limit(bindparam("most"))
    )


def waiting_count(session: Session, *, seats: Collection[int]) -> int:
    """How many duties wait for the decision of these seats."""
    return read(session, _waiting_count(), {"seats": list(seats)}).scalar_one()


@cache
def _waiting_count() -> Select[int]:
    return select(func.count()).select_from(Duty).where(_waits())


def _waits() -> ColumnElement[bool]:
    """The filter on `Duty` that leaves what waits for the decision of some seats."""
    return and_(
        Duty.waiting_seat_id.in_(bindparam("seats", expanding=True)),
        Duty.state.in_((State.SUBMITTED, State.CLAIMED)),
        Duty.is_changed.is_(False),
        Duty.in_force.is_(True),
    )


Told = tuple[tuple[str, ...], int]


def _told(session: Session, duties: Sequence[int]) -> dict[int, Told]:
    """What the records behind duties say, in the order in which it was done, and how many files they have."""
    found: dict[int, Told] = {}
    for duty_id, sentence, files in read(session, _records_behind(), {"duties": duties}):
        sentences, number = found.get(duty_id, ((), 0))
        found[duty_id] = (sentences if sentence is None else (*sentences, sentence), number + files)
    return found


@cache
def _records_behind() -> Select[int, str | None, int]:
    """The sentence of each record behind some duties that is not withdrawn, and the number of its files."""
    attached = EvidenceFile.evidence_id == EvidenceFact.evidence_id, known(EvidenceFile)
    files = select(func.count()).select_from(EvidenceFile).where(*attached).correlate(EvidenceFact).scalar_subquery()
    return (
        select(EvidenceLink.duty_id, EvidenceFact.sentence, files)
        .join(EvidenceFact, EvidenceFact.evidence_id == EvidenceLink.evidence_id)
        .where(
            EvidenceLink.duty_id.in_(bindparam("duties", expanding=True)),
            known(EvidenceLink),
            known(EvidenceFact),
            EvidenceFact.withdrawn.is_(False),
        )
        .order_by(EvidenceFact.act_on, EvidenceFact.id)
    )


def _claims(session: Session, duties: Sequence[int]) -> dict[int, tuple[ClaimKind | None, str | None]]:
    """The last claim on each duty and its reason."""
    if not duties:
        return {}
    rows = session.execute(
        select(SignOff.duty_id, SignOff.claim, SignOff.reason)
        .where(SignOff.duty_id.in_(duties), SignOff.action == Action.CLAIM)
        .order_by(SignOff.number)
    )
    return {duty_id: (claim, reason) for duty_id, claim, reason in rows}
