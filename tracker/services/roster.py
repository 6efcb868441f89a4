"""The roster: hold a file against what is known, and carry out what it changes, all or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.errors import Invalid, RuleError
from tracker.domain.roster import COLUMNS, Roster, RosterRefused, RowError, SheetName
from tracker.domain.roster_changes import AppointmentChange, Known, KnownAppointment, KnownPerson, Plan, Verb
from tracker.domain.roster_plan import plan_roster
from tracker.domain.text import _n
from tracker.models import Appointment, Handover, LogChain, Organization, Person, Seat
from tracker.policy import Act, require
from tracker.queries.log import SYSTEM
from tracker.queries.organizations import codes, facts_of_row, known_facts
from tracker.queries.people import by_account, by_staff_number, everybody
from tracker.services import accounts, assignments, cycles, handovers, organizations, people, seats, sign_offs
from tracker.services.log import record


@dataclass
class Outcome:
    """What an import did: rows by sheet and verb, and the hand-over lists that it made."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    handovers: list[Handover] = field(default_factory=list)
    seats_handed_over: list[str] = field(default_factory=list)
    assignments: int = 0


def plan_import(
    session: Session,
    roster: Roster,
    *,
    today: date,
    close_missing: bool = False,
    unread: Sequence[RowError] = (),
) -> Plan:
    """Say what the roster would add, change and close, with warnings and errors row by row. Writes nothing.

    A row that is missing changes nothing unless `close_missing`: then what a sheet does not name is closed as of today.
    `unread` are the errors of reading the file; they are errors of the plan too.
    """
    return plan_roster(roster, known_now(session), today=today, close_missing=close_missing, unread=unread)


def known_now(session: Session) -> Known:
    """Organizations, people and appointments as known now; five queries."""
    code_of = codes(session)
    facts = {
        code_of[number]: tuple((fact.valid_from, facts_of_row(fact, code_of)) for fact in rows)
        for number, rows in known_facts(session).items()
    }
    persons = tuple(KnownPerson(p.key, p.account_name, p.staff_number, p.name) for p in everybody(session))
    rows = session.execute(
        select(Appointment, Seat, Person.key)
        .join(Seat, Seat.id == Appointment.seat_id)
        .join(Person, Person.id == Appointment.person_id)
        .where(Appointment.superseded_at.is_(None))
        .order_by(Appointment.starts_on, Appointment.id)
    )
    appointments = tuple(
        KnownAppointment(
            a.key, code_of[seat.organization_id], seat.post, seat.number, person, a.kind, a.starts_on, a.ends_on
        )
        for a, seat, person in rows
    )
    return Known(facts, persons, appointments)


def carry_out(session: Session, plan: Plan, *, actor: Actor, now: datetime) -> Outcome:
    """Do what the plan says; to be called in the transaction in which it was made. An empty plan writes nothing.

    Raises NotAllowed; RosterRefused if the plan has errors or a decision is refused; whatever a verb raises. Then the
    caller's transaction undoes everything.
    """
    require(session, actor, Act.ADMINISTER)
    session.execute(select(LogChain.id).where(LogChain.key == SYSTEM).with_for_update())  # one import at a time
    if plan.errors:
        raise RosterRefused(plan.errors)
    outcome = Outcome(plan.counts())
    if not plan.is_empty:
        _change(session, plan, outcome, actor=actor, now=now)
    if plan.assignments:
        applied = assignments.apply_rows(session, plan.assignments, actor=actor, now=now)
        if applied.refusals:
            raise RosterRefused([_refused_row(row, error) for row, error in applied.refusals])
        outcome.assignments = applied.decided
    return outcome


def rehearse(session: Session, plan: Plan, *, actor: Actor, now: datetime) -> tuple[Plan, Outcome]:
    """Carry the plan out and undo it: the plan with what the verbs refused as errors, and what it would have done.

    To be called in a writing transaction, which it leaves as it was.
    """
    outcome = Outcome(plan.counts())
    if plan.errors:
        return plan, outcome
    rehearsal = session.begin_nested()
    try:
        outcome = carry_out(session, plan, actor=actor, now=now)
        outcome.seats_handed_over = [handover.seat.key for handover in outcome.handovers]
        outcome.handovers = []
    except RosterRefused as refused:
        plan = replace(plan, errors=refused.rows)
    except RuleError as error:
        plan = replace(plan, errors=(RowError("", 0, "", error.message, "", error.values),))
    finally:
        rehearsal.rollback()
        session.expire_all()
    return plan, outcome


