"""Published checklists: frozen bytes, known by key, version and digest."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import Numbered


class ChecklistVersion(Numbered):
    """One published version. The database refuses any change to it."""

    __tablename__ = "checklist_version"
    __table_args__ = (UniqueConstraint("key", "version"),)
    key: Mapped[str]
    version: Mapped[str]
    title: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    source: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)  # read once: parsing is kept by digest
    published_at: Mapped[datetime]
    published_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
