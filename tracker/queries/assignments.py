"""What organizations owe, and by which decisions: read from facts, local decisions and seats as recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from tracker.domain.actor import Actor
from tracker.domain.applicability import Decision, DecisionKind, Owed, SwitchedOff
from tracker.domain.checklist import Checklist, Item
from tracker.domain.cycle import Holding, Ruling, Standing, YearPlan
from tracker.models import Cycle, Duty, Organization, OrganizationFact, Seat
from tracker.models import Decision as DecisionRow
from tracker.policy import visible
from tracker.queries.calendar import work_calendar
from tracker.queries.checklists import checklist_digested, checklist_of
from tracker.queries.history import known

T = TypeVar("T")
MOST_SHOWN = 300


@dataclass(frozen=True)
class Held:
    """An organization with what decides about its year. `id`, `unit_id` are row numbers; `unit` is the unit's code."""

    id: int
    name: str
    unit_id: int
    unit: str
    holding: Holding


def holdings(
    session: Session,
    *,
    cycle: Cycle | None,
    organizations: Collection[int] | None = None,
    as_of: datetime | None = None,
) -> Iterator[Held]:
    """The organizations (all, or those with these row numbers) as their year sees them, in the order of the tree.

    Without a cycle there are no local decisions yet.
    """
    unit = aliased(Organization)
    rows = session.execute(
        select(Organization.id, Organization.code, Organization.name, Organization.unit_id, unit.code)
        .join(unit, unit.id == Organization.unit_id)
        .where(_among(Organization.id, organizations))
        .order_by(Organization.place)
    ).all()
    standings = _standings(session, organizations, as_of)
    decisions = _decisions(session, cycle, organizations, as_of) if cycle else {}
    seats = _seats(session, organizations, as_of)
    for number, code, name, unit_id, unit_code in rows:
        holding = Holding(
            code,
            tuple(standings.get(number, ())),
            tuple(_rulings(decisions.get(number, ()))),
            seats.get(number, {}),
        )
        yield Held(number, name, unit_id, unit_code, holding)


def holding_of(
    session: Session, organization: Organization, *, cycle: Cycle | None, as_of: datetime | None = None
) -> Holding:
    """One organization as its year sees it."""
    return next(holdings(session, cycle=cycle, organizations=[organization.id], as_of=as_of)).holding


def year_plan(session: Session, cycle: Cycle, *, as_of: datetime | None = None) -> YearPlan:
    """The plan of an opened year: its checklist, and the calendar as known at a recorded time."""
    checklist = checklist_of(cycle.checklist_version)
    return YearPlan(checklist, year=cycle.year, calendar=work_calendar(session, as_of=as_of))


def owed_by(
    session: Session, organization: Organization, *, cycle: Cycle, on: date, as_of: datetime | None = None
) -> list[Owed]:
    """What an organization owes on a day, event items included, as known at a recorded time."""
    holding = holding_of(session, organization, cycle=cycle, as_of=as_of)
    return list(year_plan(session, cycle, as_of=as_of).owed_on(holding, on))


def switched_off_for(
    session: Session, organization: Organization, *, cycle: Cycle, on: date, as_of: datetime | None = None
) -> list[SwitchedOff]:
    """What an organization would owe on a day but for a decision, with that decision."""
    holding = holding_of(session, organization, cycle=cycle, as_of=as_of)
    return list(year_plan(session, cycle, as_of=as_of).switched_off_on(holding, on))


def decision_of(row: DecisionRow) -> Decision:
    """A stored decision as the rules see it."""
    return Decision(
        kind=row.kind,
        item_id=row.item_id,
        reason=row.reason,
        effective_from=row.effective_from,
        post=row.post,
        times=row.times,
        item=Item.model_validate(row.item) if row.item is not None else None,
        key=row.key,
    )


def decisions_for(
    session: Session, organization: Organization, *, cycle: Cycle, as_of: datetime | None = None
) -> Sequence[DecisionRow]:
    """The decisions in force for an organization in a year, in the order in which they were taken."""
    rows = _decisions(session, cycle, [organization.id], as_of).get(organization.id, [])
    return [row for row in _last_rows(rows).values() if row.in_force]


def decision_history(
    session: Session, organization: Organization, *, cycle: Cycle, as_of: datetime | None = None
) -> Sequence[DecisionRow]:
    """Every row by then of every decision for an organization in a year, superseded ones included, oldest first."""
    query = select(DecisionRow).where(
        DecisionRow.cycle_id == cycle.id, DecisionRow.organization_id == organization.id
    )
    query = query if as_of is None else query.where(DecisionRow.recorded_at <= as_of)
    return session.scalars(query.order_by(DecisionRow.recorded_at, DecisionRow.id)).all()


def decision_named(session: Session, organization: Organization, key: str) -> DecisionRow | None:
    """The row of an organization's decision that holds now."""
    query = select(DecisionRow).where(
        DecisionRow.key == key, DecisionRow.organization_id == organization.id, DecisionRow.superseded_at.is_(None)
    )
    return session.scalars(query).one_or_none()


