"""`tracker roster`: write the template, import a filled-in file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from tracker.config import CHECKOUT
from tracker.db import db, transaction
from tracker.domain.actor import operator
from tracker.domain.checklist import Checklist
from tracker.domain.checklist_source import load_checklist
from tracker.domain.roster import Roster, RosterRefused, RowError
from tracker.domain.roster_changes import VERB_NAMES, Plan
from tracker.queries.history import SHANGHAI
from tracker.queries.roster import roster_checklist
from tracker.services.roster import Outcome, carry_out, plan_import, rehearse
from tracker.services.roster_file import MOST_BYTES, read_roster
from tracker.services.roster_template import write_template

FINDINGS, ENVIRONMENT = 1, 3
FOLDER = CHECKOUT / "checklists"

of_checklist = click.option(
    "--checklist", "wanted", metavar="FILE|KEY", help="Whose levels and posts; by default the list in use."
)


@click.group()
def roster() -> None:
    """Organizations, people and appointments from a spreadsheet."""


@roster.command()
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@of_checklist
@with_appcontext
def template(file: Path, wanted: str | None) -> None:
    """Write a template with examples and drop-downs to FILE (.xlsx)."""
    content = BytesIO()
    write_template(content, checklist=_checklist(db.session(), wanted))
    try:
        file.write_bytes(content.getvalue())
    except OSError as error:
        _stop(f"cannot write {file}: {error.strerror}")
    click.echo(f"{file}: written")


@roster.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--close-missing", is_flag=True, help="Close what the file does not name, as of today.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@of_checklist
@with_appcontext
def import_(file: Path, wanted: str | None, *, dry_run: bool, close_missing: bool, as_json: bool) -> None:
    """Import FILE, all or nothing. Exit code 1 if there is an error in a row; twice changes nothing."""
    now = datetime.now(UTC)
    with transaction() as session:
        found, errors = _read(session, file, wanted)
        today = now.astimezone(SHANGHAI).date()
        plan = plan_import(session, found, today=today, close_missing=close_missing, unread=errors)
        outcome, errors = _done(session, plan, dry_run=dry_run, now=now)
    if as_json:
        click.echo(json.dumps(_as_json(plan, outcome, errors, dry_run=dry_run), ensure_ascii=False, indent=2))
    else:
        _print(plan, outcome, errors, dry_run=dry_run)
    if errors:
        sys.exit(FINDINGS)


def _checklist(session: Session, wanted: str | None) -> Checklist:
    if wanted is not None and Path(wanted).is_file():
        return load_checklist(Path(wanted).read_bytes())
    return roster_checklist(session, folder=FOLDER, key=wanted)


def _read(session: Session, file: Path, wanted: str | None) -> tuple[Roster, list[RowError]]:
    checklist = _checklist(session, wanted)
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        _stop(f"cannot read {file}: {error.strerror}")
    return read_roster(BytesIO(content), checklist=checklist)


def _done(session: Session, plan: Plan, *, dry_run: bool, now: datetime) -> tuple[Outcome, list[RowError]]:
    """Carry the plan out, or only rehearse it; with errors, nothing has been written."""
    if not dry_run:
        rehearsal = session.begin_nested()
        try:
            outcome = carry_out(session, plan, actor=operator(), now=now)
        except RosterRefused as refused:
            rehearsal.rollback()
            return Outcome(), list(refused.rows)
        outcome.seats_handed_over = [handover.seat.key for handover in outcome.handovers]
        return outcome, []
    plan, outcome = rehearse(session, plan, actor=operator(), now=now)
    return outcome, list(plan.errors)


def _as_json(plan: Plan, outcome: Outcome, errors: list[RowError], *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "done": not dry_run and not errors,
        "counts": plan.counts(),
        "decisions": outcome.assignments,
        "handovers": outcome.seats_handed_over,
        "warnings": [_error_as_json(warning) for warning in plan.warnings],
        "errors": [_error_as_json(error) for error in errors],
    }


def _error_as_json(error: RowError) -> dict[str, Any]:
    wrong, todo = (text % error.values if error.values else text for text in (error.wrong, error.todo))
    return {"sheet": error.sheet, "row": error.row, "column": error.column, "wrong": wrong, "todo": todo}


def _print(plan: Plan, outcome: Outcome, errors: list[RowError], *, dry_run: bool) -> None:
    for line in _changes(plan) if dry_run else ():
        click.echo(line)
    for warning in plan.warnings:
        click.echo(f"warning: {warning}", err=True)
    for error in errors:
        click.echo(str(error), err=True)
    if errors:
        click.echo(f"{len(errors)} errors; nothing was changed", err=True)
        return
    total = sum(sum(verbs.values()) for verbs in plan.counts().values())
    done = "would change" if dry_run else "changed"
    click.echo(f"{total} rows and {outcome.assignments} decisions {done}")
    for seat in outcome.seats_handed_over:
        click.echo(f"hand-over list: {seat}")


def _changes(plan: Plan) -> Iterator[str]:
    for organization in plan.organizations:
        facts = organization.after
        yield f"{VERB_NAMES[organization.verb]} {organization.code} {facts.name} ({organization.valid_from})"
    for person in plan.people:
        yield f"{VERB_NAMES[person.verb]} {person.account_name or person.staff_number} {person.name}"
    for appointment in plan.appointments:
        term = f"{appointment.starts_on} – {appointment.ends_on or ''}".rstrip()
        yield f"{VERB_NAMES[appointment.verb]} {appointment.seat} {appointment.person} {appointment.kind.value} {term}"


def _stop(reason: str) -> NoReturn:
    click.echo(reason, err=True)
    sys.exit(ENVIRONMENT)
