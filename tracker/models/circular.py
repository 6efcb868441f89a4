"""The words of a team's papers: what the summary and the circular say beside their numbers."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import LongText, Recorded, one_in_force


class CircularText(Recorded):
    """The four parts of one paper (`summary` or `circular`) of a check; revised by a new row."""

    __tablename__ = "circular_text"
    __table_args__ = (
        one_in_force("circular_text", "inspection_id", "paper"),
        CheckConstraint("paper IN ('summary', 'circular')", name="paper"),
    )
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"))
    paper: Mapped[str]
    overall: Mapped[str] = mapped_column(LongText)
    good_practice: Mapped[str] = mapped_column(LongText)
    problems: Mapped[str] = mapped_column(LongText)
    demands: Mapped[str] = mapped_column(LongText)
    entered_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
