"""`tracker verify` and `tracker gc`: hash and count everything again; remove what nothing refers to."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import click
from flask import current_app
from flask.cli import with_appcontext

from tracker.cli.progress import bar, snapshot
from tracker.config import Settings
from tracker.db import db, transaction
from tracker.domain.actor import operator
from tracker.services import log
from tracker.services.board_counts import verify_counts
from tracker.services.recount import Difference, verify_caches, verify_sign_offs, verify_texts
from tracker.services.recount_checks import verify_checks
from tracker.services.verification import (
    FileFault,
    FileReport,
    Garbage,
    collect_garbage,
    garbage,
    verify_files,
)
from tracker.storage import sheets
from tracker.storage.preview import Previews
from tracker.storage.store import Store
from tracker.tasks import sealing
from tracker.tasks.stores import evidence_store
from tracker.tasks.workplace import leftovers, remove_dead

FINDINGS = 1
FILE_TEXTS = {
    FileFault.MISSING: "the bytes are missing",
    FileFault.CHANGED: "the bytes are not what they were",
    FileFault.ORPHANED: "no row names these bytes (tracker gc removes them once they are a day old)",
    FileFault.NOT_DESTROYED: "sealed, but the bytes are still there (tracker gc destroys them)",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@with_appcontext
def verify(*, as_json: bool) -> None:
    """Hash every stored file and signature again, and recount what is kept for speed. Exit code 1 on any difference."""
    now, session = datetime.now(UTC), snapshot()
    with bar("files", quiet=as_json) as progress:
        files = list(verify_files(session, evidence_store(current_app.config["TRACKER"]), now=now, progress=progress))
    with bar("duties", quiet=as_json) as progress:
        rows = [*verify_sign_offs(session), *verify_texts(session), *verify_caches(session, now=now, progress=progress)]
        rows += [*verify_checks(session), *verify_counts(session)]
    if as_json:
        click.echo(json.dumps({"files": [*_files(files)], "rows": [*_rows(rows)]}, ensure_ascii=False, indent=2))
    else:
        _print(files, rows)
    if rows or any(not file.young for file in files):
        sys.exit(FINDINGS)


def _files(files: list[FileReport]) -> Iterator[dict[str, object]]:
    for file in files:
        yield {"sha256": file.sha256, "fault": file.fault.value, "young": file.young}


def _rows(rows: list[Difference]) -> Iterator[dict[str, str]]:
    for row in rows:
        yield {"kind": row.kind, "key": row.key, "what": row.what, "found": row.found, "expected": row.expected}


def _print(files: list[FileReport], rows: list[Difference]) -> None:
    for file in files:
        click.echo(f"{file.sha256}: {file.fault.value}: {FILE_TEXTS[file.fault]}")
    for row in rows:
        click.echo(f"{row.kind} {row.key}: {row.what} is {row.found!r}, and should be {row.expected!r}")
    found = sum(not file.young for file in files)
    click.echo(f"{found} faults of files, {len(rows)} differences", err=True)


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@with_appcontext
def gc(*, dry_run: bool) -> None:
    """Remove what crashes left behind: bytes that no row has named for a day, and unfinished work of a day ago.

    A seal whose bytes, documents or sections a crash left in place is carried out to its end.
    """
    settings: Settings = current_app.config["TRACKER"]
    now, store = datetime.now(UTC), evidence_store(settings)
    found, left, owed = garbage(db.session(), store, now=now), leftovers(settings, now=now), _owed(settings)
    gone = found if dry_run else _remove(found, store, now)
    if not dry_run:
        sealing.make_good(db.session(), settings)
        remove_dead(left)
    for what in owed:
        click.echo(f"{what}: may show what is sealed")
    for path in left:
        click.echo(f"{path.name}: of a worker or a command that ended before it was done")
    for sha256 in gone.orphans:
        click.echo(f"{sha256}: no row names it")
    for part in gone.parts:
        click.echo(f"{part.name}: an upload that ended before it was whole")
    for sha256 in gone.sealed:
        click.echo(f"{sha256}: sealed")
    for sha256 in gone.back:
        click.echo(f"{sha256}: half removed by a command that was ended; it {'would come' if dry_run else 'came'} back")
    verb = "would go" if dry_run else "removed"
    click.echo(f"{len(gone.orphans)} orphans, {len(gone.parts)} parts, {len(gone.sealed)} sealed: {verb}", err=True)


def _owed(settings: Settings) -> list[str]:
    """What a seal that a crash interrupted still has to destroy."""
    return ["all documents and sections"] if sealing.is_owed(db.session(), settings) else []


def _remove(found: Garbage, store: Store, now: datetime) -> Garbage:
    gone = collect_garbage(found, store, now=now)
    settings: Settings = current_app.config["TRACKER"]
    previews = Previews(settings.preview_dir, store)
    for sha256 in (*gone.sealed, *gone.orphans):
        previews.forget(sha256)
        sheets.forget(settings.section_dir, sha256)
    if gone.orphans or gone.sealed:
        after = {"orphans": list(gone.orphans), "sealed": list(gone.sealed)}
        with transaction() as session:
            log.record(session, actor=operator(), now=now, verb="gc", kind="store", key="evidence", after=after)
    return gone
