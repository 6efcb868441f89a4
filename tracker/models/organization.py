"""Organizations: the tree, and what was true of each node when."""

from __future__ import annotations

from datetime import date

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.models.base import Base, Numbered, Recorded


class Organization(Numbered):
    """One node. `code` is its key for good; everything else here is a cache of the fact in force today.

    `unit_id` is the nearest node at or above it that an inspection visits; the root is its own unit.
    `level` is a level id of the checklist, or `root`. `position` orders those below the same node; `place` numbers the
    whole tree from the top, each node before what is below it: the official order of every list.
    """

    __tablename__ = "organization"
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"), index=True)
    unit_id: Mapped[int] = mapped_column(
        ForeignKey("organization.id", deferrable=True, initially="DEFERRED"), index=True
    )  # a unit points at itself, which has no number before it is there: the check waits for the commit
    level: Mapped[str]
    tags: Mapped[list[str]]
    is_unit: Mapped[bool]
    position: Mapped[int]
    opened_on: Mapped[date]
    closed_on: Mapped[date | None]
    term_ends_on: Mapped[date | None]
    place: Mapped[int] = mapped_column(default=0, index=True)

    parent: Mapped[Organization | None] = relationship(foreign_keys=[parent_id], remote_side="Organization.id")
    unit: Mapped[Organization] = relationship(foreign_keys=[unit_id], remote_side="Organization.id", viewonly=True)


class OrganizationFact(Recorded):
    """What an organization was called, where it hung, and which tags it had, from `valid_from` on.

    The fact in force on a day is the one not superseded with the latest `valid_from` that is not after the day.
    """

    __tablename__ = "organization_fact"
    __table_args__ = (Index("ix_organization_fact_organization_id_valid_from", "organization_id", "valid_from"),)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    valid_from: Mapped[date]
    name: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    level: Mapped[str]
    tags: Mapped[list[str]]
    is_unit: Mapped[bool]
    position: Mapped[int]
    opened_on: Mapped[date]
    closed_on: Mapped[date | None]
    term_ends_on: Mapped[date | None]


class OrganizationAncestor(Base):
    """Who is at or above whom today (each organization is also its own ancestor): a cache for subtree filters."""

    __tablename__ = "organization_ancestor"
    ancestor_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    descendant_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True, index=True)
    distance: Mapped[int]
