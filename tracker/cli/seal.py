"""`tracker seal`: two administrators, each with their own password, destroy what must not be here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from tracker.db import db, transaction
from tracker.domain.actor import Actor, operator
from tracker.domain.seal import SealKind
from tracker.queries.accounts import account_named
from tracker.queries.actors import actor_of_person
from tracker.queries.history import SHANGHAI
from tracker.queries.seals import Request, seal_requests
from tracker.services import accounts, seals
from tracker.tasks import sealing

kind_argument = click.argument("kind", type=click.Choice([kind.value for kind in SealKind]))
account_option = click.option("--as", "username", required=True, help="The account of the administrator.")
password_option = click.option("--password", prompt="Password", hide_input=True, help="Asked for if it is not given.")


@click.group()
def seal() -> None:
    """Destroy a file's bytes or an entry's text for good. One administrator asks, another one agrees."""


@seal.command()
@kind_argument
@click.argument("key")
@click.option("--reason", required=True, help="Why it must not be here, without repeating what it says.")
@account_option
@password_option
@with_appcontext
def ask(kind: str, key: str, reason: str, username: str, password: str) -> None:
    """Ask for KIND KEY to be sealed: a file by its SHA-256, a record by its number, an entry by its digest."""
    actor = _administrator(username, password)
    with transaction() as session:
        seals.ask(session, kind=SealKind(kind), key=key, reason=reason, actor=actor, now=datetime.now(UTC))
    click.echo(f"{kind} {key}: asked for by {actor.person_key}; another administrator has to agree")


@seal.command()
@kind_argument
@click.argument("key")
@account_option
@password_option
@with_appcontext
def agree(kind: str, key: str, username: str, password: str) -> None:
    """Carry out what another administrator asked for. It cannot be undone."""
    actor, settings = _administrator(username, password), current_app.config["TRACKER"]
    with transaction() as session:
        gone = seals.agree(session, kind=SealKind(kind), key=key, actor=actor, now=datetime.now(UTC))
    sealing.destroy(gone, settings)
    sealing.carried_out(db.session(), settings)
    click.echo(f"{kind} {key}: sealed")


@seal.command()
@kind_argument
@click.argument("key")
@account_option
@password_option
@with_appcontext
def refuse(kind: str, key: str, username: str, password: str) -> None:
    """Decline what another administrator asked for."""
    actor = _administrator(username, password)
    with transaction() as session:
        seals.refuse(session, kind=SealKind(kind), key=key, actor=actor, now=datetime.now(UTC))
    click.echo(f"{kind} {key}: refused")


@seal.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the requests as JSON.")
@with_appcontext
def list_(*, as_json: bool) -> None:
    """List all requests, those that wait first."""
    requests = seal_requests(db.session())
    if as_json:
        click.echo(json.dumps([_facts(request) for request in requests], ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(_lines_of(requests)))


def _administrator(username: str, password: str) -> Actor:
    """The person of the account, if the password is theirs; an attempt that fails counts as it does when signing in."""
    now = datetime.now(UTC)
    with transaction() as session:
        account = account_named(session, username)
        hasher = current_app.extensions["tracker_hasher"]
        fits = account is not None and accounts.knows_password(account, password, hasher=hasher)
        let_in = accounts.attempt(session, account, fits=fits, step="again", actor=operator(), now=now)
        actor = _actor_of(session, username, now) if let_in else None
    if actor is None:
        raise click.UsageError("the account or the password is wrong, or the account is locked")
    return actor


def _actor_of(session: Session, username: str, now: datetime) -> Actor | None:
    account = account_named(session, username)
    today = now.astimezone(SHANGHAI).date()
    return actor_of_person(session, account.person, today=today) if account else None


def _facts(request: Request) -> dict[str, str | None]:
    return {
        "kind": request.kind.value,
        "key": request.key,
        "digest": request.digest,
        "state": request.state.value,
        "reason": request.reason,
        "asked_by": request.asked_by,
        "asked_at": request.asked_at.isoformat(),
        "decided_by": request.decided_by,
        "decided_at": request.decided_at.isoformat() if request.decided_at else None,
    }


def _lines_of(requests: list[Request]) -> Iterator[str]:
    for request in requests:
        decided = f", {request.state.value} by {request.decided_by}" if request.decided_by else ", waits"
        yield f"{request.kind.value} {request.key}: asked by {request.asked_by} {request.asked_at:%Y-%m-%d}{decided}"
