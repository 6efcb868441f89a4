"""`tracker cycle`: open a year, or show first what opening it makes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

import click
from flask.cli import with_appcontext

from tracker.db import db, transaction
from tracker.domain.actor import operator
from tracker.domain.burden import YearBurden
from tracker.queries.checklists import latest, version_of
from tracker.queries.cycles import Progress, plan_cycle
from tracker.services import cycles


@click.group()
def cycle() -> None:
    """The year: which duties everybody has."""


@cycle.command("open")
@click.argument("year", type=click.IntRange(cycles.EARLIEST, cycles.LATEST))
@click.option("--checklist", "key", required=True, help="Key of a published checklist.")
@click.option("--version", "number", help="Which published version; by default the last.")
@click.option("--dry-run", is_flag=True, help="Show what it would make, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@with_appcontext
def open_year(year: int, key: str, number: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Open YEAR: lay out every duty of every organization. Doing it twice adds nothing."""
    if dry_run:
        _show_plan(year, key, number, as_json=as_json)
    else:
        _open(year, key, number, as_json=as_json)


def _show_plan(year: int, key: str, number: str | None, *, as_json: bool) -> None:
    session = db.session()
    version = version_of(session, key, number) if number else latest(session, key)
    with _bar(quiet=as_json) as progress:
        burden = plan_cycle(session, year=year, version=version, progress=progress)
    click.echo(json.dumps(asdict(burden), ensure_ascii=False, indent=2) if as_json else "\n".join(_lines_of(burden)))


def _open(year: int, key: str, number: str | None, *, as_json: bool) -> None:
    with _bar(quiet=as_json) as progress, transaction() as session:
        version = version_of(session, key, number) if number else latest(session, key)
        done = cycles.open_cycle(
            session, year=year, version=version, actor=operator(), now=datetime.now(UTC), progress=progress
        )
        facts = {
            "year": year,
            "checklist": version.key,
            "version": version.version,
            "is_new": done.is_new,
            "organizations": done.organizations,
            "duties": done.duties,
        }
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
    elif done.is_new:
        click.echo(f"{year} opened: {done.duties} duties of {done.organizations} organizations")
    else:
        click.echo(f"{year} is open already; nothing was added")


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Progress | None]:
    """A progress bar, where there is a terminal to show it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, label="organizations", file=sys.stderr) as bar:

        def show(done: int, whole: int) -> None:
            bar.length = whole
            bar.update(done - bar.pos)

        yield show


def _lines_of(burden: YearBurden) -> Iterator[str]:
    """What opening would make, by level and month, as lines of text."""
    yield f"{burden.year} {burden.checklist} {burden.version}: {burden.duties} duties, {burden.records} records"
    yield f"{burden.saved} entries saved by shared occasions; {burden.event_items} event items come when reported"
    if not burden.official:
        yield "the holidays of that year are not announced yet: due dates are provisional"
    yield ""
    yield f"{'level':8}{'organizations':>14}{'duties':>9}{'records':>9}{'saved':>7}{'most':>6}"
    for level in burden.levels:
        numbers = f"{level.organizations:>14}{level.duties:>9}{level.records:>9}{level.saved:>7}{level.most:>6}"
        yield f"{level.level:8}{numbers}"
    yield ""
    yield f"{'records':16}" + "".join(f"{month:>5}" for month in range(1, 13)) + f"{'year':>6}"
    for one in burden.organizations:
        yield f"{one.code:16}" + "".join(f"{month.records:>5}" for month in one.months) + f"{one.records:>6}"
