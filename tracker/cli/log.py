"""`tracker log`: check the chains of the log."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack

import click
from flask.cli import with_appcontext

from tracker.cli.aside import second_process
from tracker.cli.progress import bar, snapshot
from tracker.services.verification import ChainReport, verify_log

FINDINGS = 1


@click.group()
def log() -> None:
    """The log: check that nothing in it was changed or cut off."""


@log.command()
@click.option("--chain", help="Only this chain: the code of a unit, or system.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@with_appcontext
def verify(chain: str | None, *, as_json: bool) -> None:
    """Check every chain from its first entry to its last. Exit code 1 and the first broken entry if one is broken."""
    with ExitStack() as stack:
        aside = stack.enter_context(second_process()) if chain is None else None
        progress = stack.enter_context(bar("entries", quiet=as_json))
        reports = verify_log(snapshot(), chain=chain, progress=progress, aside=aside)
    if chain is not None and not reports:
        raise click.UsageError(f"there is no chain {chain!r}")
    if as_json:
        click.echo(json.dumps([_facts(report) for report in reports], ensure_ascii=False, indent=2))
    else:
        _print(reports)
    if any(report.broken for report in reports):
        sys.exit(FINDINGS)


def _facts(report: ChainReport) -> dict[str, object]:
    broken = report.broken
    return {
        "chain": report.chain,
        "entries": report.length,
        "head": report.head,
        "broken": None if broken is None else {"seq": broken.seq, "fault": broken.fault.value},
    }


def _print(reports: list[ChainReport]) -> None:
    for report in reports:
        if report.broken:
            click.echo(f"{report.chain}:{report.broken.seq}: {report.broken.fault.value}: {report.broken.message}")
    broken = sum(report.broken is not None for report in reports)
    entries = sum(report.length for report in reports)
    click.echo(f"{len(reports)} chains, {entries} entries, {broken} broken", err=True)
