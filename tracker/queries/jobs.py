"""Jobs as pages read them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.models import Job
from tracker.policy import visible


def jobs_of(session: Session, actor: Actor) -> list[Job]:
    """What a person asked for, the newest first."""
    query = select(Job).where(visible(actor, Job)).order_by(Job.id.desc()).limit(100)
    return list(session.scalars(query))
