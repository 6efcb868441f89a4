"""The log of every change: entries that commit together with what they tell, chained for each unit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased
from sqlalchemy.orm.util import identity_key

from tracker.domain.actor import Actor
from tracker.domain.canonical import canonical_json, digest
from tracker.domain.log import entry_digest
from tracker.models import AccessLog, LogChain, LogEntry, LogPayload, Organization
from tracker.queries.columns import read
from tracker.queries.history import SHANGHAI
from tracker.queries.log import HEADS, SYSTEM
from tracker.services.bulk import insert_by_year, insert_rows, numbers_by_year, update_rows


@dataclass(frozen=True)
class Told:
    """Something that happened, as `record` tells it. `by` and `at` are those of the whole, where they are not given."""

    verb: str
    kind: str
    key: str
    chains: Sequence[str] = (SYSTEM,)
    before: Any = None
    after: Any = None
    appointment: str | None = None
    by: str | None = None
    at: datetime | None = None


@dataclass
class Tail:
    """The end of a chain: the last entry's number and digest, to which the next ones are put."""

    chain_id: int
    key: str
    length: int
    head: str | None


def chain_of(organization: Organization) -> str:
    """The chain an organization's entries belong to today: that of its unit."""
    return organization.unit.code


def chains_of(session: Session, organizations: Collection[int]) -> dict[int, str]:
    """The chains of several organizations by their row numbers: one query."""
    return dict(read(session, _chains(), {"organizations": list(organizations)}).all())


@cache
def _chains() -> Select[int, str]:
    unit = aliased(Organization)
    chains = select(Organization.id, unit.code).join(unit, unit.id == Organization.unit_id)
    return chains.where(Organization.id.in_(bindparam("organizations", expanding=True)))


def record(
    session: Session,
    *,
    actor: Actor,
    now: datetime,
    verb: str,
    kind: str,
    key: str,
    chains: Iterable[str] = (SYSTEM,),
    before: Any = None,  # noqa: ANN401  canonical values
    after: Any = None,  # noqa: ANN401  canonical values
    appointment: str | None = None,
) -> str:
    """Append what happened to each of the chains (unit codes, or `system`) and return the act id they share.

    `before` and `after` are canonical values (see `domain.canonical`): stable keys, dates as text, no floats.
    Heads are locked in the order of their keys, so that two acts on the same units never wait for each other in a ring.
    """
    told = Told(verb, kind, key, tuple(chains), before, after, appointment)
    return record_all(session, [told], actor=actor, now=now)[0]


def record_all(session: Session, told: Sequence[Told], *, actor: Actor, now: datetime) -> list[str]:
    """Append many things that happened, in their order, and return their act ids: the same entries as one by one.

    All heads are locked before the first entry is written, in the order of their keys.
    """
    session.flush()
    tails = _tails(session, {chain for one in told for chain in one.chains})
    act_ids, payloads, entries = entry_rows(told, tails, actor=actor, now=now)
    write_entries(session, tails.values(), payloads, entries)
    return act_ids


