"""Accounts: making them, letting people in and keeping others out, passwords, codes and roles."""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.password import FAILURES_ALLOWED, lock_length, same_name
from tracker.models import Account, Person
from tracker.queries.accounts import account_of
from tracker.services import log


def ensure_account(session: Session, person: Person, *, now: datetime) -> Account:
    """Return the person's account, made if there is none. Nobody can sign in to it until a one-time code is set."""
    found = account_of(session, person)
    if found is not None:
        return found
    account = Account(
        person_id=person.id,
        username=same_name(person.account_name or person.staff_number or person.key),
        password=None,
        active=True,
        fs_uniquifier=secrets.token_hex(16),
        password_history=[],
        must_change_password=True,
        failed_sign_ins=0,
        lock_count=0,
        language="zh",
        created_at=now,
    )
    session.add(account)
    session.flush()
    return account


def is_locked(account: Account, *, now: datetime) -> bool:
    """Whether nobody is let in to this account at present, whatever they know."""
    return account.locked_until is not None and now < account.locked_until


def attempt(session: Session, account: Account | None, *, fits: bool, step: str, actor: Actor, now: datetime) -> bool:
    """Note an attempt to sign in and return whether it lets the person in.

    `fits` says whether the password or the code (`step`) was right. A locked, switched-off or unknown account lets nobody
    in, and what was tried meanwhile does not count. The last of `FAILURES_ALLOWED` failures locks, each time for longer.
    """
    if account is None:
        _note(session, "sign_in_unknown", "?", {"step": step}, actor=actor, now=now)
        return False
    if is_locked(account, now=now) or not account.active:
        reason = "locked" if account.active else "inactive"
        _note(session, "sign_in_refused", account.username, {"step": step, "reason": reason}, actor=actor, now=now)
        return False
    if fits:
        return True
    _count_failure(session, account, step=step, actor=actor, now=now)
    return False


def signed_in(session: Session, account: Account, *, actor: Actor, now: datetime) -> None:
    """Forget earlier failures: the person is in."""
    account.failed_sign_ins, account.lock_count, account.locked_until = 0, 0, None
    _note(session, "sign_in", account.username, None, actor=actor, now=now)


def sign_out(session: Session, account: Account, *, actor: Actor, now: datetime) -> None:
    """End every session of this account."""
    _end_sessions(account)
    _note(session, "sign_out", account.username, None, actor=actor, now=now)


def _end_sessions(account: Account) -> None:
    account.fs_uniquifier = secrets.token_hex(16)


def _count_failure(session: Session, account: Account, *, step: str, actor: Actor, now: datetime) -> None:
    account.failed_sign_ins += 1
    failures = account.failed_sign_ins
    _note(session, "sign_in_failed", account.username, {"step": step, "failures": failures}, actor=actor, now=now)
    if failures < FAILURES_ALLOWED:
        return
    account.failed_sign_ins = 0
    account.lock_count += 1
    account.locked_until = now + lock_length(account.lock_count)
    _note(session, "lock", account.username, {"until": account.locked_until}, actor=actor, now=now)


def _note(session: Session, verb: str, key: str, after: object, *, actor: Actor, now: datetime) -> None:
    log.record(session, actor=actor, now=now, verb=verb, kind="account", key=key, after=after)
