"""Duties: one item owed by one seat for one period and occurrence, laid out for the whole year."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.domain.duty import State
from tracker.models.base import LongText, Numbered, Recorded, choice
from tracker.models.cycle import Cycle
from tracker.models.organization import Organization
from tracker.models.person import Seat


class Duty(Numbered):
    """One duty. Its key is `YEAR.SEAT.ITEM.PERIOD.OCCURRENCE`; the seat's key begins with the organization's code.

    The columns from `starts_on` on are caches of rows in other tables: the plan in force, the sign-offs, the evidence.
    `content_digest` is what would be signed now, `signed_digest` what the last submit covered; where a signature stands
    and the two differ, `is_changed`. `act_on` is the day of the act as the submissions fixed it (`fixed_act_on`).
    `waiting_seat_id` is the seat that confirms it, or has confirmed it and may reopen it.
    `submitted_by_id` is the last submitter.
    """

    __tablename__ = "duty"
    __table_args__ = (
        Index("ix_duty_organization_id_cycle_id_due_on", "organization_id", "cycle_id", "due_on"),
        Index("ix_duty_cycle_id_due_on_key", "cycle_id", "due_on", "key"),  # a list of the year, page by page
        Index("ix_duty_unit_id_cycle_id_dimension", "unit_id", "cycle_id", "dimension"),
        Index("ix_duty_waiting_seat_id_state", "waiting_seat_id", "state"),
        Index("ix_duty_seat_id_cycle_id", "seat_id", "cycle_id"),
        CheckConstraint(
            "state IN ('open', 'returned', 'claimed') OR signed_digest IS NOT NULL", name="signed_is_signed"
        ),
        CheckConstraint("state NOT IN ('submitted', 'claimed') OR submitted_by_id IS NOT NULL", name="submitter_known"),
        CheckConstraint("occurrence >= 1", name="occurrence_from_one"),
    )
    key: Mapped[str] = mapped_column(unique=True)
    cycle_id: Mapped[int] = mapped_column(ForeignKey("cycle.id"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    seat_id: Mapped[int] = mapped_column(ForeignKey("seat.id"))
    item_id: Mapped[str]
    item_digest: Mapped[str]
    level: Mapped[str]
    post: Mapped[str]
    dimension: Mapped[str]
    occasion: Mapped[str | None]
    period: Mapped[str]
    period_starts_on: Mapped[date]
    period_ends_on: Mapped[date]
    occurrence: Mapped[int]
    happened_on: Mapped[date | None]
    happening: Mapped[str | None] = mapped_column(LongText)
    created_at: Mapped[datetime]

    starts_on: Mapped[date]
    ends_on: Mapped[date]
    due_on: Mapped[date]
    in_force: Mapped[bool]
    state: Mapped[State] = mapped_column(choice(State, "state"))
    content_digest: Mapped[str]
    signed_digest: Mapped[str | None]
    is_changed: Mapped[bool]
    first_submitted_on: Mapped[date | None]
    act_on: Mapped[date | None]
    submitted_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    submitted_at: Mapped[datetime | None]
    waiting_seat_id: Mapped[int | None] = mapped_column(ForeignKey("seat.id"))
    last_sign_off_id: Mapped[int | None]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012  two people, one duty: the second one is told

    cycle: Mapped[Cycle] = relationship()
    organization: Mapped[Organization] = relationship(foreign_keys=[organization_id])
    unit: Mapped[Organization] = relationship(foreign_keys=[unit_id])
    seat: Mapped[Seat] = relationship(foreign_keys=[seat_id])


class DutyPlan(Recorded):
    """When a duty is to be done and due, and whether it is owed at all, as planned at that time.

    A duty that stops applying (a tag changed, a decision) gets a row that is not `in_force`, with the reason.
    """

    __tablename__ = "duty_plan"
    duty_id: Mapped[int] = mapped_column(ForeignKey("duty.id"), index=True)
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    due_on: Mapped[date]
    in_force: Mapped[bool]
    reason: Mapped[str]
