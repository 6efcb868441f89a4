"""Good practice: marked on evidence by an inspector, agreed to by the unit, read by all."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.domain.good_practice import GoodPracticeAction, GoodPracticeState
from tracker.models.base import LongText, Numbered, choice
from tracker.models.evidence import Evidence
from tracker.models.inspection import Inspection
from tracker.models.organization import Organization
from tracker.models.person import Person


class GoodPractice(Numbered):
    """A record that others can learn from. Key: `INSPECTION-Ln`. `state` is a cache of the steps."""

    __tablename__ = "good_practice"
    __table_args__ = (UniqueConstraint("inspection_id", "number"),)
    key: Mapped[str] = mapped_column(unique=True)
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"))
    number: Mapped[int]
    unit_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    evidence_id: Mapped[int] = mapped_column(ForeignKey("evidence.id"))
    title: Mapped[str]
    state: Mapped[GoodPracticeState] = mapped_column(choice(GoodPracticeState, "state"))
    created_at: Mapped[datetime]

    inspection: Mapped[Inspection] = relationship()
    evidence: Mapped[Evidence] = relationship()
    unit: Mapped[Organization] = relationship()


class GoodPracticeStep(Numbered):
    """One step: a row that is never changed. The text of `mark` is what others read."""

    __tablename__ = "good_practice_step"
    __table_args__ = (UniqueConstraint("good_practice_id", "number"),)
    good_practice_id: Mapped[int] = mapped_column(ForeignKey("good_practice.id"))
    number: Mapped[int]
    action: Mapped[GoodPracticeAction] = mapped_column(choice(GoodPracticeAction, "action"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    text: Mapped[str] = mapped_column(LongText)
    at: Mapped[datetime]

    person: Mapped[Person] = relationship()
