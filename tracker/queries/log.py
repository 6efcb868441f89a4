"""The log as it is read: whole chains for whoever checks them, pages for whoever looks something up."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Dialect,
    String,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    type_coerce,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from tracker.domain.actor import Actor, RoleName
from tracker.domain.log import MEMBERS, Entry, Stored
from tracker.models import AccessLog, Duty, Evidence, LogChain, LogEntry, LogPayload, Organization, Person, PersonFact
from tracker.policy import visible
from tracker.queries.columns import Columns, read
from tracker.queries.history import SHANGHAI, end_of_day, known

SYSTEM = "system"  # the chain of what belongs to no unit
HEADS = "heads"  # the verb of the daily entry that names the heads of all chains
SEALED = "seal.agree"  # the verb of the entry that names a payload that was destroyed
PAYLOAD = "log_payload"
PAGE = 50
STREAM = 1_000
LAST_CHARACTER = "\U0010ffff"  # behind every other one, and in no key


def first_day(session: Session) -> date | None:
    """The day of the first entry of any chain; None where nothing was ever done."""
    first = session.scalar(select(func.min(LogEntry.at)))
    return first.astimezone(SHANGHAI).date() if first else None


# ---------------------------------------------------------------- whole chains


def chains(session: Session, key: str | None = None) -> Sequence[LogChain]:
    """All chains, or the one of that key, by key."""
    query = select(LogChain).order_by(LogChain.key)
    return session.scalars(query if key is None else query.where(LogChain.key == key)).all()


def entries_of(session: Session, chain: LogChain) -> Iterator[Entry]:
    """The entries of a chain from the first on, with their payloads; memory use does not grow with their number."""
    after: ColumnElement[bool] = true()
    while rows := session.execute(_stream(chain).where(after).limit(STREAM)).all():
        for _, *values in rows:
            yield Entry(chain.key, *values)
        number, seq = rows[-1][:2]
        after = and_(LogEntry.seq >= seq, or_(LogEntry.seq > seq, LogEntry.id > number))  # the index knows the first


def _stream(chain: LogChain) -> Any:  # noqa: ANN401  a SELECT of the number and the members of an `Entry`
    return (
        select(
            LogEntry.id,
            LogEntry.seq,
            LogEntry.at,
            LogEntry.act_id,
            LogEntry.actor,
            LogEntry.appointment,
            LogEntry.verb,
            LogEntry.object_kind,
            LogEntry.object_key,
            LogEntry.payload_digest,
            LogEntry.request_id,
            LogEntry.previous,
            LogEntry.digest,
            LogPayload.body,
        )
        .join(LogPayload, LogPayload.id == LogEntry.payload_id)
        .where(LogEntry.chain_id == chain.id)
        .order_by(LogEntry.seq, LogEntry.id)
    )


def stored_rows(session: Session, rows: Sequence[LogChain]) -> Iterator[Stored]:
    """The entries of chains as the driver hands them out, in one pass, for whoever only compares digests.

    Several chains are read in the order in which they were written, through one another: what lies side by side is
    read once. An entry that was numbered out of that order is for `entries_of`.
    """
    if not rows:
        return
    connection = session.connection()
    driver: Any = connection.connection.driver_connection
    kept_there = ("log",) if connection.dialect.name == "postgresql" else ()  # a cursor of that name, at the server
    told = _stored_rows(connection.dialect, alone=len(rows) == 1)
    with closing(driver.cursor(*kept_there)) as cursor:
        yield from cursor.execute(told.format(chains=", ".join(str(row.id) for row in rows)))


@lru_cache(maxsize=4)
def _stored_rows(dialect: Dialect, *, alone: bool) -> str:
    """The statement that reads `Stored`; the sum keeps the database from walking an index chain by chain."""
    members = {name: getattr(LogEntry, name) for name in MEMBERS} | {"at": _moment_of(dialect.name)}
    asked: ColumnElement[Any] = literal_column("({chains})")
    query = select(LogEntry.chain_id, *members.values(), LogEntry.digest, LogPayload.body).join(
        LogPayload, LogPayload.id == LogEntry.payload_id
    )
    if alone:
        query = query.where(LogEntry.chain_id == asked).order_by(LogEntry.seq, LogEntry.id)
    else:
        query = query.where((LogEntry.chain_id + 0).op("IN")(asked)).order_by(LogEntry.id)
    return str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def _moment_of(dialect: str) -> ColumnElement[str]:
    """When an entry was written, as canonical text."""
    if dialect == "postgresql":
        return func.to_char(func.timezone("UTC", LogEntry.at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    return func.replace(type_coerce(LogEntry.at, String), " ", "T") + "Z"


def sealed_entries(session: Session) -> dict[int, frozenset[str]]:
    """By the row number of a chain, the digests of those of its entries of which it says that they were sealed."""
    told = select(LogEntry.chain_id, LogEntry.object_key).where(
        LogEntry.object_kind == PAYLOAD, LogEntry.verb == SEALED
    )
    found: dict[int, set[str]] = {}
    for chain, sealed in session.execute(told):
        found.setdefault(chain, set()).add(sealed)
    return {chain: frozenset(sealed) for chain, sealed in found.items()}


def last_heads(session: Session, keys: Collection[str] | None = None) -> dict[str, tuple[int, str]]:
    """Length and head of every chain, or of these, as the system's chain last recorded them, by the chain's key.

    One that is gone stands in old lists only, so that for every chain all are read; for these, the newest mostly do.
    """
    found: dict[str, tuple[int, str]] = {}
    for recorded in _recorded(session):
        found = recorded | found
        if keys is not None and found.keys() >= set(keys):
            break
    return found if keys is None else {key: found[key] for key in keys if key in found}


def heads_of(session: Session, chain: str) -> dict[int, str]:
    """Every head of one chain that the system's chain recorded: digests by the number of the entry."""
    return dict(recorded[chain] for recorded in _recorded(session) if chain in recorded)


