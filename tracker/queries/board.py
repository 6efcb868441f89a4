"""The board: duties counted by unit and dimension, item, organization; every number opens the list behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, cast, func, literal, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from tracker.domain.actor import Actor, RoleName
from tracker.domain.board import ASIDE, SOON_DAYS, STANDS, Cell, Column
from tracker.domain.board import Filters as Filters  # noqa: PLC0414  whoever asks for the board names its filters by it
from tracker.domain.duty import State
from tracker.domain.inspection import InspectionState
from tracker.models import (
    Cycle,
    CycleState,
    Duty,
    Inspection,
    InspectionFact,
    InspectionMember,
    InspectionUnit,
    Organization,
    OrganizationAncestor,
    Seat,
    Verdict,
)
from tracker.policy import visible
from tracker.queries.board_counts import counted_of_kind, kind_for, units_with
from tracker.queries.columns import read
from tracker.queries.history import known

PAGE = 100


@dataclass(frozen=True)
class Line:
    """One duty in the list behind a number."""

    key: str
    item_id: str
    organization: str
    organization_code: str
    seat: str
    period: str
    occurrence: int
    due_on: date
    act_on: date | None
    first_submitted_on: date | None
    state: State
    is_changed: bool
    column: Column


def column_expression(today: date, *, closed: bool) -> ColumnElement[str]:
    """The same rule as `domain.board.column_of`, as SQL."""
    stands = and_(Duty.state.in_(STANDS), Duty.act_on.is_not(None), Duty.first_submitted_on.is_not(None))
    return case(
        (Duty.state.in_(ASIDE), Column.ASIDE.value),
        (and_(stands, Duty.act_on > Duty.due_on), Column.MADE_UP.value),
        (and_(stands, Duty.first_submitted_on > Duty.due_on), Column.RECORDED_LATE.value),
        (stands, Column.IN_TIME.value),
        (literal(closed).is_(True), Column.MISSED.value),
        (Duty.due_on < today, Column.OVERDUE.value),
        (Duty.due_on <= today + timedelta(days=SOON_DAYS), Column.DUE_SOON.value),
        else_=Column.NOT_YET_DUE.value,
    )


def shown_state_of() -> ColumnElement[str]:
    """The state that is shown and counted: a confirmed duty that changed since counts as submitted again."""
    changed = and_(Duty.state == State.CONFIRMED, Duty.is_changed.is_(True))
    return case((changed, State.SUBMITTED.value), else_=cast(Duty.state, String))


def is_closed(session: Session, cycle_id: int) -> bool:
    """Whether the year was ended."""
    return session.get_one(Cycle, cycle_id).state is CycleState.CLOSED


def conditions_of(session: Session, actor: Actor, filters: Filters) -> list[ColumnElement[bool]]:
    """What a duty must be to stand in this view."""
    conditions: list[ColumnElement[bool]] = [
        visible(actor, Duty),
        Duty.cycle_id == filters.cycle_id,
        Duty.in_force.is_(True),
    ]
    for column, value in (
        (Duty.level, filters.level),
        (Duty.post, filters.post),
        (Duty.dimension, filters.dimension),
        (Duty.item_id, filters.item),
        (shown_state_of(), filters.state.value if filters.state else None),
    ):
        if value:
            conditions.append(column == value)
    conditions += _place_and_time(filters)
    if filters.columns:
        stands_in = column_expression(filters.today, closed=is_closed(session, filters.cycle_id))
        conditions.append(stands_in.in_([column.value for column in filters.columns]))
    if filters.judged:
        conditions.append(Duty.id.in_(judged_duties(actor, cycle_id=filters.cycle_id)))
    return conditions


def _place_and_time(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.units:
        conditions.append(Duty.unit_id.in_(filters.units))
    if filters.unit:
        conditions.append(Duty.unit_id.in_(select(Organization.id).where(Organization.code == filters.unit)))
    if filters.organization:
        node = select(Organization.id).where(Organization.code == filters.organization)
        conditions.append(Duty.organization_id.in_(node))
    if filters.period_from:
        conditions.append(Duty.period_ends_on >= filters.period_from)
    if filters.period_to:
        conditions.append(Duty.period_starts_on <= filters.period_to)
    if filters.due_from:
        conditions.append(Duty.due_on >= filters.due_from)
    if filters.due_to:
        conditions.append(Duty.due_on <= filters.due_to)
    return conditions


def judged_duties(actor: Actor, as_of: datetime | None = None, *, cycle_id: int) -> Select[int]:
    """The duties (row numbers) of a year on which an inspection gave a verdict.

    What is judged in a check that goes on is known to its team alone: the sample is nobody else's to know before the
    check has ended.
    """
    ended = select(InspectionFact.inspection_id).where(
        known(InspectionFact, as_of), InspectionFact.state == InspectionState.CLOSED
    )
    told = select(Inspection.id).where(
        Inspection.cycle_id == cycle_id, or_(Inspection.id.in_(ended), visible(actor, Inspection))
    )
    return select(Verdict.duty_id).where(known(Verdict, as_of), Verdict.inspection_id.in_(told))


def _counted(
    session: Session, actor: Actor, filters: Filters, *by: InstrumentedAttribute[Any]
) -> Iterable[tuple[Any, ...]]:
    closed = is_closed(session, filters.cycle_id)
    kind = kind_for(session, actor, filters, by)
    if kind:
        return counted_of_kind(session, kind, filters, by, closed=closed)
    column = column_expression(filters.today, closed=closed).label("stands_in")
    query: Select[*tuple[Any, ...]] = select(*by, column, func.count()).where(*conditions_of(session, actor, filters))
    return [tuple(row) for row in read(session, query.group_by(*by, column))]


def matrix(
    session: Session, actor: Actor, filters: Filters, *, by: InstrumentedAttribute[Any]
) -> dict[tuple[int, str], Cell]:
    """Counts by unit (its row number) and `by`: `Duty.dimension` or `Duty.item_id`."""
    return _cells(_counted(session, actor, filters, Duty.unit_id, by))


def organizations_of_unit(session: Session, actor: Actor, filters: Filters) -> dict[tuple[int, str], Cell]:
    """Counts by organization (its row number) and dimension, for the page of one unit."""
    return _cells(_counted(session, actor, filters, Duty.organization_id, Duty.dimension))


def _cells(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[int, str], Cell]:
    counts: dict[tuple[int, str], dict[Column, int]] = defaultdict(dict)
    for place, heading, column, number in rows:
        counts[place, heading][Column(column)] = number
    return {key: Cell(value) for key, value in counts.items()}


def totals(session: Session, actor: Actor, filters: Filters) -> Cell:
    """All duties in view as one cell."""
    return Cell({Column(column): number for column, number in _counted(session, actor, filters)})


def units_of_page(
    session: Session, actor: Actor, filters: Filters, *, after: str = "", size: int = PAGE
) -> tuple[list[tuple[int, str, str]], bool]:
    """Number, code and name of units behind `after` (a code) in official order, and whether more follow.

    As long as all units fit on a page, some of them may have nothing in view: the numbers of the page tell.
    """
    query: Select[*tuple[Any, ...]] = select(Organization.id, Organization.code, Organization.name)
    query = query.where(Organization.unit_id == Organization.id).order_by(Organization.place, Organization.id)
    found = session.execute(query.limit(size + 1)).all()
    if after or len(found) > size:
        before = aliased(Organization)
        last = [select(column).where(before.code == after).scalar_subquery() for column in (before.place, before.id)]
        query = query.where(tuple_(Organization.place, Organization.id) > tuple_(*last)) if after else query
        found = session.execute(query.where(_has_any(session, actor, filters)).limit(size + 1)).all()
    return [(row[0], row[1], row[2]) for row in found[:size]], len(found) > size


def _has_any(session: Session, actor: Actor, filters: Filters) -> ColumnElement[bool]:
    kind = kind_for(session, actor, filters, ())
    if kind:
        return units_with(kind, filters, closed=is_closed(session, filters.cycle_id))
    in_view = select(Duty.id).where(Duty.unit_id == Organization.id, *conditions_of(session, actor, filters))
    return in_view.correlate(Organization).exists()


def organizations_named(session: Session, ids: Iterable[int]) -> list[tuple[int, str, str]]:
    """Number, code and name of organizations, in their official order."""
    query = select(Organization.id, Organization.code, Organization.name).where(Organization.id.in_(set(ids)))
    return [(row[0], row[1], row[2]) for row in read(session, query.order_by(Organization.place))]


def names_of_codes(session: Session, actor: Actor, codes: Iterable[str]) -> list[str]:
    """The names of organizations that a person may see, by code, in official order."""
    query = select(Organization.name).where(Organization.code.in_(list(codes)), visible(actor, Organization))
    return list(session.scalars(query.order_by(Organization.place)))


def duties_behind(
    session: Session, actor: Actor, filters: Filters, *, after: tuple[date, str] | None = None, size: int = PAGE
) -> list[Line]:
    """The list behind a number, by due date and key; `after` is the last line of the page before."""
    closed = is_closed(session, filters.cycle_id)
    query: Select[*tuple[Any, ...]] = (
        select(
            Duty.key,
            Duty.item_id,
            Organization.name,
            Organization.code,
            Seat.key,
            Duty.period,
            Duty.occurrence,
            Duty.due_on,
            Duty.act_on,
            Duty.first_submitted_on,
            Duty.state,
            Duty.is_changed,
            column_expression(filters.today, closed=closed),
        )
        .join(Organization, Organization.id == Duty.organization_id)
        .join(Seat, Seat.id == Duty.seat_id)
        .where(*conditions_of(session, actor, filters))
        .order_by(Duty.due_on, Duty.key)
        .limit(size)
    )
    if after:
        query = query.where((Duty.due_on > after[0]) | ((Duty.due_on == after[0]) & (Duty.key > after[1])))
    return [_line(list(row)) for row in read(session, query)]


def _line(row: list[Any]) -> Line:
    return Line(*[*row[:-1], Column(row[-1])])


def seen_by_inspecting(session: Session, actor: Actor, units: Collection[int]) -> bool:
    """Whether this person sees any of these units (row numbers) as an inspector only, and so not all of its duties."""
    if not actor.has(RoleName.INSPECTOR):
        return False
    below = select(OrganizationAncestor.descendant_id).where(
        OrganizationAncestor.ancestor_id.in_([sitting.organization_id for sitting in actor.sittings])
    )
    query = (
        select(InspectionUnit.id)
        .join(InspectionMember, InspectionMember.inspection_id == InspectionUnit.inspection_id)
        .where(
            InspectionMember.person_id == actor.person_id,
            known(InspectionMember),
            known(InspectionUnit),
            InspectionUnit.organization_id.in_(units),
            InspectionUnit.organization_id.not_in(below),
        )
    )
    return session.scalar(query.limit(1)) is not None


def opened_by(session: Session, actor: Actor, units: Collection[int]) -> frozenset[int]:
    """Those of these units (row numbers) whose own pages this person may open; of the others a part is seen.

    Whoever sits at units or at the top only sees whole units, or those that a check visits.
    """
    if all(sitting.at_unit for sitting in actor.sittings):
        return frozenset(units)
    query = select(Organization.id).where(Organization.id.in_(units), visible(actor, Organization))
    return frozenset(session.scalars(query))
