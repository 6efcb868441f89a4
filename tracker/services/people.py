"""People: known by account name or staff number for good; a name is only what they are called."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.errors import Conflict, Invalid
from tracker.domain.text import _n
from tracker.models import Person, PersonFact
from tracker.policy import Act, require
from tracker.queries.people import by_account, by_key, by_staff_number
from tracker.services.log import record


def apply(
    session: Session,
    *,
    account_name: str | None,
    staff_number: str | None,
    name: str,
    actor: Actor,
    now: datetime,
) -> Person:
    """Return the person known by that account name or staff number: added, renamed or completed where need be.

    Nothing is written if all of it is known. Raises NotAllowed; Invalid if there is neither account name nor number;
    Conflict if the two belong to two people, or the person has another account name or number already.
    """
    require(session, actor, Act.ADMINISTER)
    if not account_name and not staff_number:
        raise Invalid(_n("账号和工号至少填一个；姓名不能用来认人。"), field="account_name")
    person = _known_person(session, account_name=account_name, staff_number=staff_number)
    if person is None:
        return _added(session, account_name, staff_number, name, actor=actor, now=now)
    before = _facts(person)
    _complete(person, account_name=account_name, staff_number=staff_number)
    if person.name != name:
        _rename(session, person, name, now=now)
    session.flush()
    if _facts(person) != before:
        _log(session, person, "person.changed", before, actor=actor, now=now)
    return person


def _known_person(session: Session, *, account_name: str | None, staff_number: str | None) -> Person | None:
    one = by_account(session, account_name) if account_name else None
    other = by_staff_number(session, staff_number) if staff_number else None
    if one is not None and other is not None and one.id != other.id:
        raise Conflict(
            _n("账号 %(account)s 和工号 %(number)s 属于两个人，请核对后再填。"),
            account=account_name,
            number=staff_number,
        )
    return one or other


def _complete(person: Person, *, account_name: str | None, staff_number: str | None) -> None:
    for field, value in (("account_name", account_name), ("staff_number", staff_number)):
        if value is None or getattr(person, field) == value:
            continue
        if getattr(person, field) is not None:
            raise Conflict(
                _n("%(name)s 已登记为 %(known)s，与 %(value)s 不一致，请核对账号和工号。"),
                field=field,
                name=person.name,
                known=getattr(person, field),
                value=value,
            )
        setattr(person, field, value)


def _added(
    session: Session, account_name: str | None, staff_number: str | None, name: str, *, actor: Actor, now: datetime
) -> Person:
    person = Person(
        key=_free_key(session, account_name or staff_number or ""),
        account_name=account_name,
        staff_number=staff_number,
        name=name,
    )
    session.add(person)
    session.flush()
    session.add(PersonFact(person_id=person.id, name=name, recorded_at=now))
    _log(session, person, "person.added", None, actor=actor, now=now)
    return person


def _free_key(session: Session, wanted: str) -> str:
    """The account name or number, unless somebody else's records carry the same letters."""
    key, number = wanted, 1
    while by_key(session, key) is not None or key == "operator":
        number += 1
        key = f"{wanted}~{number}"
    return key


def _rename(session: Session, person: Person, name: str, *, now: datetime) -> None:
    current = select(PersonFact).where(PersonFact.person_id == person.id, PersonFact.superseded_at.is_(None))
    for fact in session.scalars(current):
        fact.superseded_at = now
    session.add(PersonFact(person_id=person.id, name=name, recorded_at=now))
    person.name = name


def _facts(person: Person) -> dict[str, str | None]:
    return {"account_name": person.account_name, "staff_number": person.staff_number, "name": person.name}


def _log(
    session: Session, person: Person, verb: str, before: dict[str, str | None] | None, *, actor: Actor, now: datetime
) -> None:
    record(session, actor=actor, now=now, verb=verb, kind="person", key=person.key, before=before, after=_facts(person))
