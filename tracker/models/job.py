"""Background work: the row is the truth, the queue only carries its key."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import Json, LongText, Numbered, choice


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Job(Numbered):
    """One piece of work, with its progress (`done` of `total` steps) and, at the end, its result file or its error."""

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_state_lease_until", "state", "lease_until"),
        CheckConstraint("attempts >= 0", name="attempts_not_negative"),
    )
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    arguments: Mapped[dict[str, Any]] = mapped_column(Json)
    title: Mapped[str]
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    asked_at: Mapped[datetime]
    state: Mapped[JobState] = mapped_column(choice(JobState, "state"))
    attempts: Mapped[int]
    lease_until: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    done: Mapped[int]
    total: Mapped[int]
    step: Mapped[str]
    error: Mapped[str | None] = mapped_column(LongText)
    result_name: Mapped[str | None]
    result_sha256: Mapped[str | None]
