"""`tracker board`: the counters that the board reads, compared and counted anew."""

from __future__ import annotations

import json
import sys

import click
from flask.cli import with_appcontext

from tracker.cli.progress import snapshot
from tracker.db import db, transaction
from tracker.queries.cycles import all_cycles
from tracker.services.board_counts import rebuild as count_anew
from tracker.services.board_counts import verify_counts

FINDINGS = 1


@click.group()
def board() -> None:
    """The board: check or rebuild the counters that it reads."""


@board.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@with_appcontext
def check(*, as_json: bool) -> None:
    """Count all duties and compare them with the counters. Exit code 1 on any difference."""
    found = list(verify_counts(snapshot()))
    if as_json:
        lines = [{"place": one.key, "found": int(one.found), "expected": int(one.expected)} for one in found]
        click.echo(json.dumps(lines, ensure_ascii=False, indent=2))
    else:
        for one in found:
            click.echo(f"{one.key}: counted {one.found}, and there are {one.expected}")
        hint = "; run: tracker board rebuild" if found else ""
        click.echo(f"{len(found)} differences{hint}", err=True)
    if found:
        sys.exit(FINDINGS)


@board.command()
@with_appcontext
def rebuild() -> None:
    """Count all duties of every year anew. On PostgreSQL, whoever changes a duty waits until a year is counted."""
    for cycle_id, year in [(cycle.id, cycle.year) for cycle in all_cycles(db.session())]:
        with transaction() as session:
            counters = count_anew(session, cycle_id)
        click.echo(f"{year}: {counters} counters", err=True)
