"""`tracker export`: take tables along as files."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click
from flask.cli import AppGroup

from tracker.cli.progress import bar, snapshot
from tracker.db import transaction
from tracker.domain.actor import operator
from tracker.queries.cycles import cycle_of
from tracker.queries.duty_table import number_of_duties
from tracker.reporting.row_files import FileKind
from tracker.services import log
from tracker.tasks.duty_tables import write_duties

export = AppGroup("export", help="Take tables along as spreadsheets or CSV.")


@export.command()
@click.argument("year", type=int)
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The .xlsx or .csv file to write."
)
@click.option("--language", type=click.Choice(["zh", "en"]), default="zh", show_default=True)
def duties(year: int, out: Path, language: str) -> None:
    """Every duty of YEAR with its state and days, one row each. The access log notes that they were taken."""
    if out.suffix.lower() not in set(FileKind):
        raise click.BadParameter(f"{out.name} should end in .xlsx or .csv", param_hint="--out")
    session = snapshot()
    cycle = cycle_of(session, year)
    whole, key = number_of_duties(session, cycle), str(cycle.year)
    part = out.with_name(f".{out.stem}.part{out.suffix.lower()}")
    try:
        with bar("duties") as progress:
            told = (lambda done: progress(done, whole)) if progress else None
            write_duties(session, cycle, part, language=language, told=told)
        with transaction() as writing:
            log.record_access(
                writing,
                actor=operator(),
                now=datetime.now(UTC),
                verb="document.export",
                kind="cycle",
                key=key,
                unit_id=None,
            )
        part.rename(out)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    click.echo(f"{out}: {whole} duties")
