"""Accounts: making them, letting people in and keeping others out, passwords, one-time codes, second factors, roles.

Administrators hand out one-time codes; a lasting password is chosen by the person alone. Nobody changes the roles or
the state of the own account.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor, RoleName
from tracker.domain.errors import Conflict, Invalid, NotAllowed, WrongState
from tracker.domain.password import (
    FAILURES_ALLOWED,
    Profile,
    check_password,
    lock_length,
    one_time_code,
    plain_code,
    same_name,
)
from tracker.domain.text import _n
from tracker.models import Account, Person, Role
from tracker.policy import Act, require
from tracker.queries.accounts import account_named, account_of, active_accounts_with, is_locked
from tracker.services import log
from tracker.services.password_hash import Hasher

LONGEST_HISTORY = 24

# -- making accounts ---------------------------------------------------------------------------------------------------


def ensure_account(session: Session, person: Person, *, now: datetime) -> Account:
    """Return the person's account, made if there is none. Nobody can sign in to it until a one-time code is set.

    Raises `Conflict` if somebody else's account has the same name but for capital letters.
    """
    found = account_of(session, person)
    if found is not None:
        return found
    username = same_name(person.account_name or person.staff_number or person.key)
    if account_named(session, username) is not None:
        raise Conflict(_n("账号 %(name)s 已被他人使用（不分大小写），请先改正人员的账号。"), name=username)
    account = Account(
        person_id=person.id,
        username=username,
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


def create_account(session: Session, person: Person, *, actor: Actor, now: datetime) -> Account:
    """Make an account for a person who has none. `issue_code` then lets them in."""
    require(session, actor, Act.ADMINISTER)
    if account_of(session, person) is not None:
        raise WrongState(_n("%(name)s 已有账号，不需要再开通。"), name=person.name)
    account = ensure_account(session, person, now=now)
    _note(session, "account.created", account, None, actor=actor, now=now)
    return account


def set_demo_password(
    session: Session, account: Account, *, password: str, hasher: Hasher, demo: bool, actor: Actor, now: datetime
) -> None:
    """Set a password that is printed on the screen. Raises `NotAllowed` unless the installation is a demo."""
    require(session, actor, Act.ADMINISTER)
    if not demo:
        raise NotAllowed(_n("只有演示环境才能预设密码，请改用一次性口令。"))
    account.password, account.password_changed_at = hasher.hash(password), now
    account.must_change_password = False
    _note(session, "account.demo_password_set", account, None, actor=actor, now=now)


# -- what administrators do --------------------------------------------------------------------------------------------


def issue_code(session: Session, account: Account, *, hasher: Hasher, actor: Actor, now: datetime) -> str:
    """Replace the password by a one-time code, end all sessions and any lock, and return the code: it is shown once.

    Whoever signs in with it must choose a password first. It dies after `domain.password.CODE_LIFE`.
    """
    _require_other(session, account, actor=actor)
    code = one_time_code()
    _keep_in_history(account)
    account.password, account.password_changed_at = hasher.hash(plain_code(code)), now
    account.must_change_password = True
    _unlock(account)
    _end_sessions(account)
    _note(session, "account.code_issued", account, None, actor=actor, now=now)
    return code


def deactivate(session: Session, account: Account, *, actor: Actor, now: datetime) -> None:
    """Let nobody in any more, from this moment on. The account and its person stay named everywhere."""
    _require_other(session, account, actor=actor)
    if not account.active:
        raise WrongState(_n("这个账号已经停用。"))
    _keep_an_administrator(session, account)
    account.active = False
    _end_sessions(account)
    _note(session, "account.deactivated", account, None, actor=actor, now=now)


def activate(session: Session, account: Account, *, actor: Actor, now: datetime) -> None:
    """Let the person in again."""
    _require_other(session, account, actor=actor)
    if account.active:
        raise WrongState(_n("这个账号正在使用，不需要启用。"))
    account.active = True
    _note(session, "account.activated", account, None, actor=actor, now=now)


def unlock(session: Session, account: Account, *, actor: Actor, now: datetime) -> None:
    """End a lock before its time; the password stays."""
    _require_other(session, account, actor=actor)
    _unlock(account)
    _note(session, "account.unlocked", account, None, actor=actor, now=now)


def set_roles(session: Session, account: Account, *, roles: Iterable[RoleName], actor: Actor, now: datetime) -> None:
    """Let the account have exactly these roles.

    Administration, inspection and audit are kept apart: one account has one of them at most (GB/T 22239, 8.1.5).
    """
    _require_other(session, account, actor=actor)
    wanted, before = sorted(set(roles)), sorted(role.name for role in account.roles)
    if len(wanted) > 1:
        raise Invalid(_n("督查、管理、审计三种角色须由不同的人担任，每个账号最多选一种。"), field="roles")
    if [role.value for role in wanted] == before:
        return
    if RoleName.ADMINISTRATOR not in wanted:
        _keep_an_administrator(session, account)
    account.roles = [_role(session, name) for name in wanted]
    session.flush()
    after = {"roles": [name.value for name in wanted]}
    _note(session, "account.roles_set", account, after, actor=actor, now=now, before={"roles": before})


def remove_second_factor(session: Session, account: Account, *, actor: Actor, now: datetime) -> None:
    """Forget the second factor: for somebody whose phone is lost, or by themselves."""
    if actor.person_id is None or actor.person_id != account.person_id:
        require(session, actor, Act.ADMINISTER)
    if account.tf_totp_secret is None:
        raise WrongState(_n("这个账号没有设置动态口令。"))
    account.tf_primary_method = account.tf_totp_secret = account.tf_last_counter = None
    _end_sessions(account)
    _note(session, "account.second_factor_removed", account, None, actor=actor, now=now)


# -- what everybody does with the own account --------------------------------------------------------------------------


def change_password(
    session: Session,
    account: Account,
    *,
    current: str | None,
    new: str,
    hasher: Hasher,
    profile: Profile,
    actor: Actor,
    now: datetime,
) -> None:
    """Replace the own password. Raises `Invalid` for a wrong current one, a weak new one, or one used before.

    Somebody who came in with a one-time code has just typed it and gives no `current` one. All sessions end, this one
    included: whoever calls signs the person in again.
    """
    _require_own(account, actor=actor)
    if not account.must_change_password and not knows_password(account, current or "", hasher=hasher):
        raise Invalid(_n("原密码不对，请重新输入。"), field="current")
    person = account.person
    words = [account.username, person.name, person.account_name or "", person.staff_number or ""]
    check_password(new, profile=profile, context=words)
    if _was_used(account, new, hasher=hasher, history=profile.history):
        raise Invalid(_n("这个密码最近用过，请换一个没有用过的。"), field="password")
    _keep_in_history(account)
    account.password, account.password_changed_at = hasher.hash(new), now
    account.must_change_password = False
    _end_sessions(account)
    _note(session, "account.password_changed", account, None, actor=actor, now=now)


def set_second_factor(
    session: Session, account: Account, *, secret: str, counter: int, actor: Actor, now: datetime
) -> None:
    """Ask for a code from now on. `secret` is encrypted; `counter` is that of the code that proved it, now used up."""
    _require_own(account, actor=actor)
    if account.tf_totp_secret is not None:
        raise WrongState(_n("已经设置了动态口令；要更换手机，请先停用再重新设置。"))
    account.tf_primary_method, account.tf_totp_secret, account.tf_last_counter = "authenticator", secret, counter
    _note(session, "account.second_factor_set", account, None, actor=actor, now=now)


# -- signing in and out ------------------------------------------------------------------------------------------------


def knows_password(account: Account, typed: str, *, hasher: Hasher) -> bool:
    """Whether this is the account's password, or its one-time code however it is typed."""
    return hasher.verify(plain_code(typed) if account.must_change_password else typed, account.password)


