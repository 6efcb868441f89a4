"""Jobs as pages read them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.models import Job, JobState
from tracker.policy import visible

COUNTED = 10_000  # jobs of one state: further ones are not counted, so that the cost does not grow with the years


def jobs_of(session: Session, actor: Actor) -> list[Job]:
    """What a person asked for, the newest first."""
    query = select(Job).where(visible(actor, Job)).order_by(Job.id.desc()).limit(100)
    return list(session.scalars(query))


def jobs_by_state(session: Session) -> dict[str, int]:
    """How many jobs there are of each state, up to COUNTED."""
    found = {}
    for state in JobState:
        some = select(Job.id).where(Job.state == state).limit(COUNTED).subquery()
        found[state.value] = session.scalar(select(func.count()).select_from(some)) or 0
    return found


def oldest_waiting(session: Session) -> datetime | None:
    """When the first of the waiting jobs was asked for."""
    return session.scalar(select(func.min(Job.asked_at)).where(Job.state == JobState.WAITING))


def is_result_since(session: Session, sha256: str, moment: datetime) -> bool:
    """Whether a job that was begun after that moment made a file with this digest."""
    query = select(Job.id).where(Job.result_sha256 == sha256, Job.state == JobState.DONE, Job.started_at > moment)
    return session.scalar(query.limit(1)) is not None
