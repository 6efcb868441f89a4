"""`tracker report`: print a document to a file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup

from tracker.cli.exports import note_export, unit_with, units_in_check
from tracker.config import Settings
from tracker.db import db
from tracker.domain.report import Report
from tracker.queries.history import end_of_day
from tracker.tasks import documents, sealing

report = AppGroup("report", help="Print documents as PDF.")

out = click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The PDF to write.")
as_of = click.option(
    "--as-of",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="As recorded by the end of that day in Asia/Shanghai; by default, now.",
)
language = click.option("--language", type=click.Choice(["zh", "en"]), default="zh", show_default=True)


def moment_of(day: datetime | None) -> datetime:
    """The recorded time that a day given on the command line means."""
    return end_of_day(day.date()) if day else datetime.now(UTC)


def write(gather: Callable[[], Report], path: Path, language: str) -> None:
    """Print what `gather` returns with a progress bar on a terminal, and write the file whole or not at all.

    Raises SealedMeanwhile where something was sealed after the gathering began.
    """
    settings: Settings = current_app.config["TRACKER"]
    since = sealing.generation(settings)
    values = gather()
    with click.progressbar(length=100, label="printing") as bar:

        def progress(percent: int, _: int) -> None:
            bar.update(percent - bar.pos)

        content = documents.print_report(values, settings, language=language, progress=progress)
    sealing.check_generation(settings, since)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.rename(path)
    click.echo(f"{path}: {len(content)} bytes")


@report.command()
@click.argument("number", type=int)
@out
@as_of
@language
def inspection(number: int, out: Path, day: datetime | None, language: str) -> None:
    """The report of inspection NUMBER."""
    moment = moment_of(day)
    write(
        partial(documents.inspection_values, db.session(), number=number, as_of=moment, language=language),
        out,
        language,
    )
    note_export("inspection_report", str(number), units_in_check(number, as_of=moment))


@report.command()
@click.argument("unit")
@click.option("--year", type=int, default=None, help="The year; by default the present one.")
@out
@as_of
@language
def selfcheck(unit: str, year: int | None, out: Path, day: datetime | None, language: str) -> None:
    """The self-check report of UNIT (its code)."""
    moment = moment_of(day)
    chosen = year or (day.year if day else date.today().year)  # noqa: DTZ011  the operator's own year
    write(
        partial(documents.self_check_values, db.session(), year=chosen, unit=unit, as_of=moment, language=language),
        out,
        language,
    )
    note_export("self_check", unit, unit_with(unit))


@report.command()
@click.argument("key")
@click.option("--post", required=True, help="The id of the post in the list.")
@out
@as_of
@language
def checklist(key: str, post: str, out: Path, day: datetime | None, language: str) -> None:
    """The printed checklist KEY of one post."""
    moment = moment_of(day)
    write(
        partial(documents.post_checklist_values, db.session(), key=key, post=post, as_of=moment, language=language),
        out,
        language,
    )


@report.command()
@click.argument("organization")
@click.option("--seat", default=None, help="The key of a seat, to print what that seat owes alone.")
@click.option("--year", type=int, default=None, help="The year; by default the present one.")
@out
@as_of
@language
def duties(
    organization: str, seat: str | None, year: int | None, out: Path, day: datetime | None, language: str
) -> None:
    """What ORGANIZATION (its code) owes in the year, with the local decisions and their reasons."""
    moment = moment_of(day)
    chosen = year or (day.year if day else date.today().year)  # noqa: DTZ011  the operator's own year
    write(
        partial(
            documents.duty_list_values,
            db.session(),
            year=chosen,
            organization=organization,
            seat=seat,
            as_of=moment,
            language=language,
        ),
        out,
        language,
    )
    note_export("duty_list", organization, unit_with(organization))
