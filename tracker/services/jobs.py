"""Jobs: asked for by somebody, worked on under a lease, done exactly once or failed with the reason."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.text import _n
from tracker.models import Job, JobState

LEASE = timedelta(seconds=90)
ATTEMPTS = 3
_OPEN = (JobState.WAITING, JobState.RUNNING)
_WORKERS_LOST = _n("处理这份文件的后台进程中断了三次，文件没有做成。请联系管理员查看后台日志，排除故障后重新生成。")


class Lost(Exception):
    """The job is no longer this worker's: another attempt has it, or it has ended."""


def ask(
    session: Session,
    *,
    kind: str,
    arguments: dict[str, Any],
    title: str,
    result_name: str,
    unit_id: int | None,
    actor: Actor,
    now: datetime,
) -> Job:
    """Ask for a piece of work. The same one, still waiting or running for the same person, is not asked for twice."""
    same = session.scalars(
        select(Job).where(
            Job.kind == kind,
            Job.asked_by_id == actor.person_id,
            Job.state.in_(_OPEN),
        )
    )
    for job in same:
        if _alike(job.arguments, arguments):
            return job
    job = Job(
        key=uuid.uuid4().hex,
        kind=kind,
        arguments=arguments,
        title=title,
        unit_id=unit_id,
        asked_by_id=actor.person_id,
        asked_at=now,
        state=JobState.WAITING,
        attempts=0,
        done=0,
        total=100,
        step="",
        result_name=result_name,
    )
    session.add(job)
    session.flush()
    return job


def _alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two requests mean the same document: the same in everything, as of the same day."""
    return all(
        str(one.get(name))[:10] == str(other.get(name))[:10] if name == "as_of" else one.get(name) == value
        for name, value in other.items()
    )


def take(session: Session, key: str, *, now: datetime) -> Job | None:
    """Take a job under a lease, or return None if somebody else has it, it is finished, or it was tried too often."""
    job = session.scalar(select(Job).where(Job.key == key).with_for_update())
    if job is None or not _is_free(job, now):
        return None
    if job.attempts >= ATTEMPTS:
        fail(job, error=_WORKERS_LOST, now=now)
        return None
    job.state = JobState.RUNNING
    job.attempts += 1
    job.lease_until = now + LEASE
    job.started_at = now
    job.done, job.step = 0, ""
    session.flush()
    return job


def _is_free(job: Job, now: datetime) -> bool:
    return job.state in _OPEN and (job.lease_until is None or job.lease_until < now)


def held(session: Session, key: str, *, attempt: int) -> Job:
    """Return the job, locked, to whoever works on it at its `attempt`. Raises Lost for everybody else.

    A worker that was silent for longer than its lease may go on while another one has begun: only the attempt that the
    row counts last may write.
    """
    job = session.scalar(select(Job).where(Job.key == key).with_for_update())
    if job is None or job.state is not JobState.RUNNING or job.attempts != attempt:
        raise Lost(key)
    return job


def renew(job: Job, *, now: datetime) -> None:
    """Hold on to a job."""
    job.lease_until = now + LEASE


def go_on(job: Job, *, done: int, total: int, step: str, now: datetime) -> None:
    """Note how far a job is, and hold on to it."""
    job.done, job.total, job.step = done, total, step
    renew(job, now=now)


def finish(job: Job, *, sha256: str, now: datetime) -> None:
    """Note that the result is there; the last step stays."""
    job.state, job.result_sha256, job.finished_at = JobState.DONE, sha256, now
    job.done, job.error, job.lease_until = job.total, None, None


def fail(job: Job, *, error: str, now: datetime) -> None:
    """Note that it cannot be done, and why."""
    job.state, job.error, job.finished_at, job.lease_until = JobState.FAILED, error[:2000], now, None


def give_back(job: Job, *, error: str, now: datetime, pause: timedelta = timedelta(0)) -> None:
    """Put a job back after a fault, for nobody to take before `pause` is over; or give up after the last attempt."""
    if job.attempts >= ATTEMPTS:
        fail(job, error=error, now=now)
    else:
        job.state, job.error, job.lease_until = JobState.WAITING, error[:2000], now + pause if pause else None


def left_lying(session: Session, *, now: datetime) -> list[str]:
    """Keys of jobs that wait, or whose worker has not been heard of since its lease ran out."""
    free = or_(Job.lease_until.is_(None), Job.lease_until < now)
    query = select(Job.key).where(Job.state.in_(_OPEN), free)
    return list(session.scalars(query.order_by(Job.id).limit(100)))
