"""A change of holder: Asha hands the branch seat over to Yue on 11 May; what was hers stays hers."""

import json
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.city import NOW, TODAY, City
from tests.roster_files import EXAMPLE
from tracker.domain.actor import AppointmentKind, operator
from tracker.domain.canonical import digest
from tracker.domain.errors import Conflict, Invalid, NotAllowed
from tracker.domain.handover import Side
from tracker.models import Appointment, Duty, Handover, LogEntry
from tracker.queries.handovers import handovers_for, open_duties, signatures_of
from tracker.services import checklists, cycles, handovers, seats

SEAT = "D1-B1.P4-1"
FIRST_DAY = date(2026, 5, 11)


@pytest.fixture
def handover(session: Session, city: City) -> Handover:
    version = checklists.publish(session, EXAMPLE.read_bytes(), actor=operator(), now=NOW)
    cycles.open_cycle(session, year=2026, version=version, actor=operator(), now=NOW)
    asha = session.scalars(select(Appointment).where(Appointment.key == f"{SEAT}#1")).one()
    who = {"kind": AppointmentKind.HOLDER, "actor": operator(), "now": NOW}
    seat = city.seat(SEAT)
    seats.apply_appointment(
        session, seat, city.person("Asha"), starts_on=asha.starts_on, ends_on=date(2026, 5, 10), corrects=asha, **who
    )
    seats.apply_appointment(session, seat, city.person("Yue"), starts_on=FIRST_DAY, **who)
    [made] = handovers.prepare_due(session, today=TODAY, actor=operator(), now=NOW)
    return made


def test_the_list_names_every_open_duty_in_a_form_that_can_be_redone(session, city, handover) -> None:
    covered = json.loads(handover.covered)
    duties = session.scalars(select(Duty.key).where(Duty.seat_id == handover.seat_id).order_by(Duty.key)).all()

    assert [line["duty"] for line in covered["duties"]] == sorted(duties)
    assert {"duty", "item", "period", "due", "state", "content"} == set(covered["duties"][0])
    assert (covered["outgoing_person"], covered["incoming_person"]) == ("asha", "yue")
    assert handover.digest == digest(handover.covered)
    assert handover.key == f"{SEAT}.H1"


def test_what_is_settled_is_not_handed_over(session, city, handover) -> None:
    duty = session.scalars(select(Duty).where(Duty.seat_id == handover.seat_id)).first()
    assert duty is not None
    duty.in_force = False
    session.flush()
    assert duty.key not in {line.duty for line in open_duties(session, handover.seat)}


def test_the_change_is_listed_once(session, city, handover) -> None:
    assert handovers.prepare_due(session, today=TODAY, actor=operator(), now=NOW) == []
    with pytest.raises(Conflict, match="已有移交清单"):
        handovers.prepare(session, outgoing=handover.outgoing, incoming=handover.incoming, actor=operator(), now=NOW)


def test_both_sign_although_asha_has_left(session, city, handover) -> None:
    handovers.sign(session, handover, actor=city.actor("Asha"), now=NOW)
    handovers.sign(session, handover, actor=city.actor("Yue"), now=NOW)

    signed = signatures_of(session, handover)
    assert {side: row.person.name for side, row in signed.items()} == {Side.OUT: "Asha", Side.IN: "Yue"}


def test_nobody_signs_twice(session, city, handover) -> None:
    handovers.sign(session, handover, actor=city.actor("Yue"), now=NOW)
    with pytest.raises(Conflict, match="已由 Yue 签过"):
        handovers.sign(session, handover, actor=city.actor("Yue"), now=NOW)


def test_chen_signs_for_asha_with_a_reason_that_the_log_keeps(session, city, handover) -> None:
    with pytest.raises(Invalid, match="为什么不能签字"):
        handovers.sign(session, handover, actor=city.actor("Chen"), now=NOW)

    signature = handovers.sign(session, handover, actor=city.actor("Chen"), now=NOW, reason="已调离本市")

    assert (signature.side, signature.person.name) == ("out", "Chen")
    entry = session.scalars(
        select(LogEntry).where(LogEntry.verb == "handover.signed").order_by(LogEntry.id.desc())
    ).first()
    assert entry is not None
    assert entry.appointment == "D1-M.P3-1#1"
    assert "已调离本市" in (entry.payload.body or b"").decode()


@pytest.mark.parametrize("stranger", ["Omar", "Bela", "Cao", "Adam"])
def test_nobody_else_signs(session, city, handover, stranger) -> None:
    with pytest.raises(NotAllowed, match="由移交人和接收人签字"):
        handovers.sign(session, handover, actor=city.actor(stranger), now=NOW, reason="代签")


def test_yue_cannot_sign_for_asha_too(session, city, handover) -> None:
    city.appoint("Yue", "D1-M.P3-1", kind=AppointmentKind.ACTING)
    handovers.sign(session, handover, actor=city.actor("Yue"), now=NOW)
    with pytest.raises(Conflict):
        handovers.sign(session, handover, actor=city.actor("Yue"), now=NOW, reason="代签")
    assert set(signatures_of(session, handover)) == {Side.IN}


def test_asha_still_sees_the_list_and_omar_does_not(session, city, handover) -> None:
    assert [found.key for found, _ in handovers_for(session, city.actor("Asha"))] == [handover.key]
    assert handovers_for(session, city.actor("Omar")) == []


def test_duties_stay_with_the_seat(session, city, handover) -> None:
    assert session.scalars(select(Duty).where(Duty.key.like(f"2026.{SEAT}.%"))).first() is not None


def test_two_holders_of_different_seats_hand_nothing_over(session, city, handover) -> None:
    bela = session.scalars(select(Appointment).where(Appointment.key == "D1-B2.P4-1#1")).one()
    with pytest.raises(Invalid, match="同一席位"):
        handovers.prepare(session, outgoing=handover.outgoing, incoming=bela, actor=operator(), now=NOW)
