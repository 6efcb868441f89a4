"""What every table shares: names of constraints, aware times, and the two kinds of rows that history is made of."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Date, DateTime, Dialect, Enum, Index, Integer, MetaData, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Json = JSON().with_variant(JSONB(), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime. SQLite drops the zone, so store UTC and put the zone back; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  its signature
        """Return the time in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be stored: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  its signature
        """Return the stored time with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The base of all tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012  read once by SQLAlchemy
        datetime: UtcDateTime,
        date: Date,
        str: String(200),
        dict[str, Any]: Json,
        dict[str, int]: Json,
        list[str]: Json,
    }


class Numbered(Base):
    """A table with a row number, which never leaves the database: what travels is a key."""

    __abstract__ = True
    id: Mapped[int] = mapped_column(Integer, primary_key=True)


class Recorded(Numbered):
    """A fact: one row, inserted once, with when it was recorded and when another row took its place.

    The database lets nothing of it be changed but `superseded_at`, once, and nothing be deleted (`models.guards`).
    """

    __abstract__ = True
    recorded_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]


def choice(values: type[StrEnum], name: str) -> Enum:
    """Return a column type that holds one of `values` as text and lets the database refuse any other."""
    return Enum(
        values,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=24,
        values_callable=lambda members: [member.value for member in members],
    )


def one_in_force(table: str, *columns: str) -> Index:
    """An index that lets only one row not superseded stand for these columns."""
    in_force = text("superseded_at IS NULL")
    return Index(f"uq_{table}_in_force", *columns, unique=True, sqlite_where=in_force, postgresql_where=in_force)


LongText = Text