def renew_hash(account: Account, typed: str, *, hasher: Hasher) -> None:
    """Store the password that was just proved under today's settings."""
    account.password = hasher.hash(plain_code(typed) if account.must_change_password else typed)


def attempt(
    session: Session,
    account: Account | None,
    *,
    fits: bool,
    step: str,
    actor: Actor,
    now: datetime,
    counter: int | None = None,
) -> bool:
    """Note an attempt to sign in and return whether it lets the person on.

    `fits` says whether the password or the code (`step`) was right; `counter` is that of the code, which is used up by
    it. A locked, switched-off or unknown account lets nobody on. The last of `FAILURES_ALLOWED` failures in a row
    locks, each time for longer.
    """
    if account is None:
        _record(session, "account.sign_in_unknown", "?", {"step": step}, actor=actor, now=now)
        return False
    session.flush()
    session.refresh(account, with_for_update=True)  # two guesses at once are counted as two
    if is_locked(account, now=now) or not account.active:
        reason = "locked" if account.active else "inactive"
        _note(session, "account.sign_in_refused", account, {"step": step, "reason": reason}, actor=actor, now=now)
        return False
    if fits and _uses_up(account, counter):
        return True
    _count_failure(session, account, step=step, actor=actor, now=now)
    return False


def signed_in(session: Session, account: Account, *, actor: Actor, now: datetime) -> None:
    """Forget earlier failures: the person is in."""
    _unlock(account)
    _note(session, "account.signed_in", account, None, actor=actor, now=now)


