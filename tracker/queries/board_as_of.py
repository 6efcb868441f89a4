"""The board of a past day: the same numbers and lists as `queries.board`, from a replay in place of the caches.

What a person may see is asked as of today: to read the past is an act of the present.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from tracker.domain.actor import Actor
from tracker.domain.board import Cell, Column, column_of
from tracker.models import Cycle, Duty, Organization, Seat
from tracker.policy import visible
from tracker.queries.board import PAGE, Filters, Line, judged_duties
from tracker.queries.cycles import was_closed
from tracker.queries.duties import DutyThen, duties_as_of
from tracker.queries.history import SHANGHAI
from tracker.queries.organizations import records


@dataclass(frozen=True)
class Placed:
    """A duty as it was known then, the column in which it stood, and what never changes of it."""

    duty: DutyThen
    column: Column
    seat: str
    period_starts_on: date
    period_ends_on: date


def places_then(session: Session, as_of: datetime) -> list[tuple[int, str, str]]:
    """Number, code and name of the organizations as they were known then, in the official order of that day.

    One that was to begin on a later day stands at the end, under the name that it was to have.
    """
    then = records(session, as_of=as_of)
    nodes = then.tree(as_of.astimezone(SHANGHAI).date())
    begun = {node.id for node in nodes}
    to_come = ((number, then.code_of[number], facts[0].name) for number, facts in then.facts.items())
    return [(n.id, n.code, n.name) for n in nodes] + sorted(one for one in to_come if one[0] not in begun)


def placed(session: Session, actor: Actor, filters: Filters, *, as_of: datetime) -> list[Placed]:
    """Every duty in view as it stood at `as_of`; `filters.today` is the day that was today then."""
    cycle = session.get_one(Cycle, filters.cycle_id)
    conditions = list(_lasting(actor, filters))
    lasting = {
        row[0]: row[1:]
        for row in session.execute(
            select(Duty.id, Seat.key, Duty.period_starts_on, Duty.period_ends_on)
            .join(Seat, Seat.id == Duty.seat_id)
            .where(*conditions)
        )
    }
    organizations = session.scalars(select(Duty.organization_id).where(*conditions).distinct()).all()
    found = duties_as_of(session, cycle=cycle, as_of=as_of, organizations=organizations)
    closed = was_closed(cycle, as_of)
    seen = (_placed(duty, lasting[duty.id], today=filters.today, closed=closed) for duty in found if duty.id in lasting)
    judged = set(session.scalars(judged_duties(actor, as_of, cycle_id=filters.cycle_id))) if filters.judged else set()
    return [one for one in seen if _passes(one, filters) and (not filters.judged or one.duty.id in judged)]


def _lasting(actor: Actor, filters: Filters) -> Iterator[ColumnElement[bool]]:
    """The filters on what never changes of a duty, and on who may see it."""
    yield visible(actor, Duty)
    yield Duty.cycle_id == filters.cycle_id
    for column, value in (
        (Duty.level, filters.level),
        (Duty.post, filters.post),
        (Duty.dimension, filters.dimension),
        (Duty.item_id, filters.item),
    ):
        if value:
            yield column == value
    for number, code in ((Duty.unit_id, filters.unit), (Duty.organization_id, filters.organization)):
        if code:
            yield number.in_(select(Organization.id).where(Organization.code == code))
    if filters.units:
        yield Duty.unit_id.in_(filters.units)
    if filters.period_from:
        yield Duty.period_ends_on >= filters.period_from
    if filters.period_to:
        yield Duty.period_starts_on <= filters.period_to


def _placed(duty: DutyThen, lasting: tuple[Any, ...], *, today: date, closed: bool) -> Placed:
    column = column_of(
        duty.state,
        due_on=duty.due_on,
        act_on=duty.act_on,
        first_submitted_on=duty.first_submitted_on,
        today=today,
        closed=closed,
    )
    return Placed(duty, column, *lasting)


def _passes(one: Placed, filters: Filters) -> bool:
    """The filters on what changes."""
    state, columns, due_on = filters.state, filters.columns, one.duty.due_on
    if (filters.due_from and due_on < filters.due_from) or (filters.due_to and due_on > filters.due_to):
        return False
    return one.duty.in_force and (not state or one.duty.shown is state) and (not columns or one.column in columns)


def _cells(found: Iterable[Placed], key: Callable[[DutyThen], tuple[int, str]]) -> dict[tuple[int, str], Cell]:
    counts: defaultdict[tuple[int, str], defaultdict[Column, int]] = defaultdict(lambda: defaultdict(int))
    for one in found:
        counts[key(one.duty)][one.column] += 1
    return {place: Cell(dict(numbers)) for place, numbers in counts.items()}


def matrix(
    session: Session, actor: Actor, filters: Filters, *, by: InstrumentedAttribute[Any], as_of: datetime
) -> dict[tuple[int, str], Cell]:
    """Counts by unit (its row number) and `by`: `Duty.dimension` or `Duty.item_id`."""
    found = placed(session, actor, filters, as_of=as_of)
    return _cells(found, lambda duty: (duty.unit_id, getattr(duty, by.key)))


def organizations_of_unit(
    session: Session, actor: Actor, filters: Filters, *, as_of: datetime
) -> dict[tuple[int, str], Cell]:
    """Counts by organization (its row number) and dimension, for the page of one unit."""
    found = placed(session, actor, filters, as_of=as_of)
    return _cells(found, lambda duty: (duty.organization_id, duty.dimension))


def totals(session: Session, actor: Actor, filters: Filters, *, as_of: datetime) -> Cell:
    """All duties in view as one cell."""
    return sum(_cells(placed(session, actor, filters, as_of=as_of), lambda _: (0, "")).values(), Cell())


def units_of_page(
    session: Session, actor: Actor, filters: Filters, *, as_of: datetime, after: str = "", size: int = PAGE
) -> tuple[list[tuple[int, str, str]], bool]:
    """Number, code and name of units behind `after` (a code) in the order of that day, and whether more follow."""
    units = session.scalars(select(Duty.unit_id).where(*_lasting(actor, filters)).distinct()).all()
    named = organizations_named(session, units, as_of=as_of)
    codes = [code for _, code, _ in named]
    first = codes.index(after) + 1 if after in codes else 0
    return named[first : first + size], len(named) > first + size


def organizations_named(session: Session, ids: Iterable[int], *, as_of: datetime) -> list[tuple[int, str, str]]:
    """Number, code and name of organizations as they were called then, in the official order of that day."""
    wanted = set(ids)
    return [place for place in places_then(session, as_of) if place[0] in wanted]


def names_of_codes(session: Session, actor: Actor, codes: Iterable[str], *, as_of: datetime) -> list[str]:
    """The names that organizations had then, of those that a person may see, in official order."""
    query = select(Organization.id).where(Organization.code.in_(list(codes)), visible(actor, Organization))
    return [name for _, _, name in organizations_named(session, session.scalars(query), as_of=as_of)]


def duties_behind(
    session: Session,
    actor: Actor,
    filters: Filters,
    *,
    as_of: datetime,
    after: tuple[date, str] | None = None,
    size: int = PAGE,
) -> list[Line]:
    """The list behind a number, by due date and key; `after` is the last line of the page before."""
    found = sorted(placed(session, actor, filters, as_of=as_of), key=_place)
    page = [one for one in found if after is None or _place(one) > after][:size]
    named = {number: (code, name) for number, code, name in places_then(session, as_of)} if page else {}
    return [_line(one, *named[one.duty.organization_id]) for one in page]


def _place(one: Placed) -> tuple[date, str]:
    return one.duty.due_on, one.duty.key


def _line(one: Placed, code: str, name: str) -> Line:
    duty = one.duty
    return Line(
        key=duty.key,
        item_id=duty.item_id,
        organization=name,
        organization_code=code,
        seat=one.seat,
        period=duty.period,
        occurrence=duty.occurrence,
        due_on=duty.due_on,
        act_on=duty.act_on,
        first_submitted_on=duty.first_submitted_on,
        state=duty.state,
        is_changed=duty.is_changed,
        column=one.column,
    )
