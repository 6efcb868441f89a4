"""People, the seats they hold, and the accounts they sign in with."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.domain.actor import AppointmentKind
from tracker.models.base import Base, LongText, Numbered, Recorded, choice
from tracker.models.organization import Organization


class Person(Numbered):
    """Somebody, known by account name or staff number and never by name. `key` is what stands in records for good."""

    __tablename__ = "person"
    __table_args__ = (CheckConstraint("account_name IS NOT NULL OR staff_number IS NOT NULL", name="known_by_one"),)
    key: Mapped[str] = mapped_column(unique=True)
    account_name: Mapped[str | None] = mapped_column(unique=True)
    staff_number: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str]


class PersonFact(Recorded):
    """What a person was called."""

    __tablename__ = "person_fact"
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    name: Mapped[str]


class Seat(Numbered):
    """A stable place of a post in an organization: responsibility hangs here. Key: `ORG.POST-n`."""

    __tablename__ = "seat"
    __table_args__ = (UniqueConstraint("organization_id", "post", "number"),)
    key: Mapped[str] = mapped_column(unique=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    post: Mapped[str]
    number: Mapped[int]
    opened_at: Mapped[datetime]

    organization: Mapped[Organization] = relationship()


class Appointment(Recorded):
    """A person in a seat from a day to a day, both included; no end means until further notice.

    `key` (`SEAT#n`) stays the same when a row is superseded by one with another end.
    """

    __tablename__ = "appointment"
    __table_args__ = (
        CheckConstraint("ends_on IS NULL OR ends_on >= starts_on", name="ends_after_start"),
        Index("ix_appointment_seat_id_starts_on", "seat_id", "starts_on"),
    )
    key: Mapped[str] = mapped_column(index=True)
    seat_id: Mapped[int] = mapped_column(ForeignKey("seat.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    kind: Mapped[AppointmentKind] = mapped_column(choice(AppointmentKind, "kind"))
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]

    seat: Mapped[Seat] = relationship()
    person: Mapped[Person] = relationship()


account_role = Table(
    "account_role",
    Base.metadata,
    Column("account_id", ForeignKey("account.id"), primary_key=True),
    Column("role_id", ForeignKey("role.id"), primary_key=True),
)


class Role(Numbered):
    """Inspector, administrator or auditor: what is not owed to an appointment."""

    __tablename__ = "role"
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    permissions: Mapped[list[str] | None]


class Account(Numbered):
    """The means to sign in. Fields named by Flask-Security keep its names."""

    __tablename__ = "account"
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), unique=True)
    username: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str | None] = mapped_column(unique=True)
    password: Mapped[str | None]
    active: Mapped[bool]
    fs_uniquifier: Mapped[str] = mapped_column(unique=True)
    password_changed_at: Mapped[datetime | None]
    password_history: Mapped[list[str]]
    must_change_password: Mapped[bool]
    failed_sign_ins: Mapped[int]
    locked_until: Mapped[datetime | None]
    lock_count: Mapped[int]
    language: Mapped[str]
    tf_primary_method: Mapped[str | None]
    tf_totp_secret: Mapped[str | None]
    tf_last_counter: Mapped[int | None]
    created_at: Mapped[datetime]

    person: Mapped[Person] = relationship()
    roles: Mapped[list[Role]] = relationship(secondary=account_role)


class SealState(StrEnum):
    """A seal is asked for by one administrator and carried out when another one agrees."""

    ASKED = "asked"
    DONE = "done"
    REFUSED = "refused"


_ASKED = text("state = 'asked'")  # one request at a time for one object


class Seal(Numbered):
    """The destruction of bytes that must not be here: two administrators, a reason, and what stays known."""

    __tablename__ = "seal"
    __table_args__ = (
        CheckConstraint("decided_by_id IS NULL OR decided_by_id <> asked_by_id", name="two_administrators"),
        CheckConstraint("(state = 'asked') = (decided_by_id IS NULL)", name="decided_by_somebody"),
        Index("uq_seal_asked", "target_kind", "target_key", unique=True, sqlite_where=_ASKED, postgresql_where=_ASKED),
    )
    target_kind: Mapped[str]
    target_key: Mapped[str]
    digest: Mapped[str]
    reason: Mapped[str] = mapped_column(LongText)
    state: Mapped[SealState] = mapped_column(choice(SealState, "state"))
    asked_by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    asked_at: Mapped[datetime]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[datetime | None]
