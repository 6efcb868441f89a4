"""`tracker copy`: take an installation over into another database and another store."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from tracker.config import Settings, SettingsError, check_database
from tracker.db import db, engine_options, prepare
from tracker.services.board_counts import verify_counts
from tracker.storage.probe import faults_of
from tracker.storage.s3 import S3Store
from tracker.storage.store import Store, open_store
from tracker.tasks import copying
from tracker.tasks.engines import faults_of_database
from tracker.tasks.stores import EVIDENCE, evidence_store

FINDINGS = 1


@click.command()
@click.option("--to-database", help="URL of the other database, whose tables are there: tracker db upgrade.")
@click.option("--to-store", help="URL of the other store; of a bucket the key is that of TRACKER_STORE_KEY_ID.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@with_appcontext
def copy(to_database: str | None, to_store: str | None, *, as_json: bool) -> None:
    """Copy all rows and files, and compare them. The source stays as it is; a second run goes on.

    Run it while the system works, stop the services, run it once more, then change the settings. Exit code 1 if
    anything differs in the end.
    """
    if not to_database and not to_store:
        raise click.UsageError("nothing to do: name --to-database, --to-store, or both")
    _check(to_database, to_store)
    found: dict[str, Any] = {}
    with copying.reading(db.engine) as source, _progress(quiet=as_json) as progress:
        if to_database:
            with _engine(to_database) as target:
                found |= _rows(source, target, progress)
        if to_store:
            old = evidence_store(current_app.config["TRACKER"])
            files = copying.copy_files(source, old, _store(to_store), progress=progress)
            found["files"] = {"named": files.named, "sound": files.sound, "faults": files.faults}
    differences = _differences(found)
    if as_json:
        click.echo(json.dumps(found | {"differences": differences}, ensure_ascii=False, indent=2))
    else:
        _print(found, differences)
    if differences:
        sys.exit(FINDINGS)


def _check(to_database: str | None, to_store: str | None) -> None:
    """Raise what is wrong with both targets, before anything is copied to one of them."""
    faults: list[str] = []
    if to_database:
        faults += [line.replace("TRACKER_DATABASE_URL", "--to-database") for line in _faults_of_database(to_database)]
    if to_store and isinstance(store := _store(to_store), S3Store):
        faults += [line.replace("TRACKER_STORE_URL", "--to-store") for line in faults_of(store)]
    if faults:
        raise SettingsError("\n".join(faults))


def _faults_of_database(url: str) -> list[str]:
    settings: Settings = current_app.config["TRACKER"]
    if url == settings.database:
        raise click.UsageError("--to-database is the database that is copied")
    try:
        check_database(url)
    except ValueError as error:
        raise click.UsageError(f"--to-database: {error}") from None
    return faults_of_database(url)


def _rows(source: Any, target: Engine, progress: copying.Progress) -> dict[str, Any]:  # noqa: ANN401  a connection
    with target.connect() as connection:
        copying.check_target(source, connection)
    written = copying.copy_rows(source, target, progress=progress)
    with copying.reading(target) as connection, Session(connection) as session:
        tables = list(copying.compare_rows(source, connection, written))
        counters = list(verify_counts(session))
    chains = copying.compare_log(target)
    return {
        "tables": [{"name": t.name, "rows": t.rows, "written": t.copied, "same": t.same} for t in tables],
        "chains": [{"chain": c.chain, "entries": c.length, "whole": c.broken is None} for c in chains],
        "counters": [{"place": c.key, "found": int(c.found), "expected": int(c.expected)} for c in counters],
    }


def _differences(found: dict[str, Any]) -> list[str]:
    return [
        *(f"table {table['name']}: differs" for table in found.get("tables", ()) if not table["same"]),
        *(f"chain {chain['chain']}: broken" for chain in found.get("chains", ()) if not chain["whole"]),
        *(
            f"counter {one['place']}: counted {one['found']}, and there are {one['expected']}"
            for one in found.get("counters", ())
        ),
        *(f"file {name}: {fault}" for name, fault in found.get("files", {}).get("faults", {}).items()),
    ]


def _print(found: dict[str, Any], differences: list[str]) -> None:
    for line in differences:
        click.echo(line)
    if "tables" in found:
        rows, written = (sum(table[name] for table in found["tables"]) for name in ("rows", "written"))
        click.echo(f"{len(found['tables'])} tables, {rows} rows, {written} written", err=True)
        click.echo(f"{len(found['chains'])} chains of the log", err=True)
    if "files" in found:
        click.echo(f"{found['files']['named']} files, {found['files']['sound']} sound in the new store", err=True)
    hint = "; with the other database, run: tracker board rebuild" if found.get("counters") else ""
    click.echo(f"{len(differences)} differences{hint}", err=True)


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    settings: Settings = current_app.config["TRACKER"]
    engine = create_engine(url, **engine_options(url, allow_old_sqlite=settings.allow_old_sqlite))
    prepare(engine)
    try:
        yield engine
    finally:
        engine.dispose()


def _store(url: str) -> Store:
    settings: Settings = current_app.config["TRACKER"]
    if url == settings.store_url:
        raise click.UsageError("--to-store is the store that is copied")
    folder = Path(settings.data_dir.resolve() / "arriving")
    secret = settings.store_secret.get_secret_value()
    try:
        return open_store(url, folder, key_id=settings.store_key_id, secret=secret, below=EVIDENCE)
    except ValueError as error:
        raise click.UsageError(f"--to-store: {error}") from None
    except OSError as error:
        raise click.UsageError(f"--to-store: {error.filename} cannot be made: {error.strerror}") from None


@contextmanager
def _progress(*, quiet: bool) -> Iterator[copying.Progress]:
    """One line on a terminal that says what is being copied."""
    shown = not quiet and sys.stderr.isatty()

    def show(what: str, done: int, whole: int) -> None:
        if shown:
            click.echo(f"\r\033[K{what}: {done}/{whole}", nl=False, err=True)

    yield show
    if shown:
        click.echo("", err=True)
