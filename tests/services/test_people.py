from datetime import date

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.city import NOW, City, at
from tracker.domain.actor import operator
from tracker.domain.errors import Conflict, Invalid, NotAllowed
from tracker.models import LogEntry, Person
from tracker.queries.history import end_of_day
from tracker.queries.people import names_of
from tracker.services import people


def known(session: Session, account=None, number=None, name="孟秋实", now=NOW) -> Person:
    return people.apply(session, account_name=account, staff_number=number, name=name, actor=operator(), now=now)


def test_two_people_with_one_name_are_two_people(session: Session) -> None:
    assert known(session, account="meng1").id != known(session, account="meng2").id


def test_the_same_person_again_writes_nothing(session: Session) -> None:
    known(session, account="meng", number="0017")
    count = session.scalar(select(func.count(LogEntry.id)))

    known(session, account="meng", number="0017")

    assert session.scalar(select(func.count(LogEntry.id))) == count


def test_a_number_completes_the_account_and_finds_the_person_alone(session: Session) -> None:
    meng = known(session, account="meng")
    assert known(session, account="meng", number="0017") is meng
    assert known(session, number="0017") is meng


def test_a_number_that_meets_another_account_is_refused(session: Session) -> None:
    known(session, account="meng", number="0017")
    known(session, account="tao")

    with pytest.raises(Conflict, match="属于两个人"):
        known(session, account="tao", number="0017")
    with pytest.raises(Conflict, match="不一致"):
        known(session, account="other", number="0017")


def test_a_new_name_leaves_the_old_one_readable_as_of_then(session: Session) -> None:
    meng = known(session, account="meng", now=at(date(2026, 5, 1)))
    known(session, account="meng", name="孟秋石", now=at(date(2026, 5, 20)))

    then = names_of(session, [meng.id], as_of=end_of_day(date(2026, 5, 10)))
    assert (then[meng.id], names_of(session, [meng.id])[meng.id]) == ("孟秋实", "孟秋石")


def test_an_account_and_a_number_of_the_same_letters_get_two_keys(session: Session) -> None:
    keys = {known(session, account="1001").key, known(session, number="1001").key}
    assert len(keys) == 2


def test_nobody_is_known_by_name_only(session: Session) -> None:
    with pytest.raises(Invalid, match="不能用来认人"):
        known(session)


def test_chen_cannot_add_people(session: Session, city: City) -> None:
    with pytest.raises(NotAllowed):
        people.apply(session, account_name="x", staff_number=None, name="某", actor=city.actor("Chen"), now=NOW)
