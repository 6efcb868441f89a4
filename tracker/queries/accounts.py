"""Accounts: by person, by name, and all of them for the administrators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from tracker.domain.actor import Actor, AppointmentKind, RoleName
from tracker.domain.password import same_name
from tracker.models import Account, Organization, Person, Role
from tracker.policy import visible

PAGE = 50


@dataclass(frozen=True)
class Holder:
    """A person with their account, if they have one."""

    person: Person
    account: Account | None


@dataclass(frozen=True)
class Holders:
    """One page of people; `following` is what to ask the next page for, or None on the last one."""

    rows: Sequence[Holder]
    following: str | None


def account_of(session: Session, person: Person) -> Account | None:
    """The account of this person."""
    return session.scalar(select(Account).where(Account.person_id == person.id))


def account_named(session: Session, username: str) -> Account | None:
    """The account of this name; capital letters and full-width forms make no difference."""
    return session.scalar(select(Account).where(Account.username == same_name(username)))


def is_locked(account: Account, *, now: datetime) -> bool:
    """Whether nobody is let in to this account at present, whatever they know."""
    return account.locked_until is not None and now < account.locked_until


def active_accounts_with(session: Session, role: RoleName) -> Sequence[Account]:
    """The accounts in use that have this role."""
    having = select(Account).join(Account.roles).where(Role.name == role.value, Account.active.is_(True))
    return session.scalars(having.order_by(Account.username)).all()


def every_account(session: Session) -> Sequence[Account]:
    """All accounts by name, with person and roles."""
    everything = select(Account).options(joinedload(Account.person), selectinload(Account.roles))
    return session.scalars(everything.order_by(Account.username)).all()


def holders(session: Session, actor: Actor, *, wanted: str = "", after: str = "") -> Holders:
    """People that the actor may see with their accounts, by key, those after the key `after`.

    `wanted` is part of a name, an account name or a staff number; nothing leaves everybody.
    """
    query = (
        select(Person, Account)
        .outerjoin(Account, Account.person_id == Person.id)
        .options(selectinload(Account.roles))
        .where(visible(actor, Person), Person.key > after)
        .order_by(Person.key)
        .limit(PAGE + 1)
    )
    if wanted.strip():
        query = query.where(_looks_like(wanted.strip()))
    found = [Holder(person, account) for person, account in session.execute(query)]
    return Holders(found[:PAGE], found[PAGE - 1].person.key if len(found) > PAGE else None)


def seats_of(session: Session, actor: Actor) -> Sequence[tuple[str, AppointmentKind]]:
    """The organizations in which this person sits today, and how."""
    names = {
        organization.id: organization.name
        for organization in session.scalars(
            select(Organization).where(Organization.id.in_([sitting.organization_id for sitting in actor.sittings]))
        )
    }
    return [(names[sitting.organization_id], sitting.kind) for sitting in actor.sittings]


def _looks_like(wanted: str) -> ColumnElement[bool]:
    part = wanted.casefold()
    columns = (Person.name, Person.account_name, Person.staff_number)
    return or_(*(func.lower(column).contains(part, autoescape=True) for column in columns))


def holder_of(session: Session, person: Person) -> Holder:
    """This person with their account."""
    return Holder(person, account_of(session, person))
