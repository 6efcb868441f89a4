"""The self-check table that a unit fills in before a check: a line for each item, and its handing in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.domain.score import Verdict
from tracker.models.base import LongText, Numbered, Recorded, choice, one_in_force
from tracker.models.person import Person


class SelfCheckLine(Recorded):
    """What a unit says of one item: how far it is met, its own points in tenths, and one sentence."""

    __tablename__ = "self_check_line"
    __table_args__ = (
        one_in_force("self_check_line", "inspection_id", "unit_id", "item_id"),
        Index("ix_self_check_line_inspection_id_unit_id", "inspection_id", "unit_id"),
        CheckConstraint("tenths IS NULL OR tenths >= 0", name="points_not_negative"),
    )
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    item_id: Mapped[str]
    value: Mapped[Verdict | None] = mapped_column(choice(Verdict, "value"))
    tenths: Mapped[int | None]
    statement: Mapped[str] = mapped_column(LongText)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))


class SelfCheckHandIn(Numbered):
    """The unit handed its table in: a row that is never changed. `digest` covers the lines that stood then."""

    __tablename__ = "self_check_hand_in"
    __table_args__ = (UniqueConstraint("inspection_id", "unit_id", "number"),)
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    number: Mapped[int]
    digest: Mapped[str]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    at: Mapped[datetime]

    person: Mapped[Person] = relationship()
