"""Duties: what a sign-off on them covers, what a person has to do, and what was known at a recorded time."""

from __future__ import annotations

import json
from calendar import monthrange
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, bindparam, case, func, or_, select, tuple_
from sqlalchemy.orm import Session, joinedload

from tracker.domain.actor import Actor
from tracker.domain.board import STANDS
from tracker.domain.canonical import digest
from tracker.domain.checklist import Checklist, Item
from tracker.domain.duty import (
    SUBMITTED_AGAIN,
    TRANSITIONS,
    Action,
    ClaimKind,
    Standing,
    State,
    Submission,
    Timeliness,
    first_submitted_on,
    fixed_act_on,
    shown_state,
    timeliness,
    timeliness_of,
)
from tracker.domain.evidence import done_on
from tracker.domain.sign_off import ClaimContent, EvidenceContent, FileContent, duty_content
from tracker.models import ChecklistVersion, Cycle, CycleState, Duty, DutyPlan, Organization, SignOff
from tracker.policy import visible
from tracker.queries.assignments import items_named, items_of_year
from tracker.queries.checklists import checklist_of
from tracker.queries.columns import read
from tracker.queries.evidence import contents_of, is_prepared
from tracker.queries.history import SHANGHAI, known

UNSIGNED = frozenset({State.OPEN, State.RETURNED})  # states in which no signature stands
SENT_BACK = frozenset({Action.RETURN, Action.REFUSE, Action.REOPEN})  # what gives a duty back to its holder
CLAIM_STANDS = frozenset({State.CLAIMED, State.NOT_APPLICABLE, State.EXCUSED})  # what is signed is a claim
_SETTLED_AS = {ClaimKind.NOT_APPLICABLE: State.NOT_APPLICABLE, ClaimKind.EXCUSED: State.EXCUSED}


def content_of(duty: Duty, evidence: Sequence[EvidenceContent], claim: ClaimContent | None) -> bytes:
    """The canonical bytes of what a sign-off on the duty covers now."""
    return duty_content(
        duty_key=duty.key,
        item_id=duty.item_id,
        item_digest=duty.item_digest,
        period=duty.period,
        occurrence=duty.occurrence,
        evidence=evidence,
        claim=claim,
    )


def is_changed(state: State, *, content: str, signed: str | None) -> bool:
    """Whether a signature stands that covers something else than what is there now."""
    return state not in UNSIGNED and content != signed


# ---------------------------------------------------------------- what a person has to do


class Section(StrEnum):
    """Where a duty stands in the list of whoever owes it, in the order in which the list is read."""

    RETURNED = "returned"
    OVERDUE = "overdue"
    THIS_MONTH = "this_month"
    LATER = "later"
    HANDED_IN = "handed_in"


@dataclass(frozen=True)
class Line:
    """One duty of a list: what is asked, of which seat, from when and until when.

    `sent_back` is the last reason for which it was given back, while it waits to be handed in (None: there is none, or
    it is sealed). `is_prepared`: a record serves it already, so that it may only have to be handed in.
    """

    key: str
    seat_id: int
    organization: str
    item: Item
    period: str
    occurrence: int
    begins_on: date
    due_on: date
    state: State
    is_changed: bool
    happened_on: date | None
    happening: str | None
    sent_back: str | None
    is_prepared: bool

    @property
    def waits_again(self) -> bool:
        """Whether it was handed in, changed since, and has to be handed in anew."""
        return self.state not in UNSIGNED and Standing(self.state, self.is_changed).waits_for_holder


@dataclass(frozen=True)
class Listed:
    """A section: how many there are in all, the lines that are shown, and where the next ones begin (None: no more)."""

    total: int = 0
    lines: tuple[Line, ...] = ()
    after: str | None = None


def to_do(session: Session, *, seats: Collection[int], today: date, limit: int = 20) -> dict[Section, Listed]:
    """The duties of these seats (row numbers) in the years that take ticks, by section, the first `limit` of each.

    One query reads the lines and the totals, so that a number always equals the rows behind it.
    """
    rows = read(session, _first_lines(), {**_asked(seats, today), "most": limit + 1}).all()
    items = _items(session, rows)
    return {section: _listed([r for r in rows if r.section == section], items, limit) for section in Section}


