"""People: found by account name or staff number, and what they were called when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ScalarSelect, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from tracker.models import Person, PersonFact
from tracker.queries.history import known


def everybody(session: Session) -> list[Person]:
    """All people, in the order in which they were added."""
    return list(session.scalars(select(Person).order_by(Person.id)))


def by_account(session: Session, account_name: str) -> Person | None:
    """The person with that account name."""
    return session.scalar(select(Person).where(Person.account_name == account_name))


def by_staff_number(session: Session, staff_number: str) -> Person | None:
    """The person with that staff number."""
    return session.scalar(select(Person).where(Person.staff_number == staff_number))


def by_key(session: Session, key: str) -> Person | None:
    """The person whose records carry that key."""
    return session.scalar(select(Person).where(Person.key == key))


def names_of(session: Session, person_ids: Iterable[int], *, as_of: datetime | None = None) -> dict[int, str]:
    """What people were called, by row number, as known at a time."""
    query = select(PersonFact.person_id, PersonFact.name).where(
        PersonFact.person_id.in_(set(person_ids)), known(PersonFact, as_of)
    )
    return dict(session.execute(query.order_by(PersonFact.id)).all())


def name_of(person: InstrumentedAttribute[int], *, as_of: datetime | None = None) -> ScalarSelect[str]:
    """What the person of that column was called as known at a time, as a column of its row."""
    if as_of is None:
        who = aliased(Person)
        return select(who.name).where(who.id == person).scalar_subquery()
    called = select(PersonFact.name).where(PersonFact.person_id == person, known(PersonFact, as_of))
    return called.order_by(PersonFact.id.desc()).limit(1).scalar_subquery()
