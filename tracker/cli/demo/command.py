"""`tracker demo`: build the demo city if there is none, and serve it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.cli.demo.build import Summary, build, summary
from tracker.cli.demo.opening import ACCOUNTS, PASSWORD
from tracker.cli.demo.place import Standing, settings_for, standing, wipe, with_schema
from tracker.cli.demo.serve import default_folder, serve
from tracker.cli.demo.stage import Progress
from tracker.cli.demo.town import Scale
from tracker.config import Settings
from tracker.db import db
from tracker.domain.appointment import KIND_NAMES
from tracker.models import Account, Appointment, Cycle, Seat
from tracker.queries.checklists import checklist_of
from tracker.tasks.stores import evidence_store

FINDINGS = 1


@click.command()
@click.option("--fresh", is_flag=True, help="Delete the demo that is there and build it anew.")
@click.option("--no-serve", is_flag=True, help="Only build.")
@click.option(
    "--data",
    "folder",
    default=default_folder,
    show_default="instance/demo",
    type=click.Path(path_type=Path),
    help="The folder of the demo.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="The port on 127.0.0.1; by default 8000.")
def demo(folder: Path, port: int | None, *, fresh: bool, no_serve: bool) -> None:
    """Build an invented city with a year of work in it, and serve it on 127.0.0.1. A demo that is there is kept."""
    settings = settings_for(folder, port=port)
    ensure(settings, fresh=fresh)
    if no_serve:
        return
    sys.exit(serve(settings, ready=lambda: _welcome(settings)))


def ensure(settings: Settings, *, fresh: bool = False, scale: Scale | None = None) -> None:
    """Build the demo unless it is there. One that was begun and never finished is built anew."""
    found = standing(settings)
    if found is Standing.READY and not fresh:
        click.echo(f"the demo in {settings.data_dir} is kept; --fresh builds it anew")
        with_schema(settings)
        return
    if found is not Standing.NOTHING:
        wipe(settings)
    app = with_schema(settings)
    with app.app_context(), Session(db.engine) as session, _bar() as progress, _calm():
        build(session, settings, scale=scale, progress=progress)
    _report(app, settings)


def _report(app: Flask, settings: Settings) -> None:
    """Check what was built, and say what it is in one line."""
    with app.app_context(), Session(db.engine) as session:
        found: Summary = summary(session, evidence_store(settings))
    click.echo(str(found))
    for fault in found.faults:
        click.echo(fault, err=True)
    if found.faults:
        sys.exit(FINDINGS)


@contextmanager
def _bar() -> Iterator[Progress | None]:
    """A progress bar, where there is a terminal to show it."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1000, label="building the demo city", file=sys.stderr) as bar:
        yield lambda share: bar.update(int(share * 1000) - bar.pos)


@contextmanager
def _calm() -> Iterator[None]:
    """Look for garbage seldom: the build makes millions of small objects that go by themselves."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _welcome(settings: Settings) -> None:
    """Print where the demo is and who may come in."""
    click.echo(f"\nhttp://{settings.host}:{settings.port}/\n\npassword of every account below: {PASSWORD}")
    with with_schema(settings).app_context(), Session(db.engine) as session:
        for account, name, part in parts(session):
            click.echo(f"  {account:8} {name}  {part}")
    click.echo("\nCtrl-C ends it.")


def parts(session: Session) -> list[tuple[str, str, str]]:
    """The printed accounts with the name of the person and what they are: a seat, or a role."""
    rows = {a.username: a for a in session.scalars(select(Account).where(Account.username.in_(ACCOUNTS)))}
    posts = checklist_of(session.scalars(select(Cycle)).one().checklist_version).post
    told = []
    for name in ACCOUNTS:
        person = rows[name].person
        seats = session.execute(
            select(Seat, Appointment.kind)
            .join(Appointment, Appointment.seat_id == Seat.id)
            .where(Appointment.person_id == person.id, Appointment.superseded_at.is_(None))
        ).all()
        held = [f"{seat.organization.name} {posts[seat.post].name} {KIND_NAMES[kind]}" for seat, kind in seats]
        roles = [role.name for role in rows[name].roles]
        told.append((name, person.name, "、".join([*held, *roles])))
    return told
