"""`tracker packet`: make audit packets, and verify them."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup

from tracker.cli.exports import note_export, unit_with, units_in_check
from tracker.cli.report import as_of, language, moment_of
from tracker.config import Settings
from tracker.db import db
from tracker.domain.packet_check.bundle import verifier_source
from tracker.domain.packet_parts import PacketValues
from tracker.reporting.demo_keys import make_demo_authority
from tracker.reporting.packet import Progress, Step
from tracker.tasks import packets, sealing
from tracker.tasks.packet_verification import verify as verify_packet
from tracker.tasks.packets import Made, Workshop
from tracker.tasks.words import translator

FINDINGS, WRONG_USE = 1, 2
STEPS = {
    Step.DRAW: "drawing files",
    Step.PRINT: "laying out",
    Step.BIND: "binding",
    Step.EMBED: "embedding",
    Step.SIGN: "signing",
}
_QUARTER = re.compile(r"([0-9]{4})Q([1-4])", re.ASCII)

packet = AppGroup("packet", help="Audit packets: one PDF that carries its evidence and proves itself.")
keys = AppGroup("keys", help="Keys that packets are signed with.")
packet.add_command(keys)

pdf = click.Path(exists=True, dir_okay=False, path_type=Path)


@packet.command()
@click.argument("inspection", type=int)
@click.option("--unit", default=None, help="The code of one unit; by default all that the check visits, in one packet.")
@click.option("--all", "every", is_flag=True, help="A packet of each unit, and a book of all reports; OUT is a folder.")
@as_of
@language
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The PDF to write; with --all, a folder.")
def build(inspection: int, unit: str | None, out: Path, day: datetime | None, language: str, *, every: bool) -> None:
    """The packet of check number INSPECTION. Interrupted, it goes on where it was: what is laid out is kept.

    With --all and --as-of, packets that are in the folder already are not made again.
    """
    if every and unit:
        raise click.UsageError("--all makes the packets of all units; leave out --unit")
    moment = moment_of(day)
    if every:
        _build_all(inspection, out, moment, language)
        return
    since = sealing.generation(_settings())
    values = packets.check_values(db.session(), number=inspection, unit=unit, as_of=moment, language=language)
    _make(values, out, language, since)
    note_export("packet", str(inspection), units_in_check(inspection, as_of=moment, unit=unit))


@packet.command()
@click.argument("unit")
@click.argument("quarter")
@as_of
@language
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The PDF to write.")
def quarter(unit: str, quarter: str, out: Path, day: datetime | None, language: str) -> None:
    """The quarterly volume of UNIT (its code): what fell due in QUARTER, such as 2026Q1, with its evidence."""
    found = _QUARTER.fullmatch(quarter)
    if found is None:
        raise click.BadParameter("write a quarter as 2026Q1", param_hint="QUARTER")
    since = sealing.generation(_settings())
    values = packets.quarter_values(
        db.session(),
        unit=unit,
        year=int(found[1]),
        quarter=int(found[2]),
        as_of=moment_of(day),
        language=language,
    )
    _make(values, out, language, since)
    note_export("packet_quarter", unit, unit_with(unit))


def _settings() -> Settings:
    settings: Settings = current_app.config["TRACKER"]
    return settings


def _make(values: PacketValues, out: Path, language: str, since: str) -> None:
    db.session.rollback()
    now = datetime.now(UTC)
    with Workshop(_settings(), language=language, now=now, since=since) as workshop, _shown() as progress:
        made = workshop.make(values, out.resolve(), progress)
    _tell(made)


def _build_all(inspection: int, folder: Path, moment: datetime, language: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with Workshop(_settings(), language=language, now=datetime.now(UTC)) as workshop, _shown() as progress:
        made = packets.make_all(
            db.session(), workshop, number=inspection, as_of=moment, folder=folder.resolve(), progress=progress
        )
        for each in made:
            if isinstance(each, Made):
                _tell(each)
            else:
                for path in each:
                    click.echo(f"{path}: is there already")
    note_export("packet_all", str(inspection), units_in_check(inspection, as_of=moment))


@contextmanager
def _shown() -> Iterator[Progress]:
    """Say on a terminal what is being done, and how much of it."""
    is_terminal = sys.stderr.isatty()

    def progress(step: Step, done: int, total: int) -> None:
        if is_terminal:
            click.echo(f"\r\033[K{STEPS[step]} {done}/{total}", nl=False, err=True)

    yield progress
    if is_terminal:
        click.echo("\r\033[K", nl=False, err=True)


def _tell(made: Made) -> None:
    for path in made.files:
        click.echo(f"{path}: {path.stat().st_size} bytes")
    signature = f"signed ({made.level})" if made.level else "unsigned"
    click.echo(f"{made.number}: {made.pages} pages, {signature}, manifest {made.manifest_sha256}")


@packet.command(with_appcontext=False)  # as `verifier` and `keys demo`: no installation is asked for, none is begun
@click.argument("files", nargs=-1, required=True, type=pdf)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option(
    "--trusted",
    envvar="TRACKER_TRUSTED_CERTIFICATES",
    show_envvar=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The root certificates (PEM) that may vouch for a signature.",
)
@language
def verify(files: tuple[Path, ...], trusted: Path | None, language: str, *, as_json: bool) -> None:
    """Check the packet in FILES (all volumes of one), signature included. Exit code 1 where anything is wrong.

    It needs the files alone: no installation, no database.
    """
    result = verify_packet(files, trusted=trusted, now=datetime.now(UTC))
    translate: Callable[[str], str] = translator(language)
    if as_json:
        click.echo(json.dumps(result.as_json(translate), ensure_ascii=False, indent=2))
    else:
        for line in result.lines(translate):
            click.echo(line)
    if not result.passed:
        sys.exit(FINDINGS)


@packet.command(with_appcontext=False)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
def verifier(out: Path) -> None:
    """Write the checker as one Python file, which needs nothing but Python. Every packet carries the same."""
    out.write_bytes(verifier_source())
    click.echo(f"{out}: python3 -I {out.name} FILE.pdf")


@keys.command("demo", with_appcontext=False)
@click.option(
    "--out",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to write into; what is there is not overwritten.",
)
def demo_keys(folder: Path) -> None:
    """Make a small certificate authority and a signing key, for trying out only, and say how to use them."""
    made = make_demo_authority(folder.resolve(), now=datetime.now(UTC))
    click.echo(f"TRACKER_SIGNING_KEY={made.key}")
    click.echo(f"TRACKER_SIGNING_PASSPHRASE_FILE={made.passphrase}")
    click.echo(f"TRACKER_TRUSTED_CERTIFICATES={made.root}")
