"""The numbers of the board from counters in place of rows, for whoever sees everything: the cost does not grow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, case, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from tracker.domain.actor import Actor
from tracker.domain.board import SOON_DAYS, Column, Filters
from tracker.models import Duty, DutyCount, Organization
from tracker.queries.columns import read

UNIT, DIMENSION, ITEM = "unit", "dimension", "item"
_KIND_OF = {"unit_id": UNIT, "dimension": DIMENSION, "item_id": ITEM}


def kind_for(session: Session, actor: Actor, filters: Filters, by: Sequence[InstrumentedAttribute[Any]]) -> str | None:
    """Which counters say how the duties in view are spread over `by`; None if only the rows themselves do.

    The rows are counted for whoever does not see everything (a duty stays with its unit when an organization moves, and
    the right to see it does not), and for filters on what the counters do not tell apart.
    """
    rows_alone = (filters.organization, filters.level, filters.post, filters.period_from, filters.period_to)
    if any(rows_alone) or filters.judged or not all(each.key in _KIND_OF for each in by):
        return None
    kinds = {_KIND_OF[each.key] for each in by} - {UNIT}
    kinds |= ({DIMENSION} if filters.dimension else set()) | ({ITEM} if filters.item else set())
    if len(kinds) > 1 or not _sees_everything(session, actor):
        return None
    return next(iter(kinds), UNIT)


def _sees_everything(session: Session, actor: Actor) -> bool:
    if not actor.is_seated:
        return False
    return read(session, _root_among(), {"places": list(actor.seated_in)}).first() is not None


@cache
def _root_among() -> Select[int]:
    """The top of the tree, if it is one of some organizations. Put together once: a board asks it for every number."""
    among = Organization.id.in_(bindparam("places", expanding=True))
    return select(Organization.id).where(Organization.parent_id.is_(None), among)


def column_of_count(today: date, *, closed: bool) -> ColumnElement[str]:
    """The same rule as `domain.board.column_of`, of a counter."""
    return case(
        (DutyCount.timing != "open", DutyCount.timing),
        (literal(closed).is_(True), Column.MISSED.value),
        (DutyCount.due_on < today, Column.OVERDUE.value),
        (DutyCount.due_on <= today + timedelta(days=SOON_DAYS), Column.DUE_SOON.value),
        else_=Column.NOT_YET_DUE.value,
    )


def conditions_of_counts(kind: str, filters: Filters, *, closed: bool) -> list[ColumnElement[bool]]:
    """What a counter must be to stand in this view."""
    conditions: list[ColumnElement[bool]] = [
        DutyCount.cycle_id == filters.cycle_id,
        DutyCount.kind == kind,
        DutyCount.number != 0,
    ]
    if filters.units:
        conditions.append(DutyCount.unit_id.in_(filters.units))
    if filters.unit:
        conditions.append(DutyCount.unit_id.in_(select(Organization.id).where(Organization.code == filters.unit)))
    for column, value in (
        (DutyCount.heading, filters.dimension or filters.item),
        (DutyCount.state, filters.state.value if filters.state else None),
    ):
        if value:
            conditions.append(column == value)
    if filters.due_from:
        conditions.append(DutyCount.due_on >= filters.due_from)
    if filters.due_to:
        conditions.append(DutyCount.due_on <= filters.due_to)
    if filters.columns:
        stands_in = column_of_count(filters.today, closed=closed)
        conditions.append(stands_in.in_([column.value for column in filters.columns]))
    return conditions


def counted_of_kind(
    session: Session,
    kind: str,
    filters: Filters,
    by: Sequence[InstrumentedAttribute[Any]],
    *,
    closed: bool,
    also: Sequence[ColumnElement[Any]] = (),
) -> Iterable[tuple[Any, ...]]:
    """Rows of: the values of `by` (unit, dimension, item) and of `also`, column, number of duties."""
    columns = [DutyCount.unit_id if each.key == Duty.unit_id.key else DutyCount.heading for each in by]
    column = column_of_count(filters.today, closed=closed).label("stands_in")
    places = (*columns, *also, column)
    query: Select[*tuple[Any, ...]] = select(*places, func.sum(DutyCount.number))
    query = query.where(*conditions_of_counts(kind, filters, closed=closed)).group_by(*places)
    return [tuple(row) for row in read(session, query)]


def units_with(kind: str, filters: Filters, *, closed: bool) -> ColumnElement[bool]:
    """The units that have anything in view."""
    conditions = conditions_of_counts(kind, filters, closed=closed)
    found = select(DutyCount.number).where(DutyCount.unit_id == Organization.id, *conditions)
    return found.correlate(Organization).exists()