def _recorded(session: Session) -> Iterator[dict[str, tuple[int, str]]]:
    """What each daily entry says, from the last on; one is read at a time."""
    days = (
        select(LogEntry.payload_id)
        .join(LogChain, LogChain.id == LogEntry.chain_id)
        .where(LogChain.key == SYSTEM, LogEntry.verb == HEADS)
        .order_by(LogEntry.seq.desc())
    )
    for number in session.scalars(days).all():
        body = session.scalar(select(LogPayload.body).where(LogPayload.id == number))
        heads = json.loads(body or b"{}").get("after") or {}
        yield {chain: (head["seq"], head["digest"]) for chain, head in heads.items()}


# ---------------------------------------------------------------- pages


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to. `actor` is a person's key or name, `target` a key or how it begins.

    `objects` are whole keys, of which those accesses are left that are about one of them or a file in it.
    """

    chain: str = ""
    actor: str = ""
    verb: str = ""
    target: str = ""
    since: date | None = None
    until: date | None = None
    objects: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """One entry of the list. `chain_name` is empty for the system's chain; `actor_name` falls back on the key."""

    chain: str
    chain_name: str
    seq: int
    at: datetime
    actor: str
    actor_name: str
    appointment: str | None
    verb: str
    object_kind: str
    object_key: str
    digest: str
    sealed: bool


@dataclass(frozen=True)
class Page:
    """One page of entries, the latest first; `following` is what to ask the next page for, or None on the last."""

    lines: Sequence[Line]
    following: str | None


@dataclass(frozen=True)
class Chain:
    """A chain that somebody may read: `agrees` is whether its last entry is the head that its row names."""

    key: str
    name: str
    length: int
    head: str | None
    agrees: bool


