"""Whether this machine can serve: database, migrations, store, and room on its disks.

What is wrong is said in a line that names what to do, and nothing that a stranger should not read: no address, no name
of a bucket or a user, no word of an engine. The log has the rest.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from functools import cache

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, inspect
from sqlalchemy.exc import DBAPIError

from tracker.config import CHECKOUT, Settings
from tracker.db import engine_options
from tracker.models import Base
from tracker.storage.blobs import BlobStore
from tracker.storage.probe import answers
from tracker.storage.s3 import S3Store
from tracker.tasks.stores import evidence_store

FINE = "ok"
BEHIND = "the database is behind the program; run: tracker db upgrade"
AHEAD = "the database is newer than the program, or was not made by it; update the program"
KEPT = 1.0  # seconds for which an answer is given again
_PATIENCE = 3  # seconds for an engine to answer

logger = logging.getLogger(__name__)


def readiness(settings: Settings) -> dict[str, str]:
    """Each check by name, with "ok" or what is wrong. None of them waits for longer than some seconds."""
    return {**_of_database(settings), "store": _guarded(_of_store, settings), "disk": _guarded(_of_disk, settings)}


class Lately:
    """The readiness of a moment ago: however many ask at once, the engines are asked by one of them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._found: dict[str, str] = {}
        self._until = 0.0

    def readiness(self) -> dict[str, str]:
        """Each check by name, as `readiness` tells them."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._found = readiness(self._settings)
                self._until = time.monotonic() + KEPT
            return self._found


def standing_of(connection: Connection) -> str:
    """Say whether the tables are those of the program: "ok", BEHIND or AHEAD."""
    script = _script()
    newest = set(script.get_heads())
    found = set(MigrationContext.configure(connection).get_current_heads())
    if found == newest:
        return FINE
    known = {revision.revision for revision in script.walk_revisions()}
    if found:
        return BEHIND if found <= known else AHEAD
    tables = set(inspect(connection).get_table_names())
    return AHEAD if tables & set(Base.metadata.tables) else BEHIND


@cache
def _script() -> ScriptDirectory:
    return ScriptDirectory(str(CHECKOUT / "migrations"))


def _of_database(settings: Settings) -> dict[str, str]:
    """Ask over a connection of its own: those of the pages may all be in use, or wait for a server that is away."""
    url = settings.database
    options = engine_options(url, allow_old_sqlite=settings.allow_old_sqlite)
    if not url.startswith("sqlite"):
        patience = {"connect_timeout": _PATIENCE, "options": f"-c statement_timeout={_PATIENCE}s"}
        options = {"hide_parameters": True, "connect_args": patience}
    engine = create_engine(url, poolclass=NullPool, **options)
    try:
        with engine.connect() as connection:
            return {"database": FINE, "migrations": standing_of(connection)}
    except DBAPIError as error:
        logger.error("not ready: the database does not answer: %s", error.orig)
        return {"database": "the database does not answer", "migrations": "not known: the database does not answer"}
    finally:
        engine.dispose()


def _guarded(check: Callable[[Settings], str], settings: Settings) -> str:
    try:
        return check(settings)
    except OSError as error:
        logger.error("not ready: %s", error)
        return "the folder cannot be used; the log says why"


def _of_store(settings: Settings) -> str:
    store = evidence_store(settings, patience=_PATIENCE)
    if isinstance(store, S3Store) and not answers(store):
        return "the store of evidence does not answer"
    if isinstance(store, BlobStore) and not os.access(store.root, os.W_OK):
        return "the folder of evidence cannot be written to"
    return FINE


def _of_disk(settings: Settings) -> str:
    if shutil.disk_usage(tempfile.gettempdir()).free < settings.request_limit:
        return "no room for one upload of TRACKER_REQUEST_LIMIT; let TMPDIR name a folder on a larger disk"
    has_room = shutil.disk_usage(settings.data_dir).free >= settings.free_space_floor
    if has_room and evidence_store(settings).has_room():
        return FINE
    return "less free space than TRACKER_FREE_SPACE_FLOOR; nothing new is taken in"