def _refused_row(row: int, error: RuleError) -> RowError:
    titles = {column.key: column.title for column in COLUMNS[SheetName.ASSIGNMENTS]}
    return RowError(
        SheetName.ASSIGNMENTS.value, row, titles.get(error.field or "", ""), error.message, "", error.values
    )


def _change(session: Session, plan: Plan, outcome: Outcome, *, actor: Actor, now: datetime) -> None:
    statements = [organizations.Statement(c.code, c.after, c.valid_from) for c in plan.organizations]
    organizations.apply_all(session, statements, actor=actor, now=now)
    for change in plan.people:
        person = people.apply(
            session,
            account_name=change.account_name,
            staff_number=change.staff_number,
            name=change.name,
            actor=actor,
            now=now,
        )
        if person.account_name:
            accounts.ensure_account(session, person, now=now)
    touched, opened = _appoint(session, plan.appointments, actor=actor, now=now)
    _lay_again(session, plan, opened, actor=actor, now=now)
    _reroute(session, plan, touched, actor=actor, now=now)
    if touched:
        outcome.handovers = handovers.prepare_due(
            session, today=plan.today, actor=actor, now=now, seat_ids=[seat.id for seat in touched]
        )
    record(
        session,
        actor=actor,
        now=now,
        verb="roster.imported",
        kind="roster",
        key=plan.sha256[:16],
        after={"file": plan.sha256, "counts": outcome.counts, "handovers": len(outcome.handovers)},
    )


def _reroute(session: Session, plan: Plan, touched: list[Seat], *, actor: Actor, now: datetime) -> None:
    """Find anew who confirms, where somebody else sits now or an organization hangs elsewhere."""
    places = {seat.organization_id for seat in touched}
    moved = {change.code for change in plan.organizations if change.relays}
    found = select(Organization).where(Organization.id.in_(places) | Organization.code.in_(moved))
    organizations_touched = session.scalars(found).all()
    if organizations_touched:
        sign_offs.reroute(session, organizations=organizations_touched, now=now, actor=actor)


def _appoint(
    session: Session, changes: Iterable[AppointmentChange], *, actor: Actor, now: datetime
) -> tuple[list[Seat], set[str]]:
    """Make the appointments; return the seats touched and the codes of organizations in which a seat was opened."""
    known = {o.code: o for o in session.scalars(select(Organization))}
    existing = {seat.key: seat for seat in session.scalars(select(Seat))}
    current = {a.key: a for a in session.scalars(select(Appointment).where(Appointment.superseded_at.is_(None)))}
    touched: list[Seat] = []
    opened: set[str] = set()
    sittings = []
    for change in changes:
        seat = existing.get(change.seat)
        if seat is None:
            seat = seats.ensure_seat(session, known[change.organization], change.post, change.number, now=now)
            existing[seat.key] = seat
            opened.add(change.organization)
        touched.append(seat)
        before = current[change.before.key] if change.before else None
        if change.verb is Verb.WITHDRAW and before is not None:
            seats.withdraw_appointment(session, before, reason=_n("导入的花名册中没有此任职"), actor=actor, now=now)
            continue
        person = before.person if before else _person(session, change.person)
        sittings.append(seats.Sitting(seat, person, change.kind, change.starts_on, change.ends_on, before))
    seats.apply_appointments(session, sittings, actor=actor, now=now)
    return touched, opened


def _person(session: Session, login: str) -> Person:
    """Whom an account name or a staff number of the file means; the plan has made sure that there is one."""
    found = by_account(session, login.lower()) or by_staff_number(session, login)
    if found is None:
        raise Invalid(_n("没有账号或工号为 %(login)s 的人，请核对。"), login=login)
    return found


def _lay_again(session: Session, plan: Plan, opened: set[str], *, actor: Actor, now: datetime) -> None:
    """Lay out again the periods to come of organizations that owe something else now, or by other seats."""
    days: dict[date, set[str]] = {}
    for change in plan.organizations:
        if change.relays:
            days.setdefault(max(change.valid_from, plan.today), set()).add(change.code)
    if opened:
        days.setdefault(plan.today, set()).update(opened)
    reason = _n("花名册变更")
    for day, wanted in sorted(days.items()):
        changed = session.scalars(select(Organization).where(Organization.code.in_(wanted))).all()
        cycles.relay(session, organizations=changed, from_day=day, actor=actor, now=now, reason=reason)
