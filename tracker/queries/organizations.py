"""Organizations as they were on a day, as known at a time: the tree, one node, what is below, what was said when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache

from sqlalchemy import ScalarSelect, Select, bindparam, case, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from tracker.domain.actor import Actor
from tracker.domain.errors import NotFound
from tracker.domain.organization import OrganizationFacts, unit_of
from tracker.domain.text import _n
from tracker.models import Organization, OrganizationAncestor, OrganizationFact
from tracker.policy import visible
from tracker.queries.columns import read
from tracker.queries.history import SHANGHAI, known


@dataclass(frozen=True)
class Node:
    """One organization on a day. `parent` and `unit` are codes; `depth` is 0 at the top."""

    id: int
    code: str
    facts: OrganizationFacts
    valid_from: date
    parent_id: int | None
    unit: str
    unit_id: int
    depth: int
    is_open: bool

    @property
    def name(self) -> str:
        """What it was called."""
        return self.facts.name

    @property
    def parent(self) -> str | None:
        """The code of the organization above."""
        return self.facts.parent

    @property
    def level(self) -> str:
        """A level id of the checklist, or `root`."""
        return self.facts.level

    @property
    def tags(self) -> frozenset[str]:
        """What decides which items apply."""
        return frozenset(self.facts.tags)


def places_of(session: Session, actor: Actor) -> list[tuple[str, str]]:
    """Code and name of each organization in which a person sits."""
    return [(code, name) for code, name in read(session, _places(), {"places": list(actor.seated_in)})]


@cache
def _places() -> Select[str, str]:
    asked = Organization.id.in_(bindparam("places", expanding=True))
    return select(Organization.code, Organization.name).where(asked).order_by(Organization.id)


def codes(session: Session) -> dict[int, str]:
    """The codes of all organizations by row number."""
    return dict(session.execute(select(Organization.id, Organization.code)).all())


def facts_of_row(fact: OrganizationFact, code_of: Mapping[int, str]) -> OrganizationFacts:
    """What a row says, with the code of the parent in place of its number."""
    return OrganizationFacts(
        name=fact.name,
        parent=None if fact.parent_id is None else code_of[fact.parent_id],
        level=fact.level,
        tags=tuple(sorted(fact.tags)),
        is_unit=fact.is_unit,
        position=fact.position,
        opened_on=fact.opened_on,
        closed_on=fact.closed_on,
        term_ends_on=fact.term_ends_on,
    )


def known_facts(
    session: Session, *, organization_ids: Iterable[int] | None = None, as_of: datetime | None = None
) -> dict[int, list[OrganizationFact]]:
    """All facts known at a time by organization, in the order of the day from which they hold."""
    query = select(OrganizationFact).where(known(OrganizationFact, as_of))
    if organization_ids is not None:
        query = query.where(OrganizationFact.organization_id.in_(list(organization_ids)))
    found: dict[int, list[OrganizationFact]] = {}
    for fact in session.scalars(query.order_by(OrganizationFact.valid_from, OrganizationFact.id)):
        found.setdefault(fact.organization_id, []).append(fact)
    return found


def in_force(facts: Iterable[OrganizationFact], on: date) -> OrganizationFact | None:
    """Of the facts of one organization in order, the one that holds on a day."""
    return next((fact for fact in reversed(list(facts)) if fact.valid_from <= on), None)


@dataclass(frozen=True)
class Records:
    """Everything that was known of all organizations at a time: codes, and facts in order, by row number."""

    code_of: Mapping[int, str]
    facts: Mapping[int, list[OrganizationFact]]

    def tree(self, on: date) -> tuple[Node, ...]:
        """All organizations of which something was known for that day, from the top down, each before what is below."""
        facts = {number: fact for number, rows in self.facts.items() if (fact := in_force(rows, on)) is not None}
        id_of = {self.code_of[number]: number for number in facts}
        values = {self.code_of[number]: facts_of_row(fact, self.code_of) for number, fact in facts.items()}
        parents = {code: value.parent for code, value in values.items()}
        units = frozenset(code for code, value in values.items() if value.is_unit)
        nodes = {
            code: _node(facts[number], code, values[code], unit_of(code, parents, units), on)
            for code, number in id_of.items()
        }
        return tuple(_ordered({code: replace(node, unit_id=id_of[node.unit]) for code, node in nodes.items()}))

    def history(self, organization_id: int) -> list[tuple[date, OrganizationFacts]]:
        """From which day on what was true of one organization, the latest first."""
        rows = self.facts.get(organization_id, [])
        return [(row.valid_from, facts_of_row(row, self.code_of)) for row in reversed(rows)]


def records(session: Session, *, as_of: datetime | None = None) -> Records:
    """Everything known of all organizations at a time; two queries, however large the tree is."""
    return Records(codes(session), known_facts(session, as_of=as_of))


def tree(session: Session, *, on: date, as_of: datetime | None = None) -> tuple[Node, ...]:
    """The organizations of a day as known at a time, from the top down, each before what is below it.

    Closed ones stand in it with `is_open` False. Two queries, however large the tree is.
    """
    return records(session, as_of=as_of).tree(on)


def _node(fact: OrganizationFact, code: str, facts: OrganizationFacts, unit: str, on: date) -> Node:
    return Node(
        id=fact.organization_id,
        code=code,
        facts=facts,
        valid_from=fact.valid_from,
        parent_id=fact.parent_id,
        unit=unit,
        unit_id=0,
        depth=0,
        is_open=facts.is_open(on),
    )


def _ordered(nodes: Mapping[str, Node]) -> Iterator[Node]:
    below: dict[str | None, list[Node]] = {}
    for node in nodes.values():
        below.setdefault(node.parent if node.parent in nodes else None, []).append(node)
    for siblings in below.values():
        siblings.sort(key=lambda node: (node.facts.position, node.code), reverse=True)
    waiting = [(node, 0) for node in below.get(None, [])]
    while waiting:
        node, depth = waiting.pop()
        yield replace(node, depth=depth)
        waiting += [(child, depth + 1) for child in below.get(node.code, [])]


def organization_on(session: Session, organization_id: int, *, on: date, as_of: datetime | None = None) -> Node | None:
    """One organization on a day; None if nothing was known of it for that day."""
    return next((node for node in tree(session, on=on, as_of=as_of) if node.id == organization_id), None)


def name_of(organization: InstrumentedAttribute[int], *, as_of: datetime | None = None) -> ScalarSelect[str]:
    """What the organization of that column was called as known at a time, as a column of its row.

    One that was to begin on a later day stands under the name that it was to have.
    """
    if as_of is None:
        place = aliased(Organization)
        return select(place.name).where(place.id == organization).scalar_subquery()
    fact, day = OrganizationFact, as_of.astimezone(SHANGHAI).date()
    begun = case((fact.valid_from <= day, fact.valid_from), else_=None)
    called = select(fact.name).where(fact.organization_id == organization, known(fact, as_of))
    newest = case((fact.valid_from <= day, -fact.id), else_=fact.id)
    return called.order_by(begun.desc().nulls_last(), fact.valid_from, newest).limit(1).scalar_subquery()


def names_of(session: Session, organizations: Iterable[int], *, as_of: datetime | None = None) -> dict[int, str]:
    """What organizations were called, by row number, as known at a time; those unknown then are left out."""
    query = select(Organization.id, name_of(Organization.id, as_of=as_of))
    query = query.where(Organization.id.in_(set(organizations)))
    return {number: name for number, name in session.execute(query) if name is not None}


def by_code(session: Session, code: str) -> Organization | None:
    """The organization with that code."""
    return session.scalar(select(Organization).where(Organization.code == code))


def unit_named(session: Session, code: str) -> Organization:
    """The unit of that code. Raises NotFound."""
    unit = by_code(session, code)
    if unit is None or not unit.is_unit:
        raise NotFound(_n("没有代码为 %(code)s 的单位，请核对代码。"), code=code)
    return unit


def seen_ids(session: Session, actor: Actor) -> frozenset[int]:
    """The row numbers of the organizations that a person may see."""
    return frozenset(session.scalars(select(Organization.id).where(visible(actor, Organization))))


def subtree_ids(session: Session, organization_id: int) -> frozenset[int]:
    """The organizations at or below one today."""
    below = select(OrganizationAncestor.descendant_id).where(OrganizationAncestor.ancestor_id == organization_id)
    return frozenset(session.scalars(below))