def section_of(
    session: Session, section: Section, *, seats: Collection[int], today: date, after: str = "", limit: int = 50
) -> Listed:
    """One section of that list from a place on (`Listed.after` of the part before)."""
    ranked = _ranked()
    query = _lines(ranked).where(ranked.c.section == section.value).limit(limit + 1)
    if after:
        query = query.where(_beyond(ranked, section, after))
    rows = read(session, query, _asked(seats, today)).all()
    return _listed(rows, _items(session, rows), limit)


def place_of(after: str) -> tuple[date, str]:
    """The due date and key that `Listed.after` names; the very beginning for anything that it cannot be."""
    day, _, key = after.partition("~")
    try:
        return date.fromisoformat(day), key
    except ValueError:
        return date.min, ""


def _beyond(ranked: Any, section: Section, after: str) -> ColumnElement[bool]:  # noqa: ANN401  a subquery
    """The filter that leaves what stands behind a place in the order of its section."""
    first, _, rest = after.partition("~")
    if section is not Section.HANDED_IN:
        return tuple_(ranked.c.rank, ranked.c.due_on, ranked.c.key) > tuple_(int(first == "1"), *place_of(rest))
    when = _instant(first)
    return or_(ranked.c.handed_in < when, and_(ranked.c.handed_in == when, ranked.c.key > rest))


