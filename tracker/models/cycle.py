"""The year: which checklist it runs on, its days off, and what was decided about who owes what."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.domain.applicability import DecisionKind
from tracker.models.base import Json, LongText, Numbered, Recorded, choice
from tracker.models.checklist import ChecklistVersion
from tracker.models.organization import Organization
from tracker.models.person import Person


class CycleState(StrEnum):
    """A cycle takes ticks while it is open."""

    OPEN = "open"
    CLOSED = "closed"


class Cycle(Numbered):
    """A year opened with one published checklist. Its key is the year."""

    __tablename__ = "cycle"
    year: Mapped[int] = mapped_column(unique=True)
    checklist_version_id: Mapped[int] = mapped_column(ForeignKey("checklist_version.id"))
    state: Mapped[CycleState] = mapped_column(choice(CycleState, "state"))
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]

    checklist_version: Mapped[ChecklistVersion] = relationship()


class DayOverride(Recorded):
    """A day that the city decided to work, or not to work, whatever the national calendar says."""

    __tablename__ = "day_override"
    day: Mapped[date] = mapped_column(index=True)
    is_working: Mapped[bool]
    name: Mapped[str]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class Decision(Recorded):
    """A local decision about an item: switched off, given to another post, asked more often, or an item of its own.

    It holds for the one organization it is made for. `item` holds the text of an own item in the checklist's form.
    `key` (`YEAR.ORG.Dn`) stays when it is superseded; a decision that is taken back is superseded by a row that is not
    `in_force`.
    """

    __tablename__ = "decision"
    __table_args__ = (
        Index("ix_decision_cycle_id_organization_id", "cycle_id", "organization_id"),
        CheckConstraint("kind <> 'more' OR times IS NOT NULL", name="more_says_how_often"),
        CheckConstraint("kind <> 'give' OR post IS NOT NULL", name="give_says_to_whom"),
        CheckConstraint("kind <> 'own' OR item IS NOT NULL", name="own_has_an_item"),
    )
    key: Mapped[str] = mapped_column(index=True)
    cycle_id: Mapped[int] = mapped_column(ForeignKey("cycle.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    kind: Mapped[DecisionKind] = mapped_column(choice(DecisionKind, "kind"))
    item_id: Mapped[str]
    post: Mapped[str | None]
    times: Mapped[int | None]
    item: Mapped[dict[str, Any] | None] = mapped_column(Json)
    reason: Mapped[str] = mapped_column(LongText)
    effective_from: Mapped[date]
    in_force: Mapped[bool]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_as: Mapped[str]

    organization: Mapped[Organization] = relationship()
    decided_by: Mapped[Person | None] = relationship()
