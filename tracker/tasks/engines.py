"""Asks the engines that the settings name, before work begins: everything that is wrong is said at once."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from tracker.config import Settings, SettingsError
from tracker.storage.probe import faults_of
from tracker.storage.s3 import S3Store
from tracker.tasks.queue import Queue
from tracker.tasks.stores import evidence_store

_PATIENCE = 5  # seconds for a database to answer


def check_engines(settings: Settings, queue: Queue) -> None:
    """Raise SettingsError that names all that is wrong with database, store and queue; no secret is shown.

    What every installation has on its own disk is not asked. A queue that is away is no fault: jobs wait without it.
    """
    found = [*faults_of_database(settings.database), *_of_store(settings)]
    if fault := queue.fault():
        found.append(f"TRACKER_QUEUE_URL: {fault}")
    if found:
        raise SettingsError("\n".join(_masked(line, settings) for line in found))


def make_folders(settings: Settings) -> None:
    """Make the folder of the installation, and that of TMPDIR if it is set, or raise SettingsError.

    Where TMPDIR names no folder, large uploads would go to /tmp without a word, which may be memory.
    """
    for name, folder in (("TRACKER_DATA_DIR", settings.data_dir), ("TMPDIR", os.environ.get("TMPDIR"))):
        try:
            if folder:
                Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise SettingsError(f"{name}: {folder} cannot be made: {error.strerror}") from None


def faults_of_database(url: str) -> list[str]:
    """What is wrong with the database of a URL that can be read, each in a line that names the setting."""
    if url.startswith("sqlite"):
        folder = Path(make_url(url).database or "").parent
        return [] if folder.is_dir() else [f"TRACKER_DATABASE_URL: there is no folder {folder}; make it"]
    try:
        engine = create_engine(url, connect_args={"connect_timeout": _PATIENCE})
        with engine.connect() as connection:
            number = int(connection.scalar(text("SHOW server_version_num")) or 0)
        engine.dispose()
    except (DBAPIError, ArgumentError, NoSuchModuleError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().replace("\n", "; ")
        return [f"TRACKER_DATABASE_URL: {reason}; correct it, or start the database"]
    return [] if number >= 150000 else [f"TRACKER_DATABASE_URL: PostgreSQL {number // 10000} is older than 15"]


def _of_store(settings: Settings) -> list[str]:
    try:
        store = evidence_store(settings)
    except OSError as error:
        name = "TRACKER_STORE_URL" if settings.store_url else "TRACKER_DATA_DIR"
        return [f"{name}: {error.filename} cannot be made: {error.strerror}"]
    return faults_of(store) if isinstance(store, S3Store) else []


def _masked(line: str, settings: Settings) -> str:
    """The line without a password, should an engine have repeated one."""
    passwords = [make_url(url).password for url in (settings.database, settings.queue_url) if "://" in url]
    for secret in (*passwords, settings.store_secret.get_secret_value()):
        if secret:
            line = line.replace(str(secret), "***")
    return line
