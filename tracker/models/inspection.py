"""Supervision checks: scope, team, sampled duties, verdicts and findings."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.domain.inspection import (
    InspectionKind,
    InspectionState,
    MemberRole,
    RectificationState,
    Severity,
)
from tracker.domain.score import Verdict as VerdictValue
from tracker.models.base import LongText, Numbered, Recorded, choice, one_in_force
from tracker.models.cycle import Cycle
from tracker.models.duty import Duty
from tracker.models.organization import Organization
from tracker.models.person import Person


class Inspection(Numbered):
    """One check. Its key is its number. `state` is a cache of the fact in force."""

    __tablename__ = "inspection"
    number: Mapped[int] = mapped_column(unique=True)
    cycle_id: Mapped[int] = mapped_column(ForeignKey("cycle.id"))
    state: Mapped[InspectionState] = mapped_column(choice(InspectionState, "state"))
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime]

    cycle: Mapped[Cycle] = relationship()


class InspectionFact(Recorded):
    """What the check is: title, basis, dates. `items` names the items in scope (empty: all of them).

    `sample` says how the duties were chosen: `all` in scope, picked by `hand`, or `drawn` by a seed (`InspectionDraw`).
    The notice is the paper that orders the check; `ranked` lets results be ordered by score.
    """

    __tablename__ = "inspection_fact"
    __table_args__ = (
        one_in_force("inspection_fact", "inspection_id"),
        CheckConstraint("ends_on >= starts_on", name="ends_after_start"),
        CheckConstraint("period_ends_on >= period_starts_on", name="period_ends_after_start"),
        CheckConstraint("sample IN ('all', 'hand', 'drawn')", name="sample"),
    )
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"), index=True)
    title: Mapped[str]
    basis: Mapped[str] = mapped_column(LongText)
    kind: Mapped[InspectionKind] = mapped_column(choice(InspectionKind, "kind"))
    state: Mapped[InspectionState] = mapped_column(choice(InspectionState, "state"))
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    period_starts_on: Mapped[date]
    period_ends_on: Mapped[date]
    items: Mapped[list[str]]
    sample: Mapped[str]
    notice_file_id: Mapped[int | None] = mapped_column(ForeignKey("stored_file.id"))
    notice_name: Mapped[str | None]
    self_check_due_on: Mapped[date | None]
    ranked: Mapped[bool]
    entered_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class InspectionMember(Recorded):
    """Somebody in the team."""

    __tablename__ = "inspection_member"
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    role: Mapped[MemberRole] = mapped_column(choice(MemberRole, "role"))

    person: Mapped[Person] = relationship()


class InspectionUnit(Recorded):
    """A unit that is visited."""

    __tablename__ = "inspection_unit"
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"), index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)

    organization: Mapped[Organization] = relationship()


class InspectionDuty(Recorded):
    """A duty in the sample."""

    __tablename__ = "inspection_duty"
    __table_args__ = (one_in_force("inspection_duty", "inspection_id", "duty_id"),)
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"), index=True)
    duty_id: Mapped[int] = mapped_column(ForeignKey("duty.id"), index=True)

    duty: Mapped[Duty] = relationship()


class Verdict(Recorded):
    """An inspector's judgement of one sampled duty; revised by a new row.

    `submitter_id` is whoever submitted the duty: the database refuses that they judge it themselves.
    """

    __tablename__ = "verdict"
    __table_args__ = (
        one_in_force("verdict", "inspection_id", "duty_id"),
        Index("ix_verdict_duty_id_inspection_id", "duty_id", "inspection_id"),  # of a duty, the revised ones too
        CheckConstraint("submitter_id IS NULL OR submitter_id <> person_id", name="doer_is_not_judge"),
    )
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"), index=True)
    duty_id: Mapped[int] = mapped_column(ForeignKey("duty.id"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    submitter_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    value: Mapped[VerdictValue] = mapped_column(choice(VerdictValue, "value"))
    note: Mapped[str] = mapped_column(LongText)

    duty: Mapped[Duty] = relationship()
    person: Mapped[Person] = relationship(foreign_keys=[person_id])


class Overrule(Recorded):
    """Points that an inspector gives to an item of an organization instead of the worked-out ones, in tenths.

    One that is taken back is superseded by a row without `tenths`.
    """

    __tablename__ = "overrule"
    __table_args__ = (
        one_in_force("overrule", "inspection_id", "organization_id", "item_id"),
        CheckConstraint("tenths IS NULL OR tenths >= 0", name="points_not_negative"),
    )
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"), index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    item_id: Mapped[str]
    tenths: Mapped[int | None]
    reason: Mapped[str] = mapped_column(LongText)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))


class Finding(Numbered):
    """A problem found. Key: `INSPECTION-n`. `state` is a cache of the steps.

    `item_id` names the item whose demand was not met, also where no single duty is meant. `repeats` is the key of the
    finding that the same item had in the same unit within the year before.
    """

    __tablename__ = "finding"
    __table_args__ = (
        UniqueConstraint("inspection_id", "number"),
        Index("ix_finding_unit_id_item_id", "unit_id", "item_id"),
    )
    key: Mapped[str] = mapped_column(unique=True)
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"))
    number: Mapped[int]
    unit_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    duty_id: Mapped[int | None] = mapped_column(ForeignKey("duty.id"), index=True)
    item_id: Mapped[str | None]
    repeats: Mapped[str | None] = mapped_column(index=True)
    state: Mapped[RectificationState] = mapped_column(choice(RectificationState, "state"))
    created_at: Mapped[datetime]

    inspection: Mapped[Inspection] = relationship()
    duty: Mapped[Duty | None] = relationship()
    organization: Mapped[Organization] = relationship(foreign_keys=[organization_id])


class FindingFact(Recorded):
    """What the finding says. `basis` names the regulation and article, `post` the post responsible."""

    __tablename__ = "finding_fact"
    __table_args__ = (one_in_force("finding_fact", "finding_id"),)
    finding_id: Mapped[int] = mapped_column(ForeignKey("finding.id"), index=True)
    problem: Mapped[str] = mapped_column(LongText)
    basis: Mapped[str] = mapped_column(LongText)
    post: Mapped[str]
    severity: Mapped[Severity] = mapped_column(choice(Severity, "severity"))
    demand: Mapped[str] = mapped_column(LongText)
    deadline: Mapped[date]
    entered_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