def entry_rows(
    told: Iterable[Told], tails: Mapping[str, Tail], *, actor: Actor, now: datetime
) -> tuple[list[str], list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of payloads and of entries, without their row numbers, and the act ids; the tails move on."""
    act_ids, payloads, entries = [], [], []
    for one in told:
        body = canonical_json({"before": one.before, "after": one.after})
        payload_digest, act_id = digest(body), ""
        for tail in [tails[name] for name in sorted(set(one.chains))]:
            act_id = act_id or f"{tail.key}:{tail.length + 1}"
            entry: dict[str, Any] = {
                "seq": tail.length + 1,
                "at": one.at or now,
                "act_id": act_id,
                "actor": one.by or actor.person_key,
                "appointment": one.appointment,
                "verb": one.verb,
                "object_kind": one.kind,
                "object_key": one.key,
                "request_id": actor.request_id,
                "payload_digest": payload_digest,
                "previous": tail.head,
            }
            tail.length, tail.head = tail.length + 1, entry_digest(chain=tail.key, **entry)
            payloads.append({"body": body})
            entries.append({"chain_id": tail.chain_id, "digest": tail.head} | entry)
        act_ids.append(act_id)
    return act_ids, payloads, entries


def write_entries(
    session: Session, tails: Collection[Tail], payloads: Sequence[dict[str, Any]], entries: Sequence[dict[str, Any]]
) -> None:
    """Insert payloads and entries of chains that are locked, and move the heads of the chains."""
    numbers = numbers_by_year(session, LogPayload, [entry["at"] for entry in entries])
    insert_rows(session, LogPayload, [{"id": n} | row for n, row in zip(numbers, payloads, strict=True)])
    insert_rows(session, LogEntry, [row | {"id": n, "payload_id": n} for n, row in zip(numbers, entries, strict=True)])
    moved = [{"id": tail.chain_id, "length": tail.length, "head": tail.head} for tail in tails]
    update_rows(session, LogChain, moved, key=("id",))
    for tail in tails:
        loaded = session.identity_map.get(identity_key(LogChain, tail.chain_id))
        if loaded is not None:
            session.expire(loaded)


def _tails(session: Session, keys: Collection[str]) -> dict[str, Tail]:
    """The ends of chains, locked in the order of their keys; made where there are none, before anything is locked."""
    if len(keys) > 1:
        _ensure(session, keys)
    rows = read(session, _ends(), {"keys": list(keys)}).all()
    if len(rows) < len(keys):
        _ensure(session, keys)
        rows = read(session, _ends(), {"keys": list(keys)}).all()
    return {key: Tail(number, key, length, head) for number, key, length, head in rows}


@cache
def _ends() -> Select[int, str, int, str | None]:
    query = select(LogChain.id, LogChain.key, LogChain.length, LogChain.head)
    chosen = query.where(LogChain.key.in_(bindparam("keys", expanding=True)))
    return chosen.order_by(LogChain.key).with_for_update()


def _ensure(session: Session, keys: Collection[str]) -> None:
    """Make the chains that are missing, also when two acts need one for the first time at once."""
    there = set(session.scalars(select(LogChain.key).where(LogChain.key.in_(keys))))
    rows = [{"key": key, "length": 0, "head": None} for key in sorted(set(keys) - there)]
    if rows and session.get_bind().dialect.name == "postgresql":
        session.execute(postgresql.insert(LogChain).on_conflict_do_nothing(), rows)
    elif rows:
        session.execute(sqlite.insert(LogChain).on_conflict_do_nothing(), rows)


def record_heads(session: Session, *, actor: Actor, now: datetime) -> bool:
    """Write the heads of all chains into the system's chain, once a day; return whether this was the time.

    A tail that somebody cuts off later, with the chain's own row, shows against them. The day is that of Asia/Shanghai.
    """
    day = now.astimezone(SHANGHAI).date().isoformat()
    _tails(session, [SYSTEM])
    written = select(LogEntry.id).where(LogEntry.object_kind == "log", LogEntry.object_key == day)
    if session.scalar(written.where(LogEntry.verb == HEADS).limit(1)) is not None:
        return False
    chains = session.execute(
        select(LogChain.key, LogChain.length, LogChain.head).where(LogChain.length > 0).order_by(LogChain.key)
    )
    heads = {key: {"seq": length, "digest": head} for key, length, head in chains}
    record(session, actor=actor, now=now, verb=HEADS, kind="log", key=day, after=heads)
    return True


def record_access(
    session: Session,
    *,
    actor: Actor,
    now: datetime,
    verb: str,
    kind: str,
    key: str,
    unit_id: int | None,
) -> None:
    """Note that somebody opened or exported something; outside the chain, readable by the unit."""
    row = {
        "actor": actor.person_key,
        "unit_id": unit_id,
        "verb": verb,
        "object_kind": kind,
        "object_key": key,
        "request_id": actor.request_id,
    }
    insert_by_year(session, AccessLog, row, at=now)
