"""Accounts: by person, by name, and all of them for the administrators."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.password import same_name
from tracker.models import Account, Person


def account_of(session: Session, person: Person) -> Account | None:
    """The account of this person."""
    return session.scalar(select(Account).where(Account.person_id == person.id))


def account_named(session: Session, username: str) -> Account | None:
    """The account of this name; capital letters and full-width forms make no difference."""
    return session.scalar(select(Account).where(Account.username == same_name(username)))
