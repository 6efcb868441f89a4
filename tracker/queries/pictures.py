"""What pictures are made of: duties by month, duties by state, findings as they burn down; now, or as of a past day."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, and_, case, extract, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from tracker.domain.actor import Actor
from tracker.domain.board import Cell, Column
from tracker.domain.duty import State
from tracker.domain.inspection import STATE_AFTER, RectificationAction
from tracker.domain.pictures import Flow, Life, month_in
from tracker.models import Cycle, Duty, DutyCount, Finding, FindingFact, Inspection, Organization, RectificationStep
from tracker.policy import visible
from tracker.queries.board import Filters, column_expression, conditions_of, is_closed, judged_duties, shown_state_of
from tracker.queries.board_as_of import Placed, placed
from tracker.queries.board_counts import counted_of_kind, kind_for
from tracker.queries.columns import read
from tracker.queries.history import SHANGHAI

Row = int | str
Months = dict[tuple[Row, int], Cell]
Standing = tuple[str, str, int, int]  # the state that is shown, the column, how many duties, how many of them judged


@dataclass(frozen=True)
class Counted:
    """What the pictures of a board are made of: where its duties stand, and when they are due; `total` counts them all.

    `months` has one mapping for each attribute that was asked for: counts by its value and the month in which a duty is
    due, by its number in the year; 0 is all the time before that year, 13 all behind it.
    """

    flow: Flow
    total: Cell
    months: Sequence[Months]


def counted(
    session: Session,
    actor: Actor,
    filters: Filters,
    *by: InstrumentedAttribute[Any],
    as_of: datetime | None = None,
) -> Counted:
    """The duties in view by state, and for each attribute in `by` (unit, organization, item) by month.

    The months are those of one page of units, if the filters name it; flow and total are those of all pages.
    """
    everywhere = replace(filters, units=())
    if as_of is None:
        standing, dated = _standing(session, actor, everywhere), _dated(session, actor, filters, by)
    else:
        found = placed(session, actor, everywhere, as_of=as_of)
        judged = set(session.scalars(judged_duties(actor, as_of, cycle_id=filters.cycle_id)))
        standing = [(one.duty.shown, one.column, 1, int(one.duty.id in judged)) for one in found]
        dated = _dated_then((one for one in found if not filters.units or one.duty.unit_id in filters.units), by)
    flow = flow_of((state, number, of_them) for state, _, number, of_them in standing)
    return Counted(flow, _total(standing), _months(dated, year_of(session, filters), len(by)))


def _total(standing: Iterable[Standing]) -> Cell:
    counts: Counter[Column] = Counter()
    for _state, column, number, _judged in standing:
        counts[Column(column)] += number
    return Cell(dict(counts))


def year_of(session: Session, filters: Filters) -> int:
    """The year that is looked at."""
    return session.get_one(Cycle, filters.cycle_id).year


def flow_of(states: Iterable[tuple[str, int, int]]) -> Flow:
    """The flow of rows of: state, number of duties, how many of them were judged."""
    counts: Counter[State] = Counter()
    judged = 0
    for state, number, of_them in states:
        counts[State(state)] += number
        judged += of_them
    return Flow(dict(counts), judged)


def _months(dated: Iterable[Sequence[Any]], year: int, number_of_rows: int) -> list[Months]:
    """Counts by row and month, of rows of: a value for each kind of row, year and month due, column, number."""
    counts: list[defaultdict[tuple[Row, int], Counter[Column]]] = [defaultdict(Counter) for _ in range(number_of_rows)]
    for *rows, due_year, due_month, column, number in dated:
        month = month_in(year, int(due_year), int(due_month))
        for found, row in zip(counts, rows, strict=True):
            found[row, month][Column(column)] += number
    return [{place: Cell(dict(numbers)) for place, numbers in found.items()} for found in counts]


def _dated(
    session: Session, actor: Actor, filters: Filters, by: Sequence[InstrumentedAttribute[Any]]
) -> Iterable[Sequence[Any]]:
    closed, kind = is_closed(session, filters.cycle_id), kind_for(session, actor, filters, by)
    if kind:
        due_on = extract("year", DutyCount.due_on), extract("month", DutyCount.due_on)
        return counted_of_kind(session, kind, filters, by, closed=closed, also=due_on)
    column = column_expression(filters.today, closed=closed).label("stands_in")
    due = (extract("year", Duty.due_on).label("due_year"), extract("month", Duty.due_on).label("due_month"))
    query: Select[*tuple[Any, ...]] = select(*by, *due, column, func.count())
    query = query.where(*conditions_of(session, actor, filters)).group_by(*by, *due, column)
    return [tuple(row) for row in read(session, query)]


def _dated_then(found: Iterable[Placed], by: Sequence[InstrumentedAttribute[Any]]) -> Iterable[Sequence[Any]]:
    for one in found:
        duty = one.duty
        yield (*(getattr(duty, each.key) for each in by), duty.due_on.year, duty.due_on.month, one.column, 1)


def _standing(session: Session, actor: Actor, filters: Filters) -> Sequence[Standing]:
    """The duties in view by the state that is shown and by column: one question for what the flow and the total say."""
    closed, kind = is_closed(session, filters.cycle_id), kind_for(session, actor, filters, ())
    if kind:
        numbers = counted_of_kind(session, kind, filters, (), closed=closed, also=(DutyCount.state.expression,))
        judged_ones = select(func.count()).where(*conditions_of(session, actor, replace(filters, judged=True)))
        of_them = session.scalar(judged_ones) or 0
        return [(*row[:3], 0 if place else of_them) for place, row in enumerate(numbers)]
    by = shown_state_of().label("shown_state"), column_expression(filters.today, closed=closed).label("stands_in")
    judged = func.sum(case((Duty.id.in_(judged_duties(actor, cycle_id=filters.cycle_id)), 1), else_=0))
    query: Select[*tuple[Any, ...]] = select(*by, func.count(), judged)
    rows = read(session, query.where(*conditions_of(session, actor, filters)).group_by(*by))
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def lives(
    session: Session,
    *,
    inspection: int | None = None,
    unit: str = "",
    units: Collection[int] | None = None,
    actor: Actor | None = None,
    as_of: datetime | None = None,
) -> list[Life]:
    """What is recorded of findings: those of a check (its number), of a unit (its code) or several (row numbers).

    Of those that this person may see; without `actor`, of all: for papers, whose reader was asked about before.
    """
    chosen = select(Finding.id)
    if inspection is not None:
        chosen = chosen.where(Finding.inspection_id.in_(select(Inspection.id).where(Inspection.number == inspection)))
    if unit:
        chosen = chosen.where(Finding.unit_id.in_(select(Organization.id).where(Organization.code == unit)))
    if units is not None:
        chosen = chosen.where(Finding.unit_id.in_(units))
    if actor is not None:
        chosen = chosen.where(visible(actor, Finding))
    if as_of is not None:
        chosen = chosen.where(Finding.created_at <= as_of)
    recorded: defaultdict[int, list[Any]] = defaultdict(list)
    for row in session.execute(_recorded(chosen, as_of)):
        recorded[row.finding_id].append(row)
    return [_life(rows) for rows in recorded.values()]


def _recorded(chosen: Select[int], as_of: datetime | None) -> Select[*tuple[Any, ...]]:
    """Every deadline that a finding was given with every step on it, in one question: there are few of each."""
    step_of = RectificationStep.finding_id == FindingFact.finding_id
    query: Select[*tuple[Any, ...]] = (
        select(
            FindingFact.finding_id,
            Finding.created_at,
            FindingFact.id.label("fact"),
            FindingFact.recorded_at,
            FindingFact.deadline,
            RectificationStep.number,
            RectificationStep.at,
            RectificationStep.action,
            RectificationStep.deadline.label("granted"),
        )
        .join(Finding, Finding.id == FindingFact.finding_id)
        .outerjoin(RectificationStep, step_of if as_of is None else and_(step_of, RectificationStep.at <= as_of))
        .where(FindingFact.finding_id.in_(chosen))
        .order_by(FindingFact.finding_id, FindingFact.id, RectificationStep.number)
    )
    return query if as_of is None else query.where(FindingFact.recorded_at <= as_of)


def _life(rows: Sequence[Any]) -> Life:
    """One finding. Once more time was granted, that decides, whatever is corrected in the finding afterwards."""
    facts = list({row.fact: row for row in rows}.values())
    steps = [row for row in rows if row.fact == rows[0].fact and row.number is not None]
    granted = [step for step in steps if step.action is RectificationAction.GRANT_EXTENSION and step.granted]
    before = [fact for fact in facts if not granted or fact.recorded_at < granted[0].at]
    return Life(
        began_on=_day(rows[0].created_at),
        deadlines=(
            *((_day(fact.recorded_at), fact.deadline) for fact in before),
            *((_day(step.at), step.granted) for step in granted),
        ),
        states=tuple((_day(step.at), STATE_AFTER[step.action]) for step in steps),
    )


def _day(moment: datetime) -> date:
    return moment.astimezone(SHANGHAI).date()
