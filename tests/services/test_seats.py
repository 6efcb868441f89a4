from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.city import NOW, TODAY, City, at
from tracker.domain.actor import AppointmentKind, operator
from tracker.domain.errors import Conflict, Invalid, NotAllowed
from tracker.models import Appointment
from tracker.queries.history import end_of_day
from tracker.queries.seats import holders_of, terms_of
from tracker.services import seats

HOLDER, ACTING, CLERK = AppointmentKind.HOLDER, AppointmentKind.ACTING, AppointmentKind.CLERK


def appoint(session, city, who, seat="D1-B1.P4-1", *, starts_on, now=NOW, **other) -> Appointment:
    kind = other.pop("kind", HOLDER)
    return seats.apply_appointment(
        session, city.seat(seat), city.person(who), kind=kind, starts_on=starts_on, actor=operator(), now=now, **other
    )


def of_asha(session: Session, city: City) -> Appointment:
    return session.scalars(select(Appointment).where(Appointment.key == "D1-B1.P4-1#1")).one()


def test_a_seat_is_opened_once(session: Session, city: City) -> None:
    organization = city.organizations["D1-B1"]
    seat = seats.ensure_seat(session, organization, "P4", 2, now=NOW)
    assert seat.key == "D1-B1.P4-2"
    assert seats.ensure_seat(session, organization, "P4", 2, now=NOW) is seat


def test_a_second_holder_of_the_seat_is_refused_with_both_names(session: Session, city: City) -> None:
    with pytest.raises(Invalid, match=r"Asha 的任期与 Yue.*2026-06-01"):
        appoint(session, city, "Yue", starts_on=date(2026, 6, 1))


def test_yue_follows_asha_and_history_answers(session: Session, city: City) -> None:
    asha = of_asha(session, city)
    ended = appoint(session, city, "Asha", starts_on=asha.starts_on, ends_on=date(2026, 5, 31), corrects=asha)
    appoint(session, city, "Yue", starts_on=date(2026, 6, 1))

    assert ended.key == asha.key
    assert asha.superseded_at == NOW
    seat = city.seat("D1-B1.P4-1")
    names = [holders_of(session, [seat.id], on=day)[seat.id][0].name for day in (date(2026, 5, 31), date(2026, 6, 1))]
    assert names == ["Asha", "Yue"]
    as_known_before = holders_of(session, [seat.id], on=date(2026, 6, 1), as_of=end_of_day(date(2026, 5, 1)))
    assert [holder.name for holder in as_known_before[seat.id]] == ["Asha"]
    assert [term.name for term in terms_of(session, [seat.id])[seat.id]] == ["Yue", "Asha"]


def test_an_acting_holder_and_a_clerk_may_sit_beside_the_holder(session: Session, city: City) -> None:
    appoint(session, city, "Yue", starts_on=TODAY, kind=ACTING)
    appoint(session, city, "Zhu", starts_on=TODAY, kind=CLERK)

    seat = city.seat("D1-B1.P4-1")
    assert [h.name for h in holders_of(session, [seat.id], on=TODAY)[seat.id]] == ["Asha", "Yue", "Zhu"]


def test_the_same_correction_twice_writes_nothing(session: Session, city: City) -> None:
    asha = of_asha(session, city)
    assert appoint(session, city, "Asha", starts_on=asha.starts_on, corrects=asha) is asha


def test_a_correction_cannot_change_the_person(session: Session, city: City) -> None:
    with pytest.raises(Invalid, match="不能换人"):
        appoint(session, city, "Yue", starts_on=TODAY, corrects=of_asha(session, city))


def test_a_row_that_somebody_else_corrected_is_a_conflict(session: Session, city: City) -> None:
    asha = of_asha(session, city)
    appoint(session, city, "Asha", starts_on=asha.starts_on, ends_on=date(2026, 7, 1), corrects=asha)
    with pytest.raises(Conflict):
        appoint(session, city, "Asha", starts_on=asha.starts_on, ends_on=date(2026, 8, 1), corrects=asha)


def test_an_appointment_entered_by_mistake_is_taken_back_and_stays_in_history(session: Session, city: City) -> None:
    asha = of_asha(session, city)
    seats.withdraw_appointment(session, asha, reason="录错了人", actor=operator(), now=at(date(2026, 5, 21)))

    seat = city.seat("D1-B1.P4-1")
    assert holders_of(session, [seat.id], on=TODAY) == {}
    assert holders_of(session, [seat.id], on=TODAY, as_of=NOW)[seat.id][0].name == "Asha"


def test_an_end_before_the_start_is_refused(session: Session, city: City) -> None:
    with pytest.raises(Invalid, match="止日早于起日"):
        appoint(session, city, "Yue", starts_on=date(2026, 6, 2), ends_on=date(2026, 6, 1), kind=ACTING)


def test_dong_cannot_appoint(session: Session, city: City) -> None:
    with pytest.raises(NotAllowed):
        seats.apply_appointment(
            session,
            city.seat("D1-B1.P4-1"),
            city.person("Yue"),
            kind=CLERK,
            starts_on=TODAY,
            actor=city.actor("Dong"),
            now=NOW,
        )