def own_items(session: Session, cycle: Cycle, *, as_of: datetime | None = None) -> dict[str, Item]:
    """Every item of their own that organizations decided on in a year (by `as_of`), taken back or not, by id."""
    query = select(DecisionRow.item_id, DecisionRow.item).where(
        DecisionRow.cycle_id == cycle.id, DecisionRow.kind == DecisionKind.OWN
    )
    query = query if as_of is None else query.where(DecisionRow.recorded_at <= as_of)
    return {item_id: Item.model_validate(item) for item_id, item in session.execute(query.order_by(DecisionRow.id))}


def items_of_year(session: Session, cycle: Cycle, *, as_of: datetime | None = None) -> dict[str, Item]:
    """Every item that a duty of the year may name: those of the checklist and the own ones, as worded at `as_of`."""
    return checklist_of(cycle.checklist_version).item | own_items(session, cycle, as_of=as_of)


def items_named(session: Session, named: Iterable[tuple[int, str, str]]) -> Mapping[tuple[int, str], Item]:
    """The items of rows of duties: each by the year's row number, the digest of the year's list, and its own id.

    Own items are read only where the list does not have one.
    """
    found: dict[tuple[int, str], Item] = {}
    own: dict[int, Mapping[str, Item]] = {}
    for year, sha256, item_id in set(named):
        item = checklist_digested(session, sha256).item.get(item_id)
        if item is None:
            own[year] = own.get(year) or own_items(session, session.get_one(Cycle, year))
            item = own[year][item_id]
        found[year, item_id] = item
    return found


def item_of(session: Session, duty: Duty, *, as_of: datetime | None = None) -> Item:
    """The item of a duty as worded at `as_of`, whether it stands in the checklist or is an organization's own."""
    found = checklist_of(duty.cycle.checklist_version).item.get(duty.item_id)
    return found or own_items(session, duty.cycle, as_of=as_of)[duty.item_id]


def posts_of(checklist: Checklist, level: str) -> list[str]:
    """The posts of a level, from the top down: to whom an item may be given."""
    return [post.id for post in checklist.posts if post.level == level]


def seen_organizations(
    session: Session, actor: Actor, *, wanted: str = "", most: int = MOST_SHOWN
) -> Sequence[Organization]:
    """Organizations that somebody may see and whose name or code contains `wanted`, at most so many, in tree order."""
    unit = aliased(Organization)
    found = or_(
        Organization.name.contains(wanted, autoescape=True), Organization.code.contains(wanted, autoescape=True)
    )
    return session.scalars(
        select(Organization)
        .join(unit, unit.id == Organization.unit_id)
        .where(visible(actor, Organization), found if wanted else true())
        .order_by(Organization.place)
        .limit(most)
    ).all()


def _among(column: InstrumentedAttribute[int], numbers: Collection[int] | None) -> ColumnElement[bool]:
    return true() if numbers is None else column.in_(numbers)


def _grouped(rows: Iterable[tuple[int, T]]) -> dict[int, list[T]]:
    found: defaultdict[int, list[T]] = defaultdict(list)
    for number, row in rows:
        found[number].append(row)
    return found


def _standings(
    session: Session, organizations: Collection[int] | None, as_of: datetime | None
) -> Mapping[int, list[Standing]]:
    fact = OrganizationFact
    rows = session.execute(
        select(
            fact.organization_id,
            fact.valid_from,
            fact.level,
            fact.tags,
            fact.opened_on,
            fact.closed_on,
            fact.term_ends_on,
        )
        .where(known(fact, as_of), _among(fact.organization_id, organizations))
        .order_by(fact.organization_id, fact.valid_from, fact.id)
    )
    return _grouped(
        (number, Standing(valid_from, level, frozenset(tags), opened_on, closed_on, term_ends_on))
        for number, valid_from, level, tags, opened_on, closed_on, term_ends_on in rows
    )


def _decisions(
    session: Session, cycle: Cycle, organizations: Collection[int] | None, as_of: datetime | None
) -> Mapping[int, list[DecisionRow]]:
    """Every row recorded up to then, superseded ones included: they tell since when a decision held."""
    query = select(DecisionRow).where(
        DecisionRow.cycle_id == cycle.id, _among(DecisionRow.organization_id, organizations)
    )
    if as_of is not None:
        query = query.where(DecisionRow.recorded_at <= as_of)
    rows = session.scalars(query.order_by(DecisionRow.recorded_at, DecisionRow.id))
    return _grouped((row.organization_id, row) for row in rows)


def _last_rows(rows: Iterable[DecisionRow]) -> dict[str, DecisionRow]:
    """The last row of each decision, by its key."""
    return {row.key: row for row in rows}


def _rulings(rows: Sequence[DecisionRow]) -> Iterator[Ruling]:
    """The decisions as they hold; one that was taken back holds until the day that its last row names."""
    said = _last_rows(row for row in rows if row.in_force)
    for key, last in _last_rows(rows).items():
        if key in said:
            yield Ruling(decision_of(said[key]), None if last.in_force else last.effective_from)


def _seats(
    session: Session, organizations: Collection[int] | None, as_of: datetime | None
) -> Mapping[int, dict[str, list[str]]]:
    query = select(Seat.organization_id, Seat.post, Seat.key).where(_among(Seat.organization_id, organizations))
    if as_of is not None:
        query = query.where(Seat.opened_at <= as_of)
    found: defaultdict[int, dict[str, list[str]]] = defaultdict(dict)
    for number, post, key in session.execute(query.order_by(Seat.organization_id, Seat.post, Seat.number)):
        found[number].setdefault(post, []).append(key)
    return found