@dataclass(frozen=True)
class Shown:
    """One entry in full. `before` and `after` are None where nothing was said, and both once it is `sealed`."""

    line: Line
    act_id: str
    request_id: str
    payload_digest: str
    previous: str | None
    before: Any
    after: Any
    elsewhere: Sequence[Line]


def page_of_entries(session: Session, actor: Actor, filters: Filters, *, after: str = "", size: int = PAGE) -> Page:
    """The entries that this person may read, those written before the entry with the digest `after`."""
    order = _order(filters)
    query = _lines().where(visible(actor, LogEntry), *_narrowed(session, filters))
    if after:
        last = select(*order).where(LogEntry.digest == after, visible(actor, LogEntry))
        place = session.execute(last).first()
        if place is None:
            return Page([], None)
        query = query.where(tuple_(*order) < tuple(place))
    query = query.order_by(*(column.desc() for column in order)).limit(size + 1)
    lines = [_line(row) for row in session.execute(query)]
    return Page(lines[:size], lines[size - 1].digest if len(lines) > size else None)


def chains_seen(session: Session, actor: Actor) -> list[Chain]:
    """The chains of which this person may read entries, the system's first."""
    seen = select(LogEntry.id).where(LogEntry.chain_id == LogChain.id, visible(actor, LogEntry)).exists()
    last = (
        select(LogEntry.digest)
        .where(LogEntry.chain_id == LogChain.id)
        .order_by(LogEntry.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(
        select(LogChain.key, Organization.name, LogChain.length, LogChain.head, last)
        .outerjoin(Organization, Organization.code == LogChain.key)
        .where(seen)
        .order_by(LogChain.key != SYSTEM, LogChain.key)
    )
    return [Chain(key, name or "", length, head, head == found) for key, name, length, head, found in rows]


def entry_shown(session: Session, entry: LogEntry, *, actor: Actor) -> Shown:
    """An entry with what it says of before and after, and those of the same act in other chains that may be read."""
    lines = {
        row.id: _line(row)
        for row in session.execute(
            _lines()
            .add_columns(LogEntry.id)
            .where(LogEntry.act_id == entry.act_id, visible(actor, LogEntry))
            .order_by(LogChain.key)
        )
    }
    told: Mapping[str, Any] = json.loads(entry.payload.body) if entry.payload.body is not None else {}
    return Shown(
        line=lines[entry.id],
        act_id=entry.act_id,
        request_id=entry.request_id,
        payload_digest=entry.payload_digest,
        previous=entry.previous,
        before=told.get("before"),
        after=told.get("after"),
        elsewhere=[line for number, line in lines.items() if number != entry.id],
    )


def _lines() -> Any:  # noqa: ANN401  a SELECT of what `_line` reads
    return (
        select(
            LogChain.key,
            Organization.name,
            LogEntry.seq,
            LogEntry.at,
            LogEntry.actor,
            Person.name,
            LogEntry.appointment,
            LogEntry.verb,
            LogEntry.object_kind,
            LogEntry.object_key,
            LogEntry.digest,
            LogPayload.sealed_at,
        )
        .join(LogChain, LogChain.id == LogEntry.chain_id)
        .join(LogPayload, LogPayload.id == LogEntry.payload_id)
        .outerjoin(Organization, Organization.code == LogChain.key)
        .outerjoin(Person, Person.key == LogEntry.actor)
    )


def _line(row: Any) -> Line:  # noqa: ANN401  a row of `_lines`
    chain, chain_name, seq, at, actor, name, appointment, verb, kind, key, digest, sealed_at = row[:12]
    return Line(
        chain, chain_name or "", seq, at, actor, name or actor, appointment, verb, kind, key, digest, bool(sealed_at)
    )


def _order(filters: Filters) -> tuple[InstrumentedAttribute[Any], ...]:
    """What the list is sorted by, so that an index leads to each page of it."""
    if filters.chain:
        return (LogEntry.seq,)
    return (LogEntry.at, LogEntry.id) if filters.since or filters.until else (LogEntry.id,)


def _narrowed(session: Session, filters: Filters) -> Iterator[ColumnElement[bool]]:
    if filters.chain:
        asked = select(LogChain.id).where(LogChain.key == filters.chain)
        yield LogEntry.chain_id == asked.correlate(None).scalar_subquery()
    if filters.actor:
        yield LogEntry.actor.in_(_called(session, filters.actor))
    if filters.verb:
        yield LogEntry.verb == filters.verb
    if filters.target:
        yield _begins(session, LogEntry.object_key, filters.target)
    yield from _in_period(LogEntry.at, filters)


def _called(session: Session, wanted: str) -> Sequence[str]:
    """The keys of the people of that name or key; what nobody is called is the key of somebody who is no person."""
    return session.scalars(select(Person.key).where(or_(Person.key == wanted, Person.name == wanted))).all() or [wanted]


def _begins(session: Session, key: InstrumentedAttribute[str], beginning: str) -> ColumnElement[bool]:
    """Whether a key begins so, as a range of an index."""
    return _between(session.get_bind().dialect.name, key, beginning, f"{beginning}{LAST_CHARACTER}")


def _between(dialect: str, key: InstrumentedAttribute[str], least: Any, beyond: Any) -> ColumnElement[bool]:  # noqa: ANN401  texts
    """Whether the bytes of a key lie in a range; PostgreSQL would compare by the rules of a language."""
    if dialect == "postgresql":
        at_least, below = (key.op(sign, is_comparison=True) for sign in ("~>=~", "~<~"))
        return and_(at_least(least), below(beyond))
    return and_(key >= least, key < beyond)


def _in_period(column: Any, filters: Filters) -> Iterator[ColumnElement[bool]]:  # noqa: ANN401  a column of moments
    if filters.since:
        yield column >= datetime.combine(filters.since, time.min, SHANGHAI)
    if filters.until:
        yield column <= end_of_day(filters.until)


# ---------------------------------------------------------------- who opened what


@dataclass(frozen=True)
class Access:
    """Somebody opened or exported something."""

    at: datetime
    actor: str
    actor_name: str
    unit: str
    verb: str
    object_kind: str
    object_key: str


@dataclass(frozen=True)
class AccessPage:
    """One page, the latest first; `following` is the moment before which the next page lies, or None on the last."""

    lines: Sequence[Access]
    following: datetime | None


def page_of_access(
    session: Session, actor: Actor, filters: Filters, *, before: datetime | None = None, size: int = PAGE
) -> AccessPage:
    """The accesses that this person may read, those before a moment. What happened in one moment stays on one page."""
    query = (
        select(
            AccessLog.at,
            AccessLog.actor,
            Person.name,
            Organization.name,
            AccessLog.verb,
            AccessLog.object_kind,
            AccessLog.object_key,
        )
        .outerjoin(Organization, Organization.id == AccessLog.unit_id)
        .outerjoin(Person, Person.key == AccessLog.actor)
        .where(visible(actor, AccessLog), *_access_narrowed(session, filters))
        .order_by(AccessLog.at.desc(), AccessLog.id.desc())
    )
    query = query if before is None else query.where(AccessLog.at < before)
    rows = session.execute(query.limit(size + 1)).all()
    if len(rows) <= size:
        return AccessPage([_access(row) for row in rows], None)
    edge = rows[size - 1].at
    same = session.execute(query.where(AccessLog.at == edge)).all()
    return AccessPage([_access(row) for row in [*(r for r in rows if r.at > edge), *same]], edge)


def opened_by(session: Session, actor: Actor, lines: Sequence[Access]) -> frozenset[str]:
    """The keys of the duties and records among these that this person may open: an auditor reads the log and not them.

    One question for each kind, none to whoever sees nothing of either.
    """
    if not actor.is_seated and not actor.has(RoleName.INSPECTOR):
        return frozenset()
    opened: set[str] = set()
    for kind, model in (("duty", Duty), ("evidence", Evidence)):
        keys = {line.object_key.partition("/")[0] for line in lines if line.object_kind == kind}
        if keys:
            opened |= set(session.scalars(select(model.key).where(model.key.in_(keys), visible(actor, model))))
    return frozenset(opened)


def _access(row: Any) -> Access:  # noqa: ANN401  a row of `page_of_access`
    at, actor, name, unit, verb, kind, key = row
    return Access(at, actor, name or actor, unit or "", verb, kind, key)


def _access_narrowed(session: Session, filters: Filters) -> Iterator[ColumnElement[bool]]:
    if filters.chain:
        unit = select(Organization.id).where(Organization.code == filters.chain)
        yield AccessLog.unit_id == unit.correlate(None).scalar_subquery()
    if filters.actor:
        yield AccessLog.actor.in_(_called(session, filters.actor))
    if filters.verb:
        yield AccessLog.verb == filters.verb
    if filters.target:
        yield _begins(session, AccessLog.object_key, filters.target)
    if filters.objects:
        yield _about(session, filters.objects)
    yield from _in_period(AccessLog.at, filters)


def _about(session: Session, objects: Sequence[str]) -> ColumnElement[bool]:
    """Whether an access is about one of these keys or a file in it."""
    key = AccessLog.object_key
    return or_(key.in_(objects), *(_begins(session, key, f"{one}/") for one in objects))


@dataclass(frozen=True)
class Reader:
    """Somebody who opened or exported it: how often they did what, and when last."""

    actor: str
    name: str
    times: Mapping[str, int]
    last: datetime


def readers_of(
    session: Session, objects: Sequence[str], *, unit_id: int, as_of: datetime | None = None
) -> list[Reader]:
    """Who opened or exported these things of a unit, the latest first; the caller asks who may know."""
    query = _readings(session.get_bind().dialect.name, len(objects), as_of)
    asked: dict[str, Any] = {"unit": unit_id, "objects": objects}
    for place, one in enumerate(objects):
        asked |= {f"within{place}": f"{one}/", f"beyond{place}": f"{one}/{LAST_CHARACTER}"}
    times: dict[tuple[str, str], dict[str, int]] = {}
    last: dict[tuple[str, str], datetime] = {}
    for key, name, verb, count, at in read(session, query, asked):
        who = (key, name or key)
        times.setdefault(who, {})[verb] = count
        last[who] = max(last.get(who, at), at)
    found = [Reader(*who, times=done, last=last[who]) for who, done in times.items()]
    return sorted(found, key=lambda reader: reader.last, reverse=True)


@lru_cache(maxsize=64)
def _readings(dialect: str, count: int, as_of: datetime | None) -> Columns:
    """Who did what how often and when last with so many things and what lies in them.

    The sum keeps the database from reading all accesses of the unit: those of the things are fewer.
    """
    key = AccessLog.object_key
    inside = (_between(dialect, key, bindparam(f"within{n}"), bindparam(f"beyond{n}")) for n in range(count))
    query = (
        select(AccessLog.actor, PersonFact.name, AccessLog.verb, func.count(), func.max(AccessLog.at))
        .outerjoin(Person, Person.key == AccessLog.actor)
        .outerjoin(PersonFact, and_(PersonFact.person_id == Person.id, known(PersonFact, as_of)))
        .where(AccessLog.unit_id + 0 == bindparam("unit"), or_(key.in_(bindparam("objects", expanding=True)), *inside))
        .group_by(AccessLog.actor, PersonFact.name, AccessLog.verb)
        .order_by(AccessLog.verb)
    )
    return query if as_of is None else query.where(AccessLog.at <= as_of)


def unit_of_chain(session: Session, chain: str) -> Organization | None:
    """The unit whose chain this is; None for the system's."""
    return session.scalar(select(Organization).where(Organization.code == chain))
