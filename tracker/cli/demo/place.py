"""Where a demo lives: a data folder and a database that carry its marks. Nothing else is ever deleted."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import click
import flask_migrate
from flask import Flask
from sqlalchemy import Engine, create_engine, inspect, make_url, select, text

from tracker.app import create_app
from tracker.cli.demo.opening import BEGUN, FINISHED
from tracker.config import Settings, load_settings
from tracker.db import db, engine_options
from tracker.models import Base, LogEntry
from tracker.reporting.demo_keys import demo_authority, make_demo_authority

MARK = "DEMO"
MARK_TEXT = "This folder belongs to `tracker demo`. `tracker demo --fresh` deletes what is in it.\n"
KEPT = frozenset({"fonts"})  # the same in every demo, and slow to make


class NotADemo(click.ClickException):
    """A folder or a database that is something else; it is left as it is."""

    exit_code = 2


class Standing(StrEnum):
    """What there is of a demo."""

    NOTHING = "nothing"
    BEGUN = "begun"
    READY = "ready"


def settings_for(folder: Path, *, port: int | None) -> Settings:
    """Return the settings of a demo in that folder. Raises NotADemo for a folder that holds something else."""
    folder = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise NotADemo(f"{folder} is a file; name a folder with --data")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise NotADemo(f"{folder} is not empty and no demo; name another folder with --data")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / MARK).write_text(MARK_TEXT)
    return load_settings(data_dir=folder, demo=True, port=port)


def standing(settings: Settings) -> Standing:
    """Say what the database of these settings holds. Raises NotADemo for one that holds something else."""
    url = make_url(settings.database)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return Standing.NOTHING
    engine = create_engine(url, **engine_options(settings.database))  # not the application's, which prepares the file
    try:
        found = _standing(engine)
    finally:
        engine.dispose()
    if found is Standing.READY and not settings.store_dir.is_dir():
        return Standing.BEGUN
    return found


def _standing(engine: Engine) -> Standing:
    tables = set(inspect(engine).get_table_names())
    if not tables & {*Base.metadata.tables, "alembic_version"}:
        return Standing.NOTHING
    with engine.connect() as connection:
        verbs: set[str] = set()
        if LogEntry.__tablename__ in tables:
            marks = select(LogEntry.verb).where(LogEntry.verb.in_((BEGUN, FINISHED)))
            verbs = set(connection.scalars(marks))
            anything = connection.scalar(select(LogEntry.id).limit(1)) is not None
        else:
            anything = len(tables) > 1
    if BEGUN not in verbs and anything:
        raise NotADemo(
            "the database holds an installation that is no demo, and is left as it is; "
            "point TRACKER_DATABASE_URL at an empty one, or unset it"
        )
    return Standing.READY if FINISHED in verbs else Standing.BEGUN


def wipe(settings: Settings) -> None:
    """Delete the demo: the tables of its database, then what lies in its folder. The caller has asked `standing`."""
    if not (settings.data_dir / MARK).is_file():
        raise NotADemo(f"{settings.data_dir} carries no mark of a demo; it is left as it is")
    url = make_url(settings.database)
    if url.get_backend_name() == "sqlite":
        for ending in ("", "-wal", "-shm"):
            Path(f"{url.database}{ending}").unlink(missing_ok=True)
    else:
        _drop_tables(settings)
    for path in sorted(settings.data_dir.iterdir()):
        if path.name not in KEPT | {MARK, "keys"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _drop_tables(settings: Settings) -> None:
    with create_app(settings).app_context():
        Base.metadata.drop_all(db.engine)
        with db.engine.begin() as connection:
            connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
        db.engine.dispose()


def with_schema(settings: Settings) -> Flask:
    """Return the application of the demo, its database brought to the present schema."""
    app = create_app(settings)
    with app.app_context():
        flask_migrate.upgrade()
    return app


def environment(settings: Settings) -> dict[str, str]:
    """What the processes of the demo see: that of this process, with the settings of the demo and its signing key."""
    own = {
        "TRACKER_DATA_DIR": str(settings.data_dir),
        "TRACKER_DEMO": "true",
        "TRACKER_PORT": str(settings.port),
    }
    return os.environ | own | ({} if settings.signing_key else signing(settings.data_dir / "keys"))


def signing(folder: Path) -> dict[str, str]:
    """The settings of a key that packets of the demo are signed with, made in `folder` if need be."""
    keys = demo_authority(folder)
    if not keys.key.exists():
        make_demo_authority(folder, now=datetime.now(UTC))
    return {
        "TRACKER_SIGNING_KEY": str(keys.key),
        "TRACKER_SIGNING_PASSPHRASE_FILE": str(keys.passphrase),
        "TRACKER_TRUSTED_CERTIFICATES": str(keys.root),
    }
