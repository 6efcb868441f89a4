"""The log of every change: entries that commit together with what they tell, chained for each unit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.canonical import canonical_json, digest
from tracker.domain.log import entry_digest
from tracker.models import AccessLog, LogChain, LogEntry, LogPayload, Organization
from tracker.queries.history import SHANGHAI
from tracker.queries.log import HEADS, SYSTEM


def chain_of(organization: Organization) -> str:
    """The chain an organization's entries belong to today: that of its unit."""
    return organization.unit.code


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
    body = canonical_json({"before": before, "after": after})
    payload_digest = digest(body)
    session.flush()
    act_id = ""
    for chain in [_locked_chain(session, name) for name in sorted(set(chains))]:
        act_id = act_id or f"{chain.key}:{chain.length + 1}"
        entry: dict[str, Any] = {
            "seq": chain.length + 1,
            "at": now,
            "act_id": act_id,
            "actor": actor.person_key,
            "appointment": appointment,
            "verb": verb,
            "object_kind": kind,
            "object_key": key,
            "request_id": actor.request_id,
            "payload_digest": payload_digest,
            "previous": chain.head,
        }
        head = entry_digest(chain=chain.key, **entry)
        payload_id = session.scalars(insert(LogPayload).returning(LogPayload.id), [{"body": body}]).one()
        session.execute(insert(LogEntry).values(chain_id=chain.id, payload_id=payload_id, digest=head, **entry))
        session.execute(
            update(LogChain).where(LogChain.id == chain.id).values(length=chain.length + 1, head=head),
            execution_options={"synchronize_session": False},
        )
        session.expire(chain)
    return act_id


def _locked_chain(session: Session, key: str) -> LogChain:
    """The chain, locked; made if there is none, also when two acts need it for the first time at once."""
    query = select(LogChain).where(LogChain.key == key).with_for_update()
    chain = session.scalar(query.execution_options(populate_existing=True))
    if chain is not None:
        return chain
    row = {"key": key, "length": 0, "head": None}
    if session.get_bind().dialect.name == "postgresql":
        session.execute(postgresql.insert(LogChain).on_conflict_do_nothing(), row)
    else:
        session.execute(sqlite.insert(LogChain).on_conflict_do_nothing(), row)
    return session.scalars(query.execution_options(populate_existing=True)).one()


def record_heads(session: Session, *, actor: Actor, now: datetime) -> bool:
    """Write the heads of all chains into the system's chain, once a day; return whether this was the time.

    A tail that somebody cuts off later, with the chain's own row, shows against them. The day is that of Asia/Shanghai.
    """
    day = now.astimezone(SHANGHAI).date().isoformat()
    _locked_chain(session, SYSTEM)
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
    session.add(
        AccessLog(
            at=now,
            actor=actor.person_key,
            unit_id=unit_id,
            verb=verb,
            object_kind=kind,
            object_key=key,
            request_id=actor.request_id,
        )
    )