def sign_out(session: Session, account: Account, *, actor: Actor, now: datetime) -> None:
    """End every session of this account."""
    _require_own(account, actor=actor)
    _end_sessions(account)
    _note(session, "account.signed_out", account, None, actor=actor, now=now)


# -- rules and parts ---------------------------------------------------------------------------------------------------


def _require_other(session: Session, account: Account, *, actor: Actor) -> None:
    require(session, actor, Act.ADMINISTER)
    if actor.person_id == account.person_id:
        raise NotAllowed(_n("不能办理自己的账号，请由另一位管理员办理。"))


def _require_own(account: Account, *, actor: Actor) -> None:
    if actor.person_id != account.person_id:
        raise NotAllowed(_n("只能办理自己的账号。"))


def _keep_an_administrator(session: Session, account: Account) -> None:
    administrators = active_accounts_with(session, RoleName.ADMINISTRATOR)
    if [other.id for other in administrators] == [account.id]:
        raise WrongState(_n("这是最后一位管理员，请先指定另一位管理员。"))


def _role(session: Session, name: RoleName) -> Role:
    role = session.scalar(select(Role).where(Role.name == name.value))
    if role is None:
        role = Role(name=name.value)
        session.add(role)
    return role


def _was_used(account: Account, password: str, *, hasher: Hasher, history: int) -> bool:
    current = [] if account.must_change_password or account.password is None else [account.password]
    return any(hasher.verify(password, stored) for stored in [*current, *account.password_history][:history])


def _keep_in_history(account: Account) -> None:
    """Remember the password that goes, newest first; a one-time code is not worth remembering."""
    if account.password is not None and not account.must_change_password:
        account.password_history = [account.password, *account.password_history][:LONGEST_HISTORY]


def _end_sessions(account: Account) -> None:
    account.fs_uniquifier = secrets.token_hex(16)


def _unlock(account: Account) -> None:
    account.failed_sign_ins, account.lock_count, account.locked_until = 0, 0, None


def _uses_up(account: Account, counter: int | None) -> bool:
    """Whether the code was not used before; from now on it, and every earlier one, was."""
    if counter is None:
        return True
    if account.tf_last_counter is not None and counter <= account.tf_last_counter:
        return False
    account.tf_last_counter = counter
    return True


def _count_failure(session: Session, account: Account, *, step: str, actor: Actor, now: datetime) -> None:
    account.failed_sign_ins += 1
    after = {"step": step, "failures": account.failed_sign_ins}
    _note(session, "account.sign_in_failed", account, after, actor=actor, now=now)
    if account.failed_sign_ins < FAILURES_ALLOWED:
        return
    account.failed_sign_ins = 0
    account.lock_count += 1
    account.locked_until = now + lock_length(account.lock_count)
    _note(session, "account.locked", account, {"until": account.locked_until}, actor=actor, now=now)


def _note(
    session: Session,
    verb: str,
    account: Account,
    after: object,
    *,
    actor: Actor,
    now: datetime,
    before: object = None,
) -> None:
    _record(session, verb, account.username, after, actor=actor, now=now, before=before)


def _record(
    session: Session, verb: str, key: str, after: object, *, actor: Actor, now: datetime, before: object = None
) -> None:
    log.record(session, actor=actor, now=now, verb=verb, kind="account", key=key, before=before, after=after)
