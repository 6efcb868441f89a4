"""The log, chained, inside the business transaction; and the access log beside it, outside the chain."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.models.base import Numbered
from tracker.models.years import LONG, NumberedByYear, by_year

# PostgreSQL finds by its beginning only what is sorted by its bytes; SQLite sorts everything so.
BY_BEGINNING: dict[str, Any] = {"postgresql_ops": {"object_key": "text_pattern_ops"}}


class LogChain(Numbered):
    """One chain for each unit (its code) and one for the system (`system`): how long it is, and its head."""

    __tablename__ = "log_chain"
    key: Mapped[str] = mapped_column(unique=True)
    length: Mapped[int]
    head: Mapped[str | None]


class LogPayload(NumberedByYear):
    """What happened, as stored bytes. Sealing empties `body`; the digest stays in the entry."""

    __tablename__ = "log_payload"
    __table_args__ = by_year()
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    sealed_at: Mapped[datetime | None]


class LogEntry(NumberedByYear):
    """One entry of one chain: who, in which appointment, did what, to what, when, in which request.

    It has the row number of its payload. Where the year divides them, what keeps numbers and payloads straight stands
    in each year for itself; over the years `guards` looks after the numbers.
    """

    __tablename__ = "log_entry"
    __table_args__ = (
        UniqueConstraint("chain_id", "seq").ddl_if(dialect="sqlite"),
        ForeignKeyConstraint(["payload_id"], ["log_payload.id"]).ddl_if(dialect="sqlite"),
        Index("ix_log_entry_at_id", "at", "id"),
        Index("ix_log_entry_actor_id", "actor", "id"),
        Index("ix_log_entry_verb_id", "verb", "id"),
        Index("ix_log_entry_object_key_id", "object_key", "id", **BY_BEGINNING),
        by_year("UNIQUE (chain_id, seq)", "FOREIGN KEY (payload_id) REFERENCES log_payload_{part} (id)"),
    )
    id: Mapped[int] = mapped_column(LONG, primary_key=True, autoincrement=False, sort_order=1)
    chain_id: Mapped[int] = mapped_column(ForeignKey("log_chain.id"))
    seq: Mapped[int]
    at: Mapped[datetime]
    act_id: Mapped[str] = mapped_column(index=True)
    actor: Mapped[str]
    appointment: Mapped[str | None]
    verb: Mapped[str]
    object_kind: Mapped[str]
    object_key: Mapped[str]
    request_id: Mapped[str]
    payload_id: Mapped[int] = mapped_column(LONG)
    payload_digest: Mapped[str]
    previous: Mapped[str | None]
    digest: Mapped[str] = mapped_column(index=True)

    chain: Mapped[LogChain] = relationship()
    payload: Mapped[LogPayload] = relationship()


class AccessLog(NumberedByYear):
    """Somebody opened or exported something of a unit. The unit can read it."""

    __tablename__ = "access_log"
    __table_args__ = (
        Index("ix_access_log_unit_id_at", "unit_id", "at"),
        Index("ix_access_log_at_id", "at", "id"),
        Index("ix_access_log_actor_at", "actor", "at"),
        Index("ix_access_log_verb_at", "verb", "at"),
        Index("ix_access_log_object_key_at", "object_key", "at", **BY_BEGINNING),
        by_year(),
    )
    at: Mapped[datetime]
    actor: Mapped[str]
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    verb: Mapped[str]
    object_kind: Mapped[str]
    object_key: Mapped[str]
    request_id: Mapped[str]
