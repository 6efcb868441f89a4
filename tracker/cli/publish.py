"""`tracker checklist publish`: freeze a version of a checklist in the database."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from flask.cli import with_appcontext

from tracker.cli.checklist import FINDINGS
from tracker.db import transaction
from tracker.domain.actor import operator
from tracker.domain.checklist_source import read_checklist
from tracker.services import checklists

READ_AT_MOST = 16 * 1024 * 1024  # the reader refuses long before; this only spares the memory


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_appcontext
def publish(file: Path) -> None:
    """Publish FILE: from then on its bytes never change. Exit code 1 if there are errors in it."""
    with file.open("rb") as stream:
        source = stream.read(READ_AT_MOST)
    reading = read_checklist(source, name=str(file))
    for problem in reading.problems:
        click.echo(str(problem), err=True)
    if reading.errors:
        sys.exit(FINDINGS)
    with transaction() as session:
        version = checklists.publish(session, source, actor=operator(), now=datetime.now(UTC))
        line = f"{version.key} {version.version}: published {version.published_at:%Y-%m-%d}, SHA-256 {version.sha256}"
    click.echo(line)
