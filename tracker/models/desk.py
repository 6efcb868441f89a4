"""The inspectors' desk: who has a duty open at the moment, and the reasons that a team writes often."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.domain.score import Verdict
from tracker.models.base import LongText, Numbered, Recorded, choice, one_in_force
from tracker.models.person import Person


class DeskHold(Numbered):
    """Somebody has this duty open on the desk until then; no fact, it is overwritten when it has run out."""

    __tablename__ = "desk_hold"
    __table_args__ = (UniqueConstraint("inspection_id", "duty_id"),)
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"))
    duty_id: Mapped[int] = mapped_column(ForeignKey("duty.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    until: Mapped[datetime]

    person: Mapped[Person] = relationship()


class FrequentReason(Recorded):
    """A reason that is often given with a verdict. Edited by a new row; one that is dropped is superseded by none."""

    __tablename__ = "frequent_reason"
    __table_args__ = (one_in_force("frequent_reason", "key"),)
    key: Mapped[str]
    value: Mapped[Verdict] = mapped_column(choice(Verdict, "value"))
    text: Mapped[str] = mapped_column(LongText)
    entered_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
