"""`tracker user`: accounts from the command line; the first administrator can be made nowhere else."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from tracker.config import Settings
from tracker.db import db, transaction
from tracker.domain.actor import RoleName, operator
from tracker.domain.errors import Invalid, NotFound
from tracker.domain.text import _n
from tracker.models import Account
from tracker.queries.accounts import account_named, every_account, is_locked
from tracker.queries.people import by_account
from tracker.services import accounts, people
from tracker.services.password_hash import Hasher

ROLES = [role.value for role in RoleName]


@click.group()
def user() -> None:
    """Accounts: create, roles, reset, list. A one-time code is printed once; the person then chooses a password."""


@user.command()
@click.argument("account_name")
@click.option("--name", help="What the person is called. Needed for somebody who is not in the roster yet.")
@click.option("--staff-number", help="The staff number of the person.")
@click.option("--role", type=click.Choice(ROLES), help="The role of the account.")
@with_appcontext
def create(account_name: str, *, name: str | None, staff_number: str | None, role: str | None) -> None:
    """Make an account for ACCOUNT_NAME, and the person with it if need be, and print a one-time code."""
    now, actor = datetime.now(UTC), operator()
    with transaction() as session:
        known = by_account(session, account_name)
        called = name or (known.name if known else "")
        if not called:
            raise Invalid(_n("没有账号为 %(account)s 的人员，请用 --name 写明姓名。"), account=account_name)
        person = people.apply(
            session, account_name=account_name, staff_number=staff_number, name=called, actor=actor, now=now
        )
        account = accounts.create_account(session, person, actor=actor, now=now)
        if role:
            accounts.set_roles(session, account, roles=[RoleName(role)], actor=actor, now=now)
        code = accounts.issue_code(session, account, hasher=_hasher(), actor=actor, now=now)
    _print_code(account_name, code)


@user.command()
@click.argument("account_name")
@click.argument("role", nargs=-1, type=click.Choice(ROLES))
@with_appcontext
def roles(account_name: str, role: tuple[str, ...]) -> None:
    """Let ACCOUNT_NAME have this ROLE, or none if none is given."""
    with transaction() as session:
        account = _account(session, account_name)
        wanted = [RoleName(name) for name in role]
        accounts.set_roles(session, account, roles=wanted, actor=operator(), now=datetime.now(UTC))
    click.echo(f"{account_name}: {', '.join(role) or 'no role'}")


@user.command()
@click.argument("account_name")
@click.option("--second-factor", is_flag=True, help="Forget the second factor as well (the phone is lost).")
@with_appcontext
def reset(account_name: str, *, second_factor: bool) -> None:
    """Replace the password of ACCOUNT_NAME by a one-time code, end its sessions and its lock, and print the code."""
    now = datetime.now(UTC)
    with transaction() as session:
        account = _account(session, account_name)
        if second_factor:
            accounts.remove_second_factor(session, account, actor=operator(), now=now)
        code = accounts.issue_code(session, account, hasher=_hasher(), actor=operator(), now=now)
    _print_code(account_name, code)


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the accounts as JSON.")
@with_appcontext
def list_(*, as_json: bool) -> None:
    """List the accounts with their roles and their state."""
    rows = [_row(account) for account in every_account(db.session())]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        click.echo(f"{row['account']}\t{row['name']}\t{row['role'] or '-'}\t{row['state']}")


def _row(account: Account) -> dict[str, str]:
    return {
        "account": account.username,
        "name": account.person.name,
        "role": ", ".join(sorted(role.name for role in account.roles)),
        "state": _state(account),
    }


def _state(account: Account) -> str:
    if not account.active:
        return "inactive"
    if is_locked(account, now=datetime.now(UTC)):
        return "locked"
    if account.password is None:
        return "no code yet"
    return "code issued" if account.must_change_password else "in use"


def _account(session: Session, account_name: str) -> Account:
    account = account_named(session, account_name)
    if account is None:
        raise NotFound(_n("没有账号 %(name)s，请核对。"), name=account_name)
    return account


def _hasher() -> Hasher:
    settings: Settings = current_app.config["TRACKER"]
    return Hasher(settings.password_salt.get_secret_value())


def _print_code(account_name: str, code: str) -> None:
    click.echo(f"{account_name}: one-time code {code}")
    click.echo("It is shown once and dies after 72 hours. Hand it over in person.", err=True)
