"""The self-check tables of a check: the lines of a unit, what was handed in, and what is open for a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, select
from sqlalchemy.orm import Session, joinedload

from tracker.domain.actor import Actor
from tracker.domain.checklist import Item
from tracker.domain.duty import Timeliness
from tracker.domain.inspection import InspectionState
from tracker.domain.self_check_table import Answer, Line, counted, is_late
from tracker.models import (
    Cycle,
    CycleState,
    Duty,
    Inspection,
    InspectionFact,
    InspectionUnit,
    Organization,
    SelfCheckHandIn,
    SelfCheckLine,
)
from tracker.queries.assignments import items_of_year
from tracker.queries.checklists import checklist_of
from tracker.queries.duties import DutyThen, duties_as_of, timeliness_now
from tracker.queries.history import SHANGHAI, known
from tracker.queries.inspections import fact_of, units_of
from tracker.queries.reports import SET_ASIDE


@dataclass(frozen=True)
class HandedIn:
    """One handing in. `late`: after the day that was set; `changed`: lines were changed since."""

    row: SelfCheckHandIn
    late: bool
    changed: bool


@dataclass(frozen=True)
class UnitTable:
    """Whether a unit handed its table in, for the list of the team."""

    unit: Organization
    last: HandedIn | None


@dataclass(frozen=True)
class OpenTable:
    """A table that a person of the unit may fill in."""

    inspection: Inspection
    fact: InspectionFact
    unit: Organization
    handed_in: bool
    overdue: bool


def answers_of(
    session: Session, inspection: Inspection, unit: Organization, *, as_of: datetime | None = None
) -> dict[str, SelfCheckLine]:
    """What the unit said, by item."""
    query = select(SelfCheckLine).where(
        SelfCheckLine.inspection_id == inspection.id, SelfCheckLine.unit_id == unit.id, known(SelfCheckLine, as_of)
    )
    return {row.item_id: row for row in session.scalars(query)}


def answer_of(row: SelfCheckLine | None, item_id: str) -> Answer:
    """A stored line as the rules see it; an empty answer where there is none."""
    return Answer(item_id) if row is None else Answer(item_id, row.value, row.tenths, row.statement)


def table_of(session: Session, inspection: Inspection, unit: Organization, *, as_of: datetime) -> list[Line]:
    """A line for each item that the unit owes in the scope of the check, in the order of the list."""
    grouped: defaultdict[str, list[Timeliness | None]] = defaultdict(list)
    day = as_of.astimezone(SHANGHAI).date()
    cycle = inspection.cycle
    closed = cycle.state is CycleState.CLOSED and cycle.closed_at is not None and cycle.closed_at <= as_of
    for duty in _in_scope(session, inspection, unit, as_of=as_of):
        aside = duty.state in SET_ASIDE
        grouped[duty.item_id].append(None if aside else duty.timeliness(today=day, closed=closed))
    answers = answers_of(session, inspection, unit, as_of=as_of)
    return _lines(cycle, items_of_year(session, cycle, as_of=as_of), grouped, answers)


def _lines(
    cycle: Cycle,
    items: Mapping[str, Item],
    grouped: Mapping[str, Sequence[Timeliness | None]],
    answers: Mapping[str, SelfCheckLine],
) -> list[Line]:
    place = {item_id: number for number, item_id in enumerate(checklist_of(cycle.checklist_version).item)}
    owed = sorted(grouped.keys() | answers.keys(), key=lambda item: (place.get(item, len(place)), item))
    return [
        Line(
            item_id,
            items[item_id].title,
            items[item_id].level,
            items[item_id].points,
            counted(grouped.get(item_id, ())),
            answer_of(answers.get(item_id), item_id),
        )
        for item_id in owed
    ]


@dataclass(frozen=True)
class TablePage:
    """A table as its page shows it: what is counted today, beside what the unit said now or at an earlier time."""

    inspection: Inspection
    fact: InspectionFact
    sent: Sequence[HandedIn]
    rows: Sequence[SelfCheckLine]
    items: Mapping[str, Item]
    grouped: Mapping[str, Sequence[Timeliness | None]]

    def answers(self, *, as_of: datetime | None = None) -> dict[str, SelfCheckLine]:
        """What the unit said, by item."""
        return {row.item_id: row for row in self.rows if _stands(row, as_of)}

    def lines(self, *, as_of: datetime | None = None) -> list[Line]:
        """The lines in the order of the list."""
        return _lines(self.inspection.cycle, self.items, self.grouped, self.answers(as_of=as_of))

    @property
    def last_change(self) -> datetime:
        """When the last of the lines was written; before any, when the check was planned."""
        return max((row.recorded_at for row in self.rows), default=self.inspection.created_at)


def _stands(row: SelfCheckLine, as_of: datetime | None) -> bool:
    if as_of is None:
        return row.superseded_at is None
    return row.recorded_at <= as_of and (row.superseded_at is None or row.superseded_at > as_of)


def page_of(session: Session, inspection: Inspection, unit: Organization, *, today: date) -> TablePage:
    """All that a page of a table needs, from the columns of the present state: a table of any size in few questions."""
    fact = fact_of(session, inspection)
    of_unit = (SelfCheckLine.inspection_id == inspection.id, SelfCheckLine.unit_id == unit.id)
    rows = session.scalars(select(SelfCheckLine).where(*of_unit).order_by(SelfCheckLine.id)).all()
    last_change = max((row.recorded_at for row in rows), default=None)
    sent = [_as_told(row, last_change, due_on=fact.self_check_due_on) for row in _hand_ins(session, inspection, unit)]
    items = items_of_year(session, inspection.cycle)
    return TablePage(inspection, fact, sent, rows, items, _times_now(session, inspection, unit, fact, today=today))


def _times_now(
    session: Session, inspection: Inspection, unit: Organization, fact: InspectionFact, *, today: date
) -> Mapping[str, Sequence[Timeliness | None]]:
    query = select(Duty.item_id, Duty.state, Duty.starts_on, Duty.due_on, Duty.act_on, Duty.first_submitted_on).where(
        *_scope(inspection, unit, fact), Duty.in_force.is_(True), Duty.due_on <= fact.ends_on
    )
    closed = inspection.cycle.state is CycleState.CLOSED
    grouped: defaultdict[str, list[Timeliness | None]] = defaultdict(list)
    for item_id, state, starts_on, due_on, act_on, submitted_on in session.execute(query):
        if fact.items and item_id not in fact.items:
            continue
        told = timeliness_now(
            state=state,
            starts_on=starts_on,
            due_on=due_on,
            act_on=act_on,
            submitted_on=submitted_on,
            today=today,
            closed=closed,
        )
        grouped[item_id].append(None if state in SET_ASIDE else told)
    return grouped


def _scope(inspection: Inspection, unit: Organization, fact: InspectionFact) -> tuple[ColumnElement[bool], ...]:
    return (
        Duty.cycle_id == inspection.cycle_id,
        Duty.unit_id == unit.id,
        Duty.period_starts_on <= fact.period_ends_on,
        Duty.period_ends_on >= fact.period_starts_on,
    )


def _in_scope(session: Session, inspection: Inspection, unit: Organization, *, as_of: datetime) -> list[DutyThen]:
    fact = fact_of(session, inspection, as_of=as_of)
    chosen = set(session.scalars(select(Duty.id).where(*_scope(inspection, unit, fact))))
    wanted = set(fact.items)
    return [
        duty
        for duty in duties_as_of(session, cycle=inspection.cycle, as_of=as_of, units=[unit.id])
        if duty.id in chosen
        and duty.in_force
        and duty.due_on <= fact.ends_on
        and (not wanted or duty.item_id in wanted)
    ]


def handed_in(
    session: Session, inspection: Inspection, unit: Organization, *, as_of: datetime | None = None
) -> list[HandedIn]:
    """Every handing in of a unit, the last one in front."""
    due_on = fact_of(session, inspection, as_of=as_of).self_check_due_on
    written = [row.recorded_at for row in answers_of(session, inspection, unit, as_of=as_of).values()]
    last_change = max(written, default=None)
    return [_as_told(row, last_change, due_on=due_on) for row in _hand_ins(session, inspection, unit, as_of=as_of)]


def _hand_ins(
    session: Session, inspection: Inspection, unit: Organization, *, as_of: datetime | None = None
) -> Sequence[SelfCheckHandIn]:
    query = select(SelfCheckHandIn).where(
        SelfCheckHandIn.inspection_id == inspection.id, SelfCheckHandIn.unit_id == unit.id
    )
    if as_of is not None:
        query = query.where(SelfCheckHandIn.at <= as_of)
    query = query.order_by(SelfCheckHandIn.number.desc()).options(joinedload(SelfCheckHandIn.person))
    return session.scalars(query).all()


def _as_told(row: SelfCheckHandIn, last_change: datetime | None, *, due_on: date | None) -> HandedIn:
    late = is_late(row.at.astimezone(SHANGHAI).date(), due_on=due_on)
    return HandedIn(row, late, last_change is not None and last_change > row.at)


def tables_of(
    session: Session, inspection: Inspection, *, fact: InspectionFact | None = None, as_of: datetime | None = None
) -> list[UnitTable]:
    """The units of the check in their official order, each with its last handing in; `fact` if it is there already."""
    units = units_of(session, inspection, as_of=as_of)
    due_on = (fact or fact_of(session, inspection, as_of=as_of)).self_check_due_on
    sent = select(SelfCheckHandIn).where(SelfCheckHandIn.inspection_id == inspection.id)
    if as_of is not None:
        sent = sent.where(SelfCheckHandIn.at <= as_of)
    rows = session.scalars(sent.order_by(SelfCheckHandIn.number).options(joinedload(SelfCheckHandIn.person)))
    last = {row.unit_id: row for row in rows}
    written = session.execute(
        select(SelfCheckLine.unit_id, func.max(SelfCheckLine.recorded_at).label("at"))
        .where(SelfCheckLine.inspection_id == inspection.id, known(SelfCheckLine, as_of))
        .group_by(SelfCheckLine.unit_id)
    )
    changed = {row.unit_id: row.at for row in written}
    return [
        UnitTable(unit, _as_told(last[unit.id], changed.get(unit.id), due_on=due_on) if unit.id in last else None)
        for unit in units
    ]


def open_tables(session: Session, actor: Actor, *, today: date) -> Sequence[OpenTable]:
    """The tables asked of the units at whose top a person sits, in checks that are still open; the soonest first."""
    if not actor.is_seated:
        return []
    rows = session.execute(_open_tables(), {"places": list(actor.seated_in)}).all()
    sent = session.execute(_hand_ins_in(), {"checks": [check.id for check, _, _ in rows]}) if rows else ()
    done = {(number, unit_id) for number, unit_id in sent}
    return [
        OpenTable(
            inspection,
            fact,
            unit,
            (inspection.id, unit.id) in done,
            fact.self_check_due_on is not None and today > fact.self_check_due_on,
        )
        for inspection, fact, unit in rows
    ]


@cache
def _open_tables() -> Select[Inspection, InspectionFact, Organization]:
    """Open checks that ask some units for a table."""
    return (
        select(Inspection, InspectionFact, Organization)
        .join(InspectionFact, and_(InspectionFact.inspection_id == Inspection.id, known(InspectionFact)))
        .join(InspectionUnit, and_(InspectionUnit.inspection_id == Inspection.id, known(InspectionUnit)))
        .join(Organization, Organization.id == InspectionUnit.organization_id)
        .where(
            Inspection.state == InspectionState.OPEN,
            InspectionFact.self_check_due_on.is_not(None),
            Organization.id.in_(bindparam("places", expanding=True)),
        )
        .order_by(InspectionFact.self_check_due_on, Inspection.number, Organization.place)
    )


@cache
def _hand_ins_in() -> Select[int, int]:
    """The check and the unit of every table that was handed in, in some checks."""
    of_these = SelfCheckHandIn.inspection_id.in_(bindparam("checks", expanding=True))
    return select(SelfCheckHandIn.inspection_id, SelfCheckHandIn.unit_id).where(of_these)
