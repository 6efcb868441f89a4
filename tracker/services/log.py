"""The log of every change: entries that commit together with what they tell, chained for each unit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.canonical import canonical_json, digest
from tracker.domain.log import entry_digest
from tracker.models import AccessLog, LogChain, LogEntry, LogPayload, Organization

SYSTEM = "system"


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
    act_id = ""
    for chain in [_locked_chain(session, name) for name in sorted(set(chains))]:
        act_id = act_id or f"{chain.key}:{chain.length + 1}"
        payload = LogPayload(body=body)
        session.add(payload)
        session.flush()
        entry = LogEntry(
            chain_id=chain.id,
            seq=chain.length + 1,
            at=now,
            act_id=act_id,
            actor=actor.person_key,
            appointment=appointment,
            verb=verb,
            object_kind=kind,
            object_key=key,
            request_id=actor.request_id,
            payload_id=payload.id,
            payload_digest=digest(body),
            previous=chain.head,
        )
        entry.digest = _digest_of(chain.key, entry)
        session.add(entry)
        chain.length, chain.head = entry.seq, entry.digest
    session.flush()
    return act_id


def _digest_of(chain: str, entry: LogEntry) -> str:
    return entry_digest(
        chain=chain,
        seq=entry.seq,
        at=entry.at,
        act_id=entry.act_id,
        actor=entry.actor,
        appointment=entry.appointment,
        verb=entry.verb,
        object_kind=entry.object_kind,
        object_key=entry.object_key,
        payload_digest=entry.payload_digest,
        request_id=entry.request_id,
        previous=entry.previous,
    )


def _locked_chain(session: Session, key: str) -> LogChain:
    chain = session.scalar(
        select(LogChain).where(LogChain.key == key).with_for_update().execution_options(populate_existing=True)
    )
    if chain is None:
        chain = LogChain(key=key, length=0, head=None)
        session.add(chain)
        session.flush()
    return chain


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
