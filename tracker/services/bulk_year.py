"""A year of some organizations, laid out and worked through at once: the rows that people would write one by one.

It serves measurements, which need millions of duties within minutes. What happens to each duty is said beforehand;
rules are not asked, since whoever says it keeps to them. The rows are made by the functions that `duty_plans`,
`evidence` and `sign_offs` use.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.confirmation import Place as PlaceAbove
from tracker.domain.confirmation import confirming_seat
from tracker.domain.cycle import PlannedDuty
from tracker.domain.duty import Action, Part, State, next_state
from tracker.domain.sign_off import duty_content
from tracker.models import (
    Appointment,
    Cycle,
    CycleState,
    Duty,
    DutyPlan,
    Evidence,
    EvidenceFact,
    EvidenceFile,
    EvidenceLink,
    Person,
    Seat,
    SignOff,
    SignOffDoer,
    StoredFile,
)
from tracker.queries.actors import in_force_on
from tracker.queries.assignments import Held, year_plan
from tracker.queries.history import SHANGHAI
from tracker.queries.sign_offs import chains_of
from tracker.services import evidence_rows, log
from tracker.services.bulk import insert_rows, row_numbers
from tracker.services.duty_plans import duty_row, laid_out, opened, plan_by, plan_row
from tracker.services.evidence_rows import Entry, Owner
from tracker.services.sign_off_rows import (
    Last,
    Place,
    Shown,
    Signer,
    Signing,
    doer_rows,
    shown_after,
    sign_off_row,
    told,
)
from tracker.storage.intake import Accepted


@dataclass(frozen=True)
class Work:
    """What is done about a duty: recorded and handed in at one time, and confirmed (or not yet) at another."""

    entry: Entry
    files: tuple[Accepted, ...]
    handed_in_at: datetime
    confirmed_at: datetime | None = None


@dataclass(frozen=True)
class Written:
    """How many rows of what were written."""

    duties: int
    records: int


@dataclass(frozen=True)
class _Done:
    """A duty with what is done about it."""

    number: int
    held: Held
    duty: PlannedDuty
    work: Work


@dataclass
class _Rows:
    """The rows of every table, as they come about."""

    stored: list[dict[str, Any]] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    sign_offs: list[dict[str, Any]] = field(default_factory=list)
    doers: list[dict[str, Any]] = field(default_factory=list)
    told: list[log.Told] = field(default_factory=list)


def begin(session: Session, *, year: int, version_id: int, now: datetime) -> Cycle:
    """The year itself, with nothing in it yet: `finish` says that it is open."""
    cycle = Cycle(year=year, checklist_version_id=version_id, state=CycleState.OPEN, opened_at=now, closed_at=None)
    session.add(cycle)
    session.flush()
    return cycle


def finish(session: Session, cycle: Cycle, *, organizations: int, duties: int, actor: Actor, now: datetime) -> None:
    """Tell the log what opening the year made, once all organizations are written."""
    log.record_all(session, [opened(cycle, organizations=organizations, duties=duties)], actor=actor, now=now)


class BulkYear:
    """Writes one opened year, some organizations (those of a unit, say) at a time: memory holds no more than these."""

    def __init__(self, session: Session, cycle: Cycle, *, actor: Actor) -> None:
        self.session = session
        self.cycle = cycle
        self.actor = actor
        self.plan = year_plan(session, cycle)

    def write(
        self, organizations: Sequence[Held], work: Callable[[PlannedDuty], Work | None], *, now: datetime, today: date
    ) -> Written:
        """Lay out the year of organizations and do what `work` says. `today`: the day by which people sit in seats."""
        owed = [(held, duty) for held in organizations for duty in self.plan.duties(held.holding)]
        hands = _Hands(self.session, organizations, today=today)
        numbers = row_numbers(self.session, Duty, len(owed))
        rows = {
            number: duty_row(
                number,
                held,
                duty,
                self.plan.digest_of(duty.item),
                cycle_id=self.cycle.id,
                seat_id=hands.seats[duty.seat],
                happening=None,
                now=now,
            )
            for number, (held, duty) in zip(numbers, owed, strict=True)
        }
        done = [
            _Done(number, held, duty, what)
            for number, (held, duty) in zip(numbers, owed, strict=True)
            if duty.seat in hands.signers and (what := work(duty)) is not None
        ]
        made = self._rows(sorted(done, key=lambda one: one.work.handed_in_at), rows, hands)
        opening = self._opening(organizations, owed, now=now)
        insert_rows(self.session, Duty, [_complete(row) for row in rows.values()])
        plans = (plan_by(number, duty.slot) for number, (_, duty) in zip(numbers, owed, strict=True))
        insert_rows(self.session, DutyPlan, [plan_row(plan, reason="", now=now) for plan in plans])
        self._insert(made)
        in_order = sorted(made.told, key=lambda one: one.at or now)
        log.record_all(self.session, [*opening, *in_order], actor=self.actor, now=now)
        return Written(len(rows), len(made.evidence))

    def _opening(
        self, organizations: Sequence[Held], owed: Sequence[tuple[Held, PlannedDuty]], *, now: datetime
    ) -> list[log.Told]:
        by_organization: defaultdict[int, list[PlannedDuty]] = defaultdict(list)
        for held, duty in owed:
            by_organization[held.id].append(duty)
        found = ((held, by_organization.get(held.id)) for held in organizations)
        return [replace(laid_out(self.cycle.year, held, duties), at=now) for held, duties in found if duties]

    def _rows(self, done: Sequence[_Done], duties: Mapping[int, dict[str, Any]], hands: _Hands) -> _Rows:
        made, counted = _Rows(), defaultdict[int, int](int)
        records = row_numbers(self.session, Evidence, len(done))
        files = iter(row_numbers(self.session, StoredFile, sum(len(one.work.files) for one in done)))
        signed = iter(row_numbers(self.session, SignOff, sum(1 + bool(one.work.confirmed_at) for one in done)))
        for record_id, one in zip(records, done, strict=True):
            counted[one.held.id] += 1
            _record(made, one, duties[one.number], record_id, counted[one.held.id], files, hands, self.cycle)
            self._sign(made, one, duties[one.number], signed, hands)
        return made

    def _sign(self, made: _Rows, one: _Done, duty: dict[str, Any], numbers: Iterator[int], hands: _Hands) -> None:
        """Hand the duty in, and confirm it if that is said and somebody may."""
        by, work, item = hands.signers[one.duty.seat], one.work, one.duty.item
        seat = hands.confirming(self.plan.checklist, one, by)
        covered = duty.pop("covered")
        submit = Signing(
            place=Place(duty["key"], one.number, one.held.unit_id, self.cycle.id),
            action=Action.SUBMIT,
            signer=by,
            covered=covered,
            target=next_state(State.OPEN, Action.SUBMIT, Part.HOLDER, stands_alone=item.confirmer is None),
            done_on=work.entry.act_on,
            waiting_seat_id=hands.seats[seat] if seat else None,
        )
        first = self._signed(made, submit, next(numbers), duty, one.held.unit, at=work.handed_in_at)
        if work.confirmed_at is None or seat is None or submit.target is not State.SUBMITTED:
            return
        confirm = replace(
            submit,
            action=Action.CONFIRM,
            signer=hands.signers[seat],
            target=next_state(State.SUBMITTED, Action.CONFIRM, Part.CONFIRMER),
            last=Last(1, first["digest"]),
            submitter_id=by.person_id,
            doers=(by.person_id,),
            done_on=None,
        )
        self._signed(made, confirm, next(numbers), duty, one.held.unit, at=work.confirmed_at)

    def _signed(
        self, made: _Rows, signing: Signing, number: int, duty: dict[str, Any], chain: str, *, at: datetime
    ) -> dict[str, Any]:
        row = sign_off_row(number, signing, now=at)
        made.sign_offs.append(row)
        made.doers += doer_rows(number, signing)
        before: Shown = duty["shown"]
        one = told(chain, signing, row, before=before.state)
        made.told.append(replace(one, at=at, by=signing.signer.person_key))
        duty["shown"] = shown_after(before, signing, row, now=at, today=at.astimezone(SHANGHAI).date())
        duty["version"] += 1
        return row

    def _insert(self, made: _Rows) -> None:
        for model, rows in (
            (StoredFile, made.stored),
            (Evidence, made.evidence),
            (EvidenceFact, made.facts),
            (EvidenceFile, made.files),
            (EvidenceLink, made.links),
            (SignOff, made.sign_offs),
            (SignOffDoer, made.doers),
        ):
            insert_rows(self.session, model, rows)


class _Hands:
    """Who sits where in these organizations and above them, and whom a duty waits for."""

    def __init__(self, session: Session, organizations: Sequence[Held], *, today: date) -> None:
        self.chains = chains_of(session, {held.id for held in organizations}, today=today)
        codes = {seat.key for chain in self.chains.values() for place in chain for seat in place.seats}
        self.seats: dict[str, int] = {}
        self.signers: dict[str, Signer] = {}
        rows = session.execute(
            select(Seat.key, Seat.id, Person.id, Person.key, Appointment.id, Appointment.key)
            .outerjoin(Appointment, (Appointment.seat_id == Seat.id) & in_force_on(today))
            .outerjoin(Person, Person.id == Appointment.person_id)
            .where(Seat.key.in_(codes))
        )
        for seat, seat_id, person_id, person, appointment_id, appointment in rows:
            self.seats[seat] = seat_id
            if person_id is not None:
                self.signers[seat] = Signer(person_id, person, appointment_id, appointment)
        self._confirming: dict[tuple[int, str | None, str], str | None] = {}

    def confirming(self, checklist: Any, one: _Done, by: Signer) -> str | None:  # noqa: ANN401
        """The key of the seat that decides on what this person hands in."""
        case = one.held.id, one.duty.item.confirmer, by.person_key
        if case not in self._confirming:
            chain: tuple[PlaceAbove, ...] = self.chains.get(one.held.id, ())
            self._confirming[case] = confirming_seat(
                checklist=checklist, confirmer=case[1], chain=chain, doers=frozenset({by.person_key})
            )
        return self._confirming[case]


def _record(
    made: _Rows,
    one: _Done,
    duty: dict[str, Any],
    record_id: int,
    number: int,
    files: Iterator[int],
    hands: _Hands,
    cycle: Cycle,
) -> None:
    """The record that serves the duty, and what the duty shows of it."""
    by, work, held = hands.signers[one.duty.seat], one.work, one.held
    key = evidence_rows.evidence_key(year=cycle.year, code=held.holding.code, number=number)
    owner = Owner(held.id, held.unit_id, cycle.id, by.person_id, by.appointment_key)
    at = work.handed_in_at
    made.evidence.append({"id": record_id} | evidence_rows.evidence_row(key, number, owner, now=at))
    fact = evidence_rows.fact_row(record_id, work.entry, person_id=by.person_id, now=at)
    made.facts.append(fact)
    for file in work.files:
        stored = next(files)
        made.stored.append({"id": stored} | evidence_rows.stored_row(file, now=at))
        made.files.append(evidence_rows.file_row(record_id, stored, file, person_id=by.person_id, now=at))
    made.links.append(evidence_rows.link_row(record_id, one.number, person_id=by.person_id, now=at))
    after = evidence_rows.told(work.entry, work.files, [duty["key"]])
    one_told = log.Told("record", "evidence", key, (held.unit,), after=after, appointment=by.appointment_key)
    made.told.append(replace(one_told, by=by.person_key, at=at))
    covered = duty_content(
        duty_key=duty["key"],
        item_id=duty["item_id"],
        item_digest=duty["item_digest"],
        period=duty["period"],
        occurrence=duty["occurrence"],
        evidence=[evidence_rows.content(key, fact, work.files)],
    )
    duty["covered"] = covered
    duty["shown"] = Shown(State.OPEN, duty["content_digest"])


def _complete(row: dict[str, Any]) -> dict[str, Any]:
    """All columns of a duty, whether anything was done about it or not."""
    shown: Shown = row.pop("shown", None) or Shown(State.OPEN, row["content_digest"])
    return row | vars(shown)
