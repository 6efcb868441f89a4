"""From a finding to its closing: the steps of its rectification, and the look-back at what was closed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.domain.inspection import RectificationAction
from tracker.models.base import LongText, Numbered, Recorded, choice, one_in_force
from tracker.models.evidence import Evidence
from tracker.models.inspection import Finding
from tracker.models.person import Person


class RectificationStep(Numbered):
    """One step from notice to closing: a row that is never changed.

    Whoever closes or returns is neither `reporter_id`, who reported it done, nor `finder_id`, who found it. `post` and
    `planned_on` are who the unit makes responsible, and by when it means to be done.
    """

    __tablename__ = "rectification_step"
    __table_args__ = (
        UniqueConstraint("finding_id", "number"),
        CheckConstraint(
            "action NOT IN ('close', 'return') OR reporter_id IS NULL OR person_id <> reporter_id",
            name="doer_does_not_close",
        ),
        CheckConstraint(
            "action <> 'close' OR (reporter_id IS NOT NULL AND finder_id IS NOT NULL AND person_id <> finder_id)",
            name="finder_does_not_close",
        ),
    )
    finding_id: Mapped[int] = mapped_column(ForeignKey("finding.id"))
    number: Mapped[int]
    action: Mapped[RectificationAction] = mapped_column(choice(RectificationAction, "action"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    reporter_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    finder_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    evidence_id: Mapped[int | None] = mapped_column(ForeignKey("evidence.id"))
    text: Mapped[str] = mapped_column(LongText)
    post: Mapped[str | None]
    planned_on: Mapped[date | None]
    deadline: Mapped[date | None]
    at: Mapped[datetime]

    finding: Mapped[Finding] = relationship()
    person: Mapped[Person] = relationship(foreign_keys=[person_id])
    evidence: Mapped[Evidence | None] = relationship()


class LookBackDraw(Recorded):
    """How the closed findings of a look-back were drawn: by a share or a number, by a seed, from which findings.

    `population` holds their sorted keys, compressed by zlib, in the form of `tracker.domain.sampling.Sample.lines`.
    """

    __tablename__ = "look_back_draw"
    __table_args__ = (
        one_in_force("look_back_draw", "inspection_id"),
        CheckConstraint("population_size >= picked_size", name="no_more_than_there_are"),
    )
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"))
    seed: Mapped[str]
    rule: Mapped[dict[str, Any]]
    population: Mapped[bytes] = mapped_column(LargeBinary)
    population_size: Mapped[int]
    population_sha256: Mapped[str]
    picked_size: Mapped[int]
    picked_sha256: Mapped[str]
    drawn_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))


class LookBackFinding(Recorded):
    """A closed finding in the sample of a look-back."""

    __tablename__ = "look_back_finding"
    __table_args__ = (one_in_force("look_back_finding", "inspection_id", "finding_id"),)
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"), index=True)
    finding_id: Mapped[int] = mapped_column(ForeignKey("finding.id"), index=True)

    finding: Mapped[Finding] = relationship()


class LookBackVerdict(Recorded):
    """Whether what was closed has held, as a look-back saw it; revised by a new row."""

    __tablename__ = "look_back_verdict"
    __table_args__ = (one_in_force("look_back_verdict", "inspection_id", "finding_id"),)
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"), index=True)
    finding_id: Mapped[int] = mapped_column(ForeignKey("finding.id"))
    held: Mapped[bool]
    note: Mapped[str] = mapped_column(LongText)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))

    person: Mapped[Person] = relationship()
