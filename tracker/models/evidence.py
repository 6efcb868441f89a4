"""Evidence: a record of something done, its files, and the duties it serves."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.models.base import LongText, Numbered, Recorded
from tracker.models.organization import Organization
from tracker.models.person import Person


class Evidence(Numbered):
    """One record. Its key is `YEAR.ORG.n`: the evidence number that is printed. `withdrawn` is a cache of its fact."""

    __tablename__ = "evidence"
    __table_args__ = (UniqueConstraint("organization_id", "cycle_id", "number"),)
    key: Mapped[str] = mapped_column(unique=True)
    number: Mapped[int]
    cycle_id: Mapped[int] = mapped_column(ForeignKey("cycle.id"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    entered_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    entered_as: Mapped[str]
    entered_at: Mapped[datetime]
    withdrawn: Mapped[bool]

    organization: Mapped[Organization] = relationship(foreign_keys=[organization_id])
    entered_by: Mapped[Person] = relationship()


class EvidenceFact(Recorded):
    """What the record says: the day of the act, one sentence, counts by kind. `sentence` is empty once sealed."""

    __tablename__ = "evidence_fact"
    evidence_id: Mapped[int] = mapped_column(ForeignKey("evidence.id"), index=True)
    act_on: Mapped[date]
    sentence: Mapped[str | None] = mapped_column(LongText)
    sentence_sha256: Mapped[str]
    counts: Mapped[dict[str, int]]
    withdrawn: Mapped[bool]
    reason: Mapped[str | None] = mapped_column(LongText)
    entered_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    sealed_at: Mapped[datetime | None]


class StoredFile(Numbered):
    """The bytes behind one digest, kept once. The row is written after the bytes are safe in the store."""

    __tablename__ = "stored_file"
    __table_args__ = (CheckConstraint("size >= 0", name="size_not_negative"),)
    sha256: Mapped[str] = mapped_column(unique=True)
    size: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str]
    facts: Mapped[dict[str, Any]]
    stored_at: Mapped[datetime]
    sealed_at: Mapped[datetime | None]


class FileTrait(Numbered):
    """What was worked out of a file for the hints of the desk: a cache beside it, made anew at will.

    `picture` is a perceptual hash, 16 hexadecimal figures, and the bands are parts of it, by which near ones are looked
    up; `taken_on` is the day that a camera noted, `characters` how many a document holds.
    """

    __tablename__ = "file_trait"
    stored_file_id: Mapped[int] = mapped_column(ForeignKey("stored_file.id"), unique=True)
    picture: Mapped[str | None]
    band_1: Mapped[int | None] = mapped_column(index=True)
    band_2: Mapped[int | None] = mapped_column(index=True)
    band_3: Mapped[int | None] = mapped_column(index=True)
    band_4: Mapped[int | None] = mapped_column(index=True)
    band_5: Mapped[int | None] = mapped_column(index=True)
    taken_on: Mapped[date | None]
    characters: Mapped[int | None]
    made_at: Mapped[datetime]


class EvidenceFile(Recorded):
    """A file attached to a record, under the name it came with. Taken off by superseding, never by deleting."""

    __tablename__ = "evidence_file"
    __table_args__ = (Index("ix_evidence_file_evidence_id", "evidence_id"),)
    evidence_id: Mapped[int] = mapped_column(ForeignKey("evidence.id"))
    stored_file_id: Mapped[int] = mapped_column(ForeignKey("stored_file.id"), index=True)
    name: Mapped[str]
    location_removed: Mapped[bool]
    uploaded_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))

    stored_file: Mapped[StoredFile] = relationship()


class EvidenceLink(Recorded):
    """A record serves a duty."""

    __tablename__ = "evidence_link"
    __table_args__ = (
        Index("ix_evidence_link_duty_id", "duty_id"),
        Index("ix_evidence_link_evidence_id", "evidence_id"),
    )
    evidence_id: Mapped[int] = mapped_column(ForeignKey("evidence.id"))
    duty_id: Mapped[int] = mapped_column(ForeignKey("duty.id"))
    linked_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
