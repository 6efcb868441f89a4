"""Organizations: say what is true of them from a day on, and keep the caches of today in step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

from sqlalchemy import delete, insert, select, tuple_
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.organization import OrganizationFacts, check_facts, check_no_ring, check_tree, unit_of
from tracker.models import Organization, OrganizationAncestor, OrganizationFact
from tracker.policy import Act, require
from tracker.queries.history import SHANGHAI
from tracker.queries.organizations import codes, facts_of_row, in_force, known_facts
from tracker.services.log import chain_of, record

CACHED = ("name", "parent_id", "level", "tags", "is_unit", "position", "opened_on", "closed_on", "term_ends_on")


@dataclass(frozen=True)
class Statement:
    """What is to be true of the organization with that code from a day on."""

    code: str
    facts: OrganizationFacts
    valid_from: date


@dataclass(frozen=True)
class _Written:
    organization: Organization
    statement: Statement
    before: OrganizationFacts | None
    chain_before: str | None
    is_new: bool


def apply(
    session: Session, *, code: str, facts: OrganizationFacts, valid_from: date, actor: Actor, now: datetime
) -> Organization:
    """Add an organization, or change what is true of it from `valid_from` on. Nothing is written if it is true already.

    A fact is superseded only by one from the same day; what held before stays. Raises NotAllowed, Invalid.
    """
    apply_all(session, [Statement(code, facts, valid_from)], actor=actor, now=now)
    return session.scalars(select(Organization).where(Organization.code == code)).one()


def apply_all(session: Session, statements: Sequence[Statement], *, actor: Actor, now: datetime) -> list[Organization]:
    """Make all statements true, in the order of their days, and return the organizations that changed."""
    require(session, actor, Act.ADMINISTER)
    known = {organization.code: organization for organization in session.scalars(select(Organization))}
    for statement in statements:
        check_facts(statement.code, statement.facts)
        if statement.code not in known:
            known[statement.code] = _added(session, statement)
    session.flush()
    rows = known_facts(session, organization_ids=[known[statement.code].id for statement in statements])
    code_of = {organization.id: code for code, organization in known.items()}
    ordered = sorted(statements, key=lambda statement: statement.valid_from)
    written = [w for s in ordered if (w := _write(session, s, known, rows, code_of=code_of, now=now)) is not None]
    session.flush()
    if written:
        today = now.astimezone(SHANGHAI).date()
        _check_trees(session, {w.statement.valid_from for w in written}, today=today)
        refresh(session, today=today)
        for one in written:
            _log(session, one, actor=actor, now=now)
    return list({w.organization.id: w.organization for w in written}.values())


def _added(session: Session, statement: Statement) -> Organization:
    """A new node with empty caches: `refresh` fills them."""
    organization = Organization(
        code=statement.code,
        unit_id=0,
        name=statement.facts.name,
        parent_id=None,
        level=statement.facts.level,
        tags=[],
        is_unit=False,
        position=0,
        opened_on=statement.facts.opened_on,
        closed_on=None,
        term_ends_on=None,
    )
    session.add(organization)
    return organization


def _write(
    session: Session,
    statement: Statement,
    known: Mapping[str, Organization],
    rows: dict[int, list[OrganizationFact]],
    *,
    code_of: Mapping[int, str],
    now: datetime,
) -> _Written | None:
    """Insert the fact unless it holds already; one from the same day is superseded."""
    organization = known[statement.code]
    history = rows.setdefault(organization.id, [])
    is_new, current = not history, in_force(history, statement.valid_from)
    before = facts_of_row(current, code_of) if current else None
    if before == statement.facts:
        return None
    if current is not None and current.valid_from == statement.valid_from:
        current.superseded_at = now
        history.remove(current)
    values = asdict(statement.facts) | {"tags": sorted(statement.facts.tags)}
    values["parent_id"] = _parent_id(statement, known)
    del values["parent"]
    fact = OrganizationFact(organization_id=organization.id, valid_from=statement.valid_from, recorded_at=now, **values)
    session.add(fact)
    history.append(fact)
    history.sort(key=lambda row: row.valid_from)
    chain = organization.unit.code if organization.unit_id else None
    return _Written(organization, statement, before, chain, is_new)


def _parent_id(statement: Statement, known: Mapping[str, Organization]) -> int | None:
    parent = statement.facts.parent
    if parent is not None and parent not in known:
        check_tree({statement.code: parent})
    return None if parent is None else known[parent].id


def _check_trees(session: Session, days: set[date], *, today: date) -> None:
    """The tree must be sound from today on; of days gone by it is only asked that nothing is above itself."""
    code_of, rows = codes(session), known_facts(session)
    for day in sorted(days | {today}):
        parents = {
            code_of[number]: None if fact.parent_id is None else code_of[fact.parent_id]
            for number, history in rows.items()
            if (fact := in_force(history, day)) is not None
        }
        (check_tree if day >= today else check_no_ring)(parents)


def _log(session: Session, one: _Written, *, actor: Actor, now: datetime) -> None:
    verb = "organization.added" if one.is_new else "organization.changed"
    chains = {chain_of(one.organization)} | ({one.chain_before} if one.chain_before else set())
    record(
        session,
        actor=actor,
        now=now,
        verb=verb,
        kind="organization",
        key=one.organization.code,
        chains=chains,
        before=asdict(one.before) if one.before else None,
        after=asdict(one.statement.facts) | {"valid_from": one.statement.valid_from},
    )


def refresh(session: Session, *, today: date) -> None:
    """Bring names, tags, units and ancestors of all organizations to what holds today. Changes only what differs.

    A fact that begins on a later day comes into force by calling this on that day.
    """
    rows = known_facts(session)
    everybody = {organization.id: organization for organization in session.scalars(select(Organization))}
    facts = {number: in_force(history, today) or history[0] for number, history in rows.items()}
    for number, fact in facts.items():
        _set_cache(everybody[number], {name: getattr(fact, name) for name in CACHED})
    code_of = {number: organization.code for number, organization in everybody.items()}
    id_of = {code: number for number, code in code_of.items()}
    parents = {code_of[n]: None if f.parent_id is None else code_of[f.parent_id] for n, f in facts.items()}
    units = frozenset(code_of[number] for number, fact in facts.items() if fact.is_unit)
    for number in facts:
        _set_cache(everybody[number], {"unit_id": id_of[unit_of(code_of[number], parents, units)]})
    for place, number in enumerate(_in_order(facts, code_of)):
        _set_cache(everybody[number], {"place": place})
    session.flush()
    for organization in everybody.values():
        session.expire(organization, ["parent", "unit"])
    _refresh_ancestors(session, {n: f.parent_id for n, f in facts.items()})


def _in_order(facts: Mapping[int, OrganizationFact], code_of: Mapping[int, str]) -> Iterator[int]:
    """The whole tree from the top, each node before what is below it, by position and code among its fellows."""
    below: defaultdict[int | None, list[int]] = defaultdict(list)
    for number in sorted(facts, key=lambda number: (facts[number].position, code_of[number])):
        below[facts[number].parent_id].append(number)
    waiting = below[None][::-1]
    while waiting:
        number = waiting.pop()
        yield number
        waiting += below[number][::-1]


def _set_cache(organization: Organization, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        if getattr(organization, name) != value:
            setattr(organization, name, value)


def _refresh_ancestors(session: Session, parents: Mapping[int, int | None]) -> None:
    wanted = {(above, number): distance for number in parents for distance, above in enumerate(_line(number, parents))}
    table = OrganizationAncestor
    found = {
        (above, below): distance
        for above, below, distance in session.execute(
            select(table.ancestor_id, table.descendant_id, table.distance)
        )
    }
    gone = [pair for pair, distance in found.items() if wanted.get(pair) != distance]
    for start in range(0, len(gone), 300):
        pairs = tuple_(table.ancestor_id, table.descendant_id).in_(gone[start : start + 300])
        session.execute(delete(table).where(pairs).execution_options(synchronize_session=False))
    new = [
        {"ancestor_id": above, "descendant_id": below, "distance": distance}
        for (above, below), distance in wanted.items()
        if found.get((above, below)) != distance
    ]
    if new:
        session.execute(insert(table), new)


def _line(number: int, parents: Mapping[int, int | None]) -> Iterable[int]:
    """The organization itself and all above it, from below."""
    node: int | None = number
    while node is not None:
        yield node
        node = parents.get(node)
