"""Sign-offs and hand-overs: rows that are never changed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.domain.duty import Action, ClaimKind
from tracker.models.base import LongText, Numbered, choice
from tracker.models.person import Appointment, Person, Seat


class SignOff(Numbered):
    """One action on one duty. `covered` holds the canonical bytes of what was signed (`domain.sign_off`).

    `submitter_id` is the person whose work is judged; the database refuses a row in which the same person judges it.
    """

    __tablename__ = "sign_off"
    __table_args__ = (
        UniqueConstraint("duty_id", "number"),
        CheckConstraint(
            "action NOT IN ('confirm', 'return', 'accept', 'refuse', 'reopen') OR person_id <> submitter_id",
            name="doer_is_not_approver",
        ),
        CheckConstraint(
            "action NOT IN ('return', 'claim', 'refuse', 'reopen') OR reason_sha256 IS NOT NULL",
            name="reason_is_given",
        ),
        CheckConstraint("action <> 'claim' OR claim IS NOT NULL", name="claim_says_what"),
        Index("ix_sign_off_duty_id_at", "duty_id", "at"),
    )
    key: Mapped[str] = mapped_column(unique=True)
    number: Mapped[int]
    duty_id: Mapped[int] = mapped_column(ForeignKey("duty.id"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    cycle_id: Mapped[int] = mapped_column(ForeignKey("cycle.id"))
    action: Mapped[Action] = mapped_column(choice(Action, "action"))
    claim: Mapped[ClaimKind | None] = mapped_column(choice(ClaimKind, "claim"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    appointment_id: Mapped[int] = mapped_column(ForeignKey("appointment.id"))
    submitter_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    at: Mapped[datetime]
    reason: Mapped[str | None] = mapped_column(LongText)
    reason_sha256: Mapped[str | None]
    sealed_at: Mapped[datetime | None]
    covered: Mapped[bytes] = mapped_column(LargeBinary)
    content_digest: Mapped[str]
    previous_digest: Mapped[str | None]
    digest: Mapped[str]

    person: Mapped[Person] = relationship(foreign_keys=[person_id])
    appointment: Mapped[Appointment] = relationship()


class SignOffDoer(Numbered):
    """Somebody whose entries a confirming sign-off judges: a row for each, so that the database checks them all."""

    __tablename__ = "sign_off_doer"
    __table_args__ = (
        UniqueConstraint("sign_off_id", "doer_id"),
        CheckConstraint("doer_id <> approver_id", name="doer_is_not_approver"),
    )
    sign_off_id: Mapped[int] = mapped_column(ForeignKey("sign_off.id"))
    doer_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    approver_id: Mapped[int] = mapped_column(ForeignKey("person.id"))


class Handover(Numbered):
    """The list of open duties that one holder of a seat hands over to the next; `covered` is its canonical form."""

    __tablename__ = "handover"
    __table_args__ = (UniqueConstraint("outgoing_id", "incoming_id"),)
    key: Mapped[str] = mapped_column(unique=True)
    seat_id: Mapped[int] = mapped_column(ForeignKey("seat.id"), index=True)
    outgoing_id: Mapped[int] = mapped_column(ForeignKey("appointment.id"))
    incoming_id: Mapped[int] = mapped_column(ForeignKey("appointment.id"), index=True)
    made_at: Mapped[datetime]
    covered: Mapped[bytes] = mapped_column(LargeBinary)
    digest: Mapped[str]

    seat: Mapped[Seat] = relationship()
    outgoing: Mapped[Appointment] = relationship(foreign_keys=[outgoing_id])
    incoming: Mapped[Appointment] = relationship(foreign_keys=[incoming_id])


class HandoverSignature(Numbered):
    """One of the two people signs the list. A seat whose last holder is gone is signed for by the level above."""

    __tablename__ = "handover_signature"
    __table_args__ = (UniqueConstraint("handover_id", "side"), CheckConstraint("side IN ('out', 'in')", name="side"))
    handover_id: Mapped[int] = mapped_column(ForeignKey("handover.id"))
    side: Mapped[str]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    appointment_id: Mapped[int] = mapped_column(ForeignKey("appointment.id"))
    at: Mapped[datetime]
    digest: Mapped[str]

    person: Mapped[Person] = relationship()
