"""A part of the tree with its people, written at once: the rows that `organizations`, `people` and `seats` would write.

It serves measurements, which need a province within minutes, and asks less than a roster does: everything is new, and
stands at the end of the tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor, AppointmentKind
from tracker.domain.cycle import seat_key
from tracker.domain.organization import check_facts
from tracker.models import (
    Appointment,
    Organization,
    OrganizationAncestor,
    OrganizationFact,
    Person,
    PersonFact,
    Seat,
)
from tracker.policy import Act, require
from tracker.queries.log import SYSTEM
from tracker.services import log
from tracker.services.bulk import insert_rows, row_numbers
from tracker.services.organizations import Statement


@dataclass(frozen=True)
class Newcomer:
    """A new person, known by an account name, who holds a new seat from a day on."""

    organization: str
    post: str
    number: int
    account_name: str
    name: str
    starts_on: date

    @property
    def seat(self) -> str:
        """The key of the seat."""
        return seat_key(self.organization, self.post, self.number)


@dataclass(frozen=True)
class _Node:
    """Where an organization stands: row numbers from itself up to the root, and its unit."""

    line: tuple[int, ...]
    unit_id: int
    unit: str


def append(
    session: Session, statements: Sequence[Statement], people: Sequence[Newcomer], *, actor: Actor, now: datetime
) -> None:
    """Add organizations, each after the one it hangs below, behind all that there are; and people in new seats.

    The facts must hold today, and positions must be such that the new ones come last.
    """
    require(session, actor, Act.ADMINISTER)
    nodes = _nodes_above(session, {s.facts.parent for s in statements if s.facts.parent})
    _add_organizations(session, statements, nodes, now=now)
    persons = _add_people(session, people, now=now)
    seats = _add_seats(session, people, nodes, now=now)
    rows = [_appointment_row(one, persons[one.account_name], seats[one.seat], now=now) for one in people]
    insert_rows(session, Appointment, rows)
    told = [_organization_told(one, nodes[one.code]) for one in statements]
    told += [_person_told(one) for one in _each_once(people).values()]
    told += [_appointment_told(one, nodes[one.organization]) for one in people]
    log.record_all(session, told, actor=actor, now=now)


def _nodes_above(session: Session, codes: Iterable[str]) -> dict[str, _Node]:
    """The places that are there already below which something is added."""
    above = (
        select(Organization.code, Organization.unit_id, OrganizationAncestor.ancestor_id)
        .join(OrganizationAncestor, OrganizationAncestor.descendant_id == Organization.id)
        .where(Organization.code.in_(set(codes)))
        .order_by(Organization.id, OrganizationAncestor.distance)
    )
    lines: dict[str, list[int]] = {}
    units: dict[str, int] = {}
    for code, unit_id, ancestor in session.execute(above):
        lines.setdefault(code, []).append(ancestor)
        units[code] = unit_id
    query = select(Organization.id, Organization.code).where(Organization.id.in_(set(units.values())))
    code_of = dict(session.execute(query).all())
    return {code: _Node(tuple(line), units[code], code_of[units[code]]) for code, line in lines.items()}


def _add_organizations(
    session: Session, statements: Sequence[Statement], nodes: dict[str, _Node], *, now: datetime
) -> None:
    first = session.scalar(select(func.max(Organization.place)))
    places = range(0 if first is None else first + 1, 2**31)
    rows, facts, above = [], [], []
    numbers = row_numbers(session, Organization, len(statements))
    for place, number, one in zip(places, numbers, statements, strict=False):
        check_facts(one.code, one.facts)
        parent = nodes[one.facts.parent] if one.facts.parent else None
        line = (number, *(parent.line if parent else ()))
        node = _Node(line, number, one.code)
        if parent is not None and not one.facts.is_unit:
            node = _Node(line, parent.unit_id, parent.unit)
        nodes[one.code] = node
        values = _values(one, parent.line[0] if parent else None)
        rows.append({"id": number, "code": one.code, "unit_id": node.unit_id, "place": place} | values)
        fact = {"organization_id": number, "valid_from": one.valid_from, "recorded_at": now}
        facts.append(fact | values)
        above += [
            {"ancestor_id": ancestor, "descendant_id": number, "distance": distance}
            for distance, ancestor in enumerate(line)
        ]
    insert_rows(session, Organization, rows)
    insert_rows(session, OrganizationFact, facts)
    insert_rows(session, OrganizationAncestor, above)


def _values(one: Statement, parent_id: int | None) -> dict[str, Any]:
    values = asdict(one.facts) | {"tags": sorted(one.facts.tags), "parent_id": parent_id}
    del values["parent"]
    return values


def _each_once(people: Sequence[Newcomer]) -> dict[str, Newcomer]:
    """One who holds two seats is added once, at their first."""
    found: dict[str, Newcomer] = {}
    for one in people:
        found.setdefault(one.account_name, one)
    return found


def _add_people(session: Session, people: Sequence[Newcomer], *, now: datetime) -> Mapping[str, int]:
    called = _each_once(people)
    numbers = dict(zip(called, row_numbers(session, Person, len(called)), strict=True))
    rows = [
        {"id": number, "key": name, "account_name": name, "staff_number": None, "name": called[name].name}
        for name, number in numbers.items()
    ]
    insert_rows(session, Person, rows)
    facts = [{"person_id": number, "name": called[name].name, "recorded_at": now} for name, number in numbers.items()]
    insert_rows(session, PersonFact, facts)
    return numbers


def _add_seats(
    session: Session, people: Sequence[Newcomer], nodes: Mapping[str, _Node], *, now: datetime
) -> Mapping[str, int]:
    numbers = dict(zip((one.seat for one in people), row_numbers(session, Seat, len(people)), strict=True))
    rows = [
        {
            "id": numbers[one.seat],
            "key": one.seat,
            "organization_id": nodes[one.organization].line[0],
            "post": one.post,
            "number": one.number,
            "opened_at": now,
        }
        for one in people
    ]
    insert_rows(session, Seat, rows)
    return numbers


def _appointment_row(one: Newcomer, person_id: int, seat_id: int, *, now: datetime) -> dict[str, Any]:
    return {
        "key": f"{one.seat}#1",
        "seat_id": seat_id,
        "person_id": person_id,
        "kind": AppointmentKind.HOLDER,
        "starts_on": one.starts_on,
        "ends_on": None,
        "recorded_at": now,
    }


def _organization_told(one: Statement, node: _Node) -> log.Told:
    after = asdict(one.facts) | {"valid_from": one.valid_from}
    return log.Told("organization.added", "organization", one.code, (node.unit,), after=after)


def _person_told(one: Newcomer) -> log.Told:
    after = {"account_name": one.account_name, "staff_number": None, "name": one.name}
    return log.Told("person.added", "person", one.account_name, (SYSTEM,), after=after)


def _appointment_told(one: Newcomer, node: _Node) -> log.Told:
    after = {
        "seat": one.seat,
        "person": one.account_name,
        "kind": AppointmentKind.HOLDER.value,
        "starts_on": one.starts_on,
        "ends_on": None,
    }
    return log.Told("appointment.added", "appointment", f"{one.seat}#1", (node.unit,), after=after)
