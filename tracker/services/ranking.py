"""Whether the results of a check may be ordered by score: off, unless an administrator turns it on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.models import Inspection
from tracker.policy import Act, require
from tracker.queries.inspections import fact_of, units_of
from tracker.services import log
from tracker.services.inspections import supersede_fact


def set_ranking(session: Session, inspection: Inspection, *, ranked: bool, actor: Actor, now: datetime) -> None:
    """Let units be ordered by score in the circular of a check, or no longer; people are never ranked."""
    require(session, actor, Act.ADMINISTER)
    session.flush()
    session.refresh(inspection, with_for_update={"key_share": True, "of": Inspection})
    fact = fact_of(session, inspection)
    if fact.ranked is ranked:
        return
    supersede_fact(session, fact, actor=actor, now=now, ranked=ranked)
    log.record(
        session,
        actor=actor,
        now=now,
        verb="inspection.rank",
        kind="inspection",
        key=str(inspection.number),
        chains={unit.code for unit in units_of(session, inspection)},
        before={"ranked": not ranked},
        after={"ranked": ranked},
    )