def _instant(text: str) -> datetime:
    """The time that a place names; the end of all times for anything that it cannot be."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime(9999, 1, 1, tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _asked(seats: Collection[int], today: date) -> dict[str, Any]:
    """The values that `_ranked` leaves open."""
    last_of_month = today.replace(day=monthrange(today.year, today.month)[1])
    return {"seats": list(seats), "today": today, "last_of_month": last_of_month}


def _section() -> ColumnElement[str]:
    """The section of a duty, as SQL."""
    again = and_(Duty.is_changed.is_(True), Duty.state.in_(SUBMITTED_AGAIN))
    return case(
        (or_(Duty.state == State.RETURNED, again), Section.RETURNED.value),
        (Duty.state != State.OPEN, Section.HANDED_IN.value),
        (Duty.due_on < bindparam("today"), Section.OVERDUE.value),
        (Duty.due_on <= bindparam("last_of_month"), Section.THIS_MONTH.value),
        else_=Section.LATER.value,
    )


@cache
def _ranked() -> Any:  # noqa: ANN401  a subquery
    """Every duty of the seats with its section and its place there; put together once, since everybody's day begins so.

    What is to be done is read by due date, and what was returned before what changed after signing; what was handed in
    is read backwards from the latest.
    """
    section = _section()
    rank = case((Duty.state.in_(UNSIGNED), 0), else_=1)
    handed_in = func.coalesce(Duty.submitted_at, Duty.created_at)
    pressing = func.row_number().over(partition_by=section, order_by=(rank, Duty.due_on, Duty.key))
    latest = func.row_number().over(partition_by=section, order_by=(handed_in.desc(), Duty.key))
    return (
        select(
            Duty.id,
            Duty.key,
            Duty.due_on,
            rank.label("rank"),
            handed_in.label("handed_in"),
            section.label("section"),
            func.count().over(partition_by=section).label("total"),
            case((section == Section.HANDED_IN.value, latest), else_=pressing).label("place"),
        )
        .join(Cycle, Cycle.id == Duty.cycle_id)
        .where(
            Duty.seat_id.in_(bindparam("seats", expanding=True)),
            Duty.in_force.is_(True),
            Cycle.state == CycleState.OPEN,
        )
        .subquery()
    )


def _sent_back() -> ScalarSelect[str | None]:
    """The last reason for which a duty that waits to be handed in was given back, as a column of its row."""
    return (
        select(SignOff.reason)
        .where(SignOff.duty_id == Duty.id, SignOff.action.in_(SENT_BACK), Duty.state.in_(UNSIGNED))
        .order_by(SignOff.number.desc())
        .limit(1)
        .scalar_subquery()
    )


def _lines(ranked: Any) -> Select[Any]:  # noqa: ANN401  a subquery
    columns = (
        Duty.key,
        Duty.cycle_id,
        ChecklistVersion.sha256,
        Duty.seat_id,
        Organization.name,
        Duty.item_id,
        Duty.period,
        Duty.occurrence,
        Duty.period_starts_on,
        Duty.due_on,
        Duty.state,
        Duty.is_changed,
        Duty.happened_on,
        Duty.happening,
        _sent_back().label("sent_back"),
        is_prepared().label("is_prepared"),
        ranked.c.section,
        ranked.c.rank,
        ranked.c.handed_in,
        ranked.c.total,
    )
    return (
        select(*columns)
        .join(ranked, ranked.c.id == Duty.id)
        .join(Organization, Organization.id == Duty.organization_id)
        .join(Cycle, Cycle.id == Duty.cycle_id)
        .join(ChecklistVersion, ChecklistVersion.id == Cycle.checklist_version_id)
        .order_by(ranked.c.place)
    )


@cache
def _first_lines() -> Select[Any]:
    """The first lines of every section."""
    return _lines(_ranked()).where(_ranked().c.place <= bindparam("most"))


def _items(session: Session, rows: Iterable[Any]) -> Mapping[tuple[int, str], Item]:
    """The items of rows, by the row number of the year and their own id."""
    return items_named(session, ((row.cycle_id, row.sha256, row.item_id) for row in rows))


def _listed(rows: Sequence[Any], items: Mapping[tuple[int, str], Item], limit: int) -> Listed:
    lines = tuple(
        Line(
            row.key,
            row.seat_id,
            row.name,
            items[row.cycle_id, row.item_id],
            row.period,
            row.occurrence,
            row.period_starts_on,
            row.due_on,
            row.state,
            row.is_changed,
            row.happened_on,
            row.happening,
            row.sent_back,
            bool(row.is_prepared),
        )
        for row in rows[:limit]
    )
    more = len(rows) > limit
    return Listed(rows[0].total if rows else 0, lines, _place(rows[limit - 1]) if more else None)


def _place(row: Any) -> str:  # noqa: ANN401  a row of `_lines`
    """Where a line stands in its section, as `_beyond` reads it."""
    if row.section == Section.HANDED_IN:
        return f"{row.handed_in.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}~{row.key}"
    return f"{row.rank}~{row.due_on}~{row.key}"


# ---------------------------------------------------------------- what else the same record can serve


@dataclass(frozen=True)
class Suggestion:
    """Another open duty that a record can serve: `occasion`, they happen together; `period`, the day lies in it."""

    key: str
    item: Item
    period: str
    occurrence: int
    due_on: date
    occasion: bool
    in_period: bool


def suggested_duties(
    session: Session, duty: Duty, *, seats: Collection[int], act_on: date, limit: int = 12
) -> list[Suggestion]:
    """Other open duties of these seats in the organization that a record of that day can serve too.

    First those of the same occasion whose period contains the day, then those of the occasion that are still owed from
    before, then others whose period contains the day; the earliest due first. One act is not done twice: other
    occurrences of the same item are never suggested.
    """
    together = Duty.occasion == duty.occasion if duty.occasion else Duty.id.is_(None)
    in_period = and_(Duty.period_starts_on <= act_on, Duty.period_ends_on >= act_on)
    rank = case((and_(together, in_period), 0), (together, 1), else_=2)
    rows = session.execute(
        select(Duty.key, Duty.item_id, Duty.period, Duty.occurrence, Duty.due_on, together, in_period)
        .where(
            Duty.cycle_id == duty.cycle_id,
            Duty.organization_id == duty.organization_id,
            Duty.seat_id.in_(seats),
            Duty.item_id != duty.item_id,
            Duty.in_force.is_(True),
            Duty.state.in_(UNSIGNED),
            Duty.period_starts_on <= act_on,
            or_(together, in_period),
        )
        .order_by(rank, Duty.due_on, Duty.key)
        .limit(limit)
    ).all()
    items = items_of_year(session, duty.cycle) if rows else {}
    return [
        Suggestion(key, items[item], period, occurrence, due_on, bool(same), bool(within))
        for key, item, period, occurrence, due_on, same, within in rows
    ]


# ---------------------------------------------------------------- what was known when


@dataclass(frozen=True)
class DutyThen:
    """A duty as it was known at a recorded time; `item_id`, `post` and the like are what they always were."""

    id: int
    key: str
    organization_id: int
    unit_id: int
    seat_id: int
    item_id: str
    item_digest: str
    level: str
    post: str
    dimension: str
    period: str
    occurrence: int
    happened_on: date | None
    starts_on: date
    ends_on: date
    due_on: date
    in_force: bool
    state: State
    content_digest: str
    signed_digest: str | None
    is_changed: bool
    act_on: date | None
    first_submitted_on: date | None

    @property
    def shown(self) -> State:
        """The state that was shown and counted."""
        return shown_state(self.state, changed=self.is_changed)

    def timeliness(self, *, today: date, closed: bool = False) -> Timeliness:
        """What its dates said on a day."""
        return timeliness_now(
            state=self.state,
            starts_on=self.starts_on,
            due_on=self.due_on,
            act_on=self.act_on,
            submitted_on=self.first_submitted_on,
            today=today,
            closed=closed,
        )


def duties_named(session: Session, keys: Collection[str], *, actor: Actor) -> list[Duty]:
    """The duties of these keys that a person may see, in the order of the keys."""
    query = select(Duty).where(Duty.key.in_(keys), visible(actor, Duty)).order_by(Duty.key)
    return list(session.scalars(query))


@dataclass(frozen=True)
class Named:
    """What a duty is called: whose it is, what is asked and for which period."""

    organization: str
    item: Item
    period: str
    occurrence: int


def names_of(session: Session, keys: Collection[str], *, actor: Actor) -> dict[str, Named]:
    """What the duties of these keys that a person may see are called, by key."""
    columns = Duty.key, Duty.cycle_id, ChecklistVersion.sha256, Organization.name, Duty.item_id, Duty.period
    rows = session.execute(
        select(*columns, Duty.occurrence)
        .join(Organization, Organization.id == Duty.organization_id)
        .join(Cycle, Cycle.id == Duty.cycle_id)
        .join(ChecklistVersion, ChecklistVersion.id == Cycle.checklist_version_id)
        .where(Duty.key.in_(keys), visible(actor, Duty))
    ).all()
    items = _items(session, rows)
    return {row.key: Named(row.name, items[row.cycle_id, row.item_id], row.period, row.occurrence) for row in rows}


def with_surroundings(session: Session, duty: Duty) -> Duty:
    """The same duty with its organization, its year and its list at hand: one query in place of three."""
    surroundings = joinedload(Duty.organization), joinedload(Duty.cycle).joinedload(Cycle.checklist_version)
    query = select(Duty).where(Duty.id == duty.id).options(*surroundings)
    return session.scalars(query.execution_options(populate_existing=True)).one()


def timeliness_of_duty(duty: Duty, *, today: date) -> Timeliness:
    """What the dates of a duty say on a day, as its page shows it."""
    return timeliness_now(
        state=duty.state,
        starts_on=duty.starts_on,
        due_on=duty.due_on,
        act_on=duty.act_on,
        submitted_on=duty.first_submitted_on,
        today=today,
        closed=duty.cycle.state is CycleState.CLOSED,
    )


def timeliness_now(
    *,
    state: State,
    starts_on: date,
    due_on: date,
    act_on: date | None,
    submitted_on: date | None,
    today: date,
    closed: bool = False,
) -> Timeliness:
    """What the fixed dates of a duty say, as a list or a page has them."""
    if submitted_on and act_on and state in STANDS:
        return timeliness_of(act_on=act_on, first_submitted_on=submitted_on, due_on=due_on)
    return timeliness(starts_on=starts_on, due_on=due_on, submissions=(), today=today, closed=closed)


def duties_as_of(
    session: Session,
    *,
    cycle: Cycle,
    as_of: datetime,
    units: Collection[int] | None = None,
    organizations: Collection[int] | None = None,
    numbers: Collection[int] | None = None,
) -> list[DutyThen]:
    """The duties of a year as they were known at `as_of`, by key; only these, or those of these units or organizations.

    All three are narrowed by row numbers. Nothing is read from the caches of current state: plans, sign-offs and
    evidence recorded by then are replayed, in a number of queries that does not grow with the duties.
    """
    chosen = select(Duty.id).where(Duty.cycle_id == cycle.id, Duty.created_at <= as_of)
    chosen = chosen if units is None else chosen.where(Duty.unit_id.in_(units))
    chosen = chosen if organizations is None else chosen.where(Duty.organization_id.in_(organizations))
    chosen = chosen if numbers is None else chosen.where(Duty.id.in_(numbers))
    contents = contents_of(session, chosen, as_of=as_of)
    signed = _signed_until(session, chosen, as_of)
    items, checklist = items_of_year(session, cycle), checklist_of(cycle.checklist_version)
    rows = session.execute(
        select(Duty, DutyPlan)
        .join(DutyPlan, DutyPlan.duty_id == Duty.id)
        .where(Duty.id.in_(chosen), known(DutyPlan, as_of))
        .order_by(Duty.key)
    )
    return [
        _then(duty, plan, signed.get(duty.id, []), contents.get(duty.id, []), items[duty.item_id], checklist)
        for duty, plan in rows
    ]


def _signed_until(session: Session, duties: Select[Any], as_of: datetime) -> dict[int, list[Any]]:
    """The sign-offs by then, oldest first, by duty; `covered` only where a day of the act stands in it."""
    covered = case((SignOff.action == Action.SUBMIT, SignOff.covered), else_=None).label("covered")
    rows = session.execute(
        select(
            SignOff.duty_id,
            SignOff.action,
            SignOff.claim,
            SignOff.reason_sha256,
            SignOff.content_digest,
            SignOff.at,
            covered,
        )
        .where(SignOff.duty_id.in_(duties), SignOff.at <= as_of)
        .order_by(SignOff.duty_id, SignOff.number)
    )
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.duty_id].append(row)
    return found


def _then(
    duty: Duty,
    plan: DutyPlan,
    signed: Sequence[Any],
    evidence: Sequence[EvidenceContent],
    item: Item,
    checklist: Checklist,
) -> DutyThen:
    state = _replayed(signed, alone=item.confirmer is None)
    claims = [ClaimContent(row.claim.value, row.reason_sha256) for row in signed if row.action is Action.CLAIM]
    content = digest(content_of(duty, evidence, claims[-1] if state in CLAIM_STANDS else None))
    covers = [row.content_digest for row in signed if row.action in {Action.SUBMIT, Action.CLAIM}]
    submissions = [_submission(row, item, checklist) for row in signed if row.action is Action.SUBMIT]
    last = covers[-1] if covers else None
    return DutyThen(
        id=duty.id,
        key=duty.key,
        organization_id=duty.organization_id,
        unit_id=duty.unit_id,
        seat_id=duty.seat_id,
        item_id=duty.item_id,
        item_digest=duty.item_digest,
        level=duty.level,
        post=duty.post,
        dimension=duty.dimension,
        period=duty.period,
        occurrence=duty.occurrence,
        happened_on=duty.happened_on,
        starts_on=plan.starts_on,
        ends_on=plan.ends_on,
        due_on=plan.due_on,
        in_force=plan.in_force,
        state=state,
        content_digest=content,
        signed_digest=last,
        is_changed=is_changed(state, content=content, signed=last),
        act_on=fixed_act_on(submissions),
        first_submitted_on=first_submitted_on(submissions),
    )


def _replayed(signed: Sequence[Any], *, alone: bool) -> State:
    """The state that the sign-offs lead to."""
    if not signed:
        return State.OPEN
    action: Action = signed[-1].action
    if action is Action.ACCEPT or (action is Action.CLAIM and alone):
        return _SETTLED_AS[next(row.claim for row in reversed(signed) if row.action is Action.CLAIM)]
    if action is Action.CLAIM:
        return State.CLAIMED
    if action is Action.SUBMIT and alone:
        return State.CONFIRMED
    target = TRANSITIONS[action].to
    assert target is not None  # noqa: S101  (only accepting has none, and it has returned)
    return target


def _submission(row: Any, item: Item, checklist: Checklist) -> Submission:  # noqa: ANN401  a row of `_signed_until`
    """The day it was submitted, and the day on which it was done by what the signed bytes say."""
    records = [
        EvidenceContent(
            record["id"],
            date.fromisoformat(record["act_on"]),
            record["sentence_sha256"],
            record["counts"],
            tuple(FileContent(**file) for file in record["files"]),
        )
        for record in json.loads(row.covered)["evidence"]
    ]
    return Submission(row.at.astimezone(SHANGHAI).date(), done_on(item, checklist, records))
